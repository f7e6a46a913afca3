"""Price series: jumps, silence, gaps, and venues that disagree."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from keeper.analysis.anomalies import Finding, widened
from keeper.sources.outliers import MAD_TO_DEVIATION
from keeper.sources.prices import PriceSeries, Values, aligned


@dataclass(frozen=True, slots=True)
class SeriesLimits:
    """When a series is remarkable.

    Attributes:
        deviations: robust standard deviations of a return; returns have fat tails.
        window: returns that the median and its deviation are taken over, all before the one judged.
        floor: the least deviation, as a fraction of the price: still markets make everything remarkable.
        frozen: unchanged closes in a row.
        gap: missing bars in a row.
        dispersion_bps: of a venue from the median of all.
    """

    deviations: float = 12.0
    window: int = 168
    floor: float = 2e-4
    frozen: int = 12
    gap: int = 3
    dispersion_bps: float = 100.0


_FEWEST = 24
_USUAL = SeriesLimits()


def robust_scores(values: Values, window: int, floor: float) -> Values:
    """(n,) distance of each value from the median of the `window` before it, in robust standard deviations.

    The first 24 are 0: of fewer nobody can say what is usual. Hampel (1974) for the factor of the median
    absolute deviation.
    """
    scores = np.zeros(len(values))
    for i in range(_FEWEST, len(values)):
        past = values[max(i - window, 0) : i]
        centre = np.median(past)
        spread = max(MAD_TO_DEVIATION * float(np.median(np.abs(past - centre))), floor)
        scores[i] = (values[i] - centre) / spread
    return scores


def scan_series(series: PriceSeries, limits: SeriesLimits = _USUAL, is_regular: bool = True) -> list[Finding]:
    """Findings of one series, in order of kind and time; gaps only of one that should have none."""
    gaps = _gaps(series, limits) if is_regular else []
    return [*_jumps(series, limits), *_frozen(series, limits), *gaps]


def scan_venues(series: Mapping[str, PriceSeries], limits: SeriesLimits = _USUAL) -> list[Finding]:
    """Venues of one coin that lie far from the median of all, at the times they all have; three at least."""
    if len(series) < 3:
        return []
    times, closes = aligned(series)
    away = (closes / np.median(closes, axis=1, keepdims=True) - 1.0) * 1e4
    found = []
    for column, name in enumerate(series):
        for row in _first_of_runs(np.abs(away[:, column]) > limits.dispersion_bps):
            score = abs(float(away[row, column]))
            action, factor = widened(score / limits.dispersion_bps)
            venue = f"{name} at {closes[row, column]:g}"
            text = f"{venue} is {away[row, column]:+.0f} bps from the median of {len(series)}"
            found.append(
                Finding(
                    "dispersion", name, int(times[row]), score, limits.dispersion_bps, text, action, factor
                )
            )
    return found


def _jumps(series: PriceSeries, limits: SeriesLimits) -> list[Finding]:
    """Returns over a gap are judged as over so many bars."""
    bars = np.maximum(np.diff(series.timestamps) / series.interval, 1.0)
    returns = series.log_returns() / np.sqrt(bars)
    scores = robust_scores(returns, limits.window, limits.floor)
    found = []
    for i in np.flatnonzero(np.abs(scores) > limits.deviations):
        score = abs(float(scores[i]))
        action, factor = widened(score / limits.deviations)
        text = (
            f"{series.close[i]:g} to {series.close[i + 1]:g} ({np.expm1(returns[i] * sqrt(bars[i])):+.2%}), "
            f"{score:.1f} robust deviations of the {limits.window} before"
        )
        time = int(series.timestamps[i + 1])
        found.append(Finding("return", series.name, time, score, limits.deviations, text, action, factor))
    return found


def _frozen(series: PriceSeries, limits: SeriesLimits) -> list[Finding]:
    """Runs of one unchanged close."""
    found = []
    starts = np.flatnonzero(np.diff(series.close, prepend=np.nan) != 0.0)
    for start, end in zip(starts, [*starts[1:], len(series)], strict=True):
        length = int(end - start)
        if length > limits.frozen:
            text = f"{length} closes at {series.close[start]:g} in a row"
            time = int(series.timestamps[start])
            found.append(Finding("frozen", series.name, time, length, limits.frozen, text, *widened(1.0)))
    return found


def _gaps(series: PriceSeries, limits: SeriesLimits) -> list[Finding]:
    """Bars that are missing."""
    missing = np.diff(series.timestamps) // series.interval - 1
    return [
        Finding(
            "gap",
            series.name,
            int(series.timestamps[i]),
            float(missing[i]),
            float(limits.gap),
            f"{int(missing[i])} bars of {series.interval} s are missing",
        )
        for i in np.flatnonzero(missing > limits.gap)
    ]


def _first_of_runs(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[int]:
    """Where runs of true begin: an hour of disagreement is one finding."""
    return [int(i) for i in np.flatnonzero(flags & ~np.concatenate([[False], flags[:-1]]))]
