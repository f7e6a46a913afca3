# pragma version 0.4.3
"""
@title Owner and guardian
@license AGPL-3.0-only
@notice The owner sets parameters, the guardian may only pause. The deployer owns until it hands over to the Timelock;
        from then on every change of owner passes the Timelock's delay.
@dev `ownable` is initialised here. `renounce_ownership` is deliberately not exported: it would freeze the parameters.
"""

# one owner; two steps would need a delayed acceptance for nothing, as the Timelock is the only owner that lasts
from snekmate.auth import ownable

initializes: ownable

exports: (
    ownable.owner,
    ownable.transfer_ownership,
)


event GuardianSet:
    guardian: indexed(address)


guardian: public(address)


@deploy
def __init__():
    ownable.__init__()


@external
def set_guardian(guardian: address):
    """
    @notice Names who may pause. The zero address: nobody but the owner.
    @param guardian New guardian.
    """
    ownable._check_owner()
    self.guardian = guardian
    log GuardianSet(guardian=guardian)


@internal
def _check_owner():
    """
    @notice Reverts unless the owner calls.
    """
    ownable._check_owner()


@internal
@view
def _is_guardian() -> bool:
    """
    @notice Whether the guardian calls.
    """
    return msg.sender == self.guardian
