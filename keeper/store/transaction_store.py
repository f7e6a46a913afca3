"""Intents, their attempts and what gas has cost: every step is written here before it has an effect."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from keeper.store.schema import attempt, gas_ledger, intent


class State(StrEnum):
    """Life of an intent.

    queued -> simulated -> reserved -> signed -> broadcast -> confirmed -> final
    broadcast -> replaced (signed again at higher fees) | cancelling (a self-send in its place) | held
    mined: confirmed | reverted | cancelled | lost; a reorg makes them reorged, which is broadcast again.
    """

    QUEUED = "queued"
    SIMULATED = "simulated"
    RESERVED = "reserved"  # it has a nonce
    SIGNED = "signed"
    BROADCAST = "broadcast"
    REPLACED = "replaced"
    CANCELLING = "cancelling"
    HELD = "held"  # the sender has too few coins: the same bytes are sent once it has
    REORGED = "reorged"
    CONFIRMED = "confirmed"
    FINAL = "final"  # confirmed, and no reorg can undo it
    REVERTED = "reverted"
    CANCELLED = "cancelled"
    LOST = "lost"  # another transaction took its nonce
    DROPPED = "dropped"  # never sent: refused in simulation, too late, or its budget is spent


QUEUE = (State.QUEUED, State.SIMULATED)  # nothing of it is out
IN_FLIGHT = (
    State.RESERVED,
    State.SIGNED,
    State.BROADCAST,
    State.REPLACED,
    State.CANCELLING,
    State.HELD,
    State.REORGED,
)
UNRESOLVED = QUEUE + IN_FLIGHT
MINED = (State.CONFIRMED, State.REVERTED, State.CANCELLED, State.LOST)  # what a reorg may undo
SUCCEEDED = (State.CONFIRMED, State.FINAL)


@dataclass(frozen=True, slots=True)
class Intent:
    """Something to be done on chain at most once; `id` is its idempotency key.

    Attributes:
        sender: lower-case address whose key signs it.
        priority: lower goes first.
        deadline: unix seconds of chain time after which it is of no use, None: never.
        value_at_risk: USD, WAD; 0: unknown.
        cooldown_until: unix seconds of chain time before which nothing is tried.
        epoch: of the lease under which it was last changed.
    """

    id: str
    kind: str
    target: str
    calldata: str
    state: State
    attempts: int
    nonce: int | None
    error: str
    created_at: int
    block_number: int | None
    gas_used: int | None
    sender: str = ""
    lane: str = ""
    priority: int = 0
    deadline: int | None = None
    value_at_risk: int = 0
    cooldown_until: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction of an intent; fees in wei; `head`: block at which it was signed or taken."""

    hash: str
    intent: str
    nonce: int
    raw: str
    max_fee: int
    tip: int
    head: int
    broadcast: bool
    sender: str = ""
    epoch: int = 0


def add(connection: Connection, row: Intent) -> bool:
    """Queue an intent; False if its id is known already."""
    if find(connection, row.id) is not None:
        return False
    values = {name: getattr(row, name) for name in Intent.__slots__}
    connection.execute(insert(intent).values(values | {"value_at_risk": str(row.value_at_risk)}))
    return True


def find(connection: Connection, id: str) -> Intent | None:
    """One intent."""
    row = connection.execute(select(intent).where(intent.c.id == id)).first()
    return None if row is None else _intent(row)


def unresolved(connection: Connection, sender: str | None = None) -> list[Intent]:
    """Intents that still may have an effect: by nonce, then those without one by priority and age."""
    query = select(intent).where(intent.c.state.in_(UNRESOLVED))
    if sender is not None:
        query = query.where(intent.c.sender == sender)
    return sorted(map(_intent, connection.execute(query)), key=_order)


def in_flight(connection: Connection, sender: str) -> list[Intent]:
    """A sender's intents that have a nonce and may still be mined, by nonce."""
    rows = connection.execute(
        select(intent)
        .where(intent.c.state.in_(IN_FLIGHT), intent.c.sender == sender)
        .order_by(intent.c.nonce)
    )
    return [_intent(row) for row in rows]


def mined_since(connection: Connection, sender: str, block_number: int) -> list[Intent]:
    """A sender's intents whose nonce was seen used in this block or a later one, oldest nonce first."""
    rows = connection.execute(
        select(intent).where(
            intent.c.state.in_(MINED), intent.c.sender == sender, intent.c.block_number >= block_number
        )
    )
    return sorted(map(_intent, rows), key=lambda i: i.nonce or 0)


def finish(connection: Connection, sender: str, until: int) -> None:
    """What was confirmed up to a block is final."""
    connection.execute(
        update(intent)
        .where(intent.c.state == State.CONFIRMED, intent.c.sender == sender, intent.c.block_number <= until)
        .values(state=State.FINAL)
    )


def change(connection: Connection, id: str, **values: Any) -> None:
    """Set columns of an intent."""
    connection.execute(update(intent).where(intent.c.id == id).values(**values))


def adopt(connection: Connection, sender: str) -> None:
    """Rows of a release that knew one sender only become this one's."""
    for table in (intent, attempt):
        connection.execute(update(table).where(table.c.sender == "").values(sender=sender))


def next_nonce(connection: Connection, sender: str, mined: int) -> int:
    """The nonce to reserve: after everything mined, everything of ours that is on its way, and everything of
    ours that was mined: after a reorg that nobody has noticed yet it is on its way again."""
    own = connection.execute(
        select(func.max(intent.c.nonce)).where(
            intent.c.state.in_(IN_FLIGHT + MINED), intent.c.sender == sender, intent.c.nonce.is_not(None)
        )
    ).scalar()
    return mined if own is None else max(mined, int(own) + 1)


def reverts(connection: Connection, sender: str, stem: str, since: int) -> list[int]:
    """When intents with an id that begins like this were tried that were then mined and reverted."""
    rows = connection.execute(
        select(intent.c.created_at, intent.c.cooldown_until).where(
            intent.c.state == State.REVERTED,
            intent.c.sender == sender,
            intent.c.created_at >= since,
            intent.c.id.startswith(stem, autoescape=True),
        )
    )
    return sorted(max(int(row.created_at), int(row.cooldown_until)) for row in rows)


def add_attempt(connection: Connection, row: Attempt) -> None:
    """Keep a signed transaction before it is sent."""
    values = {name: getattr(row, name) for name in Attempt.__slots__}
    numbers = {"max_fee": str(row.max_fee), "tip": str(row.tip), "broadcast": int(row.broadcast)}
    connection.execute(insert(attempt).values(values | numbers))


def attempts(connection: Connection, intent_id: str) -> list[Attempt]:
    """Attempts of an intent, newest first: each has higher fees than those before."""
    rows = connection.execute(select(attempt).where(attempt.c.intent == intent_id))
    return sorted(map(_attempt, rows), key=lambda a: (-a.max_fee, -a.tip))


def mark_taken(connection: Connection, hash: str, head: int) -> None:
    """A node has taken the bytes, at this block; again changes nothing."""
    query = update(attempt).where(attempt.c.hash == hash, attempt.c.broadcast == 0)
    connection.execute(query.values(broadcast=1, head=head))


def mark_refused(connection: Connection, hash: str) -> None:
    """No node has the bytes any more."""
    connection.execute(update(attempt).where(attempt.c.hash == hash).values(broadcast=0))


def counts(connection: Connection) -> dict[str, int]:
    """Number of intents by state."""
    return {
        s: int(n)
        for s, n in connection.execute(select(intent.c.state, func.count()).group_by(intent.c.state))
    }


def spend(connection: Connection, day: int, sender: str, lane: str, wei: int) -> None:
    """Book what a mined transaction has cost; `day` is unix seconds // 86,400."""
    key = (gas_ledger.c.day == day) & (gas_ledger.c.sender == sender) & (gas_ledger.c.lane == lane)
    row = connection.execute(select(gas_ledger).where(key)).first()
    if row is None:
        values = {"day": day, "sender": sender, "lane": lane, "spent": str(wei), "count": 1}
        connection.execute(insert(gas_ledger).values(values))
    else:
        values = {"spent": str(int(row.spent) + wei), "count": row._mapping["count"] + 1}
        connection.execute(update(gas_ledger).where(key).values(values))


def spent(connection: Connection, day: int, sender: str, lane: str) -> int:
    """Wei booked on a day."""
    found = connection.execute(
        select(gas_ledger.c.spent).where(
            gas_ledger.c.day == day, gas_ledger.c.sender == sender, gas_ledger.c.lane == lane
        )
    ).scalar()
    return int(found or 0)


def _order(found: Intent) -> tuple[bool, int, int, int, str]:
    return found.nonce is None, found.nonce or 0, found.priority, found.created_at, found.id


def _intent(row: Row[Any]) -> Intent:
    values: dict[str, Any] = {name: getattr(row, name) for name in Intent.__slots__}
    return Intent(**(values | {"state": State(row.state), "value_at_risk": int(row.value_at_risk)}))


def _attempt(row: Row[Any]) -> Attempt:
    values: dict[str, Any] = {name: getattr(row, name) for name in Attempt.__slots__}
    numbers = {"max_fee": int(row.max_fee), "tip": int(row.tip), "broadcast": bool(row.broadcast)}
    return Attempt(**(values | numbers))
