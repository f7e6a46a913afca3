"""A market day for the liquidator: an attested epoch of four accounts, and what they have done since."""

from dataclasses import dataclass, field, replace
from typing import Any

from keeper.attestation.typed_data import InstrumentLeaf, MarginLeaf
from keeper.chain.liquidation import Auction, Terms, Valuation
from keeper.clearing import account as accounts
from keeper.clearing.account import NEVER, Account, Fill
from keeper.jobs.decide_liquidations import Situation
from keeper.jobs.health import Prices
from keeper.markets.instrument import Instrument, Kind
from keeper.store.index_store import AccountRow, ChangeRow
from keeper.units.constants import CHANGE_UNCOUNTED_FILL, WAD

NOW = 1_743_850_000
EPOCH = 7
EXPIRY = NOW + 7 * 86_400
CALL = Instrument(1, EXPIRY, 3_000 * 10**8, Kind.CALL).pack()
PUT = Instrument(1, EXPIRY, 3_000 * 10**8, Kind.PUT).pack()
LEAVES = {i: InstrumentLeaf(i, 100 * WAD, 150 * WAD, 120 * WAD, 300 * WAD, 250 * WAD) for i in (CALL, PUT)}
TERMS = Terms(
    start=98 * WAD // 100,
    floor=80 * WAD // 100,
    duration=900,
    bonus=WAD // 2,
    bonus_duration=3_600,
    minimum_bid=WAD // 10,
    dust=100 * WAD,
    buffer=10 * WAD,
    grace=600,
)
SPOT = 3_000 * 10**8
BIDDER = 9


@dataclass(frozen=True)
class Header:
    number: int = EPOCH


@dataclass(frozen=True)
class Told:
    """What an epoch says, without the market behind it; paths name what they prove."""

    margins: tuple[MarginLeaf, ...]
    epoch: Header = Header()

    def margin(self, account: int) -> MarginLeaf:
        for leaf in self.margins:
            if leaf.account == account:
                return leaf
        raise LookupError(f"epoch: no margin leaf of account {account}")

    def instrument(self, instrument: int) -> InstrumentLeaf:
        if instrument not in LEAVES:
            raise LookupError(f"epoch: no leaf of instrument {instrument}")
        return LEAVES[instrument]

    def account_proof(self, account: int) -> list[bytes]:
        return [account.to_bytes(32, "big")]

    def instrument_proof(self, instrument: int) -> list[bytes]:
        return [instrument.to_bytes(32, "big")]


@dataclass
class Stage:
    """Accounts short one call each, margins 300 and 250, mark minus 100; the bidder has cash alone."""

    states: dict[int, Account] = field(default_factory=dict)
    leaves: dict[int, MarginLeaf] = field(default_factory=dict)
    links: dict[int, list[ChangeRow]] = field(default_factory=dict)
    values: dict[int, Valuation] = field(default_factory=dict)

    def short(self, number: int, cash: int) -> None:
        """An attested account short one call."""
        sold = accounts.filled(Account("0x"), Fill(CALL, -WAD, 0, 0, None))
        self._add(number, replace(sold, cash=cash), -100 * WAD, 300 * WAD, 250 * WAD)

    def flat(self, number: int, cash: int) -> None:
        """An attested account that holds cash alone."""
        self._add(number, Account("0x", cash=cash), 0, 0, 0)

    def _add(self, number: int, state: Account, mark: int, initial: int, maintenance: int) -> None:
        self.states[number] = state
        margins = (mark, initial, maintenance, mark, maintenance, WAD, 10_000 * WAD)
        self.leaves[number] = MarginLeaf(number, 0, 0, state.book_hash, *margins, bytes(32))
        self.values[number] = Valuation(None, earliest=NEVER if state.positions == {} else EXPIRY)
        self.links[number] = [
            ChangeRow(CHANGE_UNCOUNTED_FILL, i, q, 0, state.book_hash) for i, q in state.positions.items()
        ]

    def enrich(self, number: int) -> None:
        """The epoch marks an account's legs at 500."""
        leaf = self.leaves[number]
        self.leaves[number] = replace(leaf, mark_to_market=500 * WAD, mark_posted=500 * WAD)

    def trade(self, number: int, instrument: int, quantity: int, price: int) -> None:
        """An uncounted fill since the epoch."""
        self.states[number] = accounts.filled(self.states[number], Fill(instrument, quantity, price, 0, None))
        link = (CHANGE_UNCOUNTED_FILL, instrument, quantity, price, self.states[number].book_hash)
        self.links[number].append(ChangeRow(*link))

    def row(self, number: int) -> AccountRow:
        state = self.states[number]
        positions = tuple(sorted(state.positions.items()))
        counters = state.added_im, state.added_mark
        collateral = tuple(sorted(state.collateral.items()))
        return AccountRow(
            number, "0x", state.cash, *counters, state.book_hash, positions, collateral, state.frozen
        )

    def situation(self, auctions: dict[int, Auction] | None = None, **changed: Any) -> Situation:
        """The stage as the liquidator sees it."""
        spots = {1: SPOT}
        found = Situation(
            statement=Told(tuple(self.leaves.values())),  # type: ignore[arg-type]
            rows={n: self.row(n) for n in self.states},
            links=self.links,
            liquid={n: state.cash for n, state in self.states.items()},
            values=self.values,
            prices=Prices(spots, spots, (), WAD),
            terms=TERMS,
            auctions=auctions or {},
            converting=frozenset(),
            now=NOW,
            frozen_after=600,
            is_fresh=True,
            bidder=BIDDER,
            minimum_return=3 * WAD // 100,
        )
        return replace(found, **changed)


def auction(**changed: Any) -> Auction:
    """Of an account short one call, started half way of its clock ago."""
    found = Auction(
        epoch=EPOCH,
        elapsed=0,
        touched=NOW - 450,
        insolvent=False,
        initial_margin=300 * WAD,
        maintenance_margin=250 * WAD,
        mark=-100 * WAD,
        linear=0,
        earliest=EXPIRY,
        added=300 * WAD,
    )
    return replace(found, **changed)
