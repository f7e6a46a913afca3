"""One self-contained HTML page of fitted chains: no network, no state; the caller passes plotly.js."""

import json
from collections.abc import Sequence
from html import escape
from time import gmtime, strftime
from typing import Any

from keeper.analysis import surface_figures as figures
from keeper.analysis.report_script import SCRIPT
from keeper.analysis.report_style import STYLE
from keeper.sources.chain_fit import ChainFit, SliceFit

# the page may run what it holds and ask nobody for anything
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline';"
    " img-src data: blob:"
)
_HEAD = (
    '<th class="text">Expiry</th><th>Days</th><th>Forward</th><th>Quotes</th><th>ATM vol</th>'
    '<th>Median error</th><th>Inside bid and ask</th><th class="text">Arbitrage</th>'
)


def render(fits: Sequence[ChainFit], source: str, plotly: str) -> str:
    """The page as text.

    Args:
        source: what the quotes were read from.
        plotly: plotly.js, put inline once.
    """
    title = f"Volatility of {', '.join(f.underlying for f in fits)}"
    when = strftime("%-d %B %Y %H:%M UTC", gmtime(max(f.timestamp for f in fits)))
    body = "".join(_underlying(fit) for fit in fits)
    links = "".join(f'<a href="#{escape(f.underlying)}">{escape(f.underlying)}</a>' for f in fits)
    drawn: dict[str, Any] = {}
    for fit in fits:
        drawn |= _figures(fit)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header><div><h1>{escape(title)}</h1><p class="lead">{when}, {escape(source)}</p>'
        f'<nav aria-label="Underlyings">{links}</nav></div></header>\n<main>{body}</main>\n'
        "<footer>Times are UTC. A vol point is 1 % of annual vol. Errors are measured against the mark, or"
        " the middle of bid and ask where there is none.</footer>\n"
        f'<script type="application/json" id="figures">{_json(drawn)}</script>\n'
        f"<script>{_inline(plotly)}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _figures(fit: ChainFit) -> dict[str, Any]:
    drawn = {_smile(fit, s): figures.smile_figure(s) for s in fit.slices}
    drawn[f"total variance of {fit.underlying}"] = figures.variance_figure(fit.slices)
    drawn[f"surface of {fit.underlying}"] = figures.surface_figure(fit)
    return drawn


def _underlying(fit: ChainFit) -> str:
    worst = max((s.median_error for s in fit.slices), default=0.0)
    used = sum(s.quotes.k.size for s in fit.slices)
    repaired = sum(1 for s in fit.slices if s.problems)
    tiles = "".join(
        (
            _tile("Expiries", f"{len(fit.slices)}", f"{len(fit.unquoted)} without a usable quote"),
            _tile("Quotes fitted", f"{used:,}", "one a strike"),
            _tile("Largest median error", f"{worst:.2f}", "vol points, of an expiry"),
            _tile("Arbitrage", "none", f"{repaired} expiries gave way for it"),
        )
    )
    rows = "".join(_row(s) for s in fit.slices)
    table = f'<div class="scroll"><table><thead><tr>{_HEAD}</tr></thead><tbody>{rows}</tbody></table></div>'
    name = escape(fit.underlying)
    cards = "".join(_card(fit, s) for s in fit.slices)
    return (
        f'<section id="{name}"><h2>{name}</h2><div class="tiles">{tiles}</div><p></p>'
        f'<div class="card">{table}</div></section>'
        f'<section><h2>Total variance</h2><p class="caption">By forward moneyness, each expiry over five'
        " standard deviations. No line crosses that of an earlier expiry: there is no calendar arbitrage.</p>"
        f'<div class="card">{_plot(f"total variance of {fit.underlying}", "tall")}</div></section>'
        f'<section><h2>Surface</h2><p class="caption">Between expiries total variance is linear in time.</p>'
        f'<div class="card">{_plot(f"surface of {fit.underlying}", "tall")}</div></section>'
        f'<section><h2>Smiles</h2><p class="caption">Bars reach from bid to ask; the dotted line is the'
        f' forward.</p><div class="grid">{cards}</div></section>\n'
    )


def _row(fit: SliceFit) -> str:
    q = fit.quotes
    inside = "" if fit.inside != fit.inside else f"{fit.inside:.0%}"
    return (
        f"<tr><td>{figures.day(q.expiry)}</td><td>{365 * q.years:.1f}</td><td>{q.forward:,.2f}</td>"
        f"<td>{q.k.size} of {sum(q.states.values())}</td><td>{fit.at_money_vol:.1%}</td>"
        f'<td>{fit.median_error:.2f}</td><td>{inside}</td><td class="text">{_arbitrage(fit)}</td></tr>'
    )


def _arbitrage(fit: SliceFit) -> str:
    if not fit.problems:
        return '<span class="ok">none</span>'
    reasons = escape("; ".join(p.removeprefix("svi: ") for p in fit.problems))
    return f'<span class="ok" title="{reasons}">removed</span>'


def _card(fit: ChainFit, piece: SliceFit) -> str:
    q = piece.quotes
    states = ", ".join(f"{n} {state}" for state, n in q.states.items())
    ignored = "".join(f"; {n} ignored: {why}" for why, n in q.ignored.items())
    return (
        f'<div class="card"><h3>{figures.day(q.expiry)}</h3><p class="facts">{piece.method.upper()}, median'
        f" error {piece.median_error:.2f} points. {escape(states + ignored)}.</p>"
        f"{_plot(_smile(fit, piece))}</div>"
    )


def _tile(label: str, value: str, note: str) -> str:
    return (
        f'<div class="tile"><div class="label">{label}</div><div class="value">{value}</div>'
        f'<div class="note">{note}</div></div>'
    )


def _plot(name: str, size: str = "") -> str:
    return f'<div class="plot {size}" role="img" data-figure="{escape(name)}"></div>'


def _smile(fit: ChainFit, piece: SliceFit) -> str:
    return f"smile of {fit.underlying} {piece.quotes.expiry}"


def _json(value: Any) -> str:
    """JSON that cannot end its script element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _inline(script: str) -> str:
    return script.replace("</script", "<\\/script")
