"""`plimsoll compare`: one portfolio under every model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from keeper.app.commands.inputs import JsonOption, MarketFile, ParametersOption, PortfolioFile


def compare(
    portfolio: PortfolioFile,
    market: MarketFile,
    parameters: ParametersOption = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with a bar plot as well.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Mark, equity and margins of one portfolio under every model, side by side.

    Example: plimsoll compare portfolio.toml market.toml --html compare.html
    """
    import json

    from keeper.app.commands.inputs import all_models
    from keeper.portfolio.files import load_market, load_portfolio

    held, state = load_portfolio(portfolio), load_market(market)
    rows = [_row(model, held, state) for model in all_models(parameters)]
    _add_ratios(rows)
    if html is not None:
        html.write_text(_page(held.name, rows), encoding="utf-8")
    if as_json:
        answer = {"portfolio": held.name, "timestamp": state.timestamp, "models": rows}
        typer.echo(json.dumps(answer, indent=2))
    else:
        _print_rows(held.name, rows)


def _row(model: Any, held: Any, state: Any) -> dict[str, Any]:
    """One model's answer, or why it has none: a venue need not list what the portfolio holds."""
    from keeper.presets.binding import binding_text

    try:
        found = model.evaluate(held, state)
    except (LookupError, ValueError, ArithmeticError) as error:
        return {"model": model.name, "refused": str(error)}
    return {
        "model": model.name,
        "mark": found.mark,
        "equity": found.equity,
        "initial": found.initial,
        "maintenance": found.maintenance,
        "binding": binding_text(found),
    }


def _add_ratios(rows: list[dict[str, Any]]) -> None:
    """Margins over those of the first model, where it has some."""
    ours = rows[0]
    for row in rows:
        for name in ("initial", "maintenance"):
            if ours.get(name) and name in row:
                row[f"{name}_ratio"] = row[name] / ours[name]


def _print_rows(name: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("USD", "mark", "equity", "initial", "maintenance", "of ours", title=name)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        if "refused" not in row:
            money = [f"{row[key]:,.0f}" for key in ("mark", "equity", "initial", "maintenance")]
            ratios = [f"{row[key]:.2f}" for key in ("initial_ratio", "maintenance_ratio") if key in row]
            table.add_row(row["model"], *money, " / ".join(ratios))
    console = Console(highlight=False)
    console.print(table)
    for row in rows:
        if row.get("refused"):
            console.print(f"Left out: {row['refused']}.")
        elif row["binding"]:
            console.print(f"{row['model']} binds at {row['binding']}.")


def _page(name: str, rows: list[dict[str, Any]]) -> str:
    from keeper.analysis.figure_page import COLOURS, Panel, page

    shown = [row for row in rows if "refused" not in row]
    traces = [
        {
            "type": "bar",
            "name": f"{key} margin",
            "x": [row["model"] for row in shown],
            "y": [row[key] for row in shown],
            "text": [row["binding"] for row in shown],
            "textposition": "none",
            "marker": {"color": COLOURS[key]},
        }
        for key in ("initial", "maintenance")
    ]
    refused = "; ".join(row["refused"] for row in rows if "refused" in row)
    caption = "USD. Hover for the scenario that binds." + (f" Left out: {refused}." if refused else "")
    layout = {"yaxis": {"title": {"text": "USD"}}, "barmode": "group"}
    return page(
        f"{name}: margin models", "One portfolio, one market.", [Panel("Margins", caption, traces, layout)]
    )
