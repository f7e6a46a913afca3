"""A backtest with everything that belongs beside it: leaks, the insurance fund, cascades."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keeper.analysis.adversary import Attack
from keeper.analysis.backtest import BacktestResult
from keeper.analysis.backtest_summary import LEVEL, scaled_frontier, summary
from keeper.analysis.cascade import CascadeResult, Setting, compare
from keeper.analysis.insurance import Adequacy, Participant, adequacy
from keeper.markets.instrument import Kind

FACTORS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
_PERP = "long perp BTC"


@dataclass(frozen=True)
class Study:
    """What a report shows."""

    result: BacktestResult
    summary: dict[str, Any]
    frontier: dict[str, Any]
    covers: dict[str, Adequacy]
    attacks: Sequence[Attack]
    cascades: dict[str, list[CascadeResult]]

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **self.summary,
            "frontier": self.frontier,
            "cover": {
                name: {"one": a.cover_one, "two": a.cover_two, "books": a.names}
                for name, a in self.covers.items()
            },
            "adversary": [attack_json(a) for a in self.attacks],
            "cascade": {name: [cascade_json(r) for r in results] for name, results in self.cascades.items()},
        }


def study(result: BacktestResult, attacks: Sequence[Attack], step: int) -> Study:
    """Everything that follows from a run."""
    found = summary(result, step)
    return Study(
        result=result,
        summary=found,
        frontier=scaled_frontier(result, FACTORS),
        covers={name: historical_cover(result, m) for m, name in enumerate(result.models)},
        attacks=attacks,
        cascades={
            name: cascades_at(found["models"][name]["books"][_PERP])
            for name in result.models
            if _PERP in found["models"][name]["books"]
        },
    )


def historical_cover(result: BacktestResult, model: int) -> Adequacy:
    """Cover 1 and cover 2 on the worst day, every book a participant at its initial margin; no fund."""
    worst: Adequacy | None = None
    for day in range(len(result.days)):
        participants = [
            Participant(name, float(initial), float(profit))
            for name, initial, profit in zip(
                result.books, result.initial[model][day], result.profit[day], strict=True
            )
            if np.isfinite(initial) and np.isfinite(profit)
        ]
        found = adequacy(participants, 0.0)
        if worst is None or found.cover_two > worst.cover_two:
            worst = found
    assert worst is not None
    return worst


def cascades_at(perp: dict[str, Any]) -> list[CascadeResult]:
    """Cascades of a perpetual at a model's margin rates for it."""
    from keeper.analysis.books import NOTIONAL

    initial, maintenance = perp["mean_initial"] / NOTIONAL, perp["mean_maintenance"] / NOTIONAL
    return compare(Setting(initial=max(initial, maintenance), maintenance=maintenance))


def attack_json(found: Attack) -> dict[str, Any]:
    """JSON-ready."""
    return {
        "model": found.model,
        "leak": found.leak,
        "day": found.day.isoformat(),
        "loss": found.loss,
        "margin": found.margin,
        "book": describe(found),
        "tried": found.tried,
    }


def describe(found: Attack) -> str:
    """The legs of a book in words."""
    parts = []
    for leg in found.book.legs:
        kind = leg.kind.name.lower()
        term = "" if leg.kind == Kind.PERP else f" {leg.days} d"
        strike = f" {leg.deviations:+.0f} sd" if leg.kind >= Kind.CALL else ""
        parts.append(f"{leg.share:+.2f} {leg.underlying} {kind}{term}{strike}")
    return "; ".join(parts)


def cascade_json(found: CascadeResult) -> dict[str, Any]:
    """JSON-ready, without the paths."""
    return {
        "policy": found.policy,
        "trough": found.trough,
        "overshoot": found.overshoot,
        "liquidated": found.liquidated,
        "accounts": found.accounts,
        "bad_debt": found.bad_debt,
    }


def verdict(found: dict[str, Any]) -> str:
    """One sentence on the best covered model."""
    leaks = {name: len(model["leaking_books"]) for name, model in found["models"].items()}
    clean = [name for name, count in leaks.items() if count == 0]
    text = ", ".join(f"{name}: {count}" for name, count in leaks.items())
    head = f"Books with more than {LEVEL:.0%} of days beyond MM: {text}."
    return head + (f" None under {', '.join(clean)}." if clean else "")
