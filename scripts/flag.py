"""`ape run flag`: starts the auction of an account below its maintenance margin."""

from typing import Any

import click

from scripts._liquidation import auction_of, latest_claim
from scripts._trading import KeeperClient
from scripts._wallet import Command, Sentence, Wallet, emit, guarded, is_confirmed, options, plain, signer_of


@click.command(cls=Command)
@options("account", "id", "keeper", "json", "yes")
@click.option("--update", is_flag=True, help="Bring a running auction to the latest epoch instead.")
@guarded
def cli(
    provider: Any, alias: str | None, account: int, keeper: str, as_json: bool, yes: bool, update: bool
) -> None:
    """Flag an account: anyone may, the chain checks the claim that a keeper serves.

    The claim is the account's leaf of the latest epoch and every change of its book since. An update ends the
    auction if the account has recovered.

    \b
    Examples:
      ape run flag --account TEST::3 --id 2
      ape run flag --account TEST::3 --id 2 --update --keeper http://127.0.0.1:8600
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    running = auction_of(wallet, account)
    if running and not update:
        raise Sentence(f"account {account} is in auction already: bid, or give --update")
    if update and not running:
        raise Sentence(f"account {account} is not in auction")
    claim = latest_claim(KeeperClient(keeper), account)
    function = "update" if update else "flag"
    if not is_confirmed(wallet, yes, f"{function} account {account}"):
        return
    wallet.send(signer, wallet.contract("AuctionHouse"), function, account, claim)
    auction = auction_of(wallet, account)
    if auction is None:
        emit(as_json, {"account": account, "auction": "ended"}, f"account {account} has recovered")
        return
    margins = f"IM {plain(auction.initial_margin)}, MM {plain(auction.maintenance_margin)}"
    emit(
        as_json,
        auction.shown(account),
        f"account {account} is in auction ({auction.kind}) by epoch {auction.epoch}: {margins}",
    )
