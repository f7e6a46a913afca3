"""The canary: a second party that gives alarm when the chain shows that something is overdue, whatever the
keepers say of themselves. Pure: what is wrong with what was seen. Times unix seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ALARMS = ("epoch", "unflagged", "auction", "settlement", "pause", "fund", "shortfall")


@dataclass(frozen=True)
class Sighting:
    """The chain in one block.

    Attributes:
        epoch_age, stale_after: seconds.
        unflagged: accounts that the auction house would let anybody flag now, and since which block.
        auctions: accounts in auction, and for how many seconds.
        unsettled: (underlying, expiry) past, still held, without a price.
        powers: who governs, attests, guards; by what.
        fund, shortfall: whole tokens.
    """

    number: int
    time: int
    epoch: int
    epoch_age: int
    stale_after: int
    unflagged: Mapping[int, int] = field(default_factory=dict)
    auctions: Mapping[int, int] = field(default_factory=dict)
    unsettled: tuple[tuple[int, int], ...] = ()
    paused_until: int = 0
    powers: Mapping[str, str] = field(default_factory=dict)
    fund: float = 0.0
    shortfall: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long something may stand; `max_epoch_age` 0: until the oracle itself calls it stale."""

    max_epoch_age: int = 0
    max_unflagged_blocks: int = 2
    max_auction_seconds: int = 1_800
    max_settlement_seconds: int = 900
    minimum_fund: float = 0.0


def alarms_of(seen: Sighting, limits: Limits) -> dict[str, str]:
    """What stands too long, by alarm, each with a sentence for whoever is woken up."""
    found: dict[str, str] = {}
    if seen.epoch_age > (limits.max_epoch_age or seen.stale_after):
        found["epoch"] = f"epoch {seen.epoch} is {seen.epoch_age} s old: none has followed"
    late = {a: seen.number - since for a, since in seen.unflagged.items()}
    late = {a: blocks for a, blocks in late.items() if blocks > limits.max_unflagged_blocks}
    if late:
        accounts = ", ".join(f"{account} ({blocks} blocks)" for account, blocks in sorted(late.items()))
        found["unflagged"] = f"below maintenance margin and not flagged: account {accounts}"
    standing = {a: age for a, age in seen.auctions.items() if age > limits.max_auction_seconds}
    if standing:
        accounts = ", ".join(f"{account} ({age} s)" for account, age in sorted(standing.items()))
        found["auction"] = f"nobody has bought: account {accounts}"
    overdue = [pair for pair in seen.unsettled if seen.time - pair[1] > limits.max_settlement_seconds]
    if overdue:
        pairs = ", ".join(f"underlying {u} at {e} ({seen.time - e} s ago)" for u, e in overdue)
        found["settlement"] = f"expired without a settlement price: {pairs}"
    if seen.paused_until > seen.time:
        found["pause"] = f"the Clearinghouse is paused for another {seen.paused_until - seen.time} s"
    if seen.fund < limits.minimum_fund:
        found["fund"] = f"the insurance fund holds {seen.fund:,.2f}, less than {limits.minimum_fund:,.2f}"
    if seen.shortfall > 0:
        found["shortfall"] = f"losses of {seen.shortfall:,.2f} are behind no fund"
    return found


def changes_of(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Powers that are no longer what they were, each with a sentence."""
    return {
        what: f"{what} was {before[what]}, is {holder}"
        for what, holder in now.items()
        if what in before and before[what].lower() != holder.lower()
    }
