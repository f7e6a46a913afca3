"""What callers present to a margin check, as contract arguments.

The leaf and its path travel as bytes, and so does what the accounts of a transaction share: only the gate
opens them.
"""

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode

from keeper.attestation.typed_data import InstrumentLeaf, MarginLeaf
from keeper.units.constants import WAY_HEADROOM, WAY_WORST_CASE

Evidence = tuple[int, bytes]
Signatures = tuple[int, Sequence[tuple[bytes, int]]]

NO_EVIDENCE: Evidence = (WAY_HEADROOM, b"")
NO_STATEMENT = b""
NO_SIGNATURES: Signatures = (0, ())

# MarginLeaf and InstrumentLeaf as ABI tuples
LEAF_ABI = "(uint256,uint128,int128,bytes32,int128,uint128,uint128,int128,uint128,uint64,uint128,bytes32)"
INSTRUMENT_ABI = "(uint128,uint128,uint128,uint128,uint128,uint128)"
_PROOF = f"(uint128[],{LEAF_ABI},bytes32[])"
_STATEMENT = f"(uint64,uint64,(uint256,(bytes32,uint256)[]),{INSTRUMENT_ABI}[],bytes32[][])"


def encode_evidence(
    way: int, instruments: Sequence[int] = (), leaf: MarginLeaf | None = None, path: Sequence[bytes] = ()
) -> Evidence:
    """How one account passes.

    Args:
        way: WAY_* of the constants.
        instruments: its whole book after the action, ascending; ignored by the ways that need none.
        leaf: for a leaf or a report.
        path: for a leaf: from it to the epoch's root.
    """
    if leaf is not None:
        return way, encode([_PROOF], [(list(instruments), leaf.values(), list(path))])
    if way == WAY_WORST_CASE:
        return way, encode(["uint128[]"], [list(instruments)])
    return way, b""


def encode_statement(
    epoch: int = 0,
    deadline: int = 0,
    signatures: Signatures = NO_SIGNATURES,
    instruments: Sequence[InstrumentLeaf] = (),
    paths: Sequence[Sequence[bytes]] = (),
) -> bytes:
    """What all accounts of one transaction share.

    Args:
        epoch: that the leaves, reports and instrument leaves belong to.
        deadline: of the reports, unix seconds.
        signatures: (bitmap, compact signatures) over the reports.
        instruments: leaves of the traded instruments in the order of the legs, or none.
        paths: of each instrument leaf to the epoch's root.
    """
    bitmap, compact = signatures
    shown: tuple[Any, ...] = (
        epoch,
        deadline,
        (bitmap, list(compact)),
        [leaf.values() for leaf in instruments],
        [list(path) for path in paths],
    )
    return encode([_STATEMENT], [shown])
