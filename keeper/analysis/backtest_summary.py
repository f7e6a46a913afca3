"""What a backtest says: coverage, capital and procyclicality of every model; JSON-ready."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keeper.analysis.backtest import BacktestResult
from keeper.analysis.coverage import Coverage, acerbi_szekely, coverage
from keeper.analysis.procyclicality import HORIZONS, procyclicality
from keeper.pricing.kernels import Floats

LEVEL = 0.01
_TOLERANCE = 0.01


def summary(result: BacktestResult, step: int = 1) -> dict[str, Any]:
    """Everything about a run.

    Args:
        step: days between two rows.

    Totals count the books that every model of the run can hold, so that they compare.
    """
    common = common_books(result)
    return {
        "from": result.days[0].isoformat(),
        "to": result.days[-1].isoformat(),
        "days": len(result.days),
        "step": step,
        "books": len(result.books),
        "common_books": [result.books[i] for i in np.flatnonzero(common)],
        "tolerated_rate": LEVEL,
        "models": {name: _model(result, m, common, step) for m, name in enumerate(result.models)},
    }


def common_books(result: BacktestResult) -> Any:
    """Flags of the books that every model margins on every day."""
    return np.isfinite(result.maintenance).all(axis=(0, 1)) & np.isfinite(result.profit).all(axis=0)


def exceedances(result: BacktestResult, model: int) -> Any:
    """(days, books) flags of losses beyond the maintenance buffer."""
    with np.errstate(invalid="ignore"):
        return -result.profit > result.maintenance[model] + _TOLERANCE


def totals_with(result: BacktestResult, model: str, other: str) -> tuple[float, float, int]:
    """Mean daily maintenance of two models over the books both hold, USD, and how many those are."""
    a, b = (result.maintenance[result.model(name)] for name in (model, other))
    both = np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
    return float(a[:, both].sum(axis=1).mean()), float(b[:, both].sum(axis=1).mean()), int(both.sum())


def _model(result: BacktestResult, m: int, common: Any, step: int) -> dict[str, Any]:
    held = np.flatnonzero(np.isfinite(result.maintenance[m]).any(axis=0))
    books = {result.books[b]: _book(result, m, int(b), step) for b in held}
    rates = [book["rate"] for book in books.values()]
    kept = result.maintenance[m][:, common]
    total = kept.sum(axis=1)
    cycle = procyclicality(total, step)
    return {
        "books": books,
        "held": len(books),
        "total_maintenance": float(total.mean()),
        "total_initial": float(result.initial[m][:, common].sum(axis=1).mean()),
        "worst_rate": max(rates, default=0.0),
        "leaking_books": sorted(name for name, book in books.items() if book["rate"] > LEVEL),
        "zones": {
            zone: sum(b["zone"] == zone for b in books.values()) for zone in ("green", "yellow", "red")
        },
        "rejected_by_kupiec": sum(b["is_too_low"] for b in books.values()),
        "peak_to_trough": cycle.peak_to_trough,
        "rises": dict(zip(map(str, HORIZONS), cycle.rises, strict=True)),
    }


def _book(result: BacktestResult, m: int, b: int, step: int) -> dict[str, Any]:
    known = np.isfinite(result.maintenance[m][:, b]) & np.isfinite(result.profit[:, b])
    losses = -result.profit[known, b]
    maintenance, initial = result.maintenance[m][known, b], result.initial[m][known, b]
    found = coverage(losses, maintenance, LEVEL, _TOLERANCE)
    cycle = procyclicality(maintenance, step)
    return {
        **_tests(found),
        "mean_maintenance": float(maintenance.mean()),
        "mean_initial": float(initial.mean()),
        "initial_exceedances": int((losses > initial + _TOLERANCE).sum()),
        "acerbi_szekely": acerbi_szekely(losses, maintenance + _TOLERANCE, initial, LEVEL),
        "peak_to_trough": cycle.peak_to_trough,
        "rises": dict(zip(map(str, HORIZONS), cycle.rises, strict=True)),
    }


def _tests(found: Coverage) -> dict[str, Any]:
    return {
        "days": found.days,
        "exceedances": found.exceedances,
        "rate": found.rate,
        "worst_excess": found.worst_excess,
        "zone": found.zone,
        "kupiec_p": found.kupiec.p_value,
        "independence_p": found.independence.p_value,
        "conditional_p": found.conditional.p_value,
        # Kupiec's test has two sides: only too many exceedances are held against a margin
        "is_too_low": found.kupiec.p_value < 0.05 and found.rate > LEVEL,
    }


def scaled_frontier(result: BacktestResult, factors: Sequence[float]) -> dict[str, list[Mapping[str, float]]]:
    """Total maintenance against the worst book's exceedance rate, with every margin of a model multiplied by
    a factor: what a model could reach by level alone.
    """
    common = common_books(result)
    losses = -result.profit[:, common]

    def point(margins: Floats, factor: float) -> Mapping[str, float]:
        rates = (losses > factor * margins + _TOLERANCE).mean(axis=0)
        return {
            "factor": factor,
            "total": float(factor * margins.sum(axis=1).mean()),
            "worst_rate": float(rates.max(initial=0.0)),
            "mean_rate": float(rates.mean()) if rates.size else 0.0,
        }

    return {
        name: [point(result.maintenance[m][:, common], factor) for factor in factors]
        for m, name in enumerate(result.models)
    }
