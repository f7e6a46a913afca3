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
@click.option("--all", "every", is_flag=True, help="Every order signed so far.")
@guarded
def cli(
    provider: Any,
    alias: str | None,
    account: int,
    as_json: bool,
    yes: bool,
    paths: tuple[Path, ...],
    every: bool,
) -> None:
    """Cancel orders on the chain. An order's slot dies up to its generation: older orders in it with it.

    \b
    Examples:
      ape run cancel --account TEST::3 --id 1 --order maker.json
      ape run cancel --account TEST::3 --id 1 --all
    """
    if every == bool(paths):
        raise Sentence("give --order at least once, or --all")
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    wallet.require_may_act(account, str(signer.address), SCOPE_TRADE)
    nonces = [_nonce(path, account) for path in paths]
    what = "every order" if every else f"{len(nonces)} order{'s' * (len(nonces) > 1)}"
    if not is_confirmed(wallet, yes, f"cancel {what} of account {account}"):
        return
    exchange = wallet.contract("Exchange")
    if every:
        wallet.send(signer, exchange, "cancel_all", account)
    else:
        wallet.send(signer, exchange, "cancel", account, nonces)
    found = {"account": account, "cancelled": "all" if every else [str(nonce) for nonce in nonces]}
    emit(as_json, found, f"{what} of account {account} cancelled")


def _nonce(path: Path, account: int) -> int:
    """Of a signed order of the account."""
    order = statement_path(path)["order"]
    if int(order["account"]) != account:
        raise Sentence(f"order {path} is of account {order['account']}, not of {account}")
    return int(order["nonce"])
