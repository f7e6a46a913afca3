# pragma version 0.4.3
"""
@title An account's record in three words
@license AGPL-3.0-only
@notice epoch (40) << 216 | marginal (40, 1e-9, up) << 176 | initial margin (88, up) << 88 | maintenance margin (88, up)
        U (128, WAD) << 128 | mark less Q (int128, WAD)
        largest added stand-alone margin (88, down) << 168 | changes (48) << 120 | earliest expiry (40) << 80
        | linear value (int80, down)
        Amounts without a unit are 1e-8 USD. They are rounded against the account.
"""

from ..interfaces import IMarginGate

EPOCH_SHIFT: constant(uint256) = 216
MARGINAL_SHIFT: constant(uint256) = 176
INITIAL_SHIFT: constant(uint256) = 88
REACH_SHIFT: constant(uint256) = 168
CHANGES_SHIFT: constant(uint256) = 120
EXPIRY_SHIFT: constant(uint256) = 80
LINEAR_SHIFT: constant(uint256) = 176  # moves the sign bit of an int80 to the top
LOW_128: constant(uint256) = 2**128 - 1
LOW_88: constant(uint256) = 2**88 - 1
LOW_80: constant(uint256) = 2**80 - 1
LOW_48: constant(uint256) = 2**48 - 1
LOW_40: constant(uint256) = 2**40 - 1
UNIT: constant(uint256) = 10**10  # WAD per 1e-8
SIGNED_UNIT: constant(int256) = 10**10
MARGINAL_UNIT: constant(uint256) = 10**9  # WAD per 1e-9


@internal
@pure
def _pack(record: IMarginGate.Record) -> uint256[3]:
    """
    @notice The three words; reverts where a number does not fit, but for the reach, which is cut to what does.
    """
    assert (
        convert(record.epoch, uint256) <= LOW_40 and record.changes <= LOW_48 and record.expiry <= LOW_40
    ), "record: too large"
    return [
        (convert(record.epoch, uint256) << EPOCH_SHIFT)
        | (self._up(record.marginal, MARGINAL_UNIT, LOW_40) << MARGINAL_SHIFT)
        | (self._up(record.initialMargin, UNIT, LOW_88) << INITIAL_SHIFT)
        | self._up(record.maintenanceMargin, UNIT, LOW_88),
        self._pair(record.addedIM, record.markBase),
        (min(record.maxAddedIM // UNIT, LOW_88) << REACH_SHIFT)
        | (record.changes << CHANGES_SHIFT)
        | (record.expiry << EXPIRY_SHIFT)
        | self._narrow(self._down(record.linear)),
    ]


@internal
@pure
def _unpack(words: uint256[3]) -> IMarginGate.Record:
    """
    @notice The record of three words.
    """
    return IMarginGate.Record(
        epoch=self._epoch(words),
        marginal=((words[0] >> MARGINAL_SHIFT) & LOW_40) * MARGINAL_UNIT,
        initialMargin=((words[0] >> INITIAL_SHIFT) & LOW_88) * UNIT,
        addedIM=words[1] >> 128,
        markBase=self._signed(words[1]),
        maintenanceMargin=(words[0] & LOW_88) * UNIT,
        maxAddedIM=(words[2] >> REACH_SHIFT) * UNIT,
        changes=(words[2] >> CHANGES_SHIFT) & LOW_48,
        expiry=(words[2] >> EXPIRY_SHIFT) & LOW_40,
        linear=self._linear(words[2]) * SIGNED_UNIT,
    )


@internal
@pure
def _epoch(words: uint256[3]) -> uint64:
    """
    @notice The epoch of a record, 0 where there is none.
    """
    return convert(words[0] >> EPOCH_SHIFT, uint64)


@internal
@pure
def _extended(word: uint256, linear: int256, expiry: uint256) -> uint256:
    """
    @notice The third word after something was added to the book.
    @param word Before.
    @param linear Added to the lower bound of perps and futures, WAD.
    @param expiry Of what was added, unix seconds; 2**40 - 1 or more: none.
    """
    earliest: uint256 = (word >> EXPIRY_SHIFT) & LOW_40
    changed: uint256 = word
    if expiry < earliest:
        changed = (word & ~(LOW_40 << EXPIRY_SHIFT)) | (expiry << EXPIRY_SHIFT)
    if linear != 0:
        changed = (changed & ~LOW_80) | self._narrow(self._linear(word) + self._down(linear))
    return changed


@internal
@pure
def _signed(word: uint256) -> int256:
    """
    @notice The low 128 bits as a signed number.
    """
    return convert(convert(word << 128, bytes32), int256) >> 128


@internal
@pure
def _linear(word: uint256) -> int256:
    """
    @notice The low 80 bits as a signed number.
    """
    return convert(convert(word << LINEAR_SHIFT, bytes32), int256) >> LINEAR_SHIFT


@internal
@pure
def _narrow(amount: int256) -> uint256:
    """
    @notice A signed number as its low 80 bits; reverts where it does not fit.
    """
    narrow: int80 = convert(amount, int80)
    return convert(convert(convert(narrow, int256), bytes32), uint256) & LOW_80


@internal
@pure
def _up(amount: uint256, unit: uint256, limit: uint256) -> uint256:
    """
    @notice amount / unit rounded up; reverts above the limit.
    """
    units: uint256 = amount // unit
    if units * unit != amount:
        units += 1
    assert units <= limit, "record: too large"
    return units


@internal
@pure
def _down(amount: int256) -> int256:
    """
    @notice WAD in 1e-8, rounded towards minus infinity.
    """
    units: int256 = amount // SIGNED_UNIT
    if units * SIGNED_UNIT > amount:
        units -= 1
    return units


@internal
@pure
def _pair(high: uint256, low: int256) -> uint256:
    """
    @notice An unsigned 128-bit number above a signed one; reverts where either does not fit.
    """
    narrow: int128 = convert(low, int128)
    lower: uint256 = (convert(convert(convert(narrow, int256), bytes32), uint256) & LOW_128)
    return (convert(convert(high, uint128), uint256) << 128) | lower
