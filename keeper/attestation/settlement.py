"""Averages that settle expiries, as `contracts/attestation/RiskOracle.vy` keeps them.

The oracle integrates the effective spot by trapezoids between epochs; a segment longer than two minutes does
not count. Wherever a boundary of the five-minute grid is passed it keeps integral and covered seconds, so any
window on the grid is a difference of two checkpoints. Prices are 1e-8 USD integers, integrals twice the area
(1e-8 USD seconds), mod 2**68; covered seconds mod 2**16.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from keeper.units import constants as c

CUMULATIVE_MODULUS = 2**68
COVERED_MODULUS = 2**16


class Checkpoint(NamedTuple):
    """Twice the integral of the spot, and the seconds it covers, up to some time."""

    cumulative: int
    covered: int


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One underlying's integral at its last epoch; `timestamp` and `spot` are that epoch's."""

    timestamp: int
    spot: int
    counted: Checkpoint = Checkpoint(0, 0)
    started: bool = True  # False before the first epoch: `spot` is where the owner started the bands


def accumulate(before: Accumulator, timestamp: int, spot: int) -> Accumulator:
    """The integral at the next epoch. ValueError if it is earlier."""
    elapsed = timestamp - before.timestamp
    if elapsed < 0:
        raise ValueError("settlement: timestamp before the latest")
    if not _counts(before, elapsed):
        return replace(before, timestamp=timestamp, spot=spot, started=True)
    doubled = (before.spot + spot) * elapsed
    return Accumulator(timestamp, spot, _plus(before.counted, doubled, elapsed))


def checkpoint(before: Accumulator, timestamp: int, spot: int) -> tuple[int, Checkpoint] | None:
    """Boundary (unix seconds) and checkpoint that the next epoch pins down, if it does.

    Spots move linearly between epochs, and a counted segment holds one boundary at most. A segment that does
    not count pins a boundary down only at its end.
    """
    boundary = timestamp - timestamp % c.SETTLEMENT_GRID
    if boundary <= before.timestamp:
        return None
    elapsed = timestamp - before.timestamp
    if not _counts(before, elapsed):
        return (boundary, before.counted) if boundary == timestamp else None
    into = boundary - before.timestamp
    doubled = into * (before.spot * (2 * elapsed - into) + spot * into) // elapsed
    return boundary, _plus(before.counted, doubled, into)


def between(start: Checkpoint, end: Checkpoint) -> Checkpoint:
    """What was added from one checkpoint to a later one."""
    return Checkpoint(
        (end.cumulative - start.cumulative) % CUMULATIVE_MODULUS,
        (end.covered - start.covered) % COVERED_MODULUS,
    )


def window_average(start: Checkpoint | None, end: Checkpoint | None) -> int | None:
    """Average spot of a window, rounded down; None unless both ends are known and four fifths are covered."""
    if start is None or end is None:
        return None
    doubled, covered = between(start, end)
    return doubled // (2 * covered) if covered >= c.SETTLEMENT_MIN_COVERED else None


def settlement(expiry: int, latest: int, checkpoints: Mapping[int, Checkpoint]) -> tuple[int, int] | None:
    """Price and end of the first complete window whose end an epoch has passed; None if there is none yet.

    `latest` is the last epoch's timestamp, `checkpoints` by boundary. A day after expiry the oracle takes the
    last effective spot instead.
    """
    for end in range(expiry, expiry + c.SETTLEMENT_FALLBACK + 1, c.SETTLEMENT_GRID):
        if end > latest:
            return None
        price = window_average(checkpoints.get(end - c.SETTLEMENT_WINDOW), checkpoints.get(end))
        if price is not None:
            return price, end
    return None


def _counts(before: Accumulator, elapsed: int) -> bool:
    return before.started and elapsed <= c.SETTLEMENT_MAX_GAP


def _plus(counted: Checkpoint, doubled: int, seconds: int) -> Checkpoint:
    return Checkpoint(
        (counted.cumulative + doubled) % CUMULATIVE_MODULUS,
        (counted.covered + seconds) % COVERED_MODULUS,
    )
