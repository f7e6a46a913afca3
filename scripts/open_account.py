"""`ape run open_account`: a new margin account."""

from typing import Any

import click

from scripts._wallet import Command, Wallet, address_of, emit, guarded, is_confirmed, options, signer_of


@click.command(cls=Command)
@options("account", "json", "yes")
@click.option("--owner", help="Address that will own it; default: the key's own.")
@guarded
def cli(provider: Any, alias: str | None, as_json: bool, yes: bool, owner: str | None) -> None:
    """Open a margin account and print its number.

    \b
    Example:
      ape run open_account --account TEST::3
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    holder = address_of(owner) if owner else str(signer.address)
    if not is_confirmed(wallet, yes, f"open an account for {holder}"):
        return
    clearing = wallet.contract("Clearinghouse")
    receipt = wallet.send(signer, clearing, "open_account", holder)
    raw = wallet.web3.eth.get_transaction_receipt(receipt.txn_hash)
    account = clearing.events.AccountOpened().process_receipt(raw)[0]["args"]["account"]
    emit(as_json, {"account": account, "owner": holder}, f"account {account} belongs to {holder}")
