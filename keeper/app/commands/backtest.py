"""`plimsoll backtest`: every margin model over recorded history."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keeper.app.commands.inputs import JsonOption, ParametersOption

if TYPE_CHECKING:
    from keeper.analysis.adversary import Attack
    from keeper.analysis.backtest import Plan
    from keeper.analysis.backtest_study import Study

PricesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SYMBOL=FILE]...", help="Price files (CSV, gzip too); without: the closes shipped."
    ),
]
ModelsOption = Annotated[
    list[str] | None, typer.Option("--model", help="A model of `plimsoll compare`; repeatable. Default: all.")
]
HtmlOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with plots.")]


def backtest(
    prices: PricesArgument = None,
    model: ModelsOption = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day.")] = None,
    step: Annotated[int, typer.Option(min=1, help="Take every n-th day.")] = 1,
    random: Annotated[int, typer.Option(min=0, help="Random books beside the archetypes.")] = 50,
    crashes: Annotated[
        int, typer.Option(min=0, help="Days that the adversarial search attacks; 0: no search.")
    ] = 8,
    processes: Annotated[int, typer.Option(min=0, help="0: one per core.")] = 0,
    parameters: ParametersOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Coverage, capital, procyclicality and leaks of all models over the same books and days.

    Example: plimsoll backtest --step 5 --html backtest.html

    Example: plimsoll backtest BTC=btc.csv.gz ETH=eth.csv.gz --model plimsoll --model derive-pm2 --json
    """
    import json

    from keeper.analysis.backtest_study import study

    plan, indices = _plan(prices, model, first, last, step, random, parameters)
    found = study(_result(plan, indices, processes), _attacks(plan, indices, crashes), step)
    if html is not None:
        from keeper.analysis.backtest_page import page_of

        write_page(html, page_of(found, plan.history.source))
    typer.echo(json.dumps(found.as_json(), indent=1)) if as_json else _print(found)


def _plan(
    prices: list[str] | None,
    models: list[str] | None,
    first: str | None,
    last: str | None,
    step: int,
    random: int,
    parameters: list[str] | None,
) -> "tuple[Plan, list[int]]":
    """What to compute, and on which rows of the history."""
    from datetime import date

    from keeper.analysis.archetypes import ARCHETYPES
    from keeper.analysis.backtest import Plan, least_start
    from keeper.analysis.books import random_books
    from keeper.analysis.history import from_files, parse_files, recorded
    from keeper.analysis.models import choices
    from keeper.presets import registry

    history = from_files(parse_files(prices)) if prices else recorded()
    start = history.index_of(date.fromisoformat(first)) if first else least_start(history)
    end = history.index_of(date.fromisoformat(last)) if last else len(history) - 1
    indices = list(range(max(start, least_start(history, joint=False)), min(end, len(history) - 1), step))
    if not indices:
        raise ValueError("backtest: no days left between --from and --to")
    chosen = choices(models or list(registry.NAMES), registry.overrides_of(parameters or []))
    recipes = tuple(r for r in (*ARCHETYPES, *random_books(random)) if r.underlyings <= {*history.symbols})
    return Plan(history, recipes, chosen), indices


def _result(plan: "Plan", indices: list[int], processes: int) -> Any:
    import os

    from keeper.analysis.backtest import run

    with progress_bar("days", len(indices)) as advance:
        return run(plan, indices, processes or os.cpu_count() or 1, advance)


def _attacks(plan: "Plan", indices: list[int], crashes: int) -> "list[Attack]":
    if not crashes:
        return []
    from keeper.analysis import adversary
    from keeper.analysis.history_market import MarketHistory
    from keeper.analysis.models import model_of
    from keeper.analysis.regime import Regimes
    from keeper.risk.methodology import Methodology

    history, effort = plan.history, adversary.Effort()
    rows = list(range(indices[0], indices[-1] + 1))
    stage = adversary.scenes(
        history,
        MarketHistory(history),
        Regimes(history, Methodology.default()),
        adversary.crash_days(history, rows, crashes),
    )
    with progress_bar("attacks", len(plan.choices) * effort.starts * effort.generations) as advance:
        return [
            adversary.attack(model_of(choice, history), stage, effort, lambda: advance(1))
            for choice in plan.choices
        ]


def progress_bar(name: str, total: int) -> Any:
    """A context that gives a function to advance a bar on standard error."""
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import Progress

    @contextmanager
    def shown() -> Any:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(name, total=total)
            yield lambda count: bar.advance(task, count)

    return shown()


def write_page(path: Path, page: Any) -> None:
    """A self-contained page with plotly inside."""
    from plotly.offline import get_plotlyjs

    from keeper.analysis.risk_page import render

    path.write_text(render(page, get_plotlyjs()), encoding="utf-8")
    typer.echo(f"{path} written", err=True)


def _print(found: "Study") -> None:
    from rich.console import Console
    from rich.table import Table

    from keeper.analysis.backtest_study import describe, verdict

    summary = found.summary
    table = Table(title=f"{summary['days']} days, {summary['from']} to {summary['to']}; USD")
    for name in (
        "model",
        "books",
        "total MM",
        "worst book",
        "leaking",
        "green/yellow/red",
        "30 d rise",
        "leak",
    ):
        table.add_column(name, justify="left" if name == "model" else "right")
    leaks = {a.model: f"{a.leak:.0%}" for a in found.attacks}
    for name, m in summary["models"].items():
        zones = "/".join(str(m["zones"][z]) for z in ("green", "yellow", "red"))
        table.add_row(
            name,
            str(m["held"]),
            f"{m['total_maintenance']:,.0f}",
            f"{m['worst_rate']:.2%}",
            str(len(m["leaking_books"])),
            zones,
            f"{m['rises']['30']:.0%}",
            leaks.get(name, ""),
        )
    console = Console()
    console.print(table)
    console.print(verdict(summary))
    for attack in found.attacks:
        console.print(f"{attack.model}: worst book {describe(attack)} on {attack.day}")
