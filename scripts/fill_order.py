"""`ape run fill_order`: two signed orders become a trade."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from keeper.attestation.evidence import NO_EVIDENCE, Evidence
from keeper.attestation.typed_data import digest, domain_separator, recover
from keeper.exchange.order import (
    ZERO_ADDRESS,
    Flag,
    Leg,
    Order,
    fill_arguments,
    fills_of,
    mirrored,
    signature_bytes,
)
from keeper.markets.instrument import Instrument
from keeper.units.constants import SCOPE_TRADE, WAD
from scripts import _trading as trading
from scripts._legs import leg_prices
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
    pair_of,
    plain,
    signer_of,
    statement_path,
    symbol_of,
)

_WAYS = click.Choice(["leaf", "headroom", "report", "worst-case"])
_FILE = click.Path(path_type=Path)


@dataclass(frozen=True)
class _Match:
    """What `Exchange.fill` is told beside signatures and evidence."""

    maker: Order
    taker: Order
    units: int
    price: int
    prices: tuple[int, ...]
    nonce: int


@click.command(cls=Command)
@click.argument("maker_file", type=_FILE)
@click.argument("taker_file", type=_FILE)
@options("account", "keeper", "json", "yes")
@click.option(
    "--price",
    help="Dollars per coin, or paid per package (below zero: received); default: the maker's limit.",
)
@click.option(
    "--leg-price",
    "leg_texts",
    multiple=True,
    metavar="INSTRUMENT:PRICE",
    help="Dollars per coin, for every leg; default: near the marks.",
)
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
    leg_texts: tuple[str, ...],
    units: int | None,
    maker_way: str,
    taker_way: str,
    fill_nonce: int,
) -> None:
    """Bring two matching orders to the Exchange. A keeper gives leaves, reports and marks.

    The legs of a package trade at their marks, but for one, which takes what is left of the package's price.

    \b
    Examples:
      ape run fill_order maker.json taker.json --account TEST::3
      ape run fill_order maker.json taker.json --account TEST::3 --maker-way worst-case --taker-way worst-case
      ape run fill_order maker.json taker.json --account TEST::3 --price 19 \\
          --leg-price ETH-25APR25-1600-P:30 --leg-price ETH-25APR25-1500-P:11

    A post-only order must be MAKER_FILE, one with --ioc or --fok TAKER_FILE; a named matcher sends.
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    maker, maker_signature, package_units = _read(wallet, maker_file)
    taker, taker_signature, _ = _read(wallet, taker_file)
    if taker.legs != mirrored(maker.legs):
        raise Sentence("the orders do not match: they need the same instruments and opposite quantities")
    cost = maker.limit if price is None else _cost(price, maker, package_units)
    if cost > maker.limit or -cost > taker.limit:
        raise Sentence("the price is beyond a limit: the orders do not cross")
    count = units or min(_left(wallet, maker), _left(wallet, taker))
    _require_roles(maker, taker, count, str(signer.address))
    client = trading.KeeperClient(keeper)
    symbols = wallet.symbols()
    prices = _explicit(leg_texts, maker, symbols) if leg_texts else _near_marks(wallet, client, maker, cost)
    fills = fills_of(maker.legs, count, cost, prices)
    match = _Match(maker, taker, count, cost, prices, fill_nonce)
    evidence, statement = _evidence(wallet, client, match, (maker_way, taker_way))
    legs = [
        {
            "instrument": symbol_of(fill.instrument, symbols),
            "quantity": plain(fill.quantity),
            "price": plain(fill.price),
        }
        for fill in fills
    ]
    named = ", ".join(f"{leg['quantity']} {leg['instrument']} at {leg['price']}" for leg in legs)
    if not is_confirmed(wallet, yes, f"trade {named}"):
        return
    terms = fill_arguments(maker, maker_signature, taker, taker_signature, count, cost, prices, fill_nonce)
    shown = (*evidence, statement.encoded())
    receipt = wallet.send(signer, wallet.contract("Exchange"), "fill", *terms, *shown)
    found = {"transaction": receipt.txn_hash, "legs": legs, "gas": receipt.gas_used}
    emit(
        as_json,
        found,
        f"account {maker.account} traded {named} with account {taker.account}: {receipt.txn_hash}",
    )


def _require_roles(maker: Order, taker: Order, count: int, sender: str) -> None:
    """Refused where the Exchange would refuse who is maker, who is taker, and who brings the orders."""
    if maker.flags & (Flag.IMMEDIATE_OR_CANCEL | Flag.FILL_OR_KILL):
        raise Sentence("the maker's order is immediate: bring it as the taker's")
    if taker.flags & Flag.POST_ONLY:
        raise Sentence("the taker's order is post-only: bring it as the maker's")
    if taker.flags & Flag.FILL_OR_KILL and count != taker.units:
        raise Sentence(f"the taker's order fills whole or not at all: {count} of {taker.units} units")
    for order in (maker, taker):
        if order.matcher.lower() not in (ZERO_ADDRESS, sender.lower()):
            raise Sentence(f"only {order.matcher} may bring the order of account {order.account}")


def _cost(price: str, maker: Order, package_units: int) -> int:
    """Cash the maker pays per unit: of one leg by the price of a coin, of a package by that of a package."""
    if len(maker.legs) == 1:
        return amount_of(price, 8, "price") * 10**10 * maker.legs[0].quantity // WAD
    cost, rest = divmod(cash_of(price, "price"), package_units)
    if rest:
        raise Sentence(f"price {price} is not a multiple of the {package_units} units in a package")
    return cost


def _explicit(texts: tuple[str, ...], maker: Order, symbols: dict[int, str]) -> tuple[int, ...]:
    pairs = [pair_of(text, symbols) for text in texts]
    given = {instrument: cash_of(price, "leg-price") for instrument, price in pairs}
    if len(given) != len(texts) or set(given) != {leg.instrument for leg in maker.legs}:
        raise Sentence("give one --leg-price for every leg of the orders, or none")
    return tuple(given[leg.instrument] for leg in maker.legs)


def _near_marks(wallet: Wallet, keeper: trading.KeeperClient, maker: Order, cost: int) -> tuple[int, ...]:
    """A price for every leg; those of a package start from the keeper's marks."""
    found = [leg.instrument for leg in maker.legs]
    ticks = {i: int(wallet.read("Markets", "underlying", Instrument.unpack(i).underlying)[2]) for i in found}
    if len(found) == 1:
        return leg_prices(maker.legs, cost, {}, ticks)
    try:
        epoch = keeper.latest_epoch()["number"]
        marks = {i: int(keeper.instrument(epoch, i)["leaf"]["mark"]) for i in found}
    except trading.KeeperError as error:
        raise Sentence(f"{error}: without marks give --leg-price for every leg") from None
    return leg_prices(maker.legs, cost, marks, ticks)


def _read(wallet: Wallet, path: Path) -> tuple[Order, bytes, int]:
    """A signed order, checked as the Exchange would, its signature, and its units in one package."""
    found = statement_path(path)
    if found["chain_id"] != wallet.chain_id or found["exchange"] != wallet.address("Exchange"):
        raise Sentence(f"order {path} is for another deployment (chain {found['chain_id']})")
    try:
        order = _order(found["order"])
        signature = (trading.unhex(found["signature"]["r"]), int(found["signature"]["vs"]))
        domain = domain_separator(wallet.chain_id, wallet.address("Exchange"))
        package_units = int(found.get("package_units", 1))
        signer = recover(digest(domain, order.struct_hash()), *signature)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Sentence(f"order {path} is malformed or its signature is") from None
    if order.expiry < wallet.now():
        raise Sentence(f"order {path} has expired")
    wallet.require_may_act(order.account, signer, SCOPE_TRADE)
    return order, signature_bytes(signature), max(package_units, 1)


def _order(message: dict[str, Any]) -> Order:
    names = ("account", "units", "limit", "max_fee", "nonce", "expiry", "flags")
    numbers = {name: int(message[name]) for name in names}
    legs = tuple(Leg(int(leg["instrument"]), int(leg["quantity"])) for leg in message["legs"])
    matcher = message.get("matcher", ZERO_ADDRESS)
    return Order(legs=legs, taker=message["taker"], matcher=matcher, **numbers)


def _left(wallet: Wallet, order: Order) -> int:
    left = order.units - int(wallet.read("Exchange", "filled", order.account, order.nonce))
    if left <= 0:
        raise Sentence(f"the order of account {order.account} is filled already")
    return left


def _evidence(
    wallet: Wallet, keeper: trading.KeeperClient, match: _Match, ways: tuple[str, str]
) -> tuple[list[Evidence], trading.Statement]:
    """Evidence of both sides and what they share."""
    statement, epoch = trading.Statement(), 0
    if ways != ("worst-case", "worst-case"):
        epoch = keeper.latest_epoch()["number"]
        shown = [keeper.instrument(epoch, leg.instrument) for leg in match.maker.legs]
        statement = trading.with_instruments(*shown)
    parties = [side for side, way in zip(("maker", "taker"), ways, strict=True) if way == "report"]
    reported: dict[str, Any] = {}
    if parties:
        orders, terms = (match.maker, match.taker), (match.units, match.price, match.nonce)
        action = trading.fill_action(*orders, *terms, parties, counted=epoch != 0, prices=match.prices)
        reported = keeper.report(action)
        statement = trading.with_reports(reported, statement)
    evidence: list[Evidence] = []
    for side, order, way in (("maker", match.maker, ways[0]), ("taker", match.taker, ways[1])):
        after = trading.book_after(wallet.book(order.account), order.legs, match.units)
        if way == "worst-case":
            evidence.append(trading.worst_case_evidence(after))
        elif way == "leaf":
            evidence.append(trading.leaf_evidence(keeper.account(epoch, order.account), after))
        elif way == "report":
            evidence.append(trading.report_evidence(reported, parties.index(side)))
        else:
            evidence.append(NO_EVIDENCE)
    return evidence, statement
