"""One self-contained HTML page of a run: no network, no state; the caller passes plotly.js."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from keeper.analysis import report_figures as figures
from keeper.analysis.report_data import AccountHistory, AuctionHistory, Check, ReportData, Tile
from keeper.analysis.report_script import SCRIPT
from keeper.analysis.report_style import STYLE

_SECTIONS = {
    "market": "Market",
    "accounts": "Accounts",
    "liquidations": "Liquidations",
    "funding": "Funding and fees",
    "surface": "Volatility",
    "fund": "Insurance fund",
    "gas": "Gas",
    "method": "Checks and sources",
}
# the page may run what it holds and ask nobody for anything
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline';"
    " img-src data: blob:"
)


def render(data: ReportData, plotly: str) -> str:
    """The page as text.

    Args:
        plotly: plotly.js, put inline once.
    """
    drawn = _all_figures(data)
    links = "".join(f'<a href="#{key}">{name}</a>' for key, name in _SECTIONS.items())
    body = "".join(
        (
            _market(data),
            _accounts(data),
            _liquidations(data.auctions),
            _funding(data),
            _surface(data),
            _fund(data),
            _gas(data.gas),
            _method(data),
        )
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(data.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header><div><h1>{escape(data.title)}</h1><p class="lead">{escape(data.subtitle)}</p>'
        f'<nav aria-label="Sections">{links}</nav></div></header>\n'
        f'<main><div class="tiles">{"".join(map(_tile, data.tiles))}</div>\n{body}</main>\n'
        "<footer>Research software, unaudited. Times are UTC and the chain's; money is in USD.</footer>\n"
        f'<script type="application/json" id="figures">{_json(drawn)}</script>\n'
        f"<script>{_inline(plotly)}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _all_figures(data: ReportData) -> dict[str, Any]:
    drawn = {f"spot of {s.symbol}": figures.spot_figure(s, data.moments, data.auctions) for s in data.spots}
    drawn |= {_key(a): figures.account_figure(a, data.auctions) for a in data.accounts}
    drawn |= {f"auction {n}": figures.auction_figure(a) for n, a in enumerate(data.auctions, start=1)}
    drawn |= {_surface_key(s.underlying): figures.surface_figure(s) for s in data.surfaces}
    drawn |= {
        _smile_key(*pair): figures.smile_figure(group)
        for pair, group in figures.smiles_by_moment(data.smiles).items()
    }
    drawn |= {_funding_key(f.symbol): figures.funding_figure(f) for f in data.funding}
    if data.fees is not None:
        drawn["fees"] = figures.fee_figure(data.fees)
    if data.fund is not None:
        drawn["insurance fund"] = figures.fund_figure(data.fund)
    if any(data.gas.values()):
        drawn["gas"] = figures.gas_figure(data.gas)
    return drawn


def _tile(tile: Tile) -> str:
    note = f'<div class="note">{escape(tile.note)}</div>' if tile.note else ""
    return (
        f'<div class="tile"><div class="label">{escape(tile.label)}</div>'
        f'<div class="value">{escape(tile.value)}</div>{note}</div>'
    )


def _section(key: str, caption: str, content: str) -> str:
    return (
        f'<section id="{key}"><h2>{_SECTIONS[key]}</h2>'
        f'<p class="caption">{escape(caption)}</p>{content}</section>\n'
    )


def _plot(name: str, size: str = "", id: str = "") -> str:
    place = f' id="{id}"' if id else ""
    return f'<div class="plot {size}"{place} role="img" data-figure="{escape(name)}"></div>'


def _select(id: str, target: str, label: str, options: Iterable[tuple[str, str]], chosen: str = "") -> str:
    rows = "".join(
        f'<option value="{escape(k)}"{" selected" if k == chosen else ""}>{escape(text)}</option>'
        for k, text in options
    )
    return (
        f'<div class="controls"><label for="{id}">{label}</label>'
        f'<select id="{id}" data-target="{target}">{rows}</select></div>'
    )


def _market(data: ReportData) -> str:
    cards = "".join(f'<div class="card">{_plot(f"spot of {s.symbol}")}</div>' for s in data.spots)
    caption = (
        "Spot as the keepers post it and as the oracle follows it inside its bands, USD. Each tick at the"
        " foot is one attested epoch, red dots are starts of auctions; dashed lines say what they are."
    )
    return _section("market", caption, f'<div class="grid">{cards}</div>')


def _accounts(data: ReportData) -> str:
    auctioned = {auction.account for auction in data.auctions}
    if not data.accounts:
        return _section("accounts", "No account was opened.", "")
    options = [(_key(a), a.name) for a in data.accounts]
    first = _key(next((a for a in data.accounts if a.name in auctioned), data.accounts[0]))
    chooser = _select("account", "account-plot", "Account", options, first)
    rows = "".join(_row(a) for a in data.accounts)
    head = (
        '<th class="text">Account</th><th>First equity</th><th>Last equity</th>'
        "<th>Last IM</th><th>Last MM</th><th>Funding</th><th>Fees</th>"
        '<th>Least equity / MM</th><th class="text">State</th>'
    )
    table = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    caption = (
        "Equity against initial margin (IM, needed to open and to withdraw) and maintenance margin (MM), USD,"
        " one figure per epoch. Equity counts collateral after its maintenance haircut. An account whose"
        " equity falls below MM may be flagged; its auctions are shaded. Funding is what its perps received,"
        " fees are what it paid, interest included. Choose an account here or below."
    )
    plot = _plot(first, "tall", id="account-plot")
    return _section("accounts", caption, f'<div class="card">{chooser}{plot}{table}</div>')


def _row(account: AccountHistory) -> str:
    first = next((e for e in account.equity if e), 0.0)
    last = [s[-1] if s else 0.0 for s in (account.equity, account.initial, account.maintenance)]
    paid = (account.funding, account.fees)
    money = "".join(f"<td>{_whole(value)}</td>" for value in (first, *last, *paid))
    key = escape(_key(account))
    name = f'<button type="button" title="{escape(account.note)}">{escape(account.name)}</button>'
    return (
        f'<tr class="pick" data-select="account" data-choose="{key}"><td>{name}</td>{money}'
        f'<td>{_cover(account)}</td><td class="text">{escape(account.state)}</td></tr>'
    )


def _whole(value: float) -> str:
    """Whole dollars, without a sign before a zero."""
    text = f"{value:,.0f}"
    return "0" if text == "-0" else text


def _cover(account: AccountHistory) -> str:
    """Least equity as a multiple of MM, with a bar that is full at twice MM."""
    if account.fully_collateralised:
        return "fully collateralised"
    cover = account.least_cover
    if cover is None:
        return "no margin"
    width = min(max(cover / 2, 0.0), 1.0)
    tone = ' class="low"' if cover < 1 else ""
    text = f"{cover:.2f}" if cover < 100 else "over 100"
    return f'{text} <span class="bar"><i{tone} style="width:{width:.0%}"></i></span>'


def _liquidations(auctions: Iterable[AuctionHistory]) -> str:
    cards = "".join(_auction(n, auction) for n, auction in enumerate(auctions, start=1))
    caption = (
        "Dutch auctions of a share of an account. Solvent: the line is the share of the equity that is asked"
        " for. Insolvent: the share of the maintenance margin that the buyer gets on top of the deficit. Dots"
        " are bids."
    )
    return _section("liquidations", caption, f'<div class="grid">{cards}</div>' if cards else "<p>None.</p>")


def _funding(data: ReportData) -> str:
    caption = (
        "Premium of a perp's attested mark over the effective spot, and the funding that its longs pay its"
        " shorts for it in eight hours: nothing inside the dead zone, and no more than the cap. Below: what"
        " accounts paid in fees and interest, all in all."
    )
    names = [_funding_key(f.symbol) for f in data.funding] + (["fees"] if data.fees is not None else [])
    cards = "".join(f'<div class="card">{_plot(name, "short")}</div>' for name in names)
    return _section("funding", caption, f'<div class="grid">{cards}</div>' if cards else "<p>None.</p>")


def _auction(number: int, auction: AuctionHistory) -> str:
    kind = "insolvent" if auction.insolvent else "solvent"
    when = figures.moment(auction.curve[0][0]) if auction.curve else ""
    taken = ", ".join(figures.percent(bid.fraction) for bid in auction.bids) or "nothing"
    return (
        f'<div class="card"><h3>{escape(auction.account)}</h3><p class="facts">{when}, {kind}: equity'
        f" {auction.equity:,.0f} against MM {auction.maintenance:,.0f}; taken {taken};"
        f" {escape(auction.outcome)}</p>"
        f"{_plot(f'auction {number}', 'short')}</div>"
    )


def _surface(data: ReportData) -> str:
    cards = ""
    moments = figures.smiles_by_moment(data.smiles)
    if moments:
        options = [(_smile_key(*pair), f"{pair[0]}, {figures.moment(pair[1])}") for pair in moments]
        cards += _chosen("Smiles of the open expiries", "smile", "Epoch", options)
    if data.surfaces:
        options = [(_surface_key(s.underlying), s.underlying) for s in data.surfaces]
        cards += _chosen("Surface", "surface-of", "Underlying", options)
    return _section("surface", data.caveat, f'<div class="grid">{cards}</div>')


def _chosen(title: str, id: str, label: str, options: list[tuple[str, str]]) -> str:
    """A card with one of several figures."""
    target = f"{id}-plot"
    chooser = _select(id, target, label, options)
    return f'<div class="card"><h3>{title}</h3>{chooser}{_plot(options[0][0], id=target)}</div>'


def _fund(data: ReportData) -> str:
    if data.fund is None:
        return _section("fund", "No insurance fund in this run.", "")
    caption = "Assets of the vault that pays the deficits of insolvent auctions, USD; dots are payments."
    return _section("fund", caption, f'<div class="card">{_plot("insurance fund", "short")}</div>')


def _gas(gas: Mapping[str, Any]) -> str:
    caption = "Gas of whole transactions by kind, median with least and most, from the node's receipts."
    plot = _plot("gas") if any(gas.values()) else ""
    return _section("gas", caption, f'<div class="card">{plot}</div>')


def _method(data: ReportData) -> str:
    rows = "".join(map(_check, data.checks))
    terms = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in data.sources.items())
    table = f'<div class="scroll"><table class="checks"><tbody>{rows}</tbody></table></div>'
    content = (
        f'<div class="card">{table}</div><p></p><div class="card"><h3>Sources</h3><dl>{terms}</dl></div>'
    )
    caveat = f'<p></p><p class="caveat">{escape(data.caveat)}</p>'
    return _section("method", "Checked at the end of the run against the chain.", content + caveat)


def _check(check: Check) -> str:
    mark = '<span class="ok">holds</span>' if check.holds else '<span class="no">violated</span>'
    return f'<tr><td>{escape(check.name)}</td><td class="text">{mark}</td></tr>'


def _key(account: AccountHistory) -> str:
    return f"account {account.name}"


def _funding_key(underlying: str) -> str:
    return f"funding of {underlying}"


def _surface_key(underlying: str) -> str:
    return f"surface of {underlying}"


def _smile_key(underlying: str, time: int) -> str:
    return f"smiles of {underlying} {time}"


def _json(value: Any) -> str:
    """JSON that cannot end its script element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _inline(script: str) -> str:
    return script.replace("</script", "<\\/script")
