# pragma version 0.4.3
"""
@title Timelock
@license AGPL-3.0-only
@notice Owner of every contract after deployment: a parameter or a module changes only after a public delay that is never
        shorter than the exit window, so that whoever disagrees can leave first. It administers itself: proposers,
        executors and the delay change only through it. What nobody executed for fourteen days lapses.
@custom:security Proposers may also cancel. An executor that is the zero address lets anyone execute what is due. The exit
        window is fixed for ever. It should be longer than a guardian's longest pause (see `pausing.vy`): else a pause
        could cover all of it.
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
)

MAX_CALLS: constant(uint256) = 255  # of a batch, as of the controller
MAX_PAYLOAD: constant(uint256) = 1_024  # bytes of a call, likewise
MAX_EXIT_WINDOW: constant(uint256) = 2_592_000  # 30 days
MAX_DELAY: constant(uint256) = 7_776_000  # 90 days: more would end governance

# how long what is due may be executed, seconds
GRACE_PERIOD: public(constant(uint256)) = 1_209_600  # 14 days
# least delay for ever, seconds
EXIT_WINDOW: public(immutable(uint256))


@deploy
def __init__(
    exit_window: uint256,
    minimum_delay: uint256,
    proposers: DynArray[address, MAX_CALLS],
    executors: DynArray[address, MAX_CALLS],
):
    """
    @notice Grants the roles; no account administers the timelock but itself.
    @param exit_window Seconds below which the delay never goes, at most 30 days.
    @param minimum_delay Seconds between scheduling and execution, at most 90 days.
    @param proposers May schedule and cancel.
    @param executors May execute what is due; the zero address: anyone.
    """
    assert 0 < exit_window and exit_window <= MAX_EXIT_WINDOW, "timelock: bad exit window"
    assert len(proposers) != 0, "timelock: no proposer"
    assert len(executors) != 0, "timelock: no executor"
    EXIT_WINDOW = exit_window
    self._check_delay(minimum_delay, exit_window)
    access_control.__init__()
    timelock_controller.__init__(minimum_delay, proposers, executors, empty(address))


@external
@payable
def execute(
    target: address,
    amount: uint256,
    payload: Bytes[MAX_PAYLOAD],
    predecessor: bytes32,
    salt: bytes32,
):
    """
    @notice Makes a scheduled call that is due.
    @param target Called contract.
    @param amount Ether sent along, wei.
    @param payload Calldata.
    @param predecessor Operation that must be done before; zero: none.
    @param salt As scheduled.
    """
    timelock_controller._only_role_or_open_role(timelock_controller.EXECUTOR_ROLE)
    id: bytes32 = timelock_controller._hash_operation(target, amount, payload, predecessor, salt)
    self._check_due(id, predecessor)
    timelock_controller._execute(target, amount, payload)
    log timelock_controller.CallExecuted(id=id, index=0, target=target, amount=amount, payload=payload)
    timelock_controller._after_call(id)


@external
@payable
def execute_batch(
    targets: DynArray[address, MAX_CALLS],
    amounts: DynArray[uint256, MAX_CALLS],
    payloads: DynArray[Bytes[MAX_PAYLOAD], MAX_CALLS],
    predecessor: bytes32,
    salt: bytes32,
):
    """
    @notice Makes scheduled calls that are due, all or none.
    @param targets Called contracts, in order.
    @param amounts Ether sent along, wei.
    @param payloads Calldata.
    @param predecessor Operation that must be done before; zero: none.
    @param salt As scheduled.
    """
    timelock_controller._only_role_or_open_role(timelock_controller.EXECUTOR_ROLE)
    assert len(targets) == len(amounts) and len(targets) == len(payloads), "timelock: length mismatch"
    id: bytes32 = timelock_controller._hash_operation_batch(targets, amounts, payloads, predecessor, salt)
    self._check_due(id, predecessor)
    index: uint256 = 0
    for target: address in targets:
        timelock_controller._execute(target, amounts[index], payloads[index])
        log timelock_controller.CallExecuted(
            id=id, index=index, target=target, amount=amounts[index], payload=payloads[index]
        )
        index += 1
    timelock_controller._after_call(id)


@external
def update_delay(new_delay: uint256):
    """
    @notice Changes the delay of what is scheduled from now on. Only through the timelock itself.
    @param new_delay From the exit window to 90 days, seconds.
    """
    assert msg.sender == self, "timelock: not the timelock"
    self._check_delay(new_delay, EXIT_WINDOW)
    log timelock_controller.MinimumDelayChange(
        old_duration=timelock_controller.get_minimum_delay, new_duration=new_delay
    )
    timelock_controller.get_minimum_delay = new_delay


@internal
@view
def _check_due(id: bytes32, predecessor: bytes32):
    """
    @notice Reverts unless the operation is due and has not lapsed. A lapsed one is cancelled before it is scheduled anew.
    """
    timelock_controller._before_call(id, predecessor)
    due: uint256 = timelock_controller.get_timestamp[id]
    assert block.timestamp <= due + GRACE_PERIOD, "timelock: operation has lapsed"


@internal
@pure
def _check_delay(delay: uint256, exit_window: uint256):
    assert exit_window <= delay, "timelock: delay below the exit window"
    assert delay <= MAX_DELAY, "timelock: delay above 90 days"
