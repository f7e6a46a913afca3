"""The page of a backtest: coverage, capital, procyclicality, leaks, insurance, cascades."""

from typing import Any

import numpy as np

from keeper.analysis import risk_figures as figures
from keeper.analysis.backtest_study import Study, describe, verdict
from keeper.analysis.backtest_summary import LEVEL, common_books
from keeper.analysis.risk_page import Block, Cell, Page, Section

_SURFACES = (
    "Prices are recorded, option surfaces are modelled: at-the-money vols follow realised ones with a"
    " premium, smiles come from a small table fitted to recorded chains, and move with returns and seeded"
    " noise. No option history of these years is at hand. Fills, fees, funding and liquidity are left out."
)


def page_of(study: Study, source: str) -> Page:
    """The page.

    Args:
        source: where the prices come from.
    """
    found, models = study.summary, study.summary["models"]
    first = next(iter(models))
    tiles = [
        ("Days", str(found["days"]), f"{found['from']} to {found['to']}, every {found['step']}"),
        ("Books", str(found["books"]), f"{len(found['common_books'])} that every model holds"),
        (
            f"Leaking books, {first}",
            str(len(models[first]["leaking_books"])),
            f"worst: {models[first]['worst_rate']:.2%} of days",
        ),
        ("Models", str(len(models)), "margined alike"),
    ]
    return Page(
        title="Margin models on recorded history",
        subtitle=verdict(found),
        tiles=tiles,
        sections=[
            _overview(study),
            _coverage(study),
            _through_time(study),
            _capital(study),
            _leaks(study),
            _cascades(study),
            Section("sources", "Sources and limits", f"{_SURFACES} {source}"),
        ],
        footer="Research software, unaudited. Money is in USD; every book has a notional of 100,000 a side.",
    )


def _overview(study: Study) -> Section:
    head = (
        "Model", "Books held", "Total MM", "Total IM", "Worst book", "Leaking", "Green", "Yellow", "Red",
        "Too low (Kupiec)", "Peak/trough", "Rise 1 d", "5 d", "30 d",
    )  # fmt: skip
    rows = [_model_row(name, m) for name, m in study.summary["models"].items()]
    caption = (
        f"A day's loss beyond the maintenance buffer is an exceedance; {LEVEL:.0%} of days is tolerated."
        " Totals are daily means over the books that every model holds. Zones are Basel's at this rate; the"
        " last columns say how far margins of the same shapes rise and fall with the market."
    )
    return Section("overview", "Overview", caption, [Block("", head=head, rows=rows)])


def _model_row(name: str, m: dict[str, Any]) -> list[Cell]:
    leaking = len(m["leaking_books"])
    return [
        Cell(name),
        Cell(str(m["held"])),
        Cell(f"{m['total_maintenance']:,.0f}"),
        Cell(f"{m['total_initial']:,.0f}"),
        Cell(f"{m['worst_rate']:.2%}", "bad" if m["worst_rate"] > LEVEL else "good"),
        Cell(str(leaking), "bad" if leaking else "good"),
        *(Cell(str(m["zones"][zone])) for zone in ("green", "yellow", "red")),
        Cell(str(m["rejected_by_kupiec"])),
        Cell(f"{m['peak_to_trough']:.2f}"),
        *(Cell(f"{m['rises'][days]:.0%}") for days in ("1", "5", "30")),
    ]


def _coverage(study: Study) -> Section:
    result = study.result
    models = study.summary["models"]
    rates = [[models[m]["books"].get(b, {}).get("rate") for m in result.models] for b in result.books]
    ranked = sorted(
        ((book["rate"], m, b, book) for m, found in models.items() for b, book in found["books"].items()),
        key=lambda row: (-row[0], row[1], row[2]),
    )[:20]
    head = ("Book", "Model", "Rate", "Days", "Beyond IM", "Worst beyond MM", "Zone", "Kupiec p", "Indep. p",
            "Both p", "Acerbi-Szekely")  # fmt: skip
    rows = [
        [
            Cell(b),
            Cell(m),
            Cell(f"{rate:.2%}", "bad" if rate > LEVEL else ""),
            Cell(str(book["exceedances"])),
            Cell(str(book["initial_exceedances"])),
            Cell(f"{book['worst_excess']:.0%} of MM"),
            Cell(book["zone"], "bad" if book["zone"] == "red" else ""),
            *(Cell(f"{book[key]:.3f}") for key in ("kupiec_p", "independence_p", "conditional_p")),
            Cell(f"{book['acerbi_szekely']:+.2f}"),
        ]
        for rate, m, b, book in ranked
        if rate > 0
    ]
    caption = (
        "Share of days with a loss beyond the maintenance buffer, by book and model; empty where a model"
        " has no such instrument. Tests: Kupiec (1995), Christoffersen (1998), the second statistic of Acerbi"
        " and Szekely (2014) with MM as quantile and IM as shortfall, positive where IM is too small."
    )
    heat = figures.heat_figure(result.books, result.models, rates)
    return Section(
        "coverage",
        "Coverage",
        caption,
        [
            Block("Exceedance rates", heat),
            *([Block("The worst twenty", head=head, rows=rows)] if rows else []),
        ],
    )


def _through_time(study: Study) -> Section:
    result = study.result
    common = common_books(result)
    blocks = [Block("Exceedances through time", figures.exceedances_figure(result))]
    if np.any(common):
        blocks.append(Block("Margins through time", figures.totals_figure(result, common)))
    caption = "Exceedances of all books add up; margins are those of the same shapes every day."
    return Section("time", "Through time", caption, blocks)


def _capital(study: Study) -> Section:
    models = study.summary["models"]
    rises = {f"{days} d": [m["rises"][days] for m in models.values()] for days in ("1", "5", "30")}
    blocks = [
        Block("Frontier", figures.frontier_figure(study.frontier, LEVEL), "tall"),
        Block(
            "Largest rises", figures.bars_figure(list(models), rises, "share of the margin before"), "tall"
        ),
    ]
    caption = (
        "Total margin against the worst book: lines scale all margins of a model by one factor, dots are the"
        " models as they are. Below, the largest rise of total margin within 1, 5 and 30 days."
    )
    return Section("capital", "Capital and procyclicality", caption, blocks)


def _leaks(study: Study) -> Section:
    head = ("Model", "Leak", "Loss", "MM", "Day", "Book")
    rows = [
        [
            Cell(a.model),
            Cell(f"{a.leak:.0%} of MM", "bad" if a.leak > 1 else ""),
            Cell(f"{a.loss:,.0f}"),
            Cell(f"{a.margin:,.0f}"),
            Cell(a.day.isoformat()),
            Cell(describe(a)),
        ]
        for a in study.attacks
    ]
    covers = [
        [Cell(name), Cell(f"{c.cover_one:,.0f}"), Cell(f"{c.cover_two:,.0f}"), Cell(", ".join(c.names))]
        for name, c in study.covers.items()
    ]
    cover_head = ("Model", "Cover 1", "Cover 2", "Largest books")
    caption = (
        "The book that loses most beyond its MM per unit of MM, searched alike for every model on the largest"
        " moves; shares of 100,000 USD. Below, what an insurance fund would have had to pay on the worst day"
        " when every book stands at its initial margin: the largest loss, and the two largest."
    )
    blocks = [Block("Insurance fund", head=cover_head, rows=covers)]
    if rows:
        blocks.insert(0, Block("Adversarial search", head=head, rows=rows))
    return Section("leaks", "Leaks and insurance", caption, blocks)


def _cascades(study: Study) -> Section:
    return cascade_section(study.cascades)


def cascade_section(cascades: dict[str, Any]) -> Section:
    """Price paths of the first model, figures of all."""
    caption = (
        "One perpetual, 2,000 accounts, an outside shock of -12 % within half an hour; impact of 1 % per 25"
        " million USD. Assumptions, not history: only the comparison counts."
    )
    if not cascades:
        return Section("cascade", "Cascade", caption)
    name, paths = next(iter(cascades.items()))
    head = ("Model", "Liquidations", "Trough", "Overshoot", "Sold", "Accounts", "Bad debt")
    rows = [
        [
            Cell(model),
            Cell(r.policy),
            Cell(f"{r.trough - 1:.1%}"),
            Cell(f"{r.overshoot:.1%}"),
            Cell(f"{r.liquidated:.1%} of OI"),
            Cell(f"{r.accounts:.0%}"),
            Cell(f"{r.bad_debt / 1e6:,.1f} M"),
        ]
        for model, results in cascades.items()
        for r in results
    ]
    blocks = [
        Block(f"Price under {name}", figures.cascade_figure(paths), "tall"),
        Block("All models", head=head, rows=rows),
    ]
    return Section("cascade", "Cascade", caption, blocks)
