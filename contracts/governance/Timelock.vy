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

exports: (
    timelock_controller.CANCELLER_ROLE,
    timelock_controller.DEFAULT_ADMIN_ROLE,
    timelock_controller.EXECUTOR_ROLE,
    timelock_controller.IERC1155_TOKENRECEIVER_BATCH_SELECTOR,
    timelock_controller.IERC1155_TOKENRECEIVER_SINGLE_SELECTOR,
    timelock_controller.IERC721_TOKENRECEIVER_SELECTOR,
    timelock_controller.PROPOSER_ROLE,
    timelock_controller.cancel,
    timelock_controller.execute,
    timelock_controller.execute_batch,
    timelock_controller.getRoleAdmin,
    timelock_controller.get_minimum_delay,
    timelock_controller.get_operation_state,
    timelock_controller.get_timestamp,
    timelock_controller.grantRole,
    timelock_controller.hasRole,
    timelock_controller.hash_operation,
    timelock_controller.hash_operation_batch,
    timelock_controller.is_operation,
    timelock_controller.is_operation_done,
    timelock_controller.is_operation_pending,
    timelock_controller.is_operation_ready,
    timelock_controller.onERC1155BatchReceived,
    timelock_controller.onERC1155Received,
    timelock_controller.onERC721Received,
    timelock_controller.renounceRole,
    timelock_controller.revokeRole,
    timelock_controller.schedule,
    timelock_controller.schedule_batch,
    timelock_controller.set_role_admin,
    timelock_controller.supportsInterface,
    timelock_controller.update_delay,
)


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
