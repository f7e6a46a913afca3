"""What looks wrong, how far it is from the usual, and what to do: widen and alert, never drop silently."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation that is too far from the usual.

    Attributes:
        kind: what was looked at: "return", "frozen", "gap", "dispersion", "surface jump", "margin jump",
            "dissent", "behaviour".
        subject: of whom: "binance/BTC", "ETH 2026-03-27", "account 7", an attester's address.
        time: unix seconds.
        score: how far, in the unit of `threshold`; above it.
        explanation: one sentence with the figures.
        action: what to do.
        widen: factor that margins or bands of the subject may be widened by until it is explained; 1: none.
    """

    kind: str
    subject: str
    time: int
    score: float
    threshold: float
    explanation: str
    action: str = ALERT
    widen: float = 1.0

    @property
    def id(self) -> str:
        """Twelve hex digits of kind, subject and time: the same finding has the same wherever it is made."""
        return sha256(f"{self.kind}|{self.subject}|{self.time}".encode()).hexdigest()[:12]

    def fields(self) -> dict[str, Any]:
        """JSON-ready, with the id first."""
        return {"id": self.id, **asdict(self)}


def widened(excess: float) -> tuple[str, float]:
    """Action and factor for a score of `excess` times its threshold: the square root, at most two."""
    factor = round(min(max(excess, 1.0) ** 0.5, 2.0), 2)
    return f"widen by {factor:g} and alert", factor


def open_findings(findings: Iterable[Finding], acknowledged: Collection[str]) -> list[Finding]:
    """Those that nobody has acknowledged, worst first. An acknowledgement silences its own finding only."""
    kept = {f.id: f for f in findings if f.id not in acknowledged}
    return sorted(kept.values(), key=lambda f: (-f.score / f.threshold, f.time, f.id))
