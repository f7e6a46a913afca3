"""`ape run sign_order`: an order as a signed JSON file; nothing is sent."""

import json
from pathlib import Path
from typing import Any

import click
from eth_account.messages import encode_typed_data

from keeper.exchange.order import ZERO_ADDRESS, Leg, Order, nonce_of
from keeper.markets.instrument import Instrument
from keeper.units.constants import WAD
from scripts._trading import order_message
from scripts._wallet import (
    Command,
    Sentence,
    Wallet,
    address_of,
    amount_of,
    emit,
    guarded,
    instrument_of,
    options,
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
        {"name": "flags", "type": "uint8"},
    ],
    "Leg": [{"name": "instrument", "type": "uint128"}, {"name": "quantity", "type": "int128"}],
}


@click.command(cls=Command)
@options("account", "id", "json")
@click.option("--instrument", "symbol", required=True, help="ETH-PERP, ETH-25APR25, ETH-25APR25-1800-C.")
@click.option("--quantity", required=True, help="Coins; above zero buys, below sells.")
@click.option("--limit", required=True, help="Worst price per coin, dollars.")
@click.option("--max-fee", default="1000", show_default=True, help="Most fee for the whole order, dollars.")
@click.option(
    "--minutes", type=click.IntRange(1, 525_600), default=60, show_default=True, help="How long it lives."
)
@click.option(
    "--slot",
    type=click.IntRange(0, 255),
    default=0,
    show_default=True,
    help="Its place: one live order each.",
)
@click.option(
    "--generation", type=click.IntRange(0, 2**56 - 1), default=0, show_default=True, help="Kills lower ones."
)
@click.option("--taker", help="Only this owner may be the counterpart.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File; default: standard output."
)
@guarded
def cli(
    provider: Any,
    alias: str | None,
    account: int,
    as_json: bool,
    symbol: str,
    quantity: str,
    limit: str,
    max_fee: str,
    minutes: int,
    slot: int,
    generation: int,
    taker: str | None,
    out: Path | None,
) -> None:
    """Sign an order for one instrument.

    \b
    Examples:
      ape run sign_order --account TEST::3 --id 1 --instrument ETH-25APR25-1600-C --quantity 1 --limit 50
      ape run sign_order --account TEST::4 --id 2 --instrument ETH-PERP --quantity -2.5 --limit 1790
    """
    wallet = Wallet(provider)
    signer = signer_of(alias, wallet.is_devnet)
    wallet.require_may_act(account, str(signer.address))
    symbols = wallet.symbols()
    packed = instrument_of(symbol, symbols)
    unit, units = _units(wallet, packed, amount_of(quantity, 18, "quantity", signed=True))
    price = amount_of(limit, 8, "limit") * 10**10
    expiry = wallet.now() + minutes * 60
    order = Order(
        account,
        (Leg(packed, unit),),
        units,
        unit * price // WAD,
        amount_of(max_fee, 18, "max-fee"),
        nonce_of(slot, generation),
        expiry,
        address_of(taker) if taker else ZERO_ADDRESS,
    )
    found = {
        "chain_id": wallet.chain_id,
        "exchange": wallet.address("Exchange"),
        "order": order_message(order),
        "signature": _signed(wallet, signer, order),
    }
    text = json.dumps(found, indent=2)
    if out:
        out.write_text(text + "\n")
    shown = f"{plain(unit * units)} {symbol_of(packed, symbols)} at {plain(price)} or better, until {expiry}"
    emit(as_json or out is None, found, f"{out}: {shown}")


def _units(wallet: Wallet, packed: int, quantity: int) -> tuple[int, int]:
    """Signed quantity of one unit (the lot), and how many units."""
    instrument = Instrument.unpack(packed)
    lot = wallet.read("Markets", "underlying", instrument.underlying)[1]
    if quantity % lot:
        raise Sentence(f"quantity {plain(quantity)} is not a multiple of the lot {plain(lot)}")
    if instrument.expiry and instrument.expiry <= wallet.now():
        raise Sentence("the instrument has expired")
    return (lot if quantity > 0 else -lot), abs(quantity) // lot


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
            "flags": order.flags,
        },
    }
    signature = signer.sign_message(encode_typed_data(full_message=message))
    if signature is None:
        raise Sentence("the key did not sign")
    s = int.from_bytes(bytes(signature.s), "big")
    return {"r": "0x" + bytes(signature.r).hex().zfill(64), "vs": str(s | (signature.v - 27) << 255)}
