"""Builders of what callers present to the contracts, as the tuples that boa, web3 and ape encode."""

from collections.abc import Sequence
from typing import Any

from keeper.attestation.evidence import encode_evidence, encode_statement
from keeper.attestation.typed_data import InstrumentLeaf, MarginLeaf, digest, domain_separator, sign
from keeper.units import constants as c

ZERO = b"\x00" * 32
NO_SIGNATURES: tuple[int, list[Any]] = (0, [])
NO_MARGIN = MarginLeaf(0, 0, 0, ZERO, 0, 0, 0, 0, 0, 0, 0, ZERO)
NO_INSTRUMENT = InstrumentLeaf(0, 0, 0, 0, 0, 0)


def evidence(
    way: int = c.WAY_HEADROOM,
    instruments: Sequence[int] = (),
    leaf: MarginLeaf | None = None,
    proof: Sequence[bytes] = (),
) -> tuple[Any, ...]:
    """Evidence of one account; the default is headroom, which needs nothing."""
    return encode_evidence(way, instruments, leaf, proof)


def statement(
    epoch: int = 0,
    deadline: int = 0,
    signatures: tuple[int, list[Any]] = NO_SIGNATURES,
    instruments: Sequence[InstrumentLeaf] = (),
    paths: Sequence[Sequence[bytes]] = (),
) -> bytes:
    """What the accounts of one transaction share."""
    return encode_statement(epoch, deadline, signatures, instruments, paths)


def compact_signature(chain_id: int, contract: str, struct_hash: bytes, key: bytes) -> tuple[bytes, int]:
    """EIP-2098 signature of a struct for one contract's domain."""
    return sign(digest(domain_separator(chain_id, contract), struct_hash), key)


def quorum_signatures(
    chain_id: int, quorum: str, struct_hash: bytes, keys: dict[int, bytes]
) -> tuple[int, list[tuple[bytes, int]]]:
    """Signatures struct of the signers `keys` (index in the quorum -> key) over one struct."""
    bitmap = sum(1 << index for index in keys)
    return bitmap, [compact_signature(chain_id, quorum, struct_hash, keys[i]) for i in sorted(keys)]
