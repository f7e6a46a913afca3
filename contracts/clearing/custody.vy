# pragma version 0.4.3
"""
@title Custody: tokens in and out, and the limit on what leaves in an hour
@license AGPL-3.0-only
@notice Amounts are in the token's own decimals. Each token has a bucket that holds what left beyond the exempt part and
        drains by one limit per hour. The exempt part neither fills the bucket nor do deposits empty it: else a borrowed
        deposit taken straight back would either block everybody or clear the bucket for its owner's gains.
        A token is trusted with nothing but itself: what a deposit brings is measured, a transfer that says no reverts, and
        what a token takes away of its own accord its owners bear alike.
"""

from ethereum.ercs import IERC20

from ..interfaces import IVault
from ..units import constants as c

DRAIN_SECONDS: constant(uint256) = 3_600  # 1 hour
LOW_64: constant(uint256) = 2**64 - 1
LOW_128: constant(uint256) = 2**128 - 1
SEQ_SHIFT: constant(uint256) = 192
LOSSES: constant(uint256) = 1 << 128

# The settlement token
_TOKEN: immutable(address)

# number of the last event (64) << 192 | something has been lost (1) << 128 | settlement tokens held (128): all that a
# deposit or withdrawal of cash touches in ordinary times
_running: uint256
# Of other tokens in custody, by token. Counted, so that a donation changes nothing
_others: HashMap[address, uint256]
# Share of the tokens held that may leave in an hour, WAD
_outflow_share: uint256
# By token: level (192) << 64 | unix seconds of the level
_bucket: HashMap[address, uint256]


@deploy
def __init__(token: address, share: uint256):
    _TOKEN = token
    self._set_share(share)


@internal
def _set_share(share: uint256):
    assert 0 < share and share <= c.WAD, "custody: bad outflow share"
    self._outflow_share = share


# What is held


@internal
@view
def _held(token: address) -> uint256:
    if token == _TOKEN:
        return self._running & LOW_128
    return self._others[token]


@internal
def _set_held(token: address, amount: uint256):
    """
    @notice Reverts above 2**128 - 1.
    """
    held: uint256 = convert(convert(amount, uint128), uint256)
    if token == _TOKEN:
        self._running = ((self._running >> 128) << 128) | held
    else:
        self._others[token] = held


@internal
@view
def _backed(token: address, amount: uint256) -> uint256:
    """
    @notice What of an amount is there: all of it, unless the token has taken some away since it came (a rebase, a fee on top
            of a transfer). Then every owner gets the same share of what is left, rounded down.
    """
    held: uint256 = self._held(token)
    found: uint256 = staticcall IERC20(token).balanceOf(self)
    if found >= held:
        return amount
    return amount * found // held


@internal
@view
def _stray(token: address) -> uint256:
    """
    @notice What has arrived without being booked.
    """
    found: uint256 = staticcall IERC20(token).balanceOf(self)
    return found - min(found, self._held(token))


# In and out


@internal
def _receive(token: address, payer: address, amount: uint256):
    """
    @notice Takes tokens; what arrives must be what was asked for. Where some of what came before is gone, none is taken:
            it would pay for what others have lost.
    """
    held: uint256 = self._held(token)
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    assert before >= held, "custody: token has shrunk"
    assert extcall IERC20(token).transferFrom(
        payer, self, amount, default_return_value=True
    ), "custody: transfer failed"
    assert (staticcall IERC20(token).balanceOf(self) - before == amount), "custody: amount differs"
    self._set_held(token, held + amount)


@internal
def _release(token: address, amount: uint256, exempt: uint256):
    """
    @notice Books tokens out against the limit. The transfer itself comes last, by `_send`.
    @param token Any token in custody.
    @param amount In the token's decimals.
    @param exempt Part of it, at most, that the limit does not count.
    """
    held: uint256 = self._held(token)
    if amount > exempt:
        capacity: uint256 = held * self._outflow_share // c.WAD
        level: uint256 = self._level(token, capacity) + (amount - exempt)
        assert level <= capacity, "custody: outflow limit"
        self._bucket[token] = (level << 64) | block.timestamp
    self._set_held(token, held - amount)


@internal
def _send(token: address, recipient: address, amount: uint256):
    assert extcall IERC20(token).transfer(recipient, amount, default_return_value=True), "custody: transfer failed"


# The limit


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
    capacity: uint256 = self._held(token) * self._outflow_share // c.WAD
    return IVault.Outflow(share=self._outflow_share, level=self._level(token, capacity), limit=capacity)


# What shares the word


@internal
@view
def _has_losses() -> bool:
    """
    @notice Whether something has been lost, given or put at risk: see `shortfall.vy`.
    """
    return self._running & LOSSES != 0


@internal
def _set_losses(any: bool):
    running: uint256 = self._running & ~LOSSES
    if any:
        running |= LOSSES
    self._running = running


@internal
@view
def _seq() -> uint64:
    """
    @notice Number of the last event.
    """
    return convert(self._running >> SEQ_SHIFT, uint64)


@internal
def _next_seq() -> uint64:
    """
    @notice Number of the next event: a gap proves a missing event.
    """
    running: uint256 = self._running + (1 << SEQ_SHIFT)
    self._running = running
    return convert(running >> SEQ_SHIFT, uint64)
