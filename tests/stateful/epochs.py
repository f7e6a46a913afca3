"""What honest attesters state: the leaves of every account and instrument, in one epoch's trees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.attestation.typed_data import InstrumentLeaf
from keeper.clearing.account import Account, InstrumentMargin
from keeper.markets.instrument import Instrument
from tests.stateful import margins, typed
from tests.stateful.deployment import LISTINGS
from tests.stateful.margins import Coins, Market

WAD = 10**18
MARGINAL = WAD
MAX_ADDED_IM = 10**9 * WAD
NO_LEAF: typed.Struct = {
    field: bytes(32) if kind == "bytes32" else 0 for kind, field in typed.members("MarginLeaf")
}


@dataclass(frozen=True)
class Views:
    """The market at the effective and at the posted spots."""

    effective: Market
    posted: Market


@dataclass(frozen=True)
class EpochBook:
    """One epoch as its attesters published it."""

    header: typed.Struct
    words: tuple[int, ...]  # posted << 64 | effective spot, 1e-8 USD
    views: Views
    margins: Mapping[int, typed.Struct]
    instruments: Mapping[int, typed.Struct]
    margin_rows: list[list[bytes]]
    market_rows: list[list[bytes]]

    @property
    def number(self) -> int:
        return int(self.header["number"])

    @property
    def market(self) -> Market:
        """At the effective spots."""
        return self.views.effective

    def margin_proof(self, account: int) -> list[bytes]:
        one = typed.leaf(typed.struct_hash("MarginLeaf", self.margins[account]))
        return [*typed.proof(self.margin_rows, one), self.market_rows[-1][0]]

    def instrument_proof(self, instrument: int) -> list[bytes]:
        one = typed.leaf(typed.struct_hash("InstrumentLeaf", self.instruments[instrument]))
        return [*typed.proof(self.market_rows, one), self.margin_rows[-1][0]]

    def unit(self, instrument: int) -> InstrumentLeaf:
        """The instrument's leaf as the keeper reads it."""
        return InstrumentLeaf(*typed.values("InstrumentLeaf", self.instruments[instrument]))

    def instrument_margin(self, instrument: int) -> InstrumentMargin:
        leaf = self.instruments[instrument]
        return InstrumentMargin(leaf["mark"], leaf["imLong"], leaf["imShort"])


def coins_of(account: Account) -> tuple[Coins, ...]:
    """The account's collateral as margins see it."""
    return tuple(
        Coins(one.underlying, account.collateral[one.index], one.initial_haircut, one.maintenance_haircut)
        for one in LISTINGS
        if one.index in account.collateral
    )


def margin_of(account: Account, market: Market) -> margins.BookMargin:
    """Exact margin of an account, by the methodology of the tests."""
    return margins.book_margin(account.positions, market, coins_of(account))


def margin_leaf(number: int, account: Account, views: Views) -> typed.Struct:
    """What honest attesters state about an account."""
    margin = margin_of(account, views.effective)
    posted = margin if views.posted == views.effective else margin_of(account, views.posted)
    return NO_LEAF | {
        "account": number,
        "addedIM": account.added_im,
        "addedMark": account.added_mark,
        "bookHash": account.book_hash,
        "markToMarket": margin.mark,
        "initialMargin": margin.initial,
        "maintenanceMargin": margin.maintenance,
        "markPosted": posted.mark,
        "maintenancePosted": posted.maintenance,
        "marginal": MARGINAL,
        "maxAddedIM": MAX_ADDED_IM,
    }


def instrument_leaf(packed: int, market: Market) -> typed.Struct:
    """What honest attesters state about an instrument."""
    instrument = Instrument.unpack(packed)
    long, short = margins.unit_margins(instrument, market)
    return {
        "instrument": packed,
        "mark": margins.mark(instrument, market),
        "imLong": long,
        "mmLong": -(-long * 4 // 5),
        "imShort": short,
        "mmShort": -(-short * 4 // 5),
    }


def publish_book(
    header: typed.Struct,
    words: Sequence[int],
    views: Views,
    leaves: Mapping[int, typed.Struct],
    instruments: Sequence[int],
) -> EpochBook:
    """Both trees over the leaves; completes the header with their roots."""
    units = {i: instrument_leaf(i, views.effective) for i in instruments}
    margin_rows = typed.levels([_leaf_of("MarginLeaf", leaf) for leaf in leaves.values()])
    market_rows = typed.levels([_leaf_of("InstrumentLeaf", leaf) for leaf in units.values()])
    roots = {"marketRoot": market_rows[-1][0], "marginRoot": margin_rows[-1][0]}
    return EpochBook(header | roots, tuple(words), views, leaves, units, margin_rows, market_rows)


def _leaf_of(name: str, value: typed.Struct) -> bytes:
    return typed.leaf(typed.struct_hash(name, value))
