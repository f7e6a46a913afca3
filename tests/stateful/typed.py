"""Typed data, signatures and Merkle trees written from the standards alone: a second opinion on the
keeper's own.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from coincurve import PrivateKey
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

Struct = dict[str, Any]

MARGIN_FIELDS = (
    "uint256 account,uint128 addedIM,int128 addedMark,bytes32 bookHash,"
    "int128 markToMarket,uint128 initialMargin,"
    "uint128 maintenanceMargin,int128 markPosted,uint128 maintenancePosted,"
    "uint64 marginal,uint128 maxAddedIM,"
    "bytes32 breakdownHash"
)
FIELDS = {
    "Epoch": (
        "uint64 number,uint64 timestamp,uint64 blockNumber,bytes32 blockHash,bytes32 snapshotHash,"
        "bytes32 methodologyHash,bytes32 marketRoot,bytes32 marginRoot,bytes32 spotsHash"
    ),
    "MarginLeaf": MARGIN_FIELDS,
    "InstrumentLeaf": (
        "uint128 instrument,uint128 mark,uint128 imLong,uint128 mmLong,uint128 imShort,uint128 mmShort"
    ),
    "Report": "uint64 epoch,bytes32 action,MarginLeaf margin,uint64 deadline",
    "Reports": "Report[] reports",
    "Leg": "uint128 instrument,int128 quantity",
    "Order": (
        "uint256 account,Leg[] legs,uint256 units,int256 limit,uint256 maxFee,uint64 nonce,uint64 expiry,"
        "address taker,address matcher,uint8 flags"
    ),
    "Fill": "bytes32 makerHash,bytes32 takerHash,int256 quantity,int256 price,uint64 fillNonce",
    "Flag": "uint256 account",
    "Withdrawal": "uint256 account,address token,uint256 amount,address recipient,uint64 nonce",
}
EMPTY_ROOT = keccak(b"plimsoll: empty tree")
LOW_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@cache
def members(name: str) -> tuple[tuple[str, str], ...]:
    """(type, field) of a struct, in order."""
    return tuple((kind, field) for kind, field in (item.split(" ") for item in FIELDS[name].split(",")))


@cache
def type_hash(name: str) -> bytes:
    referred: set[str] = set()
    _collect(name, referred)
    others = sorted(referred - {name})
    return keccak(text="".join(f"{part}({FIELDS[part]})" for part in [name, *others]))


def struct_hash(name: str, value: Struct) -> bytes:
    """EIP-712 hash of a struct."""
    fields = members(name)
    types = ["bytes32"] + [kind if _is_plain(kind) else "bytes32" for kind, _ in fields]
    return keccak(encode(types, [type_hash(name)] + [_member(kind, value[field]) for kind, field in fields]))


def values(name: str, value: Struct) -> tuple[Any, ...]:
    """The struct as an ABI tuple."""
    return tuple(value[field] for _, field in members(name))


def domain_separator(chain_id: int, contract: str) -> bytes:
    """Domain ("Plimsoll", "1", chain id, contract)."""
    kind = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    fields = [kind, keccak(text="Plimsoll"), keccak(text="1"), chain_id, contract]
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], fields))


def digest(separator: bytes, hashed: bytes) -> bytes:
    return keccak(b"\x19\x01" + separator + hashed)


def key(number: int) -> PrivateKey:
    """A test key."""
    return PrivateKey(number.to_bytes(32, "big"))


def address(secret: PrivateKey) -> str:
    public = secret.public_key.format(compressed=False)[1:]
    return to_checksum_address(keccak(public)[-20:])


def sign(secret: PrivateKey, signed: bytes) -> tuple[bytes, int]:
    """EIP-2098 signature (r, parity << 255 | s)."""
    raw = secret.sign_recoverable(signed, hasher=None)
    return raw[:32], raw[64] << 255 | int.from_bytes(raw[32:64], "big")


def leaf(hashed: bytes) -> bytes:
    """Merkle leaf of a struct hash: hashed twice, so that no inner node is one."""
    return keccak(hashed)


def node(a: bytes, b: bytes) -> bytes:
    return keccak(min(a, b) + max(a, b))


def levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels of the tree over the sorted leaves; an odd node moves up unchanged."""
    rows = [sorted(leaves) or [EMPTY_ROOT]]
    while len(rows[-1]) > 1:
        row = rows[-1]
        pairs = [node(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        rows.append(pairs + row[len(row) - len(row) % 2 :])
    return rows


def proof(rows: list[list[bytes]], one: bytes) -> list[bytes]:
    """Siblings from a leaf to the root."""
    index = rows[0].index(one)
    siblings = []
    for row in rows[:-1]:
        sibling = index ^ 1
        siblings += row[sibling : sibling + 1]
        index //= 2
    return siblings


def _collect(name: str, found: set[str]) -> None:
    found.add(name)
    for kind, _ in members(name):
        inner = kind.removesuffix("[]")
        if inner in FIELDS and inner not in found:
            _collect(inner, found)


def _is_plain(kind: str) -> bool:
    return kind.removesuffix("[]") not in FIELDS


def _member(kind: str, value: Any) -> Any:
    if _is_plain(kind):
        return value
    if kind.endswith("[]"):
        return keccak(b"".join(struct_hash(kind.removesuffix("[]"), item) for item in value))
    return struct_hash(kind, value)
