# pragma version 0.4.3
"""
@title Pause that ends by itself
@license AGPL-3.0-only
@notice Owner or guardian pause for at most two days. After the end a guardian must wait as long as its last pause was,
        so a guardian alone never holds the protocol for more than half of the time. Only the owner ends a pause early.
        What a pause stops is everything that passes by attestation: trades and withdrawals by headroom, leaf or report.
        What it never stops: deposits, reductions of risk, worst-case trades and withdrawals, settlement, epochs, flags,
        bids and other liquidation, exits from the insurance fund, cancelled orders.
@custom:security Shorter than the Timelock's exit window of at least three days, so no guardian can close the whole of a
        window in which users may leave before a change.
"""

from . import roles

uses: roles


event Paused:
    actor: indexed(address)
    # unix seconds
    until: uint256


event Unpaused:
    actor: indexed(address)


MAX_PAUSE: constant(uint256) = 172_800  # 2 days

# earliest time at which the guardian may pause again
guardian_may_pause_from: public(uint256)


@internal
def _pause(duration: uint256, paused_until: uint256) -> uint256:
    """
    @notice Checks that the caller may pause, and logs.
    @param duration Seconds, at most two days.
    @param paused_until End of the last pause, unix seconds. The importer stores it, in a word that it reads anyway.
    @return End of this one.
    """
    assert 0 < duration and duration <= MAX_PAUSE, "pausing: bad duration"
    until: uint256 = block.timestamp + duration
    if roles._is_guardian():
        assert block.timestamp >= self.guardian_may_pause_from, "pausing: too soon"
        assert until > paused_until, "pausing: shorter than the pause"
        self.guardian_may_pause_from = until + duration
    else:
        roles._check_owner()
    log Paused(actor=msg.sender, until=until)
    return until


@internal
def _unpause() -> uint256:
    """
    @notice Checks that the owner calls, and logs.
    @return The end of the pause: now.
    """
    roles._check_owner()
    log Unpaused(actor=msg.sender)
    return block.timestamp


@internal
@view
def _require_not_paused(paused_until: uint256):
    """
    @notice Reverts while a pause is running.
    """
    assert block.timestamp >= paused_until, "pausing: paused"
