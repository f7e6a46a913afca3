"""`ape run faucet`: settlement tokens for a devnet key."""

from typing import Any

import click

from scripts._wallet import (
    TOKEN,
    Command,
    Sentence,
    Wallet,
    address_of,
    amount_of,
    emit,
    guarded,
    options,
    plain,
    signer_of,
)


@click.command(cls=Command)
@options("account", "json")
@click.option("--amount", default="10000", show_default=True, help="Dollars.")
@click.option("--to", "receiver", help="Address that receives them; default: the key's own.")
@guarded
def cli(provider: Any, alias: str | None, as_json: bool, amount: str, receiver: str | None) -> None:
    """Mint settlement tokens. Devnet only.

    \b
    Example:
      ape run faucet --account TEST::3 --amount 10000
    """
    wallet = Wallet(provider)
    if not wallet.is_devnet:
        raise Sentence(f"chain {wallet.chain_id} is no devnet: there is no faucet")
    signer = signer_of(alias, wallet.is_devnet)
    decimals = wallet.token.functions.decimals().call()
    units = amount_of(amount, decimals)
    to = address_of(receiver) if receiver else str(signer.address)
    wallet.send(signer, wallet.contract(TOKEN), "mint", to, units)
    held = wallet.token.functions.balanceOf(to).call()
    emit(as_json, {"receiver": to, "balance": plain(held, decimals)}, f"{to} holds {plain(held, decimals)}")
