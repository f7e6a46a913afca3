"""Every change of an account's cash, out of the chain's events. Pure. Amounts WAD, times unix seconds.

Each event states the cash afterwards; what it was made of follows from the event and from the account's own
history, with the rules of the contracts. The parts must add up to what the chain states, to the wei: a
journal that does not is refused, not rounded.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keeper.chain.contracts import CLEARINGHOUSE, COLLATERAL_SALE, VAULT
from keeper.clearing import funding
from keeper.clearing.account import moved, value_at
from keeper.clearing.funding import Funding
from keeper.clearing.share import cash_moved
from keeper.markets.instrument import Instrument, Kind, leg_of
from keeper.store.index_store import EventRow
from keeper.units.constants import WAD

KINDS = (
    "deposit",
    "withdrawal",
    "trade",
    "fee",
    "rebate",
    "funding",
    "settlement",
    "liquidation",
    "conversion",
    "interest",
)
_LOW_128 = 2**128 - 1


class JournalError(ValueError):
    """The events do not add up to the cash that the chain states: some are missing or of another chain."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `balance` is the cash after it; `what` an instrument (packed), or the other account."""

    block: int
    time: int
    transaction: str
    kind: str
    what: int
    quantity: int
    price: int
    amount: int
    balance: int


@dataclass
class _Book:
    """The account as its events leave it."""

    cash: int = 0
    positions: dict[int, int] = field(default_factory=dict)
    entries: dict[int, int] = field(default_factory=dict)  # funding index at the last touch, by perp


@dataclass(frozen=True, slots=True)
class _Part:
    kind: str
    amount: int
    what: int = 0
    quantity: int = 0
    price: int = 0


def journal(account: int, events: Iterable[tuple[EventRow, int]]) -> list[Entry]:
    """All entries of an account, oldest first.

    Args:
        events: in the chain's order, with the time of their blocks: those that name the account, from its
            opening on, and every change of a funding rate before and between.

    Raises:
        JournalError: the history does not begin with the opening, or does not add up.
    """
    return _Replay(account).run(events)


class _Replay:
    """One account's events, one after the other."""

    def __init__(self, account: int) -> None:
        self._account = account
        self._book = _Book()
        self._opened = False
        self._rates: dict[int, Funding] = {}
        self._sales: set[tuple[str, int]] = set()  # transaction and cost of collateral sold
        self._done: list[Entry] = []

    def run(self, events: Iterable[tuple[EventRow, int]]) -> list[Entry]:
        handlers: Mapping[tuple[str, str], Callable[[Mapping[str, Any], int], tuple[list[_Part], int]]] = {
            (VAULT, "Withdrawn"): self._withdrawn,
            (VAULT, "InterestCharged"): self._charged,
            (CLEARINGHOUSE, "PositionChanged"): self._traded,
            (CLEARINGHOUSE, "AccountSettled"): self._settled,
            (CLEARINGHOUSE, "ShareTransferred"): self._shared,
        }
        held_back: list[tuple[EventRow, int]] = []
        for row, time in events:
            # a sale of collateral deposits its proceeds before it says that it was one
            if held_back and held_back[0][0].transaction_hash != row.transaction_hash:
                self._deposits(held_back)
            key = (row.contract, row.name)
            if key == (CLEARINGHOUSE, "AccountOpened"):
                self._opened = True
            elif key == (CLEARINGHOUSE, "FundingRateSet"):
                self._rate_set(row.payload, time)
            elif key == (COLLATERAL_SALE, "CollateralConverted"):
                self._sales.add((row.transaction_hash, row.payload["cost"]))
            elif key == (VAULT, "Deposited"):
                held_back.append((row, time))
            elif key in handlers:
                self._deposits(held_back)
                self._note(row, time, *handlers[key](row.payload, time))
        self._deposits(held_back)
        return self._done

    def _note(self, row: EventRow, time: int, parts: list[_Part], after: int) -> None:
        """The parts as entries; they must lead to what the chain states."""
        if not self._opened:
            raise JournalError(f"account {self._account}: the history begins after its opening")
        for part in parts:
            if not part.amount:
                continue
            self._book.cash += part.amount
            place = (row.block_number, time, row.transaction_hash)
            what = (part.what, part.quantity, part.price)
            self._done.append(Entry(*place, part.kind, *what, part.amount, self._book.cash))
        if self._book.cash != after:
            raise JournalError(
                f"account {self._account}: {self._book.cash} after {row.name} in block {row.block_number},"
                f" the chain says {after}"
            )

    def _deposits(self, held_back: list[tuple[EventRow, int]]) -> None:
        for row, time in held_back:
            sold = (row.transaction_hash, row.payload["amount"]) in self._sales
            kind = "conversion" if sold else "deposit"
            after = row.payload["cash"]
            self._note(row, time, [_Part(kind, after - self._book.cash)], after)
        held_back.clear()

    def _withdrawn(self, p: Mapping[str, Any], _time: int) -> tuple[list[_Part], int]:
        """Of the settlement token; a withdrawal of collateral leaves the cash as it is."""
        return [_Part("withdrawal", p["cash"] - self._book.cash)], p["cash"]

    def _charged(self, p: Mapping[str, Any], _time: int) -> tuple[list[_Part], int]:
        return [_Part("interest", -p["amount"])], p["cash"]

    def _traded(self, p: Mapping[str, Any], time: int) -> tuple[list[_Part], int]:
        instrument, quantity, price = p["instrument"], p["quantity"], p["price"]
        accrued = self._touch([instrument], time)
        self._move(instrument, quantity)
        paid = _Part("trade", -value_at(quantity, price), instrument, quantity, price)
        fee = _Part("fee" if p["fee"] > 0 else "rebate", -p["fee"], instrument)
        return [*accrued, paid, fee], p["cash"]

    def _settled(self, p: Mapping[str, Any], time: int) -> tuple[list[_Part], int]:
        units = {word >> 128: word & _LOW_128 for word in p["words"]}
        parts = self._touch(list(units), time)
        for instrument, unit in units.items():
            quantity = self._book.positions.get(instrument, 0)
            amount = value_at(quantity, unit)
            parts.append(_Part("settlement", amount, instrument, quantity, unit))
            self._move(instrument, -quantity)
        return parts, p["cash"]

    def _shared(self, p: Mapping[str, Any], time: int) -> tuple[list[_Part], int]:
        """A fraction of an account, sold in an auction: all funding of both becomes cash first."""
        parts = self._touch(list(self._book.positions), time)
        own = self._book.cash + sum(part.amount for part in parts)
        sells = p["seller"] == self._account
        for leg in map(leg_of, p["words"]):
            self._move(leg.instrument, -leg.quantity if sells else leg.quantity)
            self._enter(leg.instrument, time)
        if sells:
            parts.append(_Part("liquidation", p["price"] - cash_moved(own, p["fraction"]), p["buyer"]))
            return parts, p["sellerCash"]
        # the seller's funding is in what was moved: only the chain's sum tells how much that was
        return [*parts, _Part("liquidation", p["buyerCash"] - own, p["seller"])], p["buyerCash"]

    def _rate_set(self, p: Mapping[str, Any], time: int) -> None:
        perp = Instrument(p["underlying"], 0, 0, Kind.PERP).pack()
        self._rates[perp] = self._rates.get(perp, Funding()).with_rate(p["rate"], time)

    def _touch(self, instruments: Iterable[int], time: int) -> list[_Part]:
        """Funding of perps becomes cash."""
        parts = []
        for instrument in instruments:
            if not funding.is_perp(instrument):
                continue
            index = self._index(instrument, time)
            held, entry = self._book.positions.get(instrument, 0), self._book.entries.get(instrument, 0)
            parts.append(_Part("funding", funding.accrued(held, entry, index), instrument, held))
            self._book.entries[instrument] = index
        return parts

    def _enter(self, instrument: int, time: int) -> None:
        if funding.is_perp(instrument):
            self._book.entries[instrument] = self._index(instrument, time)

    def _index(self, instrument: int, time: int) -> int:
        return self._rates.get(instrument, Funding()).index_at(time)

    def _move(self, instrument: int, change: int) -> None:
        self._book.positions = moved(self._book.positions, instrument, change)


@dataclass(frozen=True, slots=True)
class Statement:
    """Entries of a time span, and the cash before and after them."""

    account: int
    since: int
    until: int
    opening: int
    closing: int
    entries: tuple[Entry, ...]

    @property
    def totals(self) -> dict[str, int]:
        """Sum of each kind, those that occur."""
        found = {kind: sum(e.amount for e in self.entries if e.kind == kind) for kind in KINDS}
        return {kind: amount for kind, amount in found.items() if amount}


def statement(account: int, entries: Iterable[Entry], since: int, until: int) -> Statement:
    """Of the entries with since <= time < until. Opening and entries add up to the closing balance."""
    before, inside = 0, []
    for entry in entries:
        if entry.time < since:
            before = entry.balance
        elif entry.time < until:
            inside.append(entry)
    closing = inside[-1].balance if inside else before
    assert before + sum(e.amount for e in inside) == closing  # as `_note` has made sure
    return Statement(account, since, until, before, closing, tuple(inside))


def price_text(wad: int) -> str:
    """A WAD amount to the last digit, without trailing zeros."""
    sign, digits = ("-" if wad < 0 else ""), abs(wad)
    fraction = f"{digits % WAD:018d}".rstrip("0")
    return f"{sign}{digits // WAD}" + (f".{fraction}" if fraction else "")
