"""`ape run deposit`: settlement or collateral tokens into a margin account."""

from typing import Any

import click

from keeper.units.constants import SCOPE_DEPOSIT
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
@click.option("--amount", required=True, help="Dollars, or coins of the token.")
@click.option("--token", "collateral", help="Address of a collateral token; default: the settlement token.")
@guarded
def cli(
    provider: Any,
    alias: str | None,
    account: int,
    as_json: bool,
    yes: bool,
    amount: str,
    collateral: str | None,
) -> None:
    """Deposit into an account, yours or another's; approves exactly the amount first.

    Collateral counts towards margins after a haircut; only the account's owner or operator deposits it.

    \b
    Examples:
      ape run deposit --account TEST::3 --id 1 --amount 10000
      ape run deposit --account TEST::3 --id 1 --amount 2.5 --token 0x5FbDB2315678afecb367f032d93F642f64180aa3
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    wallet.require_account(account)
    if collateral:
        wallet.require_may_act(account, str(signer.address), SCOPE_DEPOSIT)
    token = wallet.collateral(collateral) if collateral else wallet.token
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
    if collateral:
        balance = wallet.collateral_of(account, token)
        shown = {"account": account, "token": token.address, "collateral": balance}
        emit(as_json, shown, f"account {account} has {balance} of {token.address} as collateral")
        return
    cash = plain(wallet.require_account(account)["cash"])
    emit(as_json, {"account": account, "cash": cash}, f"account {account} has {cash} in cash")
