"""Signed orders and fills, as `contracts/exchange/order.vy`.

EIP-712 domain: ("Plimsoll", "1", chain id, Exchange). Quantities, prices and cash are WAD integers; > 0 buys.
Digests and signatures are those of `keeper.attestation.typed_data`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import Typed
from keeper.units.constants import MAX_ORDER_LEGS, WAD

ZERO_ADDRESS = "0x" + "00" * 20
_SLOT_BITS = 8


@dataclass(frozen=True, slots=True)
class Leg(Typed):
    """Signed quantity of an instrument in one unit of an order."""

    TYPE: ClassVar[str] = "Leg(uint128 instrument,int128 quantity)"

    instrument: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Order(Typed):
    """What an account offers; the fields are documented in `IExchange.vyi`."""

    TYPE: ClassVar[str] = (
        "Order(uint256 account,Leg[] legs,uint256 units,int256 limit,uint256 maxFee,uint64 nonce,"
        "uint64 expiry,address taker,uint8 flags)"
    )

    account: int
    legs: tuple[Leg, ...]
    units: int
    limit: int
    max_fee: int
    nonce: int
    expiry: int
    taker: str = ZERO_ADDRESS
    flags: int = 0

    def values(self) -> tuple[Any, ...]:
        """The fields in order, legs as tuples: what a contract call takes for the struct."""
        legs = [leg.values() for leg in self.legs]
        return (
            self.account,
            legs,
            self.units,
            self.limit,
            self.max_fee,
            self.nonce,
            self.expiry,
            self.taker,
            self.flags,
        )

    def struct_hash(self) -> bytes:
        """EIP-712 struct hash: the legs enter by the hash of their struct hashes."""
        types = ["uint256", "bytes32", "uint256", "int256", "uint256", "uint64", "uint64", "address", "uint8"]
        legs = keccak(b"".join(leg.struct_hash() for leg in self.legs))
        values = (self.account, legs, *self.values()[2:])
        return keccak(keccak(text=self.TYPE + Leg.TYPE) + encode(types, values))


@dataclass(frozen=True, slots=True)
class Fill(Typed):
    """One settlement between two orders: `quantity` units at `price`, the cash the maker pays per unit."""

    TYPE: ClassVar[str] = (
        "Fill(bytes32 makerHash,bytes32 takerHash,int256 quantity,int256 price,uint64 fillNonce)"
    )

    maker_hash: bytes
    taker_hash: bytes
    quantity: int
    price: int
    fill_nonce: int


@dataclass(frozen=True, slots=True)
class LegFill:
    """One leg of a trade: the maker's signed quantity and the price of one whole instrument, WAD."""

    instrument: int
    quantity: int
    price: int


def mirrored(legs: Sequence[Leg]) -> tuple[Leg, ...]:
    """The legs of the other side, in the same order."""
    return tuple(Leg(leg.instrument, -leg.quantity) for leg in legs)


def fills_of(
    legs: Sequence[Leg], mirror: Sequence[Leg], units: int, price: int, prices: Sequence[int]
) -> tuple[LegFill, ...]:
    """What `units` of two orders trade, leg by leg: the maker's side.

    Args:
        legs: of the maker.
        mirror: of the taker.
        units: filled.
        price: cash the maker pays per unit, WAD; negative: receives.
        prices: of one whole instrument per leg, WAD.

    Raises:
        ValueError: with the contract's reason: the legs do not mirror each other or do not ascend, or their
            prices do not make up the price of a unit exactly.
    """
    if len(prices) != len(legs):
        raise ValueError("exchange: one price per leg")
    _require_legs(legs, mirror)
    if any(one < 0 for one in prices):
        raise ValueError("exchange: price sign")
    if sum(leg.quantity * one for leg, one in zip(legs, prices, strict=True)) != price * WAD:
        raise ValueError("exchange: prices do not add up")
    return tuple(
        LegFill(leg.instrument, leg.quantity * units, one) for leg, one in zip(legs, prices, strict=True)
    )


def _require_legs(legs: Sequence[Leg], mirror: Sequence[Leg]) -> None:
    if not 1 <= len(legs) <= MAX_ORDER_LEGS:
        raise ValueError("exchange: too many legs" if legs else "exchange: no legs")
    if len(mirror) != len(legs):
        raise ValueError("exchange: legs do not mirror")
    last = 0
    for leg, other in zip(legs, mirror, strict=True):
        if leg.instrument <= last:
            raise ValueError("exchange: legs not ascending")
        if leg.quantity == 0:
            raise ValueError("exchange: empty leg")
        if other.instrument != leg.instrument:
            raise ValueError("exchange: instruments differ")
        if other.quantity != -leg.quantity:
            raise ValueError("exchange: legs do not mirror")
        last = leg.instrument


def fee_of(rate: int, quantity: int, spot: int) -> int:
    """Fee of one leg: rate * quantity * spot, WAD, rounded up in one step. `quantity` absolute; all WAD."""
    return -(-rate * quantity * spot // (WAD * WAD))


def nonce_of(slot: int, generation: int) -> int:
    """The nonce of a slot (0 to 255) and a generation: a higher generation in a slot kills the lower ones."""
    if not 0 <= slot < 1 << _SLOT_BITS or not 0 <= generation < 1 << 56:
        raise ValueError("order: slot or generation out of range")
    return generation << _SLOT_BITS | slot
