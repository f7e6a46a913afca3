"""The ways by which an action of an account may pass, and why it may not.

Each function answers None (passes) or the reason. `before` and `after` are the account around the action;
margins and valuations are of the book after it, except where said. What the oracle, the gate and the quorum
decide (an epoch is usable, a proof or signature is genuine) is the caller's to check.
"""

from dataclasses import dataclass, replace

from keeper.clearing import book_hash as hashes
from keeper.clearing import headroom, record_units
from keeper.clearing.account import NEVER, Account, Record
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import MAX_FILLS_SINCE_LEAF


@dataclass(frozen=True, slots=True)
class Margin:
    """An attested statement about one account, all WAD, margins uncapped."""

    added_im: int
    added_mark: int
    book_hash: bytes
    mark: int
    initial: int
    maintenance: int
    marginal: int
    max_added_im: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """A book's bracket and floor; `worst_case` and `floor` None: unbounded."""

    worst_case: int | None
    low: int
    high: int
    floor: int | None
    linear: int
    expired: bool


def record_of(margin: Margin, bounds: Bounds, epoch: int, earliest_expiry: int = NEVER) -> Record:
    """What a statement says; headroom by a leaf is measured from what is `stored` of it, which stays."""
    return Record(
        epoch=epoch,
        marginal=margin.marginal,
        initial_margin=margin.initial,
        maintenance_margin=margin.maintenance,
        mark_base=margin.mark - margin.added_mark,
        added_im=margin.added_im,
        max_added_im=margin.max_added_im,
        linear=bounds.linear,
        changes=hashes.changes(margin.book_hash),
        earliest_expiry=earliest_expiry,
    )


def stored(record: Record) -> Record:
    """A record in the steps that it is stored in."""
    return replace(
        record,
        marginal=record_units.marginal_up(record.marginal),
        initial_margin=record_units.margin_up(record.initial_margin),
        maintenance_margin=record_units.margin_up(record.maintenance_margin),
        max_added_im=record_units.reach_down(record.max_added_im),
        linear=record_units.linear_down(record.linear),
    )


def earliest_expiry(account: Account) -> int:
    """First expiry of the account's legs; NEVER without one."""
    instruments = [Instrument.unpack(i) for i in account.positions]
    return min((i.expiry for i in instruments if i.kind != Kind.PERP), default=NEVER)


def capped_margin(margin: Margin, bounds: Bounds) -> int:
    """A defined-risk book never needs more than the mark above its least payoff."""
    if bounds.floor is None:
        return margin.initial
    return min(margin.initial, max(0, margin.mark - bounds.floor))


def statement_refusal(account: Account, margin: Margin, bounds: Bounds) -> str | None:
    """Whether a statement may be believed of the account as it is now.

    A leaf outlives a few counted fills. The counters then carry its mark forward from below, so only the
    upper end of the bracket is a limit.
    """
    fills = hashes.fills_between(hashes.changes(margin.book_hash), hashes.changes(account.book_hash))
    if fills is None or fills > MAX_FILLS_SINCE_LEAF or (not fills and margin.book_hash != account.book_hash):
        return "another book"
    mark = margin.mark - margin.added_mark + account.added_mark
    if mark > bounds.high or (not fills and mark < bounds.low):
        return "mark outside bracket"
    return "expired leg" if bounds.expired else None


def report_refusal(after: Account, margin: Margin, bounds: Bounds, collateral: int = 0) -> str | None:
    """An action that the quorum's margin after it must cover; `collateral` after the initial haircut."""
    if margin.book_hash != after.book_hash:
        return "another book"
    refusal = statement_refusal(after, margin, bounds)
    if refusal is not None:
        return refusal
    if after.cash + collateral + margin.mark < capped_margin(margin, bounds):
        return "below initial margin"
    return settled_cash_refusal(after.cash + bounds.linear)


def headroom_refusal(after: Account, now: int, collateral: int = 0) -> str | None:
    """An action that the record covers, without signatures; `collateral` after the initial haircut."""
    if not headroom.holds(after, now):
        return "no headroom"
    if headroom.equity(after, collateral=collateral) < headroom.required_margin(after):
        return "below initial margin"
    return settled_cash_refusal(headroom.settled_cash(after))


def worst_case_refusal(after: Account, bounds: Bounds) -> str | None:
    """An action after which the account is fully collateralised, without oracle or attester."""
    if bounds.expired:
        return "expired leg"
    if bounds.worst_case is None or after.cash + bounds.worst_case < 0:
        return "not fully collateralised"
    return None


def settled_cash_refusal(after: int) -> str | None:
    """Neither a trade nor a withdrawal lends the vault's tokens."""
    return "settled cash" if after < 0 else None
