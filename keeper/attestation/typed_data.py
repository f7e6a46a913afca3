"""EIP-712 typed data of attestations, as `contracts/attestation/typed_data.vy`, and the signatures over it.

Cash, prices and quantities are WAD integers; times unix seconds; hashes 32 bytes; addresses hex text.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from coincurve import PrivateKey, PublicKey
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

DOMAIN_NAME = "Plimsoll"
DOMAIN_VERSION = "1"

_DOMAIN_TYPEHASH = keccak(
    text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_PARITY_BIT = 1 << 255


class Typed:
    """A struct whose fields all have value types, in the order of its EIP-712 type."""

    TYPE: ClassVar[str]  # without the types it refers to

    def values(self) -> tuple[Any, ...]:
        """The fields in order: what a contract call takes for the struct."""
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))  # type: ignore[arg-type]

    def struct_hash(self) -> bytes:
        """EIP-712 struct hash, 32 bytes. Raises eth_abi's EncodingError if a field is out of range."""
        return hash_struct(self.TYPE, self.values())


def hash_struct(type_text: str, values: Sequence[Any]) -> bytes:
    """Struct hash of values that all have value types; `type_text` names no other struct."""
    return keccak(keccak(text=type_text) + encode(_member_types(type_text), values))


def _member_types(type_text: str) -> list[str]:
    members = type_text[type_text.index("(") + 1 : -1]
    return [member.split(" ")[0] for member in members.split(",")]


@dataclass(frozen=True, slots=True)
class Epoch(Typed):
    """What a quorum signs for all accounts at once."""

    TYPE: ClassVar[str] = (
        "Epoch(uint64 number,uint64 timestamp,uint64 blockNumber,bytes32 blockHash,bytes32 snapshotHash,"
        "bytes32 methodologyHash,bytes32 marketRoot,bytes32 marginRoot,bytes32 spotsHash)"
    )

    number: int
    timestamp: int
    block_number: int
    block_hash: bytes
    snapshot_hash: bytes
    methodology_hash: bytes
    market_root: bytes
    margin_root: bytes
    spots_hash: bytes

    def posting(self) -> tuple[Any, ...]:
        """What the oracle is given of it: the hash of its block and the effective spots it knows itself."""
        return (
            self.number,
            self.timestamp,
            self.block_number,
            self.snapshot_hash,
            self.methodology_hash,
            self.market_root,
            self.margin_root,
        )


@dataclass(frozen=True, slots=True)
class MarginLeaf(Typed):
    """One account's margin, at an epoch's block or after one action. Margins are uncapped."""

    TYPE: ClassVar[str] = (
        "MarginLeaf(uint256 account,uint128 addedIM,int128 addedMark,bytes32 bookHash,int128 markToMarket,"
        "uint128 initialMargin,uint128 maintenanceMargin,int128 markPosted,uint128 maintenancePosted,"
        "uint64 marginal,uint128 maxAddedIM,bytes32 breakdownHash)"
    )

    account: int
    added_im: int
    added_mark: int
    book_hash: bytes
    mark_to_market: int
    initial_margin: int
    maintenance_margin: int
    mark_posted: int
    maintenance_posted: int
    marginal: int
    max_added_im: int
    breakdown_hash: bytes


@dataclass(frozen=True, slots=True)
class InstrumentLeaf(Typed):
    """An instrument's mark and the stand-alone margins of one unit."""

    TYPE: ClassVar[str] = (
        "InstrumentLeaf(uint128 instrument,uint128 mark,uint128 imLong,uint128 mmLong,uint128 imShort,"
        "uint128 mmShort)"
    )

    instrument: int
    mark: int
    im_long: int
    mm_long: int
    im_short: int
    mm_short: int


@dataclass(frozen=True, slots=True)
class ForwardLeaf(Typed):
    """An expiry's forward and raw SVI surface (a, b, rho, m, sigma), each 1e-12."""

    TYPE: ClassVar[str] = "ForwardLeaf(uint16 underlying,uint40 expiry,uint128 forward,int64[5] svi)"

    underlying: int
    expiry: int
    forward: int
    svi: tuple[int, int, int, int, int]

    def struct_hash(self) -> bytes:
        """EIP-712 struct hash: the array enters by the hash of its elements."""
        values = (self.underlying, self.expiry, self.forward, keccak(encode(["int64"] * 5, self.svi)))
        return keccak(keccak(text=self.TYPE) + encode(["uint16", "uint40", "uint128", "bytes32"], values))


@dataclass(frozen=True, slots=True)
class Report(Typed):
    """One account's margin after one action; `action` is the struct hash of the fill or withdrawal."""

    TYPE: ClassVar[str] = "Report(uint64 epoch,bytes32 action,MarginLeaf margin,uint64 deadline)"

    epoch: int
    action: bytes
    margin: MarginLeaf
    deadline: int

    def struct_hash(self) -> bytes:
        """EIP-712 struct hash: the margin enters by its own struct hash."""
        values = (self.epoch, self.action, self.margin.struct_hash(), self.deadline)
        return keccak(
            keccak(text=self.TYPE + MarginLeaf.TYPE)
            + encode(["uint64", "bytes32", "bytes32", "uint64"], values)
        )


@dataclass(frozen=True, slots=True)
class Withdrawal(Typed):
    """An amount, in the token's own decimals, on its way out; `nonce` is the account's before it."""

    TYPE: ClassVar[str] = (
        "Withdrawal(uint256 account,address token,uint256 amount,address recipient,uint64 nonce)"
    )

    account: int
    token: str
    amount: int
    recipient: str
    nonce: int


def reports_hash(reports: Sequence[Report]) -> bytes:
    """Struct hash of Reports: one signature set covers both sides of a trade, the maker's report first."""
    type_text = "Reports(Report[] reports)" + MarginLeaf.TYPE + Report.TYPE
    return keccak(keccak(text=type_text) + keccak(b"".join(report.struct_hash() for report in reports)))


def leaf(struct_hash: bytes) -> bytes:
    """The Merkle leaf of a struct: hashed once more, so that no inner node passes for a leaf."""
    return keccak(struct_hash)


def domain_separator(chain_id: int, contract: str) -> bytes:
    """EIP-712 domain separator of one contract on one chain."""
    values = (
        _DOMAIN_TYPEHASH,
        keccak(text=DOMAIN_NAME),
        keccak(text=DOMAIN_VERSION),
        chain_id,
        contract,
    )
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], values))


def preimage(domain: bytes, struct_hash: bytes) -> bytes:
    """What is hashed and signed, 66 bytes: a remote signer hashes it itself."""
    return b"\x19\x01" + domain + struct_hash


def digest(domain: bytes, struct_hash: bytes) -> bytes:
    """The 32 bytes that are signed."""
    return keccak(preimage(domain, struct_hash))


def sign(message: bytes, key: bytes) -> tuple[bytes, int]:
    """EIP-2098 signature (r, vs) of a digest: s in the low 255 bits of `vs`, the parity of v in the high bit.

    Deterministic (RFC 6979), s in the lower half of the curve's order.
    """
    signature = PrivateKey(key).sign_recoverable(message, hasher=None)
    s = int.from_bytes(signature[32:64], "big")
    return signature[:32], s | signature[64] << 255


def recover(message: bytes, r: bytes, vs: int) -> str:
    """Checksummed address that signed a digest. ValueError for a malformed signature or a high s."""
    s = vs & (_PARITY_BIT - 1)
    if not 0 < s <= _CURVE_ORDER // 2:
        raise ValueError("signature: s out of range")
    compact = r + s.to_bytes(32, "big") + bytes([vs >> 255])
    try:
        public = PublicKey.from_signature_and_message(compact, message, hasher=None)
    except Exception as error:  # coincurve raises bare Exception
        raise ValueError("signature: not recoverable") from error
    return address_of(public)


def address_of(public: PublicKey) -> str:
    """Checksummed address of a public key."""
    return to_checksum_address(keccak(public.format(compressed=False)[1:])[12:])
