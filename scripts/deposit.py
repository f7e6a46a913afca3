"""`ape run deposit`: settlement tokens into a margin account."""

from typing import Any

import click

from scripts._wallet import (
    Command,
    Sentence,
    Wallet,
    amount_of,
    emit,
    guarded,
    is_confirmed,
    options,
    plain,
    signer_of,
)


@click.command(cls=Command)
@options("account", "id", "json", "yes")
@click.option("--amount", required=True, help="Dollars.")
@guarded
def cli(provider: Any, alias: str | None, account: int, as_json: bool, yes: bool, amount: str) -> None:
    """Deposit into an account, yours or another's; approves exactly the amount first.

    \b
    Example:
      ape run deposit --account TEST::3 --id 1 --amount 10000
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    wallet.require_account(account)
    token = wallet.token
    decimals = token.functions.decimals().call()
    units = amount_of(amount, decimals)
    held = token.functions.balanceOf(signer.address).call()
    if held < units:
        raise Sentence(f"{signer.address} holds {plain(held, decimals)}, less than {amount}")
    if not is_confirmed(wallet, yes, f"deposit {amount} into account {account}"):
        return
    vault = wallet.contract("Vault")
    if token.functions.allowance(signer.address, vault.address).call() < units:
        wallet.send(signer, token, "approve", vault.address, units)
    wallet.send(signer, vault, "deposit", account, token.address, units)
    cash = plain(wallet.require_account(account)["cash"])
    emit(as_json, {"account": account, "cash": cash}, f"account {account} has {cash} in cash")
