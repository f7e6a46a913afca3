# pragma version 0.4.3
"""
@title Custody: tokens in and out, and the limit on what leaves in an hour
@license AGPL-3.0-only
@notice Amounts are in the token's own decimals; cash is WAD. The bucket holds what left beyond the exempt part and
        drains by one limit per hour. The exempt part neither fills the bucket nor do deposits empty it: else a borrowed
        deposit taken straight back would either block everybody or clear the bucket for its owner's gains.
"""

from ethereum.ercs import IERC20

from ..interfaces import IClearinghouse
from ..units import constants as c

DRAIN_SECONDS: constant(uint256) = 3_600  # 1 hour
LOW_64: constant(uint256) = 2**64 - 1

# The settlement token and WAD per smallest unit of it
TOKEN: immutable(IERC20)
DECIMALS: immutable(uint8)
SCALE: immutable(uint256)
# In custody, the token's decimals: counted, so that a donation changes nothing
_held: uint256
# Share of the tokens held that may leave in an hour, WAD
_outflow_share: uint256
# level (192) << 64 | unix seconds of the level
_bucket: uint256


@deploy
def __init__(token: IERC20, decimals: uint8, share: uint256):
    assert token.address != empty(address), "custody: zero token"
    assert decimals <= 18, "custody: more than 18 decimals"
    TOKEN = token
    DECIMALS = decimals
    SCALE = 10**convert(18 - decimals, uint256)
    self._set_share(share)


@internal
def _set_share(share: uint256):
    assert 0 < share and share <= c.WAD, "custody: bad outflow share"
    self._outflow_share = share


@internal
@view
def _limit() -> uint256:
    return self._held * self._outflow_share // c.WAD


@internal
@view
def _level(capacity: uint256) -> uint256:
    """
    @notice Level of the bucket now.
    """
    bucket: uint256 = self._bucket
    drained: uint256 = (capacity * (block.timestamp - (bucket & LOW_64)) // DRAIN_SECONDS)
    level: uint256 = bucket >> 64
    return level - min(level, drained)


@internal
@view
def _outflow() -> IClearinghouse.Outflow:
    capacity: uint256 = self._limit()
    return IClearinghouse.Outflow(
        decimals=DECIMALS,
        share=self._outflow_share,
        level=self._level(capacity),
        limit=capacity,
    )


@internal
def _receive(amount: uint256):
    """
    @notice Takes tokens from the caller; what arrives must be what was asked for.
    """
    before: uint256 = staticcall TOKEN.balanceOf(self)
    assert extcall TOKEN.transferFrom(msg.sender, self, amount, default_return_value=True), "custody: transfer failed"
    assert (staticcall TOKEN.balanceOf(self) - before == amount), "custody: amount differs"
    self._held += amount


@internal
def _release(amount: uint256, exempt: uint256):
    """
    @notice Books tokens out against the limit. The transfer itself comes last, by `_send`.
    @param amount In the token's decimals.
    @param exempt Part of it, at most, that the limit does not count.
    """
    if amount > exempt:
        capacity: uint256 = self._limit()
        level: uint256 = self._level(capacity) + (amount - exempt)
        assert level <= capacity, "custody: outflow limit"
        self._bucket = (level << 64) | block.timestamp
    self._held -= amount


@internal
def _send(recipient: address, amount: uint256):
    assert extcall TOKEN.transfer(recipient, amount, default_return_value=True), "custody: transfer failed"
