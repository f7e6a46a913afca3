"""`plimsoll audit`: a past epoch or liquidation, recomputed from what was kept, bit for bit."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from keeper.jobs.audit import Line


def audit(
    config: Annotated[
        Path,
        typer.Option("--config", "-c", help="A keeper's TOML file: its database, nodes and methodology."),
    ],
    epoch: Annotated[
        int | None, typer.Argument(metavar="[EPOCH]", min=1, help="Number of a posted epoch.")
    ] = None,
    auction: Annotated[
        int | None, typer.Option(metavar="ACCOUNT", min=1, help="The latest auction of an account instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Recompute a past epoch or liquidation from stored inputs, and compare every bit with the chain.

    Of an epoch: snapshot hash, roots, what the posting carried, and the signatures, recovered and counted.
    Of a liquidation also the leaf that was shown, equity and margins, and the price of every bid. Exit code 1
    and the first difference if anything does not agree.

    Example: plimsoll audit 17 -c plimsoll.toml

    Example: plimsoll audit --auction 3 -c plimsoll.toml --json
    """
    from keeper.app.audit import run_audit
    from keeper.jobs.audit import first_difference

    if (epoch is None) == (auction is None):
        raise ValueError("audit: name the number of an epoch, or --auction ACCOUNT")
    lines = run_audit(config, epoch, auction)
    difference = first_difference(lines)
    if as_json:
        rows = [{"name": line.name, "agrees": line.ok, "text": line.text} for line in lines]
        typer.echo(json.dumps({"agrees": difference is None, "compared": rows}, indent=2))
    else:
        _print(lines)
    if difference is not None:
        raise RuntimeError(f"audit: {difference.name}: {difference.text}")


def _print(lines: list["Line"]) -> None:
    marks = {True: "ok  ", False: "FAIL", None: "--  "}
    width = max(len(line.name) for line in lines)
    for line in lines:
        typer.echo(f"{marks[line.ok]} {line.name:<{width}}  {line.text}")
