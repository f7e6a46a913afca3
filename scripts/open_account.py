"""`ape run open_account`: a new margin account."""

from typing import Any

import click

from scripts._wallet import (
    Command,
    Wallet,
    address_of,
    emit,
    guarded,
    is_confirmed,
    options,
    scope_of,
    signer_of,
)


@click.command(cls=Command)
@options("account", "json", "yes")
@click.option("--owner", help="Address that will own it; default: the key's own.")
@click.option("--isolated", help="Hold only this: an underlying (ETH), an expiry (25APR25), or ETH-25APR25.")
@guarded
def cli(
    provider: Any, alias: str | None, as_json: bool, yes: bool, owner: str | None, isolated: str | None
) -> None:
    """Open a margin account and print its number.

    Cash and collateral of an isolated account stand behind what it is confined to, and nothing else does.

    \b
    Examples:
      ape run open_account --account TEST::3
      ape run open_account --account TEST::3 --isolated ETH-25APR25
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    holder = address_of(owner) if owner else str(signer.address)
    scope = scope_of(isolated, wallet.symbols()) if isolated else None
    if not is_confirmed(wallet, yes, f"open an account for {holder}"):
        return
    clearing = wallet.contract("Clearinghouse")
    if scope is None:
        receipt = wallet.send(signer, clearing, "open_account", holder)
    else:
        receipt = wallet.send(signer, clearing, "open_isolated", holder, *scope)
    raw = wallet.web3.eth.get_transaction_receipt(receipt.txn_hash)
    account = clearing.events.AccountOpened().process_receipt(raw)[0]["args"]["account"]
    shown: dict[str, Any] = {"account": account, "owner": holder}
    text = f"account {account} belongs to {holder}"
    if isolated:
        shown["isolated"] = isolated.upper()
        text += f" and holds only {isolated.upper()}"
    emit(as_json, shown, text)
