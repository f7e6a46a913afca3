"""`ape run withdraw`: settlement or collateral tokens out of a margin account."""

from typing import Any

import click

from keeper.attestation.evidence import NO_EVIDENCE, Evidence
from keeper.units.constants import SCOPE_WITHDRAW
from scripts import _trading as trading
from scripts._wallet import (
    Command,
    Sentence,
    Wallet,
    address_of,
    amount_of,
    emit,
    guarded,
    is_confirmed,
    options,
    plain,
    signer_of,
)

_COLLATERAL_WAYS = ("worst-case", "report")
_WAYS = ("worst-case", "leaf", "headroom", "report")


@click.command(cls=Command)
@options("account", "id", "keeper", "json", "yes")
@click.option("--amount", required=True, help="Dollars, or coins of the token.")
@click.option("--token", "collateral", help="Address of a collateral token; default: the settlement token.")
@click.option("--to", "receiver", help="Address that receives them; default: the key's own.")
@click.option(
    "--way",
    type=click.Choice(_WAYS),
    default="worst-case",
    show_default=True,
    help="How the margin check is passed.",
)
@guarded
def cli(
    provider: Any,
    alias: str | None,
    account: int,
    keeper: str,
    as_json: bool,
    yes: bool,
    amount: str,
    collateral: str | None,
    receiver: str | None,
    way: str,
) -> None:
    """Withdraw. `worst-case` needs no keeper; the other ways let a margined account draw on its equity.

    Taking collateral out ends what a record or leaf says: it passes by worst case or by report.

    \b
    Examples:
      ape run withdraw --account TEST::3 --id 1 --amount 100
      ape run withdraw --account TEST::3 --id 1 --amount 100 --way report --keeper http://127.0.0.1:8600
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    wallet.require_may_act(account, str(signer.address), SCOPE_WITHDRAW)
    if collateral and way not in _COLLATERAL_WAYS:
        raise Sentence(f"collateral leaves by {' or '.join(_COLLATERAL_WAYS)}, not by {way}")
    token = wallet.collateral(collateral) if collateral else wallet.token
    decimals = token.functions.decimals().call()
    units = amount_of(amount, decimals)
    to = address_of(receiver) if receiver else str(signer.address)
    evidence, statement = _evidence(wallet, keeper, account, token.address, units, to, way)
    if not is_confirmed(wallet, yes, f"withdraw {amount} from account {account} to {to}"):
        return
    vault = wallet.contract("Vault")
    wallet.send(signer, vault, "withdraw", account, token.address, units, to, evidence, statement.encoded())
    if collateral:
        left = wallet.collateral_of(account, token)
        shown = {"account": account, "token": token.address, "collateral": left, "recipient": to}
        emit(as_json, shown, f"account {account} has {left} of {token.address} left")
        return
    cash = plain(wallet.require_account(account)["cash"])
    emit(
        as_json,
        {"account": account, "cash": cash, "recipient": to},
        f"account {account} has {cash} in cash left",
    )


def _evidence(
    wallet: Wallet, url: str, account: int, token: str, units: int, to: str, way: str
) -> tuple[Evidence, trading.Statement]:
    book = list(wallet.book(account))
    if way == "worst-case":
        return trading.worst_case_evidence(book), trading.Statement()
    if way == "headroom":
        return NO_EVIDENCE, trading.Statement()
    keeper = trading.KeeperClient(url)
    if way == "leaf":
        answer = keeper.account(keeper.latest_epoch()["number"], account)
        return trading.leaf_evidence(answer, book), trading.Statement(epoch=answer["epoch"])
    nonce = wallet.require_account(account)["withdrawNonce"]
    action = {
        "kind": "withdrawal",
        "account": str(account),
        "token": token,
        "amount": str(units),
        "recipient": to,
        "nonce": str(nonce),
    }
    answer = keeper.report(action)
    return trading.report_evidence(answer, 0), trading.with_reports(answer)
