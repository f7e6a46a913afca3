"""The page of a stress run."""

from collections.abc import Mapping, Sequence

from keeper.analysis import risk_figures as figures
from keeper.analysis.backtest_page import cascade_section
from keeper.analysis.cascade import CascadeResult
from keeper.analysis.risk_page import Block, Cell, Page, Section
from keeper.analysis.stress import StressResult


def page_of(
    results: Sequence[StressResult],
    cascades: Mapping[str, Sequence[CascadeResult]],
    day: str,
    books: int,
    source: str,
) -> Page:
    """The page.

    Args:
        day: whose close the market is of.
        source: where the prices come from.
    """
    models = list(dict.fromkeys(r.model for r in results))
    worst = max(results, key=lambda r: r.adequacy.cover_two)
    fund = results[0].adequacy.fund
    tiles = [
        ("Scenarios", str(len({r.scenario for r in results})), f"on the close of {day}"),
        ("Books", str(books), "notional of 100,000 USD a side"),
        ("Largest cover 2", f"{worst.adequacy.cover_two:,.0f}", f"{worst.model}, {worst.scenario}"),
        ("Fund", f"{fund:,.0f}" if fund else "none given", "assets that the covers are held against"),
    ]
    return Page(
        title="Margin models under stress",
        subtitle="Instantaneous moves that history holds no close of, and what margins leave uncovered.",
        tiles=tiles,
        sections=[
            _scenarios(results, models),
            _covers(results),
            cascade_section({name: list(found) for name, found in cascades.items()}),
            Section("sources", "Sources and limits", source),
        ],
        footer="Research software, unaudited. Money is in USD.",
    )


def _scenarios(results: Sequence[StressResult], models: Sequence[str]) -> Section:
    names = list(dict.fromkeys(r.scenario for r in results))
    found = {(r.model, r.scenario): r for r in results}
    uncovered = {m: [found[m, n].uncovered / 1e3 for n in names] for m in models}
    head = ("Scenario", "Model", "Books held", "Beyond MM", "Beyond IM", "Uncovered beyond IM")
    rows = [
        [
            Cell(name),
            Cell(model),
            Cell(str(len(found[model, name].profits))),
            Cell(str(found[model, name].beyond_maintenance)),
            Cell(str(found[model, name].beyond_initial)),
            Cell(f"{found[model, name].uncovered:,.0f}"),
        ]
        for name in names
        for model in models
    ]
    caption = (
        "Every book stands at its initial margin, then the market moves at once; nobody can be liquidated in"
        " between. Models hold different numbers of books: compare books that fail with books held."
    )
    bars = figures.bars_figure(names, uncovered, "losses beyond IM, thousand USD")
    return Section(
        "scenarios", "Scenarios", caption, [Block("Uncovered", bars, "long"), Block("", head=head, rows=rows)]
    )


def _covers(results: Sequence[StressResult]) -> Section:
    head = ("Scenario", "Model", "Cover 1", "Cover 2", "Largest books", "Fund stands")
    rows = [
        [
            Cell(r.scenario),
            Cell(r.model),
            Cell(f"{r.adequacy.cover_one:,.0f}"),
            Cell(f"{r.adequacy.cover_two:,.0f}"),
            Cell(", ".join(r.adequacy.names)),
            _stands(r),
        ]
        for r in results
    ]
    caption = (
        "Cover 1: the largest loss of one participant beyond its initial margin; cover 2: the two largest."
        " Every book is one participant."
    )
    return Section("covers", "Insurance fund", caption, [Block("", head=head, rows=rows)])


def _stands(result: StressResult) -> Cell:
    found = result.adequacy
    if found.covers_two:
        return Cell("cover 2", "good")
    return Cell("cover 1") if found.covers_one else Cell("neither", "bad")
