"""`ape run stake`: settlement tokens into the insurance fund."""

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
@options("account", "json", "yes")
@click.option("--amount", required=True, help="Dollars.")
@guarded
def cli(provider: Any, alias: str | None, as_json: bool, yes: bool, amount: str) -> None:
    """Stake in the insurance fund; approves exactly the amount first.

    The fund pays deficits of liquidations, and stakers bear them. To leave takes a request and a cooldown:
    see `ape run unstake --help`.

    \b
    Examples:
      ape run stake --account TEST::3 --amount 5000
      ape run stake --account mykey --amount 5000 --network ethereum:mainnet --yes
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    staker = str(signer.address)
    token = wallet.token
    decimals = token.functions.decimals().call()
    units = amount_of(amount, decimals)
    held = token.functions.balanceOf(staker).call()
    if held < units:
        raise Sentence(f"{staker} holds {plain(held, decimals)}, less than {amount}")
    if wallet.read("InsuranceFund", "maxDeposit", staker) == 0:
        raise Sentence("an insolvent auction is open: nobody stakes or leaves until it has ended")
    if not is_confirmed(wallet, yes, f"stake {amount} in the insurance fund"):
        return
    fund = wallet.contract("InsuranceFund")
    if token.functions.allowance(staker, fund.address).call() < units:
        wallet.send(signer, token, "approve", fund.address, units)
    wallet.send(signer, fund, "deposit", units, staker)
    shares = wallet.read("InsuranceFund", "balanceOf", staker)
    worth = plain(wallet.read("InsuranceFund", "convertToAssets", shares), decimals)
    emit(
        as_json,
        {"staker": staker, "shares": str(shares), "worth": worth},
        f"{staker} has {worth} in the insurance fund",
    )
