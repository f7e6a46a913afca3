"""`ape run keep`: what anyone may do for the protocol, with the bounty where one is paid."""

from typing import Any

import click
from web3.exceptions import Web3Exception

from keeper.markets.instrument import Instrument
from scripts import _trading as trading
from scripts._wallet import (
    Command,
    Sentence,
    Wallet,
    emit,
    guarded,
    instrument_of,
    is_confirmed,
    options,
    plain,
    signer_of,
)

_Call = tuple[str, str, tuple[Any, ...]]  # contract, function, arguments


@click.command(cls=Command)
@click.argument("duty", type=click.Choice(["settle", "finalize", "funding", "note-debt"]))
@options("account", "keeper", "json", "yes")
@click.option("--id", "account", type=click.IntRange(min=1), help="Account to settle, or that owes.")
@click.option("--instrument", help="Whose price is final or whose funding is updated: ETH-25APR25, ETH-PERP.")
@guarded
def cli(
    provider: Any,
    duty: str,
    alias: str | None,
    keeper: str,
    as_json: bool,
    yes: bool,
    account: int | None,
    instrument: str | None,
) -> None:
    """Settle an account, fix a settlement price, renew a funding rate, or note a debt.

    Goes by way of the bounties while they pay for it, else straight to the contract, for nothing.

    \b
    Examples:
      ape run keep settle --account TEST::5 --id 1
      ape run keep finalize --account TEST::5 --instrument ETH-25APR25
      ape run keep funding --account TEST::5 --instrument ETH-PERP --keeper http://127.0.0.1:8600
      ape run keep note-debt --account TEST::5 --id 1
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    contract, function, arguments = _call(wallet, duty, account, instrument, keeper)
    named = instrument or f"account {account}"
    target = _payer(wallet, str(signer.address), function, arguments) or contract
    before = wallet.token.functions.balanceOf(signer.address).call()
    if not is_confirmed(wallet, yes, f"{duty} {named} at {target}"):
        return
    wallet.send(signer, wallet.contract(target), function, *arguments)
    paid = wallet.token.functions.balanceOf(signer.address).call() - before
    bounty = plain(paid, wallet.token.functions.decimals().call())
    shown = {"duty": duty, "for": named, "sent_to": target, "bounty": bounty}
    emit(as_json, shown, f"{duty} of {named} done; bounty {bounty}")


def _call(wallet: Wallet, duty: str, account: int | None, instrument: str | None, url: str) -> _Call:
    if duty in ("settle", "note-debt"):
        if account is None:
            raise Sentence(f"{duty} needs --id")
        wallet.require_account(account)
        arguments = (account, list(wallet.book(account)))
        if duty == "settle":
            return "Clearinghouse", "settle", arguments
        return "CollateralSale", "note_debt", arguments
    if instrument is None:
        raise Sentence(f"{duty} needs --instrument")
    packed = instrument_of(instrument, wallet.symbols())
    found = Instrument.unpack(packed)
    if duty == "finalize":
        if not found.expiry:
            raise Sentence(f"{instrument} does not expire")
        return "RiskOracle", "finalize_settlement", (found.underlying, found.expiry)
    if found.expiry:
        raise Sentence(f"{instrument} is not a perp")
    return "Funding", "update", _update(found.underlying, packed, url)


def _update(underlying: int, perp: int, url: str) -> tuple[Any, ...]:
    """Arguments of Funding.update by the latest epoch."""
    client = trading.KeeperClient(url)
    number = int(client.latest_epoch()["number"])
    shown = trading.with_instruments(client.instrument(number, perp))
    return underlying, shown.instruments[0].values(), list(shown.paths[0]), number


def _payer(wallet: Wallet, sender: str, function: str, arguments: tuple[Any, ...]) -> str:
    """The bounties, if they pay for the call now."""
    if "Bounties" not in wallet.record["contracts"]:
        return ""
    try:
        wallet.contract("Bounties").functions[function](*arguments).call({"from": sender})
    except Web3Exception:
        return ""
    return "Bounties"
