"""Steps of an intent before anything of it is out: simulated, then given a nonce."""

from keeper.chain.fees import first_fees
from keeper.chain.outbox_rows import Desk
from keeper.chain.transaction_codec import decode
from keeper.observability.logs import logger
from keeper.store import transaction_store as store
from keeper.store.transaction_store import Intent, State

_GAS_MARGIN = (5, 4)  # of the estimate
_DAY = 86_400
_TOO_LATE = "too late: its deadline has passed"
_SHOWN = 74  # characters of calldata in a log line: selector and first word


def simulate(desk: Desk, intent: Intent) -> None:
    """Call on top of the pending block: a transaction that would fail is never sent. Raises CallError."""
    if desk.is_late(intent):
        desk.drop(intent, _TOO_LATE)
    elif intent.cooldown_until <= desk.round.head.timestamp and not _is_cooling_down(desk, intent):
        desk.rpc.request("eth_call", call_of(desk, intent), "pending")
        desk.change(intent, state=State.SIMULATED)


def reserve(desk: Desk, intent: Intent) -> None:
    """A nonce, if there is room for another transaction, it is worth its gas and the budget allows it. Raises
    CallError."""
    if desk.is_late(intent):
        return desk.drop(intent, _TOO_LATE)
    if desk.policy.dry_run:
        what = {"kind": intent.kind, "to": intent.target, "data": intent.calldata[:_SHOWN]}
        logger("sender").warning("dry run: would be sent", sender=desk.address, **what)
        return desk.drop(intent, "dry run: nothing is sent; set transactions.dry_run = false to send")
    flying = desk.flying()
    if len(flying) >= desk.policy.room(intent.priority):
        return None
    gas = estimate(desk, intent)
    cap = desk.policy.cap(intent.value_at_risk, gas)
    fees = first_fees(desk.round.head.base_fee, desk.policy.tip, cap)
    if fees is None:
        return desk.note(intent, "too dear: gas costs more than it is worth", "too_dear")
    if not _is_affordable(desk, intent, gas * fees.max_fee, flying):
        return desk.note(intent, f"gas budget of lane {intent.lane} is spent for today", "gas_budget")
    with desk.begin() as connection:
        nonce = store.next_nonce(connection, desk.key, desk.round.mined)
        store.change(
            connection, intent.id, nonce=nonce, state=State.RESERVED, error="", epoch=desk.lease.epoch
        )
    desk.round.gas[intent.id] = gas
    return None


def estimate(desk: Desk, intent: Intent) -> int:
    """Gas with a margin: storage that is cold by then costs more. Raises CallError."""
    found = int(desk.rpc.request("eth_estimateGas", call_of(desk, intent), "pending"), 16)
    return min(found * _GAS_MARGIN[0] // _GAS_MARGIN[1], desk.policy.gas_limit)


def call_of(desk: Desk, intent: Intent) -> dict[str, str]:
    """The intent as a call."""
    return {"from": desk.address, "to": intent.target, "data": intent.calldata}


def _is_cooling_down(desk: Desk, intent: Intent) -> bool:
    """After transactions like it that were mined and reverted, the next one waits, twice as long each time:
    what simulates well and fails on chain would spend gas for ever."""
    if intent.id.count(":") < 2:  # kind and number: each is about something else
        return False
    stem = intent.id[: intent.id.rindex(":") + 1]
    now = desk.round.head.timestamp
    with desk.database.read() as connection:
        failed = store.reverts(connection, desk.key, stem, now - _DAY)
    if not failed:
        return False
    until = failed[-1] + desk.policy.cooldown(len(failed))
    if until > now:
        desk.change(intent, cooldown_until=until, error=f"{len(failed)} like it were mined and reverted")
    return until > now


def _is_affordable(desk: Desk, intent: Intent, cost: int, flying: list[Intent]) -> bool:
    """With what the lane has spent today, and what it has out at most."""
    budget = desk.policy.budget(intent.lane)
    if budget is None:
        return True
    with desk.database.read() as connection:
        spent = store.spent(connection, desk.round.head.timestamp // _DAY, desk.key, intent.lane)
    desk.meter.gas(intent.lane, spent, budget)
    newest = [attempt for i in flying if i.lane == intent.lane for attempt in desk.attempts(i)[:1]]
    owed = sum(decode(attempt.raw).gas * attempt.max_fee for attempt in newest)
    return spent + owed + cost <= budget
