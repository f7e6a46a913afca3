"""When to post an epoch, and what to settle. Pure; on chain time."""

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.jobs.observe import ChainView
from keeper.markets.instrument import Instrument
from keeper.units.constants import BASIS_POINTS


@dataclass(frozen=True, slots=True)
class Trigger:
    """When an epoch is due: age in chain seconds, or any spot's move since the last one."""

    heartbeat_seconds: int = 60
    deviation_bps: int = 25


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


def decide_epoch(
    view: ChainView, observed: Mapping[int, int], attested: frozenset[int], trigger: Trigger
) -> Due | None:
    """Why an epoch should be posted now, or None.

    Args:
        observed: spot per underlying, 1e-8 USD.
        attested: accounts that have a leaf in the latest epoch.
    """
    header = view.header
    if header.number and view.block.number + 1 - header.posted_block < view.limits.min_blocks:
        return None
    if view.block.timestamp < header.timestamp or (
        header.number and view.block.timestamp == header.timestamp
    ):
        return None  # nothing has happened since: time stands still
    if header.number == 0:
        return Due("first", "", view.block.timestamp)
    now = view.block.timestamp
    if now - header.timestamp >= trigger.heartbeat_seconds:
        return Due("heartbeat", "", header.timestamp + trigger.heartbeat_seconds)
    for underlying, spot in sorted(observed.items()):
        posted = view.spots[underlying - 1].posted
        if abs(spot - posted) * BASIS_POINTS >= posted * trigger.deviation_bps:
            return Due("spot_deviation", f"underlying {underlying}", now)
    new = [row.account for row in view.accounts if row.account not in attested]
    if new:
        return Due("request", f"account {new[0]} has no leaf", now)
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
