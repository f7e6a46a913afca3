"""Signed orders and fills, as `contracts/exchange/order.vy`.

EIP-712 domain: ("Plimsoll", "1", chain id, Exchange). Quantities, prices and cash are WAD integers; > 0 buys.
Digests and signatures are those of `keeper.attestation.typed_data`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import Typed

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


def nonce_of(slot: int, generation: int) -> int:
    """The nonce of a slot (0 to 255) and a generation: a higher generation in a slot kills the lower ones."""
    if not 0 <= slot < 1 << _SLOT_BITS or not 0 <= generation < 1 << 56:
        raise ValueError("order: slot or generation out of range")
    return generation << _SLOT_BITS | slot
