"""`plimsoll surface`: fit a recorded option chain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from keeper.sources.chain_fit import ChainFit, SliceFit
    from keeper.sources.option_quote import Chain


def surface(
    chain: Annotated[Path, typer.Argument(metavar="CHAIN", help="Option chain, CSV or gzipped CSV.")],
    at: Annotated[
        str,
        typer.Option(help="Of several snapshots the last not after this ISO time; the last one if empty."),
    ] = "",
    underlying: Annotated[str, typer.Option(help="One underlying of the file; all if empty.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write a page with smiles and the surface.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Fit volatility smiles to an option chain, free of arbitrage: raw SVI, or SSVI for an expiry with fewer
    than five quotes. Errors are in vol points against the mark, or the middle where there is none.

    Example: plimsoll surface deribit_btc_chain.csv.gz --html surface.html
    """
    import json

    from keeper.sources.chains import read_chain

    found = read_chain(chain, _seconds(at) if at else None)
    fits = [_fit(found, name) for name in ([underlying] if underlying else found.underlyings)]
    if html is not None:
        from keeper.analysis.surface_page import render

        html.write_text(render(fits, chain.name, _plotly()), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps({"file": chain.name, "surfaces": [_answer(f) for f in fits]}, indent=2))
    else:
        _print(fits)


def _seconds(text: str) -> int:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"surface: --at {text!r} is no ISO-8601 time, as 2026-01-31T21:30") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _fit(chain: "Chain", underlying: str) -> "ChainFit":
    """Fit one underlying, with a bar on standard error while it lasts."""
    from rich.console import Console
    from rich.progress import Progress

    from keeper.sources.chain_fit import fit_chain

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Fitting {underlying}", total=1.0)
        return fit_chain(chain, underlying, progress=lambda share: bar.update(task, completed=share))


def _plotly() -> str:
    import pkgutil

    found = pkgutil.get_data("plotly", "package_data/plotly.min.js")
    if found is None:
        raise RuntimeError("surface: plotly is not installed; run `make setup`")
    return found.decode("utf-8")


def _answer(fit: "ChainFit") -> dict[str, Any]:
    from keeper.pricing.svi import arbitrage

    return {
        "underlying": fit.underlying,
        "timestamp": fit.timestamp,
        "spot": fit.spot,
        "arbitrage": arbitrage([s.parameters for s in fit.slices]),
        "expiries_without_quotes": list(fit.unquoted),
        "slices": [_slice(s) for s in fit.slices],
    }


def _slice(fit: "SliceFit") -> dict[str, Any]:
    quotes = fit.quotes
    return {
        "expiry": quotes.expiry,
        "years": quotes.years,
        "forward": quotes.forward,
        "method": fit.method,
        "svi": fit.parameters._asdict(),
        "svi_e12": list(fit.parameters.quantise()),
        "at_money_vol": fit.at_money_vol,
        "median_error_vol_points": fit.median_error,
        "largest_error_vol_points": fit.largest_error,
        "inside_bid_and_ask": None if fit.inside != fit.inside else fit.inside,
        "quotes_used": int(quotes.k.size),
        "quotes": dict(quotes.states),
        "ignored": dict(quotes.ignored),
        "repaired": list(fit.problems),
    }


def _print(fits: "list[ChainFit]") -> None:
    from time import gmtime, strftime

    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from keeper.pricing.svi import arbitrage

    console = Console(highlight=False)
    for fit in fits:
        when = strftime("%Y-%m-%d %H:%M UTC", gmtime(fit.timestamp))
        table = Table(title=f"{fit.underlying}, {when}", box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
        for name in ("expiry", "days", "forward", "quotes", "ATM vol", "error", "inside", "fit", "arbitrage"):
            left = name in {"expiry", "fit", "arbitrage"}
            table.add_column(name, justify="left" if left else "right", no_wrap=True)
        for piece in fit.slices:
            table.add_row(*_cells(piece))
        console.print(table)
        for line in _notes(fit, arbitrage([s.parameters for s in fit.slices])):
            console.print(line)


def _cells(fit: "SliceFit") -> list[str]:
    from time import gmtime, strftime

    quotes = fit.quotes
    return [
        strftime("%Y-%m-%d", gmtime(quotes.expiry)),
        f"{365 * quotes.years:.1f}",
        f"{quotes.forward:,.1f}",
        f"{quotes.k.size}/{sum(quotes.states.values())}",
        f"{fit.at_money_vol:.1%}",
        f"{fit.median_error:.2f}",
        "" if fit.inside != fit.inside else f"{fit.inside:.0%}",
        fit.method,
        "removed" if fit.problems else "none",
    ]


def _notes(fit: "ChainFit", problems: list[str]) -> list[str]:
    """Arbitrage, and how quotes that are not two-sided were treated."""
    from collections import Counter

    states: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    for piece in fit.slices:
        states.update(piece.quotes.states)
        ignored.update(piece.quotes.ignored)
    lines = [f"Arbitrage left: {'; '.join(problems) or 'none'}. Errors: medians, vol points."]
    lines.append("Quotes: " + ", ".join(f"{n} {state}" for state, n in states.most_common()) + ".")
    if ignored:
        lines.append("Ignored: " + ", ".join(f"{n} ({why})" for why, n in ignored.most_common()) + ".")
    if fit.unquoted:
        lines.append(f"Expiries without a usable quote: {len(fit.unquoted)}.")
    return lines
