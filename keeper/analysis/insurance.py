"""Cover 1 and cover 2: can the insurance fund stand the failure of its largest participants?

The standard is that of central counterparties: resources beyond margins must cover the default of the
participant, or the two participants, with the largest loss in extreme but plausible conditions (CPMI-IOSCO,
"Principles for financial market infrastructures" (2012), principle 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant in a scenario, USD.

    Attributes:
        equity: before the scenario; profit: in it.
    """

    name: str
    equity: float
    profit: float

    @property
    def uncovered(self) -> float:
        """Loss beyond the equity."""
        return max(0.0, -(self.equity + self.profit))


@dataclass(frozen=True)
class Adequacy:
    """What the fund has to stand, USD.

    Attributes:
        cover_one, cover_two: largest uncovered loss, and sum of the two largest.
        names: of those two, largest first.
        everyone: all uncovered losses together.
        fund: assets.
    """

    cover_one: float
    cover_two: float
    names: tuple[str, ...]
    everyone: float
    fund: float

    @property
    def covers_one(self) -> bool:
        """Whether the fund stands the largest failure."""
        return self.fund >= self.cover_one

    @property
    def covers_two(self) -> bool:
        """Whether the fund stands the two largest together."""
        return self.fund >= self.cover_two


def adequacy(participants: Sequence[Participant], fund: float) -> Adequacy:
    """Cover 1 and cover 2 of a scenario."""
    ranked = sorted(participants, key=lambda p: -p.uncovered)[:2]
    losses = [p.uncovered for p in ranked]
    return Adequacy(
        cover_one=losses[0] if losses else 0.0,
        cover_two=sum(losses),
        names=tuple(p.name for p in ranked if p.uncovered > 0.0),
        everyone=sum(p.uncovered for p in participants),
        fund=fund,
    )
