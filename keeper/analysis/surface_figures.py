"""Plotly figures of a fitted chain as plain dicts. Colours are names of the page's CSS variables."""

from collections.abc import Sequence
from time import gmtime, strftime
from typing import Any

import numpy as np

from keeper.pricing.kernels import Floats
from keeper.pricing.svi_slice import nodes, total_variance
from keeper.sources.chain_fit import ChainFit, SliceFit

Figure = dict[str, Any]
_SERIES = tuple(f"--series-{n}" for n in range(1, 7))
_DASHES = ("solid", "dash", "dot")
_POINTS = 121
_DEVIATIONS = 3.0
_DAYS = (1, 7, 30, 90, 365)


def day(expiry: int) -> str:
    """An expiry as readers see it, UTC."""
    return strftime("%-d %b %Y", gmtime(expiry))


def smile_figure(fit: SliceFit) -> Figure:
    """Vols by strike: bid to ask, marks, and the fit."""
    q = fit.quotes
    low, high = float(np.min(q.k)), float(np.max(q.k))
    margin = 0.05 * (high - low) or 0.1
    k = np.linspace(low - margin, high + margin, _POINTS)
    vol = np.sqrt(total_variance(parameters=fit.parameters, log_moneyness=k) / q.years)
    both = np.isfinite(q.bid_vol) & np.isfinite(q.ask_vol)
    alone = ~both & np.isfinite(np.fmin(q.bid_vol, q.ask_vol))
    traces = [
        _spreads(q.strike[both], q.bid_vol[both], q.ask_vol[both]),
        _dots(
            "one side only", q.strike[alone], np.fmin(q.bid_vol, q.ask_vol)[alone], "--bad", "triangle-down"
        ),
        _dots("mark or middle", q.strike, q.reference, "--initial", "circle"),
        _line("fit", q.forward * np.exp(k), 100.0 * vol, "--equity"),
    ]
    shapes = [_vertical(q.forward)]
    seen = 100.0 * np.concatenate([vol, q.reference])
    layout = {
        "xaxis": {"title": {"text": "strike, USD"}, "type": "linear"},
        "yaxis": {
            "title": {"text": "vol, %"},
            "range": [0.85 * float(np.min(seen)), 1.1 * float(np.max(seen))],
        },
        "shapes": shapes,
        "hovermode": "closest",
    }
    return {"data": [t for t in traces if t["x"]], "layout": layout}


def variance_figure(slices: Sequence[SliceFit]) -> Figure:
    """Total variance by moneyness, each expiry over the nodes at which it is checked: without calendar
    arbitrage no line crosses one of an earlier expiry.
    """
    traces = []
    reach = min(1.5, max((float(nodes(s.parameters)[-1]) for s in slices), default=1.5))
    for index, fit in enumerate(slices):
        checked = nodes(fit.parameters)
        k = np.linspace(checked[0], checked[-1], _POINTS)
        w = total_variance(parameters=fit.parameters, log_moneyness=k)
        color = _SERIES[index % len(_SERIES)]
        dash = _DASHES[index // len(_SERIES) % len(_DASHES)]
        traces.append(_line(day(fit.quotes.expiry), k, w, color, 1.6, dash, digits=7))
    layout = {
        "xaxis": {"title": {"text": "ln(strike / forward)"}, "type": "linear", "range": [-reach, reach]},
        "yaxis": {"title": {"text": "total variance"}, "type": "log", "exponentformat": "power"},
        "hovermode": "closest",
        "showlegend": len(slices) <= 2 * len(_SERIES),
    }
    return {"data": traces, "layout": layout}


def surface_figure(fit: ChainFit) -> Figure:
    """Vol over standard moneyness and days to expiry."""
    first, last = fit.surface.tenors[0], fit.surface.tenors[-1]
    times = np.geomspace(max(first.years, 1e-4), last.years, 40)
    per_year = (last.expiry - first.expiry) / (last.years - first.years) if last is not first else 1.0
    deviations = np.linspace(-_DEVIATIONS, _DEVIATIONS, 61)
    rows = []
    for years in times:
        expiry = int(np.clip(first.expiry + (years - first.years) * per_year, first.expiry, last.expiry))
        at_money = float(fit.surface.total_variance(0.0, expiry))
        w = fit.surface.total_variance(deviations * np.sqrt(at_money), expiry)
        rows.append(_rounded(100.0 * np.sqrt(w / fit.surface.years(expiry)), 2))
    trace = {
        "type": "surface",
        "x": _rounded(deviations, 3),
        "y": _rounded(365.0 * times, 3),
        "z": rows,
        "colorscale": "Viridis",
        "showscale": False,
        "hovertemplate": "%{x:.1f} deviations<br>%{y:.1f} days<br>%{z:.1f} %<extra></extra>",
    }
    scene = {
        "xaxis": {"title": {"text": "ln(K/F) in standard deviations"}},
        "yaxis": {"title": {"text": "days to expiry"}, "type": "log", "tickvals": list(_DAYS)},
        "zaxis": {"title": {"text": "vol, %"}},
        "camera": {"eye": {"x": -1.4, "y": 1.45, "z": 0.7}, "center": {"x": 0.0, "y": 0.0, "z": -0.12}},
        "aspectratio": {"x": 1.1, "y": 1.1, "z": 0.7},
    }
    return {"data": [trace], "layout": {"scene": scene, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}}}


def _spreads(strike: Floats, bid: Floats, ask: Floats) -> Figure:
    half = 50.0 * (ask - bid)
    trace = _dots("bid to ask", strike, (bid + ask) / 2.0, "--muted", "line-ew")
    bar = {"type": "data", "array": _rounded(half, 3), "color": "--muted", "thickness": 1.4, "width": 3}
    return {**trace, "error_y": bar, "customdata": _rounded(np.column_stack([bid, ask]) * 100.0, 2)}


def _dots(name: str, x: Floats, vol: Floats, color: str, symbol: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": _rounded(x, 4),
        "y": _rounded(100.0 * vol, 3),
        "marker": {"color": color, "size": 5, "symbol": symbol},
        "hovertemplate": name + "<br>%{x:,.0f}<br>%{y:.2f} %<extra></extra>",
    }


def _line(
    name: str, x: Floats, y: Floats, color: str, width: float = 2.0, dash: str = "solid", digits: int = 3
) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": _rounded(x, 4),
        "y": _rounded(y, digits),
        "line": {"color": color, "width": width, "dash": dash},
    }


def _vertical(x: float) -> Figure:
    line = {"color": "--muted", "width": 1, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _rounded(values: Floats, digits: int) -> list[Any]:
    return list(np.round(values, digits).tolist())
