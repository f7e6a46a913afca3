# pragma version 0.4.3
"""
@title Custody: tokens in and out, and the limit on what leaves in an hour
@license AGPL-3.0-only
@notice Amounts are in the token's own decimals. Each token has a bucket that holds what left beyond the exempt part and
        drains by one limit per hour. The exempt part neither fills the bucket nor do deposits empty it: else a borrowed
        deposit taken straight back would either block everybody or clear the bucket for its owner's gains.
"""

from ethereum.ercs import IERC20

from ..interfaces import IVault
from ..units import constants as c

DRAIN_SECONDS: constant(uint256) = 3_600  # 1 hour
LOW_64: constant(uint256) = 2**64 - 1

# In custody, by token: counted, so that a donation changes nothing
_held: HashMap[address, uint256]
# Share of the tokens held that may leave in an hour, WAD
_outflow_share: uint256
# By token: level (192) << 64 | unix seconds of the level
_bucket: HashMap[address, uint256]


@deploy
def __init__(share: uint256):
    self._set_share(share)


@internal
def _set_share(share: uint256):
    assert 0 < share and share <= c.WAD, "custody: bad outflow share"
    self._outflow_share = share


@internal
@view
def _level(token: address, capacity: uint256) -> uint256:
    """
    @notice Level of a token's bucket now.
    """
    bucket: uint256 = self._bucket[token]
    drained: uint256 = (capacity * (block.timestamp - (bucket & LOW_64)) // DRAIN_SECONDS)
    level: uint256 = bucket >> 64
    return level - min(level, drained)


@internal
@view
def _outflow(token: address) -> IVault.Outflow:
    capacity: uint256 = self._held[token] * self._outflow_share // c.WAD
    return IVault.Outflow(share=self._outflow_share, level=self._level(token, capacity), limit=capacity)


@internal
def _receive(token: address, payer: address, amount: uint256):
    """
    @notice Takes tokens; what arrives must be what was asked for.
    """
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    assert extcall IERC20(token).transferFrom(
        payer, self, amount, default_return_value=True
    ), "custody: transfer failed"
    assert (staticcall IERC20(token).balanceOf(self) - before == amount), "custody: amount differs"
    self._held[token] += amount


@internal
def _release(token: address, amount: uint256, exempt: uint256):
    """
    @notice Books tokens out against the limit. The transfer itself comes last, by `_send`.
    @param token Any token in custody.
    @param amount In the token's decimals.
    @param exempt Part of it, at most, that the limit does not count.
    """
    held: uint256 = self._held[token]
    if amount > exempt:
        capacity: uint256 = held * self._outflow_share // c.WAD
        level: uint256 = self._level(token, capacity) + (amount - exempt)
        assert level <= capacity, "custody: outflow limit"
        self._bucket[token] = (level << 64) | block.timestamp
    self._held[token] = held - amount


@internal
def _send(token: address, recipient: address, amount: uint256):
    assert extcall IERC20(token).transfer(recipient, amount, default_return_value=True), "custody: transfer failed"
