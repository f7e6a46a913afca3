"""Signed orders and fills, as `contracts/exchange/order.vy`, and what the Exchange takes for them.

EIP-712 domain: ("Plimsoll", "1", chain id, Exchange). Quantities, prices and cash are WAD integers; > 0 buys.
Digests and signatures are those of `keeper.attestation.typed_data`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, ClassVar

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import Typed
from keeper.units.constants import MAX_ORDER_LEGS, WAD

ZERO_ADDRESS = "0x" + "00" * 20
_SLOT_BITS = 8
_GENERATION_BITS = 32
_SERIES_BITS = 24


class Flag(IntFlag):
    """What an order restricts itself to; bits as in `IExchange.Order.flags`."""

    POST_ONLY = 1  # only as the maker
    REDUCE_ONLY = 2  # every leg shrinks a position, none turns
    IMMEDIATE_OR_CANCEL = 4  # only as the taker; what one transaction leaves is dead
    FILL_OR_KILL = 8  # only as the taker; the whole order in one transaction


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
        "uint64 expiry,address taker,address matcher,uint8 flags)"
    )

    account: int
    legs: tuple[Leg, ...]
    units: int
    limit: int
    max_fee: int
    nonce: int
    expiry: int
    taker: str = ZERO_ADDRESS
    matcher: str = ZERO_ADDRESS
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
            self.matcher,
            self.flags,
        )

    def terms(self) -> tuple[Any, ...]:
        """IExchange.Terms: the fields but the legs."""
        account, _, *others = self.values()
        return account, *others

    def struct_hash(self) -> bytes:
        """EIP-712 struct hash: the legs enter by the hash of their struct hashes."""
        types = ["uint256", "bytes32", "uint256", "int256", "uint256", "uint64", "uint64"]
        types += ["address", "address", "uint8"]
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
class Batch:
    """What one taker fills in one transaction: the action that its margin report is bound to."""

    TYPE: ClassVar[str] = "Batch(Fill[] fills)"

    fills: tuple[Fill, ...]

    def struct_hash(self) -> bytes:
        """EIP-712 struct hash."""
        fills = keccak(b"".join(fill.struct_hash() for fill in self.fills))
        return keccak(keccak(text=self.TYPE + Fill.TYPE) + fills)


@dataclass(frozen=True, slots=True)
class LegFill:
    """One leg of a trade: the maker's signed quantity and the price of one whole instrument, WAD."""

    instrument: int
    quantity: int
    price: int


def mirrored(legs: Sequence[Leg]) -> tuple[Leg, ...]:
    """The legs of the other side, in the same order."""
    return tuple(Leg(leg.instrument, -leg.quantity) for leg in legs)


def require_mirrored(legs: Sequence[Leg], mirror: Sequence[Leg]) -> None:
    """ValueError unless the second order takes the other side of the first. The Exchange is sent the maker's
    legs only and derives the taker's: a signature over others does not fit."""
    if tuple(mirror) != mirrored(legs):
        raise ValueError("exchange: legs do not mirror")


def fills_of(legs: Sequence[Leg], units: int, price: int, prices: Sequence[int]) -> tuple[LegFill, ...]:
    """What `units` of an order trade, leg by leg.

    Args:
        legs: of the maker.
        units: filled.
        price: cash the maker pays per unit, WAD; negative: receives.
        prices: of one whole instrument per leg, WAD.

    Raises:
        ValueError: with the contract's reason: the legs do not ascend, or their prices do not make up the
            price of a unit exactly.
    """
    if not 1 <= len(legs) <= MAX_ORDER_LEGS:
        raise ValueError("exchange: too many legs" if legs else "exchange: no legs")
    if len(prices) != len(legs):
        raise ValueError("exchange: one price per leg")
    _require_legs(legs)
    if any(one < 0 for one in prices):
        raise ValueError("exchange: price sign")
    if sum(leg.quantity * one for leg, one in zip(legs, prices, strict=True)) != price * WAD:
        raise ValueError("exchange: prices do not add up")
    return tuple(
        LegFill(leg.instrument, leg.quantity * units, one) for leg, one in zip(legs, prices, strict=True)
    )


def _require_legs(legs: Sequence[Leg]) -> None:
    last = 0
    for leg in legs:
        if leg.instrument <= last:
            raise ValueError("exchange: legs not ascending")
        if leg.quantity == 0:
            raise ValueError("exchange: empty leg")
        last = leg.instrument


def signature_bytes(compact: tuple[bytes, int]) -> bytes:
    """A key's signature as the Exchange takes it: EIP-2098, 64 bytes."""
    r, vs = compact
    return r + vs.to_bytes(32, "big")


def contract_signature(contract: str, signature: bytes) -> bytes:
    """A contract's signature as the Exchange takes it: its address, then what its ERC-1271 function takes.

    Raises:
        ValueError: 44 bytes, which with the address would pass for a key's.
    """
    if len(signature) == 44:
        raise ValueError("order: a contract's signature of 44 bytes reads as a key's")
    return bytes.fromhex(contract.removeprefix("0x")) + signature


def fill_arguments(
    maker: Order,
    maker_signature: bytes,
    taker: Order,
    taker_signature: bytes,
    units: int,
    price: int,
    prices: Sequence[int],
    fill_nonce: int,
) -> tuple[Any, ...]:
    """What `Exchange.fill` takes before evidence and statement."""
    legs = [leg.values() for leg in maker.legs]
    sides = (maker.terms(), maker_signature, taker.terms(), taker_signature)
    return legs, *sides, units, price, list(prices), fill_nonce


def is_reduction(held: int, change: int) -> bool:
    """Whether a signed change moves a position towards zero and not beyond."""
    return (held > 0) != (change > 0) and abs(change) <= abs(held)


def fee_of(rate: int, quantity: int, spot: int) -> int:
    """Fee of one leg: rate * quantity * spot, WAD, rounded up against the account in one step.

    `quantity` absolute; all WAD. A rate below zero is a rebate, rounded towards zero.
    """
    return -(-rate * quantity * spot // (WAD * WAD))


def nonce_of(slot: int, generation: int, series: int = 0) -> int:
    """The nonce of a slot (0 to 255), a generation (32 bits) and the account's series of orders (24 bits): a
    higher generation in a slot kills the lower ones, the next series all orders of the account."""
    if not 0 <= slot < 1 << _SLOT_BITS or not 0 <= generation < 1 << _GENERATION_BITS:
        raise ValueError("order: slot or generation out of range")
    if not 0 <= series < 1 << _SERIES_BITS:
        raise ValueError("order: series out of range")
    return (series << _GENERATION_BITS | generation) << _SLOT_BITS | slot
