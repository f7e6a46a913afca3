"""Arguments that the risk commands share, and what they load. The first lines of `--help` stay quick: what is
heavy is imported when a command runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from keeper.presets.registry import Model

PortfolioFile = Annotated[Path, typer.Argument(metavar="PORTFOLIO", help="Portfolio file, TOML or JSON.")]
MarketFile = Annotated[Path, typer.Argument(metavar="MARKET", help="Market file, TOML or JSON.")]
ModelOption = Annotated[
    str,
    typer.Option("--model", help="plimsoll, or another venue's: the first column of `plimsoll compare`."),
]
ParametersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameters",
        metavar="FILE",
        help="TOML or JSON laid over a model's parameters: FILE with one table per model, or NAME=FILE for "
        "one; repeatable.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]


def chosen_model(name: str, parameters: list[str] | None) -> "Model":
    """A model with the user's parameters. Raises LookupError or ValueError for what does not exist."""
    from keeper.presets import registry

    return registry.model(name, registry.overrides_of(parameters or []).get(name))


def all_models(parameters: list[str] | None) -> "list[Model]":
    """Every model with the user's parameters. Raises as `chosen_model`."""
    from keeper.presets import registry

    overrides = registry.overrides_of(parameters or [])
    return [registry.model(name, overrides.get(name)) for name in registry.NAMES]
