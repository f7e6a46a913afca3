"""Plotly figures of backtests and stress runs; colours are names of the page's CSS variables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keeper.analysis.backtest import BacktestResult
from keeper.analysis.backtest_summary import exceedances
from keeper.analysis.cascade import CascadeResult

Figure = dict[str, Any]
_SERIES = tuple(f"--series-{n}" for n in range(1, 9))
_LEVEL_LINE = {"color": "--muted", "width": 1, "dash": "dash"}


def colour(index: int) -> str:
    """Of the model or line with this index."""
    return _SERIES[index % len(_SERIES)]


def exceedances_figure(result: BacktestResult) -> Figure:
    """Exceedances of all books through time, cumulative."""
    traces = [
        _line(name, _dates(result), np.cumsum(exceedances(result, m).sum(axis=1)).tolist(), colour(m))
        for m, name in enumerate(result.models)
    ]
    return _figure(traces, {"yaxis": {"title": {"text": "book-days beyond MM, cumulative"}}})


def totals_figure(result: BacktestResult, common: Any) -> Figure:
    """Total maintenance margin through time over the books that every model holds."""
    traces = [
        _line(name, _dates(result), (result.maintenance[m][:, common].sum(axis=1) / 1e3).tolist(), colour(m))
        for m, name in enumerate(result.models)
    ]
    return _figure(traces, {"yaxis": {"title": {"text": "total MM, thousand USD"}, "rangemode": "tozero"}})


def frontier_figure(frontier: Mapping[str, Sequence[Mapping[str, float]]], level: float) -> Figure:
    """Total margin against the worst book's exceedance rate; the large dot is the model as it is."""
    traces: list[Figure] = []
    for index, (name, points) in enumerate(frontier.items()):
        x, y = [p["total"] / 1e3 for p in points], [100 * p["worst_rate"] for p in points]
        traces.append({**_line(name, x, y, colour(index)), "legendgroup": name})
        own = [p for p in points if p["factor"] == 1.0]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"{name} as it is",
                "legendgroup": name,
                "showlegend": False,
                "x": [p["total"] / 1e3 for p in own],
                "y": [100 * p["worst_rate"] for p in own],
                "marker": {"size": 13, "color": colour(index), "line": {"color": "--surface", "width": 2}},
            }
        )
    axes = {
        "xaxis": {"type": "linear", "title": {"text": "mean total MM, thousand USD"}},
        "yaxis": {"title": {"text": "worst book, % of days"}, "range": [0, 6]},
    }
    return _figure(traces, {**axes, "hovermode": "closest", "shapes": [_level(100 * level)]})


def heat_figure(
    books: Sequence[str], models: Sequence[str], rates: Sequence[Sequence[float | None]]
) -> Figure:
    """Exceedance rates by book and model, %."""
    trace = {
        "type": "heatmap",
        "x": list(models),
        "y": list(books),
        "z": [[None if r is None else round(100 * r, 3) for r in row] for row in rates],
        "zmin": 0,
        "zmax": 2,
        "colorscale": [[0, "#e9f1f7"], [0.5, "#e7ab4d"], [1, "#b3362d"]],
        "colorbar": {"title": {"text": "%"}, "thickness": 10},
        "hovertemplate": "%{y}<br>%{x}: %{z:.2f} % of days<extra></extra>",
        "xgap": 1,
        "ygap": 1,
    }
    axes = {
        "xaxis": {"type": "category", "tickangle": -30},
        "yaxis": {"autorange": "reversed", "automargin": True, "dtick": 1, "tickfont": {"size": 10}},
    }
    layout = {**axes, "height": 90 + 17 * len(books), "hovermode": "closest"}
    return {"data": [trace], "layout": layout}


def bars_figure(groups: Sequence[str], series: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Grouped bars, lying, as the names of groups are long."""
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": list(groups),
            "x": [round(v, 4) for v in values],
            "marker": {"color": colour(index)},
        }
        for index, (name, values) in enumerate(series.items())
    ]
    axes = {
        "xaxis": {"type": "linear", "title": {"text": title}, "rangemode": "tozero"},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True, "tickfont": {"size": 10}},
    }
    return _figure(traces, {**axes, "barmode": "group", "hovermode": "closest"})


def cascade_figure(results: Sequence[CascadeResult]) -> Figure:
    """Price paths of the policies, and without liquidations."""
    steps = list(range(1, len(results[0].price) + 1))
    traces = [_line("no liquidations", steps, results[0].unforced, "--muted", dash="dot")]
    traces += [_line(r.policy, steps, r.price, colour(i)) for i, r in enumerate(results)]
    axes = {
        "xaxis": {"type": "linear", "title": {"text": "minutes"}},
        "yaxis": {"title": {"text": "price, 1 before the shock"}},
    }
    return _figure(traces, axes)


def _dates(result: BacktestResult) -> list[str]:
    return [day.isoformat() for day in result.days]


def _level(value: float) -> Figure:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": value,
        "y1": value,
        "line": _LEVEL_LINE,
    }


def _line(
    name: str, x: Sequence[Any], y: Sequence[float], color: str, width: float = 2, dash: str = "solid"
) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(x),
        "y": [round(float(v), 5) for v in y],
        "line": {"color": color, "width": width, "dash": dash},
    }


def _figure(traces: list[Figure], layout: Figure) -> Figure:
    return {"data": traces, "layout": {"xaxis": {"type": "date"}, "hovermode": "x unified", **layout}}
