"""Parameters that come from data: correlations, volatility regimes and the scenarios of the expected
shortfall.

Correlations are exponentially weighted products of returns over their volatility forecasts, so that no single
regime dominates; a rank estimate stands beside them, which outliers cannot move:
sin(pi / 2 * Kendall's tau) is the correlation of any elliptical distribution (F. Lindskog, A. McNeil,
U. Schmock, "Kendall's tau for elliptical distributions", in Credit Risk, Physica (2003), 149-156). The
methodology takes their mean in whole percent, and the nearest valid matrix to that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import pi, sin, sqrt
from typing import Any

import numpy as np

from keeper.analysis.history import PriceHistory
from keeper.analysis.regime import extended
from keeper.analysis.scenario_days import STRESSED, Windows, build
from keeper.pricing.kernels import Floats
from keeper.risk.correlation import Matrix, nearest
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.risk.scenario_set import ScenarioSet
from keeper.risk.volatility import ewma, log_returns, scale_ppm

_PERCENT = PPM // 100
_DECAY = 0.997
_QUANTILE = 0.995


@dataclass(frozen=True)
class Calibration:
    """What the data say.

    Attributes:
        days: of the returns that correlations rest on.
        weighted, rank: estimates by pair of symbols.
        correlations: what the methodology takes, valid, ppm, in the order of `symbols`.
        moves: 99.5 % quantile of absolute daily returns by symbol, to hold the spot weights against.
        scales: present volatility regime by symbol.
        scenarios: of the expected shortfall.
    """

    symbols: tuple[str, ...]
    days: int
    weighted: Mapping[tuple[str, str], float]
    rank: Mapping[tuple[str, str], float]
    correlations: Matrix
    moves: Mapping[str, float]
    scales: Mapping[str, float]
    scenarios: ScenarioSet

    def parameters(self, methodology: Mapping[str, Any]) -> dict[str, Any]:
        """A parameter file with the estimates in place of its own.

        Raises:
            LookupError: the file does not name an underlying.
        """
        ids = {row["symbol"]: row["underlying"] for row in methodology["underlyings"]}
        missing = [s for s in self.symbols if s not in ids]
        if missing:
            raise LookupError(f"calibrate: the methodology has no underlying {missing[0]}, add it first")
        pairs = [
            [ids[a], ids[b], self.correlations[i][j]]
            for i, a in enumerate(self.symbols)
            for j, b in enumerate(self.symbols)
            if i < j
        ]
        return {
            **methodology,
            "correlations": {**methodology["correlations"], "pairs": pairs},
            "expected_shortfall": {
                **methodology["expected_shortfall"],
                "scenarios": "0x" + self.scenarios.hash().hex(),
            },
        }


def calibrate(history: PriceHistory, methodology: Methodology, last: date | None = None) -> Calibration:
    """Estimate everything.

    Args:
        last: last day that counts; the history's last one when left out.

    Raises:
        LookupError: too few days before `last` for the scenarios.
    """
    end = last or history.days[-1]
    closes = {
        symbol: {day: x for day, x in history.series(symbol).items() if day <= end}
        for symbol in history.symbols
    }
    full = {symbol: extended(symbol, closes) for symbol in closes}
    decay = methodology.expected_shortfall.volatility_decay_ppm / PPM
    stressed = tuple(window for window in STRESSED if window[1] <= end)
    scenarios = build(full, Windows(end, stressed), decay)
    joint = _joint_returns(closes)
    weighted = _pairs(history.symbols, joint, lambda x, y: _weighted(x, y, decay))
    rank = _pairs(history.symbols, joint, _rank)
    return Calibration(
        symbols=history.symbols,
        days=len(joint),
        weighted=weighted,
        rank=rank,
        correlations=_valid(history.symbols, weighted, rank, PPM - methodology.greeks.expiry_base_ppm),
        moves={s: _quantile(closes[s]) for s in history.symbols},
        scales={
            s: scale_ppm(
                ewma(_returns(full[s]), decay), scenarios.references[s], methodology.expected_shortfall
            )
            / PPM
            for s in history.symbols
        },
        scenarios=scenarios,
    )


def _returns(closes: Mapping[date, float]) -> list[float]:
    return log_returns([closes[day] for day in sorted(closes)])


def _quantile(closes: Mapping[date, float]) -> float:
    return float(np.quantile(np.abs(_returns(closes)), _QUANTILE))


def _joint_returns(closes: Mapping[str, Mapping[date, float]]) -> Floats:
    """(days, symbols) log returns of the days on which everything is recorded."""
    days = sorted(set.intersection(*(set(c) for c in closes.values())))
    return np.column_stack([log_returns([c[day] for day in days]) for c in closes.values()])


def _pairs(symbols: Sequence[str], returns: Floats, estimate: Any) -> dict[tuple[str, str], float]:
    return {
        (a, b): float(estimate(returns[:, i], returns[:, j]))
        for i, a in enumerate(symbols)
        for j, b in enumerate(symbols)
        if i < j
    }


def _weighted(x: Floats, y: Floats, decay: float) -> float:
    """Of returns over the volatility forecast of the day before, older days counting less."""
    devolved = [series[1:] / np.array(ewma(list(series), decay))[:-1] for series in (x, y)]
    weights = _DECAY ** np.arange(len(devolved[0]))[::-1]
    xy, xx, yy = (
        float(np.sum(weights * a * b))
        for a, b in (
            (devolved[0], devolved[1]),
            (devolved[0], devolved[0]),
            (devolved[1], devolved[1]),
        )
    )
    return xy / sqrt(xx * yy)


def _rank(x: Floats, y: Floats) -> float:
    from scipy.stats import kendalltau

    return sin(pi / 2.0 * float(kendalltau(x, y).statistic))


def _valid(
    symbols: Sequence[str],
    weighted: Mapping[tuple[str, str], float],
    rank: Mapping[tuple[str, str], float],
    floor_ppm: int,
) -> Matrix:
    """Means of both estimates in whole percent, held in [0, .99], then the nearest valid matrix."""

    def entry(i: int, j: int) -> int:
        if i == j:
            return PPM
        pair = (symbols[min(i, j)], symbols[max(i, j)])
        mean = (weighted[pair] + rank[pair]) / 2.0
        return min(max(round(mean * 100.0), 0), 99) * _PERCENT

    n = len(symbols)
    return nearest(tuple(tuple(entry(i, j) for j in range(n)) for i in range(n)), floor_ppm)
