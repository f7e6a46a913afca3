"""`plimsoll stress`: margin models in scenarios that history holds no close of."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from keeper.app.commands.backtest import HtmlOption, ModelsOption, PricesArgument, write_page
from keeper.app.commands.inputs import JsonOption, ParametersOption

if TYPE_CHECKING:
    from keeper.analysis.stress import StressResult


def stress(
    prices: PricesArgument = None,
    model: ModelsOption = None,
    on: Annotated[str | None, typer.Option("--on", metavar="DATE", help="Default: the last close.")] = None,
    random: Annotated[int, typer.Option(min=0, help="Random books beside the archetypes.")] = 50,
    fund: Annotated[float, typer.Option(min=0.0, help="Assets of the insurance fund, USD.")] = 0.0,
    parameters: ParametersOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Losses beyond margins, cover 1 and cover 2 of the insurance fund, liquidation cascades.

    Example: plimsoll stress --on 2022-11-08 --fund 250000 --html stress.html
    """
    import json
    from datetime import date

    from keeper.analysis.backtest import least_start
    from keeper.analysis.backtest_study import cascade_json, cascades_at
    from keeper.analysis.history import from_files, parse_files, recorded
    from keeper.analysis.models import choices
    from keeper.analysis.stress_run import stress_run
    from keeper.presets import registry

    history = from_files(parse_files(prices)) if prices else recorded()
    index = history.index_of(date.fromisoformat(on)) if on else len(history) - 1
    if index < least_start(history, joint=False):
        raise ValueError(f"stress: {history.days[index]} is too early, scenarios need two years before it")
    chosen = choices(model or list(registry.NAMES), registry.overrides_of(parameters or []))
    found = stress_run(history, index, chosen, random, fund)
    cascades = {name: cascades_at(perp) for name, perp in found.perps.items()}
    day = history.days[index].isoformat()
    if html is not None:
        from keeper.analysis.stress_page import page_of

        write_page(html, page_of(found.results, cascades, day, found.books, history.source))
    if as_json:
        answer = {
            "day": day,
            "books": found.books,
            "fund": fund,
            "results": [_json(r) for r in found.results],
            "cascade": {name: [cascade_json(r) for r in rows] for name, rows in cascades.items()},
        }
        typer.echo(json.dumps(answer, indent=1))
    else:
        _print(found.results, day)


def _json(result: "StressResult") -> dict[str, Any]:
    return {
        "model": result.model,
        "scenario": result.scenario,
        "books": len(result.profits),
        "beyond_maintenance": result.beyond_maintenance,
        "beyond_initial": result.beyond_initial,
        "uncovered": result.uncovered,
        "cover_one": result.adequacy.cover_one,
        "cover_two": result.adequacy.cover_two,
        "largest_books": list(result.adequacy.names),
        "fund_covers_one": result.adequacy.covers_one,
        "fund_covers_two": result.adequacy.covers_two,
    }


def _print(results: "list[StressResult]", day: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Every book at its initial margin on the close of {day}; USD")
    for name in ("", "books", "beyond MM", "beyond IM", "uncovered", "cover 1", "cover 2"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    last = ""
    for r in results:
        if r.scenario != last:
            table.add_section()
            table.add_row(f"[bold]{r.scenario}")
            last = r.scenario
        table.add_row(
            r.model,
            str(len(r.profits)),
            str(r.beyond_maintenance),
            str(r.beyond_initial),
            f"{r.uncovered:,.0f}",
            f"{r.adequacy.cover_one:,.0f}",
            f"{r.adequacy.cover_two:,.0f}",
        )
    Console().print(table)
