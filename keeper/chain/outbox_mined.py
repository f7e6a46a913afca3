"""What became of a nonce: mined by us or by somebody else, final, or undone by a reorg."""

from typing import Any

from keeper.chain.node import BlockRef
from keeper.chain.nonce_use import MAX_DEPTH, user_of
from keeper.chain.outbox_flight import chase
from keeper.chain.outbox_rows import FILL, Desk
from keeper.observability.logs import logger
from keeper.store import transaction_store as store
from keeper.store.transaction_store import Attempt, Intent, State

_BURIED = 2  # blocks after which every node has the receipts of a block
_DAY = 86_400


def confirm(desk: Desk, intent: Intent) -> None:
    """By mined nonce: then one of the attempts was mined, or somebody else used the nonce."""
    assert intent.nonce is not None
    attempts = desk.attempts(intent)
    if desk.round.mined <= intent.nonce:
        return chase(desk, intent, attempts)
    for attempt in attempts:
        receipt = desk.rpc.receipt(attempt.hash)
        if receipt is not None:
            return _mined(desk, intent, attempt, receipt)
    return _look_for_user(desk, intent, attempts)


def reopen(desk: Desk, checked: BlockRef | None) -> None:
    """What is no longer mined where it was, because its block was replaced, is on its way again.

    checked: the head up to which this is known.
    """
    head = desk.round.head
    with desk.database.read() as connection:
        mined = store.mined_since(connection, desk.key, _first_doubtful(desk, checked))
    for intent in mined:
        _reconsider(desk, intent)
    with desk.begin() as connection:
        store.finish(connection, desk.key, head.number - desk.policy.final_blocks)


def fill_holes(desk: Desk) -> None:
    """A nonce below ours that nobody uses would hold all of ours up for ever: a transfer of nothing fills
    it."""
    first = desk.round.mined
    taken = {i.nonce for i in desk.flying() if i.nonce is not None and i.nonce >= first}
    holes = sorted(set(range(first, max(taken, default=first))) - taken)
    for nonce in holes:
        logger("sender").warning("filling a hole", sender=desk.address, nonce=nonce)
        with desk.begin() as connection:
            store.add(connection, _filler(desk, nonce))


def _mined(desk: Desk, intent: Intent, attempt: Attempt, receipt: dict[str, Any]) -> None:
    """Booked once, with the change of state. After a reorg the same transaction is booked again: an error on
    the careful side."""
    state = State.CONFIRMED if int(receipt["status"], 16) else State.REVERTED
    if desk.is_cancel(intent, attempt):
        state = State.CANCELLED
    block, gas = int(receipt["blockNumber"], 16), int(receipt["gasUsed"], 16)
    cost = gas * int(receipt.get("effectiveGasPrice", hex(attempt.max_fee)), 16)
    day, epoch = desk.round.head.timestamp // _DAY, desk.lease.epoch
    with desk.begin() as connection:
        store.change(
            connection, intent.id, state=state, block_number=block, gas_used=gas, error="", epoch=epoch
        )
        store.spend(connection, day, desk.key, intent.lane, cost)
        spent = store.spent(connection, day, desk.key, intent.lane)
    desk.meter.mined(intent, attempt, state, block)
    desk.meter.gas(intent.lane, spent, desk.policy.budget(intent.lane))
    log = logger("sender").info if state == State.CONFIRMED else logger("sender").warning
    log(str(state), kind=intent.kind, mined_in=block, gas=gas, cost=cost)


def _look_for_user(desk: Desk, intent: Intent, attempts: list[Attempt]) -> None:
    """The nonce is used and there is no receipt: somebody else's transaction took it, or a node counts before
    it knows receipts, or hides them. The block says."""
    assert intent.nonce is not None
    head = desk.round.head
    if desk.rpc.nonce(desk.address, max(0, head.number - _BURIED)) <= intent.nonce:
        return None
    found = user_of(desk.rpc, desk.address, intent.nonce, head.number)
    if found in {attempt.hash for attempt in attempts}:
        return desk.note(intent, "mined, but no node has its receipt", "no_receipt")
    if found is None and head.number < attempts[0].head + MAX_DEPTH:
        return desk.note(intent, "its nonce is used, and no node says by what", "no_user")
    reason = f"another transaction took nonce {intent.nonce}: {found or 'unknown'}"
    logger("sender").error("somebody else sends with this key", sender=desk.address, reason=reason)
    desk.meter.error(intent.lane, "foreign_nonce")
    return desk.change(intent, state=State.LOST, block_number=head.number, error=reason)


def _reconsider(desk: Desk, intent: Intent) -> None:
    if intent.state == State.LOST:
        is_undone = intent.nonce is not None and desk.round.mined <= intent.nonce
    else:
        receipts = [desk.rpc.receipt(attempt.hash) for attempt in desk.attempts(intent)]
        is_undone = intent.block_number not in [int(r["blockNumber"], 16) for r in receipts if r]
    if is_undone:
        logger("sender").warning("reorged", kind=intent.kind, was_in=intent.block_number)
        desk.change(intent, state=State.REORGED, block_number=None, gas_used=None)


def _first_doubtful(desk: Desk, checked: BlockRef | None) -> int:
    """Up to the head that was checked last nothing has changed, if the node still has that block."""
    deepest = desk.round.head.number - desk.policy.final_blocks
    if checked is None or checked.number < deepest:
        return deepest
    known = desk.rpc.block(checked.number)
    return checked.number + 1 if known is not None and known.hash == checked.hash else deepest


def _filler(desk: Desk, nonce: int) -> Intent:
    head = desk.round.head
    return Intent(
        id=f"{FILL}:{desk.key}:{nonce}:{head.number}",
        kind=FILL,
        target=desk.address,
        calldata="0x",
        state=State.RESERVED,
        attempts=0,
        nonce=nonce,
        error="",
        created_at=head.timestamp,
        block_number=None,
        gas_used=None,
        sender=desk.key,
        lane="housekeeping",
        epoch=desk.lease.epoch or 0,
    )
