"""The answer to a what-if question as a table and as a page."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from keeper.analysis.figure_page import COLOURS, Panel, page
from keeper.portfolio.moments import iso_text

_ROWS = {
    "mark of the positions": "mark",
    "equity": "equity",
    "initial margin": "initial",
    "free for new positions": "free_initial",
    "maintenance margin": "maintenance",
    "above liquidation": "free_maintenance",
}


def print_answer(found: Mapping[str, Any]) -> None:
    """Before, after, change; what binds; whether the margins hold; where they would not."""
    console = Console(highlight=False)
    console.print(_table(found))
    for trade in found["trades"]:
        console.print(f"Trade: {trade['quantity']:+g} {trade['instrument']} at {trade['price']:,.2f}.")
    for when in ("before", "after"):
        if found["binding"][when]:
            console.print(f"Binds {when}: {found['binding'][when]}.")
    console.print(_verdict(found))
    for name, moves in found["liquidations"].items():
        console.print(_crossing(name, moves))


def page_of(found: Mapping[str, Any]) -> str:
    """Equity and margins against the spots, one plot for all together and one for each underlying."""
    panels = [
        Panel(
            "All spots move together" if name == "all" else f"{name} moves",
            _crossing(name, found["liquidations"][name]),
            [_line(points, key) for key in ("equity", "initial", "maintenance")],
            {
                "xaxis": {
                    "title": {"text": "move of the spot after the question's moves"},
                    "tickformat": "+.0%",
                },
                "yaxis": {"title": {"text": "USD"}},
                "shapes": [_mark(move) for move in found["liquidations"][name]],
            },
        )
        for name, points in found["curves"].items()
    ]
    lead = f"{found['model']}, {iso_text(found['timestamp']['after'])}. {_verdict(found)}"
    return page(f"{found['portfolio']}: what if", lead, panels)


def _table(found: Mapping[str, Any]) -> Table:
    times = found["timestamp"]
    span = " → ".join(dict.fromkeys(iso_text(times[when]) for when in ("before", "after")))
    title = f"{found['portfolio']} · {found['model']} · {span}"
    table = Table("USD", "before", "after", "change", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for text, key in _ROWS.items():
        change = found["change"][key]
        table.add_row(text, f"{found['before'][key]:,.2f}", f"{found['after'][key]:,.2f}", f"{change:+,.2f}")
    return table


def _verdict(found: Mapping[str, Any]) -> str:
    missing = {name: f"{-found['after'][f'free_{name}']:,.2f}" for name in ("initial", "maintenance")}
    if not found["maintenance_holds"]:
        return f"The account would be liquidated: {missing['maintenance']} below its maintenance margin."
    if not found["initial_holds"]:
        return f"No liquidation, but {missing['initial']} below the initial margin: it may only reduce risk."
    return "Initial and maintenance margin hold."


def _crossing(name: str, moves: list[float]) -> str:
    who = "all spots together" if name == "all" else name
    if not moves:
        return f"Moves of {who} from there: nothing changes between -90 % and +200 %."
    places = ", ".join(f"{100.0 * move:+.1f} %" for move in moves)
    return f"Moves of {who} from there: liquidation begins or ends at {places}."


def _line(points: list[dict[str, float]], key: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": key if key == "equity" else f"{key} margin",
        "x": [point["move"] for point in points],
        "y": [point[key] for point in points],
        "line": {"color": COLOURS[key], "width": 2},
    }


def _mark(move: float) -> dict[str, Any]:
    """A dashed line at a liquidation point."""
    return {
        "type": "line",
        "x0": move,
        "x1": move,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": COLOURS["maintenance"], "width": 1, "dash": "dash"},
    }
