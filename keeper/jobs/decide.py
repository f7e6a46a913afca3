"""When to post an epoch, and what to settle. Pure; on chain time."""

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.jobs.observe import ChainView
from keeper.jobs.triggers import Measure, Trigger
from keeper.markets.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Due:
    """Why an epoch should be posted.

    Attributes:
        trigger: one of a few names, for metrics.
        detail: what exactly, for people.
        since: chain time since which it is due, as everybody would say; now, where only we can.
    """

    trigger: str
    detail: str
    since: int

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.trigger}: {self.detail}" if self.detail else self.trigger


def may_post(view: ChainView) -> bool:
    """Whether the chain would take an epoch now: far enough from the last one, and time has passed."""
    header = view.header
    if not header.number:
        return True
    is_near = view.block.number + 1 - header.posted_block < view.limits.min_blocks
    return not is_near and view.block.timestamp > header.timestamp


def decide_epoch(
    view: ChainView, found: Sequence[Measure], trigger: Trigger, crossing: str | None = None
) -> Due | None:
    """Why an epoch should be posted now, or None.

    Args:
        found: of `keeper.jobs.triggers.measures`.
        crossing: which account has crossed a level of its health under the new market.
    """
    now = view.block.timestamp
    if view.header.number == 0:
        return Due("first", "", now)
    if crossing is not None:
        return Due("account_health", crossing, now)
    for measure in found:
        if measure.share >= 1:
            return Due(measure.trigger, measure.detail, measure.since)
    near = {m.trigger: m.detail for m in reversed(found) if m.share >= trigger.early_share}
    if len(near) > 1:
        return Due("early", ", ".join(f"{name} {detail}" for name, detail in sorted(near.items())), now)
    return None


@dataclass(frozen=True, slots=True)
class Settlements:
    """What can be settled: expiries whose price is to be fixed, and accounts with their whole books."""

    finalize: tuple[tuple[int, int], ...]
    settle: tuple[tuple[int, tuple[int, ...]], ...]


def decide_settlements(view: ChainView) -> Settlements:
    """Fix the price of every expired, still held expiry; then settle every account that holds a leg of
    one."""
    finalize = tuple(sorted(pair for pair, price in view.prices.items() if price == 0))
    final = {pair for pair, price in view.prices.items() if price}
    expired = [instrument for instrument in view.states.held if _pair(instrument) in final]
    holders = [view.accounts[position] for position in view.states.holders(expired).tolist()]
    due = tuple((row.account, tuple(instrument for instrument, _ in row.positions)) for row in holders)
    return Settlements(finalize, due)


def _pair(packed: int) -> tuple[int, int]:
    instrument = Instrument.unpack(packed)
    return instrument.underlying, instrument.expiry
