"""`plimsoll`: the keeper's process (init, run, once, check, status), what operators ask of it, and the risk
commands. Bad input ends in one sentence and exit code 1; nothing is sent."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from keeper.app.commands.anomalies import anomalies
from keeper.app.commands.audit import audit
from keeper.app.commands.backtest import backtest
from keeper.app.commands.calibrate import calibrate
from keeper.app.commands.compare import compare
from keeper.app.commands.example import example
from keeper.app.commands.keeping import backup, snapshot
from keeper.app.commands.margin import margin
from keeper.app.commands.operations import health, operations
from keeper.app.commands.statement import statement
from keeper.app.commands.stress import stress
from keeper.app.commands.surface import surface
from keeper.app.commands.topology import topology
from keeper.app.commands.what_if import what_if

app = typer.Typer(name="plimsoll", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The process's TOML file.")]

_TEMPLATE = """\
[keeper]
roles = [{roles}]
database = "sqlite:///keeper.sqlite"
keystore = "keystore.json"
password_file = "password.txt"
tick_seconds = 2.0

[chain]
rpc = "{rpc}"
deployment = "{deployment}"

[source]
kind = "recorded"
venues = ["{venue}"]

[api]
host = "127.0.0.1"
port = {port}

[proposer]
attesters = [{attesters}]
heartbeat_seconds = 60
deviation_bps = 25

[liquidator]
account = {account}
minimum_return = 0.03
keepers = [{attesters}]

[log]
format = "console"
level = "info"
"""


def main() -> None:
    """Entry point."""
    try:
        app()
    except Exception as error:  # noqa: BLE001
        if os.environ.get("PLIMSOLL_TRACEBACK"):
            raise
        typer.echo(f"plimsoll: {_sentence(error)}", err=True)
        sys.exit(1)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where configuration and keystore go.")],
    role: Annotated[
        list[str], typer.Option(help="proposer, settler, liquidator, attester, api or canary; repeatable.")
    ],
    deployment: Annotated[Path, typer.Option(help="deployments/<chain id>.json")],
    rpc: Annotated[
        str, typer.Option(help="JSON-RPC address of this keeper's own node.")
    ] = "http://127.0.0.1:8545",
    port: Annotated[int, typer.Option(help="HTTP port of this process.")] = 8600,
    venue: Annotated[str, typer.Option(help="Recorded venue this keeper reads.")] = "binance",
    attester: Annotated[
        list[str] | None,
        typer.Option(help="URL of an attester (for a liquidator: of any keeper); repeatable."),
    ] = None,
    account: Annotated[int, typer.Option(help="A liquidator's own account, opened beforehand.")] = 0,
    light: Annotated[
        bool, typer.Option(help="Weak key derivation, quick to open: development only.")
    ] = False,
) -> None:
    """Write a configuration and a new encrypted keystore; existing files are left alone.

    Example: plimsoll init attester --role attester --deployment deployments/31337.json --venue bybit

    Example: plimsoll init proposer --role proposer --deployment deployments/31337.json --attester http://10.0.0.7:8600
    """
    from keeper.app.config import ConfigError, load
    from keeper.chain.keys import create_keystore

    path = folder / "plimsoll.toml"
    if path.exists():
        raise ConfigError(f"configuration {path} exists already and is left alone")
    folder.mkdir(parents=True, exist_ok=True)
    text = _TEMPLATE.format(
        roles=_quoted(role),
        rpc=rpc,
        deployment=deployment.resolve(),
        venue=venue,
        port=port,
        attesters=_quoted(attester or []),
        account=account,
    )
    path.write_text(text, encoding="utf-8")
    try:
        load(path)
        signer = create_keystore(folder / "keystore.json", folder / "password.txt", light=light)
    except Exception:
        path.unlink()
        raise
    typer.echo(f"{path}\naddress {signer.address}")


@app.command()
def run(config: ConfigOption) -> None:
    """Run this process until SIGTERM, which ends it within ten seconds; exit code 1 if it ends by itself.

    A keeper of any roles, or a canary. `/live`, `/ready`, `/status` and `/metrics` are served at its port.

    Example: plimsoll run -c plimsoll.toml
    """
    from keeper.app import process

    process.run(_process(config))


@app.command()
def once(config: ConfigOption) -> None:
    """One tick of every duty, then exit; 1 if a duty could not be done.

    Example: plimsoll once -c plimsoll.toml
    """
    keeper = _keeper(config)
    try:
        reason = keeper.tick()
        problem = keeper.problem or (keeper.proposer.status.last_error if keeper.proposer else "")
    finally:
        keeper.close()
    if problem:
        raise RuntimeError(problem)
    typer.echo(f"epoch proposed: {reason}" if reason else "nothing was due")


@app.command()
def check(
    config: ConfigOption,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Look at everything this process needs, and send nothing; exit code 1 if anything is wrong.

    Nodes and their chain, the contracts' code against the record, their interfaces, the attester set, key,
    balance, sources, database, clock and disk.

    Example: plimsoll check -c plimsoll.toml
    """
    from keeper.app.checks import Checks
    from keeper.app.config import load
    from keeper.observability.redaction import SECRETS

    results = Checks(load(config)).run()
    if as_json:
        rows = [{"name": r.name, "ok": r.ok, "text": SECRETS.redact(r.text)} for r in results]
        typer.echo(json.dumps({"ok": all(r.ok for r in results), "checks": rows}, indent=2))
    else:
        for result in results:
            typer.echo(f"{'ok  ' if result.ok else 'FAIL'} {result.name:<12} {SECRETS.redact(result.text)}")
    if not all(result.ok for result in results):
        raise typer.Exit(1)


@app.command()
def status(
    url: Annotated[str, typer.Option(help="Address of a running keeper.")] = "http://127.0.0.1:8600",
    as_json: Annotated[bool, typer.Option("--json", help="The whole answer.")] = False,
) -> None:
    """What a running process says about itself.

    Example: plimsoll status --url http://127.0.0.1:8611
    """
    import httpx

    from keeper.network.client import get_json

    try:
        found = get_json(url.rstrip("/") + "/status")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        raise RuntimeError(f"no keeper answers at {url}") from None
    if not isinstance(found, dict):
        raise RuntimeError(f"what answers at {url} is no keeper")
    if as_json:
        typer.echo(json.dumps(found, indent=2, sort_keys=True))
    else:
        _print_table(found)


# risk commands: one module each, whose heavy imports wait inside functions, so that --help stays quick
app.command("backtest")(backtest)
app.command("stress")(stress)
app.command("calibrate")(calibrate)
app.command("example")(example)
app.command("margin")(margin)
app.command("compare")(compare)
app.command("what-if")(what_if)
app.command("surface")(surface)
app.command("audit")(audit)
app.command("statement")(statement)
app.command("backup")(backup)
app.command("snapshot")(snapshot)
app.command("operations")(operations)
app.command("health", hidden=True)(health)
app.add_typer(anomalies, name="anomalies")
app.add_typer(topology, name="topology")


def _print_table(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in found.items():
        if isinstance(value, dict):
            for inner, text in value.items():
                table.add_row(f"{name}.{inner}", str(text))
        else:
            table.add_row(name, ", ".join(value) if isinstance(value, list) else str(value))
    Console().print(table)


def _process(path: Path) -> Any:
    """A canary, or a keeper."""
    from keeper.app.config import load

    config = load(path)
    if not config.has("canary"):
        return _keeper(path)
    from keeper.app.canary import build_canary
    from keeper.observability.logs import configure

    configure(config.log.format, config.log.level)
    return build_canary(config)


def _keeper(path: Path) -> Any:
    from keeper.app.build import build
    from keeper.app.config import load
    from keeper.observability.logs import configure

    config = load(path)
    configure(config.log.format, config.log.level)
    return build(config)


def _quoted(values: list[str]) -> str:
    return ", ".join(json.dumps(value) for value in values)


def _sentence(error: Exception) -> str:
    """One line; a type's name where an exception says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
