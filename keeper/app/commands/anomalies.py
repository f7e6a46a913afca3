"""`plimsoll anomalies`: what looks wrong in histories, epochs or a keeper's own watch; acknowledging it."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from keeper.app.commands.anomaly_inputs import Scanned

anomalies = typer.Typer(
    help="What looks wrong in prices, surfaces, margins, attesters and accounts.", no_args_is_help=True
)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="A keeper's TOML file: its database.")
]
DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="A keeper's database, as sqlite:///keeper.sqlite.")
]


@anomalies.callback(invoke_without_command=True)
def scan(
    context: typer.Context,
    prices: Annotated[
        list[Path] | None, typer.Option(help="Price history, CSV, gzip or plain; repeatable.")
    ] = None,
    chain: Annotated[list[Path] | None, typer.Option(help="Recorded option chains, CSV; repeatable.")] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    keeper: Annotated[
        str | None, typer.Option(metavar="URL", help="A running keeper, its last epochs.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=2, help="So many of the last epochs.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Also what is acknowledged.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Look for anomalies; each says how far it is from the usual, and what to do. Nothing is ever left out
    of a market because of them.

    Example: plimsoll anomalies --prices btc.csv.gz --chain options.csv.gz

    Example: plimsoll anomalies -c plimsoll.toml --json
    """
    if context.invoked_subcommand is not None:
        return
    if not (prices or chain or config or database or keeper):
        raise ValueError(
            "anomalies: name --prices, --chain, --config, --database or --keeper to look through"
        )
    scanned = _scan(prices or [], chain or [], config, database, keeper, epochs)
    answer = _answer(scanned, everything)
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        _print(answer)


@anomalies.command()
def ack(
    finding: Annotated[str, typer.Argument(metavar="ID", help="Id of the finding, from the list.")],
    by: Annotated[str, typer.Option(help="Who has looked.")],
    note: Annotated[str, typer.Option(help="What came of it.")],
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Acknowledge one finding: it is silent from then on, and no other is.

    Example: plimsoll anomalies ack 0123456789ab --by Ada --note "exchange maintenance" -c plimsoll.toml
    """
    from keeper.store.anomaly_store import Acknowledgement, acknowledge
    from keeper.store.database import Database

    url, _ = _database(config, database)
    if url is None:
        raise ValueError("anomalies: name --config or --database, where acknowledgements are kept")
    opened = Database(url)
    try:
        with opened.begin() as connection:
            acknowledge(connection, Acknowledgement(finding, by, note, int(time.time())))
    finally:
        opened.close()
    typer.echo(f"{finding} acknowledged by {by}")


def _database(config: Path | None, database: str | None) -> tuple[str | None, Path | None]:
    """URL and methodology file."""
    if config is None:
        return database, None
    from keeper.app.config import load

    found = load(config)
    return database or found.keeper.database, found.methodology


def _scan(
    prices: list[Path],
    chains: list[Path],
    config: Path | None,
    database: str | None,
    keeper: str | None,
    epochs: int,
) -> "Scanned":
    from keeper.app.commands import anomaly_inputs as inputs

    scanned = inputs.Scanned()
    inputs.scan_price_files(prices, scanned)
    if chains:
        inputs.scan_chain_files(chains, scanned)
    url, methodology = _database(config, database)
    if url is not None:
        inputs.scan_database(url, methodology, epochs, scanned)
    if keeper is not None:
        inputs.scan_keeper(keeper, epochs, scanned)
    return scanned


def _answer(scanned: "Scanned", everything: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from keeper.analysis.anomalies import open_findings

    known = scanned.acknowledged
    shown = open_findings(scanned.findings, () if everything else known.keys())
    found = {f.id for f in scanned.findings}
    rows = [f.fields() | ({"acknowledged": asdict(known[f.id])} if f.id in known else {}) for f in shown]
    return {"scanned": scanned.scope, "findings": rows, "acknowledged": len(found & known.keys())}


def _print(answer: dict[str, Any]) -> None:
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.table import Table

    console = Console()
    for name, count in answer["scanned"].items():
        console.print(f"{name}: {count} rows, chains or epochs", highlight=False, soft_wrap=True)
    table = Table("id, time (UTC)", "kind, subject, score", "what, and what to do", show_lines=True)
    for row in answer["findings"]:
        moment = datetime.fromtimestamp(row["time"], UTC).strftime("%Y-%m-%d %H:%M")
        score = f"{row['score']:.3g}, limit {row['threshold']:.3g}"
        table.add_row(
            f"{row['id']}\n{moment}",
            f"{row['kind']}\n{row['subject']}\n{score}",
            f"{row['explanation']}\n{row['action']}",
        )
    if answer["findings"]:
        console.print(table)
    silent = f", {answer['acknowledged']} acknowledged" if answer["acknowledged"] else ""
    console.print(f"{len(answer['findings'])} findings{silent}")
