"""`ape run demo`: the whole protocol on a fresh devnet, over a recorded crash, until settlement."""

import json
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from web3 import Web3

from keeper.markets.instrument import Instrument
from keeper.units.constants import WAD
from scripts import _demo_checks as checks
from scripts import _demo_network as network
from scripts import _demo_story as story
from scripts._demo_desk import Desk, Trader
from scripts._devnet import CHAIN_ID, ROOT, Devnet, start_anvil

_HOUR = 3_600
_WINDOW_STEP = 90  # seconds between epochs in the settlement window: longer gaps than 120 s do not count
_EPOCH_SECONDS = 30  # of wall clock, until an epoch must be there
_HEDGE_HOURS = 6
SOURCES = {
    "venues": "hourly perpetual closes of April 2025 at binance, bybit and hyperliquid (public domain)",
    "surface": "ETH option chain of Deribit, 2024-01-08 (MIT), calibrated to raw SVI",
}
REANCHORING = (
    "A model, not a record: the surface of 2024-01-08 is held in log-moneyness and time to expiry "
    "and hung on the recorded path of April 2025; its volatilities do not react to that path."
)


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=ROOT / "build" / "demo", help="Folder of the report."
)
def cli(out: Path) -> None:
    """Deploy, trade, attest, enforce and settle, end to end on recorded market data.

    \b
    Example:
      ape run demo --out build/demo
    """
    console = Console()
    started = time.monotonic()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    try:
        report = _play(out, console)
    except (RuntimeError, OSError) as error:
        raise click.ClickException(f"{error} (logs in {out})") from None
    report["seconds"] = round(time.monotonic() - started, 1)
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    _show(console, report, out)
    failed = [name for name, ok in _required(report).items() if not ok]
    if failed:
        raise click.ClickException("; ".join(failed))


def _play(out: Path, console: Console) -> dict[str, Any]:
    with start_anvil(genesis_timestamp=story.START - _HOUR, log=out / "anvil.log") as devnet:
        path = out / "deployments" / f"{CHAIN_ID}.json"
        keepers = network.configure(out / "keepers", devnet, path)
        hours = (story.NEAR - 1800 - story.START) // _HOUR
        steps = hours + 1 + (1800 // _WINDOW_STEP) + 2
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("deploy", total=steps + len(story.ROLES) + 2)

            def advance(what: str) -> None:
                progress.update(task, advance=1, description=what)

            deployment = network.deploy_protocol(devnet, keepers, path)
            web3 = Web3(Web3.HTTPProvider(devnet.url, request_kwargs={"timeout": 60}))
            desk = Desk(web3, deployment, keepers)
            advance("start four keepers")
            with network.running(keepers):
                network.wait_until_live(keepers)
                advance("open accounts")
                return _story(desk, devnet, advance)


def _story(desk: Desk, devnet: Devnet, advance: Callable[[str], None]) -> dict[str, Any]:
    maker = desk.trader(story.MAKER.name, 1)
    desk.fund(maker, story.MAKER.dollars)
    dealer = desk.trader(story.DEALER.name, 30)
    desk.fund(dealer, story.DEALER.dollars)
    traders = []
    for index, role in enumerate(story.ROLES, start=2):
        trader = desk.trader(role.name, index)
        desk.fund(trader, role.dollars)
        traders.append(trader)
    _epoch_at(desk, devnet, story.START)
    for role, trader in zip(story.ROLES, traders, strict=True):
        for instrument, coins, way in role.trades:
            desk.trade(maker, trader, instrument, round(coins * 1000) * WAD // 1000, way)
        advance(role.name)
    _hedge(desk, maker, dealer, story.START)
    for now in range(story.START + _HOUR, story.NEAR - 1800, _HOUR):
        _epoch_at(desk, devnet, now)
        if (now - story.START) // _HOUR % _HEDGE_HOURS == 0:
            _hedge(desk, maker, dealer, now)
        advance(time.strftime("%Y-%m-%d %H:%M recorded", time.gmtime(now)))
    for now in range(story.NEAR - 1800 - _WINDOW_STEP, story.NEAR + 2 * _WINDOW_STEP, _WINDOW_STEP):
        _epoch_at(desk, devnet, now)
        advance("settlement window " + time.strftime("%H:%M:%S", time.gmtime(now)))
    _wait_for_settlement(desk, devnet)
    return _report(desk, [maker, dealer, *traders])


def _epoch_at(desk: Desk, devnet: Devnet, timestamp: int) -> None:
    """Moves the chain to `timestamp`, a few blocks on, and waits for the epoch that attests it."""
    oracle = desk.contract("RiskOracle")
    before = oracle.functions.header().call()[0]
    devnet.rpc("anvil_mine", hex(4), hex(1))
    latest = desk.web3.eth.get_block("latest")["timestamp"]
    devnet.mine_at(max(timestamp, latest + 1))
    deadline = time.monotonic() + _EPOCH_SECONDS
    while time.monotonic() < deadline:
        header = oracle.functions.header().call()
        if header[0] > before and header[2] >= timestamp:
            _wait_until_served(desk, header[0], deadline)
            return
        desk.keepers.require_alive()
        time.sleep(0.02)
    raise RuntimeError(f"no epoch for {timestamp} within {_EPOCH_SECONDS} s: {_proposer_says(desk)}")


def _wait_until_served(desk: Desk, number: int, deadline: float) -> None:
    while time.monotonic() < deadline:
        with suppress(RuntimeError):  # the first epoch is not published yet
            if desk.keepers.client.latest_epoch()["number"] >= number:
                return
        time.sleep(0.02)
    raise RuntimeError(f"epoch {number} is on chain but not served")


def _proposer_says(desk: Desk) -> str:
    try:
        return json.dumps(desk.keepers.client.status().get("proposer", {}))
    except RuntimeError as error:
        return str(error)


def _hedge(desk: Desk, maker: Trader, other: Trader, now: int) -> None:
    """The maker brings its ETH delta near zero on the perpetual."""
    epoch = desk.keepers.client.latest_epoch()["number"]
    spot = desk.mark(epoch, story.perp(story.ETH)) / WAD
    coins = round(story.delta(maker.book, story.ETH, spot, now), 1)
    if abs(coins) >= 0.5:
        desk.trade(maker, other, story.perp(story.ETH), round(coins * 10) * WAD // 10, "headroom")


def _wait_for_settlement(desk: Desk, devnet: Devnet) -> None:
    """Until the settler has turned every leg of the near expiry into cash."""
    deadline = time.monotonic() + _EPOCH_SECONDS
    while time.monotonic() < deadline:
        devnet.rpc("evm_mine")
        if not _open_near_legs(desk):
            return
        desk.keepers.require_alive()
        time.sleep(0.1)
    raise RuntimeError(f"{_open_near_legs(desk)} legs are still open after expiry: {_proposer_says(desk)}")


def _open_near_legs(desk: Desk) -> int:
    state: dict[tuple[int, int], int] = {}
    for event in desk.contract("Clearinghouse").events.PositionChanged().get_logs(from_block=0):
        change = event["args"]
        state[change["account"], change["instrument"]] = change["position"]
    return sum(q != 0 and Instrument.unpack(i).expiry == story.NEAR for (_, i), q in state.items())


def _report(desk: Desk, traders: list[Trader]) -> dict[str, Any]:
    quorum = desk.contract("AttesterQuorum")
    clearing = desk.contract("Clearinghouse")
    found = checks.conserved(desk)
    return {
        "epochs": len(checks.epochs(desk)),
        "attesters": len(quorum.functions.signers().call()),
        "threshold": quorum.functions.threshold().call(),
        "accounts": clearing.functions.totals().call()[0],
        "trades": desk.trades,
        "settled_legs": checks.settled_legs(desk),
        "conserved": all(invariant["holds"] for invariant in found.values()),
        "invariants": found,
        "gas": checks.gas(desk),
        "sources": SOURCES,
        "reanchoring": REANCHORING,
        "equity": {t.name: round(_equity(desk, t) / WAD, 2) for t in traders},
    }


def _equity(desk: Desk, trader: Trader) -> int:
    """Cash, funding, and what is still open at the latest epoch's marks, WAD."""
    clearing = desk.contract("Clearinghouse")
    epoch = desk.keepers.client.latest_epoch()["number"]
    cash = clearing.functions.account(trader.account).call()[4]
    cash += clearing.functions.funding(trader.account).call()
    still_open = {i: q for i, q in trader.book.items() if Instrument.unpack(i).expiry != story.NEAR}
    return int(cash + sum(q * desk.mark(epoch, i) // WAD for i, q in still_open.items()))


def _required(report: dict[str, Any]) -> dict[str, bool]:
    return {
        "fewer than 40 epochs": report["epochs"] >= 40,
        "not three attesters with threshold two": (report["attesters"], report["threshold"]) == (3, 2),
        "fewer than 12 accounts": report["accounts"] >= 12,
        "nothing was settled": report["settled_legs"] >= 1,
        "value was not conserved": report["conserved"],
    }


def _show(console: Console, report: dict[str, Any], out: Path) -> None:
    table = Table(title="Plimsoll demo", show_header=False)
    for name in (
        "epochs",
        "attesters",
        "threshold",
        "accounts",
        "trades",
        "settled_legs",
        "conserved",
        "seconds",
    ):
        table.add_row(name.replace("_", " "), str(report[name]))
    for name, stats in report["gas"].items():
        table.add_row(f"gas: {name}", f"{stats['median']:,} (median of {stats['count']})")
    for name, equity in report["equity"].items():
        table.add_row(f"equity: {name}", f"{equity:,.2f}")
    console.print(table)
    console.print(f"[dim]{REANCHORING}\nReport: {out / 'report.json'}")


if __name__ == "__main__":
    sys.exit(cli())
