# pragma version 0.4.3
"""
@title Timelock
@license AGPL-3.0-only
@notice Owner of every contract after deployment: a parameter changes only after a public delay. It administers itself:
        proposers, executors and the delay change only through it.
@custom:security Proposers may also cancel. An executor that is the zero address lets anyone execute what is due.
@custom:kill Cannot be switched off; without proposers the parameters stay as they are.
"""

# roles of the timelock
from snekmate.auth import access_control

initializes: access_control

# the delay
from snekmate.governance import timelock_controller

initializes: timelock_controller[access_control := access_control]

exports: timelock_controller.__interface__


@deploy
def __init__(
    minimum_delay: uint256,
    proposers: DynArray[address, 255],
    executors: DynArray[address, 255],
):
    """
    @notice Grants the roles; no account administers the timelock but itself.
    @param minimum_delay Seconds between scheduling and execution.
    @param proposers May schedule and cancel.
    @param executors May execute what is due; the zero address: anyone.
    """
    assert len(proposers) != 0, "timelock: no proposer"
    access_control.__init__()
    timelock_controller.__init__(minimum_delay, proposers, executors, empty(address))
