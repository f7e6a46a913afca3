"""What became of each source's word on each quantity."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What became of it."""

    USED = "used"
    STALE = "stale"
    OUTLIER = "outlier"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One source and one quantity ("spot 1", "surface 2"), or "all" of a source."""

    source: str
    quantity: str
    verdict: Verdict
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.source} {self.verdict}{f' ({self.reason})' if self.reason else ''}"


@dataclass
class Report:
    """Every source's part in one observation."""

    entries: list[Entry] = field(default_factory=list)

    @property
    def rejected(self) -> list[Entry]:
        """Stale, outlying and failed ones; a source that never knows a quantity is none of them."""
        return [e for e in self.entries if e.verdict not in (Verdict.USED, Verdict.MISSING)]

    def add(self, sources: Iterable[str], quantity: str, verdict: Verdict, reason: str = "") -> None:
        """The same verdict on several sources."""
        self.entries += [Entry(source, quantity, verdict, reason) for source in sources]

    def require(self, used: Iterable[str], quantity: str, minimum: int) -> None:
        """Note who is used.

        Raises:
            LookupError: fewer than `minimum`; names every source and what became of it.
        """
        names = list(used)
        self.add(names, quantity, Verdict.USED)
        if len(names) < minimum:
            rest = [str(e) for e in self.entries if e.quantity in (quantity, "all") and e.source not in names]
            told = "; ".join([*(f"{name} used" for name in names), *rest]) or "no source is configured"
            raise LookupError(f"sources: {quantity}: {len(names)} of at least {minimum} sources: {told}")
