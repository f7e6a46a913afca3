"""A margin as one object for machines, and as tables for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from keeper.portfolio.moments import iso_text
from keeper.presets.requirement import Requirement

_TITLES = {
    "greeks": "Greeks charge",
    "shortfall": "expected shortfall",
    "roll": "basis and roll",
    "naked_shorts": "naked shorts",
    "perps": "funding and basis of perps",
    "confidence": "uncertain sources",
}


def answer_of(requirement: Requirement, name: str, timestamp: int) -> dict[str, Any]:
    """The machine form, JSON-ready, USD. `free_*` is equity less margin: below zero it is missing."""
    return {
        "portfolio": name,
        "timestamp": timestamp,
        "model": requirement.model,
        "mark": requirement.mark,
        "equity": requirement.equity,
        "initial": requirement.initial,
        "maintenance": requirement.maintenance,
        "free_initial": requirement.equity - requirement.initial,
        "free_maintenance": requirement.equity - requirement.maintenance,
        "breakdown": dict(requirement.breakdown),
    }


def print_margin(answer: Mapping[str, Any]) -> None:
    """Tables: the account, its charges, what binds, and why."""
    console = Console(highlight=False)
    console.print(_account(answer))
    if "epoch" in answer:
        console.print(_attested(answer))
    breakdown = answer["breakdown"]
    if answer["model"] != "plimsoll":
        console.print(_plain(breakdown))
        return
    for name, pocket in breakdown.get("pockets", {"": breakdown}).items():
        console.print(_charges(name, pocket, breakdown["haircuts"]["initial"] if not name else 0.0))
        for table in _scenarios(pocket):
            console.print(table)
        for sentence in pocket["why"]:
            console.print(sentence)


def money(value: float) -> str:
    """USD to the cent."""
    return f"{value:,.2f}"


def _account(answer: Mapping[str, Any]) -> Table:
    title = f"{answer['portfolio']} · {answer['model']} · {iso_text(answer['timestamp'])}"
    table = Table("USD", "", title=title)
    table.columns[1].justify = "right"
    rows = {
        "mark of the positions": "mark",
        "equity": "equity",
        "initial margin": "initial",
        "free for new positions": "free_initial",
        "maintenance margin": "maintenance",
        "above liquidation": "free_maintenance",
    }
    for text, key in rows.items():
        table.add_row(text, money(answer[key]))
    return table


def _attested(answer: Mapping[str, Any]) -> str:
    """What a live account's figures rest on."""
    recomputed = {
        True: "recomputed here from its snapshot: the same to the bit",
        False: "recomputed here from its snapshot: NOT the same, ask the operators",
        None: "its parameters are not those of this version: not recomputed",
    }[answer["recomputed"]]
    changed = "; the account has changed since" if answer["changed_since"] else ""
    return f"Epoch {answer['epoch']}, {recomputed}{changed}."


def _charges(pocket: str, breakdown: Mapping[str, Any], haircut: float) -> Table:
    """The charges of one pocket, and how they add up to its initial margin."""
    table = Table("charge", "USD", "", title=f"charges of {pocket}" if pocket else "charges")
    table.columns[1].justify = "right"
    for name, value in breakdown["charges"].items():
        note = "binds" if name == breakdown["binding"] else ""
        table.add_row(_TITLES.get(name, name), money(value), note)
        if name == "greeks":
            parts = {key: part for key, part in breakdown["greeks"].items() if isinstance(part, float)}
            for key, part in parts.items():
                table.add_row(
                    f"  of {key}", money(part), "with vega a root of squares" if key == "delta" else ""
                )
    table.add_section()
    factor = breakdown["multiplier"] * (1.0 + breakdown["depeg"])
    table.add_row("core margin", money(breakdown["core"]), f"what binds and the rest; times {factor:g}")
    table.add_row("liquidity", money(breakdown["liquidity"]), "")
    table.add_row("size", money(breakdown["size"]), "")
    gross = breakdown["core"] * factor + breakdown["liquidity"] + breakdown["size"]
    if haircut:
        table.add_row("haircuts of collateral", money(haircut), "")
        given_back = breakdown["uncapped"]["initial"] - gross
        table.add_row("  of it given back", money(given_back), "for coins that hedge the legs")
    if breakdown["worst_loss"] is not None:
        table.add_row("worst loss", money(breakdown["worst_loss"]), "caps the margins")
    return table


def _scenarios(breakdown: Mapping[str, Any]) -> Iterator[Table]:
    """Profit and loss by leg in what binds each charge."""
    for group in breakdown["scan"]:
        yield _profits(f"scan: {group['scenario']}", group)
    found = breakdown["shortfall"]
    yield _profits(f"expected shortfall: average of the worst days, {found['part']} set", found)


def _profits(title: str, found: Mapping[str, Any]) -> Table:
    table = Table("leg", "profit, USD", title=title)
    table.columns[1].justify = "right"
    coins = {f"{symbol} coins": profit for symbol, profit in found["pledged"].items()}
    for name, profit in {**found["legs"], **coins}.items():
        table.add_row(name, money(profit))
    table.add_section()
    for symbol, profit in found["underlyings"].items():
        table.add_row(symbol, money(profit))
    return table


def _plain(breakdown: Mapping[str, Any]) -> Table:
    """Another venue's breakdown in its own words."""
    table = Table(title="in the venue's own terms; all of it with --json", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right", overflow="fold")
    for path, value in _leaves(breakdown, ()):
        table.add_row(".".join(path), f"{value:,.6g}" if isinstance(value, float) else str(value))
    return table


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Single values with their path; lists of numbers are for machines."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            if not isinstance(inner, float):
                yield from _leaves(inner, (*path, str(index)))
    else:
        yield path, value
