"""Claims as contract arguments: bytes that only the claim gate opens, as its own argument."""

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode

from keeper.attestation.evidence import INSTRUMENT_ABI, LEAF_ABI

_SIGNATURES = "(uint256,(bytes32,uint256)[])"
_CHANGES = "(uint8,uint128,int256,uint256)[]"
_UNITS = f"{INSTRUMENT_ABI}[]"
CLAIM_ABI = (
    f"(uint128[],uint8,{LEAF_ABI},bytes32[],uint64,uint64,{_SIGNATURES},{_CHANGES},{_UNITS},bytes32[][])"
)


def encode_claim(values: Sequence[Any]) -> bytes:
    """The fields of `IAuctionHouse.Claim`, in order: what `flag` and `update` take."""
    return encode([CLAIM_ABI], [tuple(values)])
