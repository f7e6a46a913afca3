"""One account's state and how each action changes it.

Cash, prices, quantities and margins are WAD integers; quantity > 0 is long. Every function returns a new
state and checks nothing: whether an action may happen is decided in `ways` and `custody`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from keeper.clearing import book_hash as hashes
from keeper.clearing import funding, record_units
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import (
    CHANGE_COLLATERAL,
    CHANGE_CONVERSION,
    CHANGE_FILL,
    CHANGE_SETTLEMENT,
    CHANGE_UNCOUNTED_FILL,
    CHANGE_WITHDRAWAL,
    WAD,
)
from keeper.units.fixed_point import mul_up, signed_mul_down

NEVER = 2**40 - 1  # as an expiry: the book holds nothing that expires


@dataclass(frozen=True, slots=True)
class InstrumentMargin:
    """One instrument of an epoch: its mark and the initial margin of one unit, long and short."""

    mark: int
    im_long: int
    im_short: int


@dataclass(frozen=True, slots=True)
class Record:
    """What headroom is measured from. Epoch 0: none."""

    epoch: int = 0
    marginal: int = 0
    initial_margin: int = 0
    maintenance_margin: int = 0
    mark_base: int = 0  # mark-to-market less the counter Q at the same point
    added_im: int = 0
    max_added_im: int = 0
    linear: int = 0  # lower bound of the value of perps and futures
    changes: int = 0
    earliest_expiry: int = NEVER  # of the book's legs, unix seconds


@dataclass(frozen=True, slots=True)
class Account:
    """State of one account; `positions` and `collateral` (token's index -> WAD) hold no zero quantity.

    Attributes:
        entries: funding index at the last touch, by perp held.
        scope: underlying and expiry that an isolated account is confined to; 0: any.
        tier: credit tier.
    """

    owner: str
    cash: int = 0
    exempt: int = 0  # net deposits less realised losses
    added_im: int = 0  # counter U
    added_mark: int = 0  # counter Q
    book_hash: bytes = hashes.EMPTY
    withdraw_nonce: int = 0
    positions: Mapping[int, int] = field(default_factory=dict)
    record: Record = Record()
    collateral: Mapping[int, int] = field(default_factory=dict)
    collateral_exempt: Mapping[int, int] = field(default_factory=dict)  # what the owner brought, less taken
    frozen: bool = False  # in an auction
    entries: Mapping[int, int] = field(default_factory=dict)
    scope: tuple[int, int] = (0, 0)
    tier: int = 0


@dataclass(frozen=True, slots=True)
class Fill:
    """One side of a trade. `margin` is None where the trade presented no instrument leaf; `index` is the
    funding index now, of a perp; a fee below zero is a rebate.
    """

    instrument: int
    quantity: int
    price: int
    fee: int
    margin: InstrumentMargin | None
    index: int = 0


def value_at(quantity: int, price: int) -> int:
    """Cash that `quantity` at `price` moves: exact for multiples of 1e-8, otherwise against the holder."""
    return signed_mul_down(quantity, price)


def credited_mark(fill: Fill, margin: InstrumentMargin) -> int:
    """Change of the counter Q: the adverse of what was paid and the instrument's mark, so no gain is ever
    credited.
    """
    return min(value_at(fill.quantity, fill.price), value_at(fill.quantity, margin.mark))


def added_margin(fill: Fill, margin: InstrumentMargin) -> int:
    """Change of the counter U: stand-alone initial margin of the side traded, rounded up."""
    return mul_up(abs(fill.quantity), margin.im_long if fill.quantity > 0 else margin.im_short)


def deposited(account: Account, cash: int, tokens: int | None = None) -> Account:
    """After a deposit of `tokens` that credits `cash`, both WAD; the same without a shortfall."""
    brought = cash if tokens is None else tokens
    return replace(account, cash=account.cash + cash, exempt=account.exempt + brought)


def withdrawn(account: Account, cash: int) -> Account:
    """After a withdrawal worth `cash`: the account's own deposits leave first."""
    return replace(
        account,
        cash=account.cash - cash,
        exempt=max(0, account.exempt - cash),
        withdraw_nonce=account.withdraw_nonce + 1,
    )


def filled(account: Account, fill: Fill) -> Account:
    """After one side of a trade, its fee and the funding of the position included."""
    cash = account.cash - value_at(fill.quantity, fill.price) - fill.fee
    cash += _funding_of(account, fill.instrument, fill.index)
    kind = CHANGE_UNCOUNTED_FILL if fill.margin is None else CHANGE_FILL
    after = replace(
        account,
        cash=cash,
        positions=moved(account.positions, fill.instrument, fill.quantity),
        entries=_entries(account, {fill.instrument: fill.index}, fill.quantity),
        book_hash=hashes.fold(account.book_hash, kind, fill.instrument, fill.quantity, fill.price),
    )
    return after if fill.margin is None else _counted(after, fill, fill.margin)


def traded(account: Account, fills: Iterable[Fill]) -> Account:
    """After one side of a trade of several legs, in their order."""
    for fill in fills:
        account = filled(account, fill)
    return account


def collateral_deposited(account: Account, token: int, amount: int) -> Account:
    """After collateral was put in: the token's index, WAD."""
    after = _collateral_changed(account, CHANGE_COLLATERAL, token, amount)
    return exempting(after, {**account.collateral_exempt, token: collateral_exempt(account, token) + amount})


def collateral_withdrawn(account: Account, token: int, amount: int) -> Account:
    """After collateral was taken out: the token's index, WAD. The account's own deposits leave first."""
    after = _collateral_taken(account, CHANGE_WITHDRAWAL, token, amount)
    return replace(after, withdraw_nonce=account.withdraw_nonce + 1)


def collateral_converted(account: Account, token: int, amount: int) -> Account:
    """After collateral (the token's index, WAD) was sold; the buyer's cash is a deposit of its own."""
    return _collateral_taken(account, CHANGE_CONVERSION, token, amount)


def collateral_exempt(account: Account, token: int) -> int:
    """Balance that leaves without the outflow limit, WAD."""
    return account.collateral_exempt.get(token, 0)


def exempting(account: Account, exempt: Mapping[int, int]) -> Account:
    """With these exempt parts, of each balance at most all of it."""
    capped = {token: min(amount, account.collateral.get(token, 0)) for token, amount in exempt.items()}
    return replace(account, collateral_exempt={token: amount for token, amount in capped.items() if amount})


def frozen(account: Account, is_frozen: bool) -> Account:
    """In an auction or out of it."""
    return replace(account, frozen=is_frozen)


def touched(account: Account, indices: Mapping[int, int]) -> Account:
    """After funding of every perp held became cash; indices by instrument, 0 where there is none."""
    held = {i: indices.get(i, 0) for i in account.positions if funding.is_perp(i)}
    cash = account.cash + funding.of_book(account.positions, account.entries, indices)
    return replace(account, cash=cash, entries=held)


def settled(
    account: Account,
    payoffs: Mapping[int, int],
    indices: Mapping[int, int] | None = None,
    perp_ends: Mapping[int, int] | None = None,
) -> Account:
    """After the legs in `payoffs` (instrument -> cash per unit long) became cash: one change of the book
    hash, as if one unit of the latest expiry had paid all of it but for funding. With perps or futures left,
    cash says little about settled cash: then only what it lost leaves the exempt amount.

    Args:
        indices: funding index of perps among them; perp_ends: when they ended, unix seconds.
    """
    done = {i: account.positions[i] for i in payoffs if i in account.positions}
    paid = sum(value_at(quantity, payoffs[i]) for i, quantity in done.items())
    received = paid + sum(_funding_of(account, i, (indices or {}).get(i, 0)) for i in done)
    until = max((perp_ends or {}).get(i, Instrument.unpack(i).expiry) for i in done)
    latest = Instrument(0, until, 0, Kind.PERP).pack()
    after = replace(
        account,
        cash=account.cash + received,
        positions={i: q for i, q in account.positions.items() if i not in done},
        entries={i: entry for i, entry in account.entries.items() if i not in done},
        book_hash=hashes.fold(account.book_hash, CHANGE_SETTLEMENT, latest, -paid, WAD),
    )
    if any(Instrument.unpack(i).kind in (Kind.PERP, Kind.FUTURE) for i in after.positions):
        return replace(after, exempt=max(0, after.exempt - max(0, -received)))
    return ratcheted(after, after.cash)


def ratcheted(account: Account, settled_cash: int) -> Account:
    """After a realised result: losses lower the exempt amount for good, gains never raise it.

    settled_cash: lower bound that the account passed with.
    """
    return replace(account, exempt=min(account.exempt, max(0, settled_cash)))


def _counted(account: Account, fill: Fill, margin: InstrumentMargin) -> Account:
    """Counters and record after a fill that presented its instrument's leaf."""
    credited = credited_mark(fill, margin)
    instrument = Instrument.unpack(fill.instrument)
    record = account.record
    if instrument.kind in (Kind.PERP, Kind.FUTURE):
        record = replace(record, linear=record.linear + record_units.linear_down(credited))
    if instrument.kind != Kind.PERP:
        record = replace(record, earliest_expiry=min(record.earliest_expiry, instrument.expiry))
    return replace(
        account,
        added_im=account.added_im + added_margin(fill, margin),
        added_mark=account.added_mark + credited,
        record=record,
    )


def _funding_of(account: Account, instrument: int, index: int) -> int:
    """Cash that a perp has received until the index; nothing where it is none."""
    if not funding.is_perp(instrument):
        return 0
    return funding.accrued(account.positions.get(instrument, 0), account.entries.get(instrument, 0), index)


def _entries(account: Account, indices: Mapping[int, int], change: int) -> dict[int, int]:
    """Entry indices after positions changed by `change`; a closed perp has none."""
    entries = dict(account.entries)
    for instrument, index in indices.items():
        if funding.is_perp(instrument):
            entries.pop(instrument, None)
            if account.positions.get(instrument, 0) + change:
                entries[instrument] = index
    return entries


def _collateral_taken(account: Account, kind: int, token: int, amount: int) -> Account:
    left = max(0, collateral_exempt(account, token) - amount)
    after = _collateral_changed(account, kind, token, -amount)
    return exempting(after, {**account.collateral_exempt, token: left})


def _collateral_changed(account: Account, kind: int, token: int, change: int) -> Account:
    return replace(
        account,
        collateral=moved(account.collateral, token, change),
        book_hash=hashes.fold(account.book_hash, kind, token, change, 0),
    )


def moved(quantities: Mapping[int, int], key: int, change: int) -> dict[int, int]:
    """Quantities after one of them changed; what becomes zero disappears."""
    after = dict(quantities)
    after[key] = after.get(key, 0) + change
    if after[key] == 0:
        del after[key]
    return after
