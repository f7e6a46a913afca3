"""`ape run portfolio`: an account's legs, cash and margins."""

from typing import Any

import click
from rich.console import Console
from rich.table import Table

from scripts import _trading as trading
from scripts._wallet import Command, Wallet, emit, guarded, options, plain, scope_text, symbol_of


@click.command(cls=Command)
@options("id", "keeper", "json")
@guarded
def cli(provider: Any, account: int, keeper: str, as_json: bool) -> None:
    """Show an account: legs, cash and collateral after its haircut from the chain, margins from a keeper.

    \b
    Example:
      ape run portfolio --id 1 --keeper http://127.0.0.1:8600
    """
    wallet = Wallet(provider)
    found = wallet.require_account(account)
    book = wallet.book(account)
    symbols = wallet.symbols()
    is_isolated = found["underlying"] or found["expiry"]
    viewed = wallet.struct("AccountLens", "view_account", account, sorted(book), [], [])
    liquid, collateral = found["cash"] + viewed["funding"], viewed["collateral"]["initial"]
    shown: dict[str, Any] = {
        "account": account,
        "owner": found["owner"],
        "in_auction": found["frozen"],
        **({"isolated": scope_text(found["underlying"], found["expiry"], symbols)} if is_isolated else {}),
        "cash": plain(liquid),
        "exempt": plain(found["exempt"]),
        "collateral": plain(collateral),
        **_on_chain(viewed),
        "legs": {symbol_of(i, symbols): plain(q) for i, q in book.items()},
        **_margins(keeper, account, liquid + collateral),
    }
    if as_json:
        emit(True, shown, "")
        return
    table = Table(title=f"account {account}", show_header=False)
    for name, text in shown["legs"].items():
        table.add_row(name, text)
    table.add_section()
    for name, value in shown.items():
        if name not in ("legs", "account"):
            table.add_row(name.replace("_", " "), str(value))
    Console().print(table)


def _on_chain(viewed: dict[str, Any]) -> dict[str, Any]:
    """What the contracts make of the account; the health is what a trade without evidence is checked by."""
    health, shown = viewed["health"], {}
    if viewed["complete"]:
        shown["settled_cash"] = f"{plain(viewed['settledLow'])} to {plain(viewed['settledHigh'])}"
    shown |= {f"holding {token}": plain(balance) for token, balance, _ in viewed["holdings"]}
    if viewed["debt"]["drawn"]:
        shown["debt"] = plain(viewed["debt"]["drawn"])
    if viewed["record"]["epoch"]:
        shown["record"] = (
            f"epoch {viewed['record']['epoch']}, {'stands' if health['stands'] else 'has ended'}"
        )
        shown["record_equity"] = plain(health["equity"])
        shown["record_initial_margin"] = plain(health["initial"])
        shown["record_headroom"] = plain(health["headroom"])
    return shown


def _margins(url: str, account: int, own: int) -> dict[str, Any]:
    """Mark, IM, MM, equity and headroom by the latest epoch's leaf, or why there are none.

    `own`: cash, funding and collateral, WAD.
    """
    keeper = trading.KeeperClient(url)
    try:
        epoch = keeper.latest_epoch()["number"]
        leaf = keeper.account(epoch, account)["leaf"]
    except trading.KeeperError as error:
        return {"margins": f"unknown: {error}"}
    mark, initial = int(leaf["markToMarket"]), int(leaf["initialMargin"])
    return {
        "epoch": epoch,
        "mark": plain(mark),
        "initial_margin": plain(initial),
        "maintenance_margin": plain(int(leaf["maintenanceMargin"])),
        "equity": plain(own + mark),
        "headroom": plain(own + mark - initial),
    }
