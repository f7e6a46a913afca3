"""Plotly figures as plain dicts: data and layout. Colours are names of the page's CSS variables, as "--name",
which the page's script resolves for the light and the dark scheme.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import median
from time import gmtime, strftime
from typing import Any

from keeper.analysis.report_data import (
    AccountHistory,
    AuctionHistory,
    FeeHistory,
    FundHistory,
    FundingHistory,
    Smile,
    SpotHistory,
    Surface,
)

Figure = dict[str, Any]
_NOTE_LOOK = {"font": {"size": 11, "color": "--muted"}, "bgcolor": "--surface"}
_LEAST_BAND = 10_800  # seconds of shade: an auction lasts minutes, the path weeks
_SERIES = tuple(f"--series-{n}" for n in range(1, 7))


def moment(time: int) -> str:
    """A time as readers see it, UTC."""
    return strftime("%-d %b %H:%M", gmtime(time))


def percent(fraction: float) -> str:
    """A fraction as readers see it."""
    return "under 0.1%" if 0 < fraction < 0.001 else f"{fraction:.1%}"


def spot_figure(spot: SpotHistory, moments: Mapping[int, str], auctions: Sequence[AuctionHistory]) -> Figure:
    """One underlying's path, with every epoch, marked moment and start of an auction."""
    times = _stamps(spot.times)
    traces = [
        _line("posted", times, spot.posted, "--muted", width=1.2),
        _line("effective", times, spot.effective, "--equity", width=2),
        {
            "type": "scatter",
            "mode": "markers",
            "name": "epochs",
            "x": times,
            "y": [min(spot.posted)] * len(times),
            "marker": {"symbol": "line-ns-open", "size": 4, "color": "--muted"},
            "hoverinfo": "x",
        },
    ]
    flags = [a.curve[0][0] for a in auctions if a.curve]
    if flags:
        levels = [spot.effective[_index_at(spot.times, t)] for t in flags]
        names = [a.account for a in auctions if a.curve]
        traces.append(_dots("auction starts", flags, levels, "--maintenance", text=names))
    shapes = [_vertical(time) for time in moments]
    notes = [_note(time, text, row) for row, (time, text) in enumerate(sorted(moments.items()))]
    return _figure(
        traces, {"yaxis": {"title": {"text": f"{spot.symbol}, USD"}}, "shapes": shapes, "annotations": notes}
    )


def account_figure(account: AccountHistory, auctions: Sequence[AuctionHistory]) -> Figure:
    """Equity against both margins; the account's auctions are shaded."""
    times = _stamps(account.times)
    traces = [
        _line("maintenance margin", times, account.maintenance, "--maintenance", fill="tozeroy", step=True),
        _line("initial margin", times, account.initial, "--initial", dash="dot", step=True),
        _line("equity", times, account.equity, "--equity", width=2.4),
    ]
    own = [a for a in auctions if a.account == account.name and a.curve]
    shapes = [_band(a.curve[0][0], max(a.curve[-1][0], a.curve[0][0] + _LEAST_BAND)) for a in own]
    return _figure(traces, {"yaxis": {"title": {"text": "USD"}, "rangemode": "tozero"}, "shapes": shapes})


def auction_figure(auction: AuctionHistory) -> Figure:
    """The share that is asked for, or paid on top, as time runs; bids lie on it."""
    name = "paid on top" if auction.insolvent else "asked"
    title = "% of MM, on top of the deficit" if auction.insolvent else "% of equity"
    bids = auction.bids
    shares = [f"{percent(bid.fraction)} for {bid.amount:,.0f} USD" for bid in bids]
    times, levels = [t for t, _ in auction.curve], [100 * v for _, v in auction.curve]
    traces = [
        _line(name, _stamps(times), levels, "--initial", width=2),
        _dots("bid", [b.time for b in bids], [100 * b.level for b in bids], "--equity", shares, size=11),
    ]
    return _figure(traces, {"yaxis": {"title": {"text": title}}})


def smile_figure(smiles: Sequence[Smile]) -> Figure:
    """Volatility by strike, one line per expiry; all of one underlying and moment."""
    traces = [
        _line(
            strftime("%-d %b", gmtime(smile.expiry)),
            smile.strikes,
            [100 * v for v in smile.vols],
            _SERIES[index % len(_SERIES)],
            width=2,
        )
        for index, smile in enumerate(sorted(smiles, key=lambda s: s.expiry))
    ]
    axes = {
        "xaxis": {"title": {"text": "strike, USD"}, "type": "linear"},
        "yaxis": {"title": {"text": "volatility, % a year"}},
    }
    return _figure(traces, {**axes, "showlegend": True})


def surface_figure(surface: Surface) -> Figure:
    """Volatility over time to expiry and moneyness."""
    trace = {
        "type": "surface",
        "x": list(surface.moneyness),
        "y": list(surface.days),
        "z": [[round(100 * v, 2) for v in row] for row in surface.vols],
        "colorscale": "Viridis",
        "showscale": False,
        "hovertemplate": "ln(K/F) %{x:.2f}<br>%{y:.0f} days<br>%{z:.1f} %<extra></extra>",
    }
    scene = {
        "xaxis": {"title": {"text": "ln(strike / forward)"}},
        "yaxis": {"title": {"text": "days to expiry"}, "type": "log", "tickvals": [1, 7, 30, 90, 365]},
        "zaxis": {"title": {"text": "vol, %"}},
        "camera": {"eye": {"x": -1.5, "y": 1.6, "z": 0.75}},
        "aspectratio": {"x": 1.1, "y": 1.1, "z": 0.7},
    }
    return {"data": [trace], "layout": {"scene": scene, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}}}


def fund_figure(fund: FundHistory) -> Figure:
    """Assets of the insurance fund; payments are marked."""
    traces = [_line("assets", _stamps(fund.times), fund.assets, "--equity", width=2, step=True)]
    if fund.covered:
        levels = [fund.assets[_index_at(fund.times, t)] for t, _ in fund.covered]
        said = [f"paid {amount:,.2f} USD" for _, amount in fund.covered]
        traces.append(
            _dots("deficit covered", [t for t, _ in fund.covered], levels, "--maintenance", text=said)
        )
    return _figure(traces, {"yaxis": {"title": {"text": "USD"}}})


def funding_figure(funding: FundingHistory) -> Figure:
    """Premium and funding of one underlying's perp, basis points of the spot."""
    times = _stamps(funding.times)
    premiums, rates = ([share * 10_000 for share in row] for row in (funding.premiums, funding.rates))
    traces = [
        _line("premium", times, premiums, "--muted", width=1.2),
        _line("funding of 8 hours", times, rates, "--equity", width=2, step=True),
    ]
    return _figure(traces, {"yaxis": {"title": {"text": f"{funding.symbol} perp, basis points"}}})


def fee_figure(fees: FeeHistory) -> Figure:
    """What accounts have paid so far."""
    times = _stamps(fees.times)
    traces = [
        _line("fees of trades", times, fees.fees, "--equity", width=2, step=True),
        _line("interest on debts", times, fees.interest, "--maintenance", width=2, step=True),
    ]
    return _figure(traces, {"yaxis": {"title": {"text": "USD"}}})


def gas_figure(gas: Mapping[str, Sequence[int]]) -> Figure:
    """Median gas of each kind of transaction; whiskers reach the least and the most."""
    rows = sorted(
        ((name, sorted(values)) for name, values in gas.items() if values), key=lambda r: median(r[1])
    )
    middles = [median(values) for _, values in rows]
    trace = {
        "type": "bar",
        "orientation": "h",
        "name": "median",
        "y": [name for name, _ in rows],
        "x": middles,
        "marker": {"color": "--equity"},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [values[-1] - m for (_, values), m in zip(rows, middles, strict=True)],
            "arrayminus": [m - values[0] for (_, values), m in zip(rows, middles, strict=True)],
            "color": "--muted",
            "thickness": 1.2,
            "width": 4,
        },
        "customdata": [[values[0], values[-1], len(values)] for _, values in rows],
        "hovertemplate": "%{y}<br>median %{x:,.0f}<br>%{customdata[0]:,} to %{customdata[1]:,}"
        "<br>%{customdata[2]} transactions<extra></extra>",
    }
    axes = {
        "xaxis": {"title": {"text": "gas"}, "type": "linear", "rangemode": "tozero"},
        "yaxis": {"automargin": True, "ticksuffix": " "},
    }
    layout = {**axes, "showlegend": False, "height": 60 + 34 * len(rows), "bargap": 0.35}
    return _figure([trace], {**layout, "hovermode": "closest"})


def smiles_by_moment(smiles: Sequence[Smile]) -> dict[tuple[str, int], list[Smile]]:
    """Smiles that belong on one figure."""

    def key(smile: Smile) -> tuple[str, int]:
        return smile.underlying, smile.moment

    return {found: list(group) for found, group in groupby(sorted(smiles, key=key), key)}


def _figure(traces: list[Figure], layout: Figure) -> Figure:
    return {"data": traces, "layout": {"xaxis": {"type": "date"}, "hovermode": "x unified", **layout}}


def _line(
    name: str,
    x: Sequence[float],
    y: Sequence[float],
    color: str,
    width: float = 1.5,
    dash: str = "solid",
    fill: str = "none",
    step: bool = False,
) -> Figure:
    line = {"color": color, "width": width, "dash": dash, "shape": "hv" if step else "linear"}
    trace = {"type": "scatter", "mode": "lines", "name": name, "x": list(x), "y": [round(v, 2) for v in y]}
    return {**trace, "line": line, "fill": fill, "fillcolor": color + "-soft"}


def _dots(
    name: str, times: Sequence[int], y: Sequence[float], color: str, text: Sequence[str], size: int = 9
) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": _stamps(times),
        "y": [round(v, 2) for v in y],
        "text": list(text),
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": color, "size": size, "line": {"color": "--surface", "width": 1.5}},
    }


def _vertical(time: int) -> Figure:
    line = {"color": "--muted", "width": 1, "dash": "dash"}
    return {
        "type": "line",
        "x0": time * 1000,
        "x1": time * 1000,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": line,
    }


def _band(first: int, last: int) -> Figure:
    sides = {"x0": first * 1000, "x1": last * 1000, "y0": 0, "y1": 1, "yref": "paper"}
    return {
        "type": "rect",
        **sides,
        "fillcolor": "--maintenance-soft",
        "line": {"width": 0},
        "layer": "below",
    }


def _note(time: int, text: str, row: int) -> Figure:
    """Beside its line; each a row lower, as they may lie close together."""
    place = {
        "x": time * 1000,
        "y": 1 - 0.075 * row,
        "yref": "paper",
        "yanchor": "top",
        "xanchor": "left",
        "xshift": 4,
    }
    return {**place, "text": text, "showarrow": False, **_NOTE_LOOK}


def _stamps(times: Sequence[int]) -> list[int]:
    return [time * 1000 for time in times]


def _index_at(times: Sequence[int], time: int) -> int:
    """Of the last moment that is not after `time`."""
    return max((i for i, t in enumerate(times) if t <= time), default=0)
