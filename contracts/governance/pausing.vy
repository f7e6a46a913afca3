# pragma version 0.4.3
"""
@title Pause that ends by itself
@license AGPL-3.0-only
@notice Owner or guardian pause for at most seven days. After the end a guardian must wait as long as its last pause was,
        so a guardian alone never holds the protocol for more than half of the time. Only the owner ends a pause early.
"""

from . import roles

uses: roles


event Paused:
    actor: indexed(address)
    # unix seconds
    until: uint256


event Unpaused:
    actor: indexed(address)


MAX_PAUSE: constant(uint256) = 604_800  # 7 days

# unix seconds; in the past: not paused
paused_until: public(uint256)
# earliest time at which the guardian may pause again
guardian_may_pause_from: public(uint256)


@external
def pause(duration: uint256):
    """
    @notice Pauses from now on.
    @param duration Seconds, at most seven days.
    """
    assert 0 < duration and duration <= MAX_PAUSE, "pausing: bad duration"
    until: uint256 = block.timestamp + duration
    if roles._is_guardian():
        assert (block.timestamp >= self.guardian_may_pause_from), "pausing: too soon"
        assert until > self.paused_until, "pausing: shorter than the pause"
        self.guardian_may_pause_from = until + duration
    else:
        roles._check_owner()
    self.paused_until = until
    log Paused(actor=msg.sender, until=until)


@external
def unpause():
    """
    @notice Ends a pause early. Only the owner.
    """
    roles._check_owner()
    self.paused_until = block.timestamp
    log Unpaused(actor=msg.sender)


@internal
@view
def _require_not_paused():
    """
    @notice Reverts while a pause is running.
    """
    assert block.timestamp >= self.paused_until, "pausing: paused"
