"""`ape run demo`: the whole protocol on a fresh devnet, over fifteen recorded days with a crash."""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from web3 import Web3

from keeper.chain import deployment as deployments
from keeper.chain.contracts import Protocol
from keeper.chain.node import Node
from scripts import _demo_network as network
from scripts import _demo_report as reports
from scripts import _demo_story as story
from scripts._demo_clock import Clock
from scripts._demo_desk import Desk
from scripts._demo_history import History
from scripts._demo_live import board
from scripts._demo_play import Play, steps
from scripts._devnet import CHAIN_ID, ROOT, start_anvil

_SHOWN = (
    "epochs",
    "attesters",
    "threshold",
    "accounts",
    "trades",
    "settled_legs",
    "liquidations",
    "partial",
    "bad_debt",
    "socialised",
    "funding",
    "funding_updates",
    "fees",
    "insurance_before",
    "insurance_after",
    "fully_collateralised_liquidated",
    "conserved",
    "seconds",
)


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=ROOT / "build" / "demo", help="Folder of the report."
)
def cli(out: Path) -> None:
    """Deploy, trade, attest, liquidate and settle, end to end on recorded market data.

    \b
    Example:
      ape run demo --out build/demo
    """
    console = Console()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    try:
        report = _run(out, console)
    except (RuntimeError, OSError) as error:
        raise click.ClickException(f"{error} (logs in {out})") from None
    _show(console, report, out)
    failed = [name for name, ok in _required(report).items() if not ok]
    if failed:
        raise click.ClickException("; ".join(failed))


def _run(out: Path, console: Console) -> dict[str, Any]:
    """Plays the story; writes report.json and report.html."""
    started = time.monotonic()
    plotly = reports.plotly_script()  # if it is missing, say so now
    path = out / "deployments" / f"{CHAIN_ID}.json"
    with start_anvil(genesis_timestamp=story.START - 600, log=out / "anvil.log") as devnet:
        keepers = network.configure(out / "keepers", devnet, path)
        deployment = network.deploy_protocol(devnet, keepers, path, hourly=True)
        web3 = Web3(Web3.HTTPProvider(devnet.url, request_kwargs={"timeout": 60}))
        desk = Desk(web3, deployment, keepers)
        history = History(desk, Protocol(Node(devnet.url, 60), deployments.load(path)))
        clock = Clock(devnet, deployment.address("RiskOracle"), keepers)
        with network.running(keepers), board(console, history.roles, steps()) as shown:
            play = Play(desk, clock, history, shown)
            play.run()
            shown.advance("report")
            report, auctions, replay = reports.report_of(history, play.insurance_before)
            database = out / "keepers" / "proposer" / "keeper.sqlite"
            reports.write_page(out / "report.html", report, history, auctions, replay, database, plotly)
    report["seconds"] = round(time.monotonic() - started, 1)
    reports.write_json(out / "report.json", report)
    return report


def _required(report: dict[str, Any]) -> dict[str, bool]:
    return {
        "fewer than 300 epochs": report["epochs"] >= 300,
        "not three attesters with threshold two": (report["attesters"], report["threshold"]) == (3, 2),
        "fewer than 12 accounts": report["accounts"] >= 12,
        "nothing was settled": report["settled_legs"] >= 1,
        "fewer than 2 liquidations": report["liquidations"] >= 2,
        "no liquidation in part": report["partial"] >= 1,
        "a fully collateralised account was liquidated": report["fully_collateralised_liquidated"] == 0,
        "fewer than 100 funding updates": report["funding_updates"] >= 100,
        "value was not conserved": report["conserved"],
    }


def _show(console: Console, report: dict[str, Any], out: Path) -> None:
    table = Table(title="Plimsoll demo", show_header=False)
    for name in _SHOWN:
        value = report[name]
        table.add_row(name.replace("_", " "), f"{value:,.2f}" if isinstance(value, float) else str(value))
    for name, stats in report["gas"].items():
        table.add_row(f"gas: {name}", f"{stats['median']:,} (median of {stats['count']})")
    for name, equity in report["equity"].items():
        table.add_row(f"equity: {name}", f"{equity:,.2f}")
    console.print(table)
    console.print(f"[dim]{reports.REANCHORING}\nReport: {out / 'report.html'}, {out / 'report.json'}")


if __name__ == "__main__":
    sys.exit(cli())
