"""Claims as contract arguments: bytes that only the claim gate opens."""

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode

_LEAF = "(uint256,uint128,int128,bytes32,int128,uint128,uint128,int128,uint128,uint64,uint128,bytes32)"
_SIGNATURES = "(uint256,(bytes32,uint256)[])"
_CHANGES = "(uint8,uint128,int256,uint256)[]"
_UNITS = "(uint128,uint128,uint128,uint128,uint128,uint128)[]"
_CLAIM = f"(uint128[],uint8,{_LEAF},bytes32[],uint64,uint64,{_SIGNATURES},{_CHANGES},{_UNITS},bytes32[][])"


def encode_claim(values: Sequence[Any]) -> bytes:
    """The fields of `IAuctionHouse.Claim`, in order: what `flag` and `update` take."""
    return encode([_CLAIM], [tuple(values)])
