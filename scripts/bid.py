"""`ape run bid`: buys a share of an account in auction."""

from typing import Any

import click

from keeper.attestation.evidence import NO_EVIDENCE, NO_STATEMENT
from keeper.units.constants import SCOPE_TRADE, WAD
from scripts import _trading as trading
from scripts._liquidation import Auction, auction_of, latest_claim
from scripts._wallet import (
    Command,
    Sentence,
    Wallet,
    amount_of,
    cash_of,
    emit,
    guarded,
    is_confirmed,
    options,
    plain,
    signer_of,
)


@click.command(cls=Command)
@options("account", "id", "keeper", "json", "yes")
@click.option(
    "--bidder", type=click.IntRange(min=1), required=True, help="Your account, which takes it over."
)
@click.option(
    "--fraction", default="1", show_default=True, help="Most that you want of what is left, 0 to 1."
)
@click.option(
    "--limit", required=True, help="Most that the whole may cost, dollars; < 0: least that it must pay."
)
@click.option(
    "--way",
    type=click.Choice(("headroom", "leaf")),
    default="headroom",
    show_default=True,
    help="How your account passes its margin check.",
)
@guarded
def cli(
    provider: Any,
    alias: str | None,
    account: int,
    keeper: str,
    as_json: bool,
    yes: bool,
    bidder: int,
    fraction: str,
    limit: str,
    way: str,
) -> None:
    """Bid on an account in auction, at the price of the moment.

    You take over a fraction of its cash, collateral and legs. What is on offer may be less than you want: no
    more is sold than restores the account. An auction of an older epoch is updated first, with what a keeper
    serves.

    \b
    Examples:
      ape run bid --account TEST::4 --id 2 --bidder 5 --limit 12000
      ape run bid --account TEST::4 --id 2 --bidder 5 --fraction 0.25 --limit 12000 --way leaf
      ape run bid --account TEST::4 --id 2 --bidder 5 --limit -500        # insolvent: must pay 500 or more
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    most = cash_of(limit, "limit")
    wanted = amount_of(fraction, 18, "fraction")
    if wanted > WAD:
        raise Sentence(f"fraction {fraction} is more than 1")
    if bidder == account:
        raise Sentence("an account cannot bid on itself")
    wallet.require_may_act(bidder, str(signer.address), SCOPE_TRADE)
    _require_auction(wallet, account)
    client = trading.KeeperClient(keeper)
    if not is_confirmed(wallet, yes, f"bid up to {limit} for all of account {account}, for account {bidder}"):
        return
    _bring_up_to_date(wallet, signer, client, account)
    if way == "leaf":
        _refresh(wallet, signer, client, bidder)
    house = wallet.contract("AuctionHouse")
    book = list(wallet.book(account))
    arguments = (account, bidder, wanted, most, book, NO_EVIDENCE, NO_STATEMENT)
    receipt = wallet.send(signer, house, "bid", *arguments)
    (event,) = house.events.AuctionBid().get_logs(
        from_block=receipt.block_number,
        to_block=receipt.block_number,
        argument_filters={"account": account, "bidder": bidder},
    )
    _show(as_json, event["args"], auction_of(wallet, account))


def _require_auction(wallet: Wallet, account: int) -> Auction:
    found = auction_of(wallet, account)
    if found is None:
        raise Sentence(f"account {account} is not in auction")
    return found


def _bring_up_to_date(wallet: Wallet, signer: Any, client: trading.KeeperClient, account: int) -> None:
    auction = _require_auction(wallet, account)
    if wallet.read("RiskOracle", "is_usable", auction.epoch):
        return
    wallet.send(signer, wallet.contract("AuctionHouse"), "update", account, latest_claim(client, account))
    if auction_of(wallet, account) is None:
        raise Sentence(f"account {account} has recovered: its auction is over")


def _refresh(wallet: Wallet, signer: Any, client: trading.KeeperClient, bidder: int) -> None:
    """The latest leaf becomes the bidder's record, which the bid is then measured from."""
    answer = client.account(client.latest_epoch()["number"], bidder)
    evidence = trading.leaf_evidence(answer, list(wallet.book(bidder)))
    statement = trading.Statement(epoch=answer["epoch"]).encoded()
    wallet.send(signer, wallet.contract("Clearinghouse"), "refresh", bidder, evidence, statement)


def _show(as_json: bool, bid: Any, left: Auction | None) -> None:
    share, price, payout = plain(bid["fraction"]), plain(bid["price"]), plain(bid["payout"])
    shown = {
        "account": bid["account"],
        "bidder": bid["bidder"],
        "fraction": share,
        "price": price,
        "payout": payout,
        "auction": left.kind if left else "ended",
    }
    cost = f"paid {price}" if bid["solvent"] else f"got {payout}"
    after = "the auction goes on" if left else "the auction is over"
    text = f"account {bid['bidder']} took {share} of account {bid['account']} and {cost}; {after}"
    emit(as_json, shown, text)
