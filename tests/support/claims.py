"""Claims opened again: what the claim gate takes."""

from typing import Any

from eth_abi.abi import decode

from keeper.liquidation.encoding import CLAIM_ABI

# of `IAuctionHouse.Claim`, in order: as a keeper's API names them
CLAIM_FIELDS = (
    "instruments",
    "way",
    "leaf",
    "path",
    "epoch",
    "deadline",
    "signatures",
    "changes",
    "units",
    "unitPaths",
)


def opened(claim: bytes) -> tuple[Any, ...]:
    """The fields of `IAuctionHouse.Claim`, in order."""
    (fields,) = decode([CLAIM_ABI], claim)
    return tuple(fields)
