"""Claims opened again: what the claim gate takes."""

from typing import Any

from eth_abi.abi import decode

from keeper.liquidation.encoding import CLAIM_ABI


def opened(claim: bytes) -> tuple[Any, ...]:
    """The fields of `IAuctionHouse.Claim`, in order."""
    (fields,) = decode([CLAIM_ABI], claim)
    return tuple(fields)
