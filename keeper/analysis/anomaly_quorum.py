"""Attesters that do not sign what the others sign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.analysis.anomalies import Finding


@dataclass(frozen=True)
class Round:
    """One epoch put to the attesters: why each of those asked refused, empty text where it signed."""

    time: int
    answers: Mapping[str, str]


def scan_dissent(rounds: Sequence[Round], least: int = 3, share: float = 0.2) -> list[Finding]:
    """Attesters that refused more than a `share` of the rounds, and at least `least` of them, in which
    somebody signed. Where nobody signs, it is the proposal that is at fault. The time is the first refusal's.
    """
    signed = [r for r in rounds if any(not why for why in r.answers.values())]
    found = []
    for attester in sorted({a for r in signed for a in r.answers}):
        asked = [r for r in signed if attester in r.answers]
        refused = [r for r in asked if r.answers[attester]]
        rate = len(refused) / len(asked)
        if len(refused) >= least and rate > share:
            last = refused[-1]
            count = f"refused {len(refused)} of {len(asked)} epochs that others signed"
            text = f"{count}, last: {last.answers[attester]}"
            action = "alert; compare its sources and its node with the others'"
            found.append(Finding("dissent", attester, refused[0].time, rate, share, text, action))
    return found
