"""Steps of an intent that has a nonce: signed, broadcast, and replaced or cancelled while it is not mined."""

from keeper.chain.fees import Fees, first_fees, replacement_fees
from keeper.chain.node import CallError, Rpc
from keeper.chain.outbox_queue import estimate
from keeper.chain.outbox_rows import FILL, TRANSFER_GAS, Desk
from keeper.chain.transaction_codec import Transaction, decode, sign_transaction
from keeper.chain.transaction_errors import Refusal, classify
from keeper.observability.logs import logger, working_on
from keeper.store import transaction_store as store
from keeper.store.transaction_store import Attempt, Intent, State


def sign_first(desk: Desk, intent: Intent) -> None:
    """The first attempt. Raises CallError or SigningError."""
    if desk.is_late(intent):
        return desk.drop(intent, "too late: its deadline has passed")
    gas = TRANSFER_GAS if intent.kind == FILL else desk.round.gas.get(intent.id)
    if gas is None:  # reserved before a crash
        gas = estimate(desk, intent)
    fees = first_fees(desk.round.head.base_fee, desk.policy.tip, desk.cap(intent, gas))
    if fees is None:
        return desk.note(intent, "too dear by now", "too_dear")
    return _sign(desk, intent, State.SIGNED, (intent.target, intent.calldata, gas), fees)


def broadcast(desk: Desk, intent: Intent) -> None:
    """Hand the newest bytes over; the same bytes again are harmless."""
    attempt = desk.attempts(intent)[0]
    if intent.state == State.HELD and desk.is_late(intent) and not desk.is_cancel(intent, attempt):
        return _cancel(desk, intent, attempt)
    with desk.begin():  # nobody else sends with this key, now
        pass
    with working_on(tx=attempt.hash):
        refusal = _send(route(desk, intent), attempt)
        if refusal is None:
            return _is_out(desk, intent, attempt)
        return _refused(desk, intent, attempt, refusal)


def chase(desk: Desk, intent: Intent, attempts: list[Attempt]) -> None:
    """Not mined: sent again where it was forgotten, cancelled where it is of no use now, else replaced."""
    newest, number = attempts[0], desk.round.head.number
    if number == newest.head:
        return None
    if desk.is_late(intent) and not desk.is_cancel(intent, newest):
        return _cancel(desk, intent, newest)
    if not newest.broadcast:  # refused as too cheap
        return _replace(desk, intent, newest)
    if number < newest.head + desk.policy.replace_after_blocks:
        return None
    if route(desk, intent) is desk.rpc and _is_forgotten(desk, newest):
        broadcast(desk, intent)
        newest = desk.attempts(intent)[0]
        if newest.broadcast or desk.find(intent.id).state != State.BROADCAST:
            return None
    return _replace(desk, intent, newest)


def route(desk: Desk, intent: Intent) -> Rpc:
    """The relay while what is at stake asks for it and it has not taken too long."""
    relay = desk.relay
    if relay is None or intent.kind == FILL or intent.value_at_risk < relay.minimum_value:
        return desk.rpc
    first = min(attempt.head for attempt in desk.attempts(intent))
    return relay.rpc if desk.round.head.number < first + relay.public_after_blocks else desk.rpc


def _sign(desk: Desk, intent: Intent, state: State, what: tuple[str, str, int], fees: Fees) -> None:
    """One more attempt, kept before it is sent. `what`: target, data, gas."""
    assert intent.nonce is not None  # reserved before
    target, data, gas = what
    transaction = Transaction(desk.chain_id, intent.nonce, fees.tip, fees.max_fee, gas, target, data)
    hash, raw = sign_transaction(transaction, desk.signer)
    epoch = desk.lease.epoch or 0
    attempt = Attempt(
        hash=hash,
        intent=intent.id,
        nonce=intent.nonce,
        raw=raw,
        max_fee=fees.max_fee,
        tip=fees.tip,
        head=desk.round.head.number,
        broadcast=False,
        sender=desk.key,
        epoch=epoch,
    )
    with desk.begin() as connection:
        store.add_attempt(connection, attempt)
        store.change(connection, intent.id, state=state, attempts=intent.attempts + 1, epoch=epoch)


def _send(rpc: Rpc, attempt: Attempt) -> tuple[Refusal, str] | None:
    """None once it is out. Raises NodeError if nobody says."""
    try:
        rpc.send(attempt.raw)
    except CallError as error:
        refusal = classify(error)
        return None if refusal == Refusal.KNOWN else (refusal, error.reason)
    return None


def _is_out(desk: Desk, intent: Intent, attempt: Attempt) -> None:
    with desk.begin() as connection:
        store.mark_taken(connection, attempt.hash, desk.round.head.number)
        store.change(connection, intent.id, state=State.BROADCAST, error="", epoch=desk.lease.epoch)
    desk.meter.broadcast(intent, attempt)


def _refused(desk: Desk, intent: Intent, attempt: Attempt, why: tuple[Refusal, str]) -> None:
    refusal, reason = why
    if refusal == Refusal.FUNDS:  # never at higher fees: that would need even more coins
        if intent.state != State.HELD:
            logger("sender").error("too few coins: send some", sender=desk.address, reason=reason)
            desk.meter.error(intent.lane, "insufficient_funds")
        desk.change(intent, state=State.HELD, error=reason)
    elif refusal == Refusal.UNDERPRICED:  # at higher fees with the next block
        desk.note(intent, reason, "underpriced")
        with desk.begin() as connection:
            store.mark_refused(connection, attempt.hash)
            store.change(connection, intent.id, state=State.BROADCAST, epoch=desk.lease.epoch)
    else:  # the pool is full, a limit: the same bytes again in the next round
        desk.note(intent, reason, "refused")


def _is_forgotten(desk: Desk, attempt: Attempt) -> bool:
    return desk.rpc.request("eth_getTransactionByHash", attempt.hash) is None


def _replace(desk: Desk, intent: Intent, newest: Attempt) -> None:
    before = decode(newest.raw)
    fees = _higher(desk, intent, newest, before.gas)
    if fees is None or intent.attempts >= desk.policy.max_attempts:
        desk.meter.limited(intent, newest)
        return None if newest.broadcast else broadcast(desk, intent)  # as it is: fees may have fallen
    desk.meter.bumped(intent)
    logger("sender").info("replaced", kind=intent.kind, max_fee=fees.max_fee, tip=fees.tip)
    return _sign(desk, intent, State.REPLACED, (before.target, before.data, before.gas), fees)


def _cancel(desk: Desk, intent: Intent, newest: Attempt) -> None:
    """A transfer of nothing to ourselves in its place: a stale payload must not be mined."""
    fees = _higher(desk, intent, newest, TRANSFER_GAS)
    if fees is None:
        return desk.meter.limited(intent, newest)
    logger("sender").warning("cancelling: its deadline has passed", kind=intent.kind, nonce=intent.nonce)
    return _sign(desk, intent, State.CANCELLING, (desk.address, "0x", TRANSFER_GAS), fees)


def _higher(desk: Desk, intent: Intent, newest: Attempt, gas: int) -> Fees | None:
    before, base = Fees(newest.max_fee, newest.tip), desk.round.head.base_fee
    return replacement_fees(before, base, desk.policy.tip, desk.cap(intent, gas))
