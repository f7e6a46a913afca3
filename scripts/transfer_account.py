"""`ape run transfer_account`: a margin account to another owner."""

from typing import Any

import click

from scripts._wallet import Command, Wallet, address_of, emit, guarded, is_confirmed, options, signer_of


@click.command(cls=Command)
@options("account", "id", "json", "yes")
@click.option("--to", "receiver", required=True, help="Address that will own it.")
@guarded
def cli(provider: Any, alias: str | None, account: int, as_json: bool, yes: bool, receiver: str) -> None:
    """Hand an account over with all it holds: cash, collateral and positions.

    Operators lose their grants, and orders signed for it their force. Not while it is in auction.

    \b
    Example:
      ape run transfer_account --account TEST::3 --id 1 --to 0x90F79bf6EB2c4f870365E785982E1f101E93b906
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    owner = address_of(receiver)
    wallet.require_owner(account, str(signer.address))
    if not is_confirmed(wallet, yes, f"hand account {account} over to {owner} with all it holds"):
        return
    wallet.send(signer, wallet.contract("Clearinghouse"), "transfer_account", account, owner)
    emit(as_json, {"account": account, "owner": owner}, f"account {account} belongs to {owner}")
