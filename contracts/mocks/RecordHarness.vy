# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the record module to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Stateless: nothing to switch off.
"""

from ..interfaces import IMarginGate
from ..risk import record as records


@external
@pure
def pack(record: IMarginGate.Record) -> uint256[3]:
    """
    @notice See `record._pack`.
    """
    return records._pack(record)


@external
@pure
def unpack(words: uint256[3]) -> IMarginGate.Record:
    """
    @notice See `record._unpack`.
    """
    return records._unpack(words)


@external
@pure
def extended(word: uint256, linear: int256, expiry: uint256) -> uint256:
    """
    @notice See `record._extended`.
    """
    return records._extended(word, linear, expiry)
