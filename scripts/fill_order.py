"""`ape run fill_order`: two signed orders become a trade."""

from pathlib import Path
from typing import Any

import click

from keeper.attestation.typed_data import digest, domain_separator, recover
from keeper.exchange.order import Leg, Order
from keeper.units.constants import WAD
from scripts import _trading as trading
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
    statement_path,
    symbol_of,
)

_WAYS = click.Choice(["leaf", "headroom", "report", "worst-case"])
_FILE = click.Path(path_type=Path)


@click.command(cls=Command)
@click.argument("maker_file", type=_FILE)
@click.argument("taker_file", type=_FILE)
@options("account", "keeper", "json", "yes")
@click.option("--price", help="Dollars per coin; default: the maker's limit.")
@click.option("--units", type=click.IntRange(min=1), help="Lots; default: as many as both orders allow.")
@click.option("--maker-way", type=_WAYS, default="leaf", show_default=True, help="How the maker passes.")
@click.option("--taker-way", type=_WAYS, default="leaf", show_default=True, help="How the taker passes.")
@click.option(
    "--nonce", "fill_nonce", type=click.IntRange(0), default=0, show_default=True, help="Tells fills apart."
)
@guarded
def cli(
    provider: Any,
    maker_file: Path,
    taker_file: Path,
    alias: str | None,
    keeper: str,
    as_json: bool,
    yes: bool,
    price: str | None,
    units: int | None,
    maker_way: str,
    taker_way: str,
    fill_nonce: int,
) -> None:
    """Bring two matching orders to the Exchange. A keeper gives leaves and reports; `worst-case` needs none.

    \b
    Examples:
      ape run fill_order maker.json taker.json --account TEST::3
      ape run fill_order maker.json taker.json --account TEST::3 --maker-way worst-case --taker-way worst-case
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    maker, maker_signature = _read(wallet, maker_file)
    taker, taker_signature = _read(wallet, taker_file)
    lot = maker.legs[0].quantity
    if (taker.legs[0].instrument, taker.legs[0].quantity) != (maker.legs[0].instrument, -lot):
        raise Sentence("the orders do not match: they need one instrument and opposite quantities")
    cost = maker.limit if price is None else amount_of(price, 8, "price") * 10**10 * lot // WAD
    if cost > maker.limit or -cost > taker.limit:
        raise Sentence("the price is beyond a limit: the orders do not cross")
    count = units or min(_left(wallet, maker), _left(wallet, taker))
    fill = (maker, taker, count, cost)
    evidence, statement = _evidence(wallet, keeper, fill, (maker_way, taker_way), fill_nonce)
    symbol = symbol_of(maker.legs[0].instrument, wallet.symbols())
    quantity = plain(lot * count)
    if not is_confirmed(wallet, yes, f"trade {quantity} {symbol}"):
        return
    exchange = wallet.contract("Exchange")
    signed = (maker.values(), maker_signature, taker.values(), taker_signature)
    shown = (count, cost, fill_nonce, *evidence, statement.tuple())
    receipt = wallet.send(signer, exchange, "fill", *signed, *shown)
    found = {
        "transaction": receipt.txn_hash,
        "instrument": symbol,
        "quantity": quantity,
        "gas": receipt.gas_used,
    }
    text = (
        f"account {maker.account} traded {quantity} {symbol} with account {taker.account}: {receipt.txn_hash}"
    )
    emit(as_json, found, text)


def _read(wallet: Wallet, path: Path) -> tuple[Order, tuple[bytes, int]]:
    """A signed order, checked as the Exchange would."""
    found = statement_path(path)
    if found["chain_id"] != wallet.chain_id or found["exchange"] != wallet.address("Exchange"):
        raise Sentence(f"order {path} is for another deployment (chain {found['chain_id']})")
    try:
        order = _order(found["order"])
        signature = (trading.unhex(found["signature"]["r"]), int(found["signature"]["vs"]))
        domain = domain_separator(wallet.chain_id, wallet.address("Exchange"))
        signer = recover(digest(domain, order.struct_hash()), *signature)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Sentence(f"order {path} is malformed or its signature is") from None
    if order.expiry < wallet.now():
        raise Sentence(f"order {path} has expired")
    wallet.require_may_act(order.account, signer)
    return order, signature


def _order(message: dict[str, Any]) -> Order:
    (leg,) = message["legs"]
    names = ("account", "units", "limit", "max_fee", "nonce", "expiry", "flags")
    numbers = {name: int(message[name]) for name in names}
    legs = (Leg(int(leg["instrument"]), int(leg["quantity"])),)
    return Order(legs=legs, taker=message["taker"], **numbers)


def _left(wallet: Wallet, order: Order) -> int:
    left = order.units - int(wallet.read("Exchange", "filled", order.account, order.nonce))
    if left <= 0:
        raise Sentence(f"the order of account {order.account} is filled already")
    return left


def _evidence(
    wallet: Wallet, url: str, fill: tuple[Order, Order, int, int], ways: tuple[str, str], fill_nonce: int
) -> tuple[list[trading.Tuple], trading.Statement]:
    """Evidence of both sides and what they share."""
    maker, taker, units, _ = fill
    instrument = maker.legs[0].instrument
    statement = trading.Statement()
    keeper = trading.KeeperClient(url)
    epoch = 0
    if ways != ("worst-case", "worst-case"):
        epoch = keeper.latest_epoch()["number"]
        statement = trading.with_instrument(keeper.instrument(epoch, instrument))
    parties = [side for side, way in zip(("maker", "taker"), ways, strict=True) if way == "report"]
    reported: dict[str, Any] = {}
    if parties:
        counted = epoch != 0
        reported = keeper.report(trading.fill_action(*fill, fill_nonce, parties, counted))
        statement = trading.with_reports(reported, statement)
    evidence = []
    for side, order, way in (("maker", maker, ways[0]), ("taker", taker, ways[1])):
        book = wallet.book(order.account)
        if way == "worst-case":
            after = trading.book_after(book, instrument, order.legs[0].quantity * units)
            evidence.append(trading.worst_case_evidence(after))
        elif way == "leaf":
            evidence.append(trading.leaf_evidence(keeper.account(epoch, order.account), sorted(book)))
        elif way == "report":
            evidence.append(trading.report_evidence(reported, parties.index(side)))
        else:
            evidence.append(trading.NO_EVIDENCE)
    return evidence, statement
