"""`ape run sign_order`: an order as a signed JSON file; nothing is sent."""

import json
from pathlib import Path
from typing import Any

import click
from eth_account.messages import encode_typed_data

from keeper.exchange.order import ZERO_ADDRESS, Flag, Order, nonce_of
from keeper.markets.instrument import Instrument
from keeper.units.constants import SCOPE_TRADE, WAD
from scripts._legs import Package, package_of
from scripts._trading import order_message
from scripts._wallet import (
    Command,
    Sentence,
    Wallet,
    address_of,
    amount_of,
    cash_of,
    emit,
    guarded,
    instrument_of,
    options,
    pair_of,
    plain,
    signer_of,
    symbol_of,
)

_TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    "Order": [
        {"name": "account", "type": "uint256"},
        {"name": "legs", "type": "Leg[]"},
        {"name": "units", "type": "uint256"},
        {"name": "limit", "type": "int256"},
        {"name": "maxFee", "type": "uint256"},
        {"name": "nonce", "type": "uint64"},
        {"name": "expiry", "type": "uint64"},
        {"name": "taker", "type": "address"},
        {"name": "matcher", "type": "address"},
        {"name": "flags", "type": "uint8"},
    ],
    "Leg": [{"name": "instrument", "type": "uint128"}, {"name": "quantity", "type": "int128"}],
}


@click.command(cls=Command)
@options("account", "id", "json")
@click.option("--instrument", "symbol", help="ETH-PERP, ETH-25APR25, ETH-25APR25-1800-C.")
@click.option(
    "--leg",
    "legs",
    multiple=True,
    metavar="INSTRUMENT:QUANTITY",
    help="Instead of --instrument, up to four times: one leg of a package, in coins; above zero buys.",
)
@click.option(
    "--quantity", help="Coins; above zero buys, below sells. With --leg: packages, default 1, above zero."
)
@click.option(
    "--limit",
    required=True,
    help="Worst price per coin, dollars. With --leg: most paid per package, below zero least received.",
)
@click.option("--max-fee", default="1000", show_default=True, help="Most fee for the whole order, dollars.")
@click.option(
    "--minutes", type=click.IntRange(1, 525_600), default=60, show_default=True, help="How long it lives."
)
@click.option("--good-till", type=click.IntRange(1), help="Instead of --minutes: its last second, unix time.")
@click.option("--post-only", is_flag=True, help="Only as the maker.")
@click.option("--reduce-only", is_flag=True, help="Every leg shrinks a position, none turns.")
@click.option("--ioc", is_flag=True, help="Only as the taker; what the first fill leaves is dead.")
@click.option("--fok", is_flag=True, help="Only as the taker; the whole order in one fill.")
@click.option(
    "--slot",
    type=click.IntRange(0, 255),
    default=0,
    show_default=True,
    help="Its place: one live order each.",
)
@click.option(
    "--generation",
    type=click.IntRange(0, 2**32 - 1),
    help="Kills lower ones of the slot once it trades; default: the chain's time.",
)
@click.option("--taker", help="Only this owner may be the counterpart.")
@click.option("--matcher", help="Only this address may bring the order to the Exchange; default: anyone.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File; default: standard output."
)
@guarded
def cli(
    provider: Any,
    alias: str | None,
    account: int,
    as_json: bool,
    symbol: str | None,
    legs: tuple[str, ...],
    quantity: str | None,
    limit: str,
    max_fee: str,
    minutes: int,
    good_till: int | None,
    post_only: bool,
    reduce_only: bool,
    ioc: bool,
    fok: bool,
    slot: int,
    generation: int | None,
    taker: str | None,
    matcher: str | None,
    out: Path | None,
) -> None:
    """Sign an order for one instrument, or for a package of up to four that trade together or not at all.

    \b
    Examples:
      ape run sign_order --account TEST::3 --id 1 --instrument ETH-25APR25-1600-C --quantity 1 --limit 50
      ape run sign_order --account TEST::4 --id 2 --instrument ETH-PERP --quantity -2.5 --limit 1790
      ape run sign_order --account TEST::3 --id 1 \\
          --leg ETH-25APR25-1600-P:1 --leg ETH-25APR25-1500-P:-1 --limit 20
      ape run sign_order --account TEST::4 --id 2 \\
          --leg ETH-25APR25-1600-P:-1 --leg ETH-25APR25-1500-P:1 --limit -18
      ape run sign_order --account TEST::3 --id 1 --instrument ETH-PERP --quantity 1 --limit 1790 --post-only
      ape run sign_order --account TEST::4 --id 2 --instrument ETH-PERP --quantity -1 --limit 1790 \\
          --ioc --reduce-only --good-till 1745568000
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    wallet.require_may_act(account, str(signer.address), SCOPE_TRADE)
    symbols = wallet.symbols()
    if legs and symbol:
        raise Sentence("name either --instrument or --leg")
    if legs:
        package, count = _package(wallet, symbols, legs, quantity, limit)
    else:
        package, count = _single(wallet, symbols, symbol, quantity, limit)
    now = wallet.now()
    expiry = now + minutes * 60 if good_till is None else good_till
    if expiry < now:
        raise Sentence(f"--good-till {good_till} has passed: it is {now}")
    order = Order(
        account,
        package.legs,
        count,
        package.limit,
        amount_of(max_fee, 18, "max-fee"),
        nonce_of(
            slot, now if generation is None else generation, int(wallet.read("Exchange", "series", account))
        ),
        expiry,
        address_of(taker) if taker else ZERO_ADDRESS,
        address_of(matcher) if matcher else ZERO_ADDRESS,
        _flags(post_only, reduce_only, ioc, fok),
    )
    found = {
        "chain_id": wallet.chain_id,
        "exchange": wallet.address("Exchange"),
        "package_units": str(package.units),
        "order": order_message(order),
        "signature": _signed(wallet, signer, order),
    }
    text = json.dumps(found, indent=2)
    if out:
        out.write_text(text + "\n")
    named = ", ".join(
        f"{plain(leg.quantity * count)} {symbol_of(leg.instrument, symbols)}" for leg in order.legs
    )
    emit(
        as_json or out is None,
        found,
        f"{out}: {named} for {plain(package.limit * count)} or better, until {expiry}",
    )


def _flags(post_only: bool, reduce_only: bool, ioc: bool, fok: bool) -> int:
    """The order's flags; those of an order that could never trade are refused."""
    if post_only and (ioc or fok):
        raise Sentence("an order with --post-only and --ioc or --fok could never trade")
    chosen = {
        Flag.POST_ONLY: post_only,
        Flag.REDUCE_ONLY: reduce_only,
        Flag.IMMEDIATE_OR_CANCEL: ioc,
        Flag.FILL_OR_KILL: fok,
    }
    return sum(int(flag) for flag, wanted in chosen.items() if wanted)


def _single(
    wallet: Wallet, symbols: dict[int, str], symbol: str | None, quantity: str | None, limit: str
) -> tuple[Package, int]:
    """One lot, and how many."""
    if symbol is None or quantity is None:
        raise Sentence("name --instrument and --quantity, or a --leg for each instrument of a package")
    packed = instrument_of(symbol, symbols)
    signed = amount_of(quantity, 18, "quantity", signed=True)
    price = amount_of(limit, 8, "limit") * 10**10
    package = package_of({packed: signed}, {packed: _lot(wallet, packed, signed)}, signed * price // WAD)
    return package, package.units


def _package(
    wallet: Wallet, symbols: dict[int, str], legs: tuple[str, ...], quantity: str | None, limit: str
) -> tuple[Package, int]:
    """The smallest package in whole lots, and how many."""
    quantities: dict[int, int] = {}
    for text in legs:
        packed, amount = pair_of(text, symbols)
        if packed in quantities:
            raise Sentence(f"{symbol_of(packed, symbols)} is named twice")
        quantities[packed] = amount_of(amount, 18, "quantity", signed=True)
    lots = {packed: _lot(wallet, packed, signed) for packed, signed in quantities.items()}
    package = package_of(quantities, lots, cash_of(limit, "limit"))
    count, rest = divmod(amount_of(quantity or "1", 18, "quantity") * package.units, WAD)
    if rest:
        raise Sentence(f"{quantity} packages are not whole lots of every leg")
    return package, count


def _lot(wallet: Wallet, packed: int, quantity: int) -> int:
    """The lot of a live instrument; refused where the quantity is no multiple."""
    instrument = Instrument.unpack(packed)
    lot = int(wallet.read("Markets", "underlying", instrument.underlying)[1])
    if quantity % lot:
        raise Sentence(f"quantity {plain(quantity)} is not a multiple of the lot {plain(lot)}")
    if instrument.expiry and instrument.expiry <= wallet.now():
        raise Sentence("the instrument has expired")
    return lot


def _signed(wallet: Wallet, signer: Any, order: Order) -> dict[str, str]:
    message = {
        "types": _TYPES,
        "primaryType": "Order",
        "domain": {
            "name": "Plimsoll",
            "version": "1",
            "chainId": wallet.chain_id,
            "verifyingContract": wallet.address("Exchange"),
        },
        "message": {
            "account": order.account,
            "legs": [{"instrument": leg.instrument, "quantity": leg.quantity} for leg in order.legs],
            "units": order.units,
            "limit": order.limit,
            "maxFee": order.max_fee,
            "nonce": order.nonce,
            "expiry": order.expiry,
            "taker": order.taker,
            "matcher": order.matcher,
            "flags": order.flags,
        },
    }
    signature = signer.sign_message(encode_typed_data(full_message=message))
    if signature is None:
        raise Sentence("the key did not sign")
    s = int.from_bytes(bytes(signature.s), "big")
    return {"r": "0x" + bytes(signature.r).hex().zfill(64), "vs": str(s | (signature.v - 27) << 255)}
