# pragma version 0.4.3
"""
@title An account's record in four words
@license AGPL-3.0-only
@notice epoch (64) << 192 | marginal (64) << 128 | initial margin (128)
        U (128) << 128 | mark less Q (int128)
        maintenance margin (128) << 128 | largest added stand-alone margin (128)
        changes (48) << 168 | earliest expiry (40) << 128 | linear value (int128)
"""

from ..interfaces import IMarginGate

LOW_128: constant(uint256) = 2**128 - 1
LOW_64: constant(uint256) = 2**64 - 1
LOW_40: constant(uint256) = 2**40 - 1


@internal
@pure
def _pack(record: IMarginGate.Record) -> uint256[4]:
    """
    @notice The four words; reverts where a number does not fit. `changes` (48) and `expiry` (40) come from narrower fields.
    """
    return [
        (convert(record.epoch, uint256) << 192)
        | (convert(convert(record.marginal, uint64), uint256) << 128)
        | convert(convert(record.initialMargin, uint128), uint256),
        self._pair(record.addedIM, record.markBase),
        (convert(convert(record.maintenanceMargin, uint128), uint256) << 128)
        | convert(convert(record.maxAddedIM, uint128), uint256),
        self._pair((record.changes << 40) | (record.expiry & LOW_40), record.linear),
    ]


@internal
@pure
def _unpack(words: uint256[4]) -> IMarginGate.Record:
    """
    @notice The record of four words.
    """
    return IMarginGate.Record(
        epoch=convert(words[0] >> 192, uint64),
        marginal=(words[0] >> 128) & LOW_64,
        initialMargin=words[0] & LOW_128,
        addedIM=words[1] >> 128,
        markBase=self._signed(words[1]),
        maintenanceMargin=words[2] >> 128,
        maxAddedIM=words[2] & LOW_128,
        changes=words[3] >> 168,
        expiry=(words[3] >> 128) & LOW_40,
        linear=self._signed(words[3]),
    )


@internal
@pure
def _signed(word: uint256) -> int256:
    """
    @notice The low 128 bits as a signed number.
    """
    return convert(convert(word << 128, bytes32), int256) >> 128


@internal
@pure
def _pair(high: uint256, low: int256) -> uint256:
    """
    @notice An unsigned 128-bit number above a signed one.
    """
    narrow: int128 = convert(low, int128)
    lower: uint256 = (convert(convert(convert(narrow, int256), bytes32), uint256) & LOW_128)
    return (convert(convert(high, uint128), uint256) << 128) | lower
