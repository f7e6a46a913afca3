"""`ape run cancel`: signed orders that shall no longer be filled."""

from pathlib import Path
from typing import Any

import click

from keeper.units.constants import SCOPE_TRADE
from scripts._wallet import (
    Command,
    Sentence,
    Wallet,
    emit,
    guarded,
    is_confirmed,
    options,
    signer_of,
    statement_path,
)


@click.command(cls=Command)
@options("account", "id", "json", "yes")
@click.option(
    "--order",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File of a signed order; repeatable.",
)
@click.option(
    "--slot", "slots", multiple=True, type=click.IntRange(0, 255), help="Every order in it; repeatable."
)
@click.option("--all", "every", is_flag=True, help="Every order signed so far.")
@guarded
def cli(
    provider: Any,
    alias: str | None,
    account: int,
    as_json: bool,
    yes: bool,
    paths: tuple[Path, ...],
    slots: tuple[int, ...],
    every: bool,
) -> None:
    """Cancel orders on the chain. An order's slot dies up to its generation: older orders in it with it.

    Slots die up to the chain's present time, which is the generation of an order signed without another.

    \b
    Examples:
      ape run cancel --account TEST::3 --id 1 --order maker.json
      ape run cancel --account TEST::3 --id 1 --slot 0 --slot 7
      ape run cancel --account TEST::3 --id 1 --all
    """
    if [bool(paths), bool(slots), every].count(True) != 1:
        raise Sentence("give either --order or --slot at least once, or --all")
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    wallet.require_may_act(account, str(signer.address), SCOPE_TRADE)
    nonces = [_nonce(path, account) for path in paths]
    what = _named(len(nonces), slots)
    if not is_confirmed(wallet, yes, f"cancel {what} of account {account}"):
        return
    exchange = wallet.contract("Exchange")
    if every:
        wallet.send(signer, exchange, "cancel_all", account)
    elif slots:
        series = int(wallet.read("Exchange", "series", account))
        bitmap, generation = sum(1 << slot for slot in set(slots)), series << 32 | wallet.now()
        wallet.send(signer, exchange, "cancel_slots", account, bitmap, generation)
    else:
        wallet.send(signer, exchange, "cancel", account, nonces)
    cancelled = {"slots": sorted(set(slots))} if slots else [str(nonce) for nonce in nonces]
    found = {"account": account, "cancelled": "all" if every else cancelled}
    emit(as_json, found, f"{what} of account {account} cancelled")


def _named(orders: int, slots: tuple[int, ...]) -> str:
    if slots:
        return "every order in slot " + ", ".join(map(str, sorted(set(slots))))
    return f"{orders} order{'s' * (orders > 1)}" if orders else "every order"


def _nonce(path: Path, account: int) -> int:
    """Of a signed order of the account."""
    order = statement_path(path)["order"]
    if int(order["account"]) != account:
        raise Sentence(f"order {path} is of account {order['account']}, not of {account}")
    return int(order["nonce"])
