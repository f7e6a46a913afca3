"""Intents and their attempts: every step is written here before it has an effect."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from keeper.store.schema import attempt, intent


class State(StrEnum):
    """Life of an intent. DROPPED and LOST are final; CONFIRMED and REVERTED once no reorg can undo them."""

    QUEUED = "queued"
    SIMULATED = "simulated"
    SIGNED = "signed"
    BROADCAST = "broadcast"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    DROPPED = "dropped"  # refused in simulation, or its budget of attempts is spent
    LOST = "lost"  # another transaction took its nonce


UNRESOLVED = (State.QUEUED, State.SIMULATED, State.SIGNED, State.BROADCAST)
MINED = (State.CONFIRMED, State.REVERTED)


@dataclass(frozen=True, slots=True)
class Intent:
    """Something to be done on chain at most once; `id` is its idempotency key."""

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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction of an intent; fees in wei, `head` is the block at which it was signed."""

    hash: str
    intent: str
    nonce: int
    raw: str
    max_fee: int
    tip: int
    head: int
    broadcast: bool


def add(connection: Connection, id: str, kind: str, target: str, calldata: str, now: int) -> bool:
    """Queue an intent; False if its id is known already."""
    if find(connection, id) is not None:
        return False
    connection.execute(
        insert(intent).values(
            id=id, kind=kind, target=target, calldata=calldata, state=State.QUEUED, attempts=0, created_at=now
        )
    )
    return True


def find(connection: Connection, id: str) -> Intent | None:
    """One intent."""
    row = connection.execute(select(intent).where(intent.c.id == id)).first()
    return None if row is None else _intent(row)


def unresolved(connection: Connection) -> list[Intent]:
    """Intents that still may have an effect, oldest nonce first, those without a nonce last."""
    rows = connection.execute(
        select(intent).where(intent.c.state.in_(UNRESOLVED)).order_by(intent.c.created_at)
    )
    return sorted(map(_intent, rows), key=lambda i: (i.nonce is None, i.nonce or 0, i.created_at))


def mined_since(connection: Connection, block_number: int) -> list[Intent]:
    """Intents whose transaction was seen in this block or a later one, oldest nonce first."""
    rows = connection.execute(
        select(intent).where(intent.c.state.in_(MINED), intent.c.block_number >= block_number)
    )
    return sorted(map(_intent, rows), key=lambda i: i.nonce or 0)


def change(connection: Connection, id: str, **values: Any) -> None:
    """Set columns of an intent."""
    connection.execute(update(intent).where(intent.c.id == id).values(**values))


def next_nonce(connection: Connection, mined: int) -> int:
    """The nonce to reserve: after everything mined and everything of ours that is still on its way."""
    own = connection.execute(
        select(func.max(intent.c.nonce)).where(intent.c.state.in_(UNRESOLVED), intent.c.nonce.is_not(None))
    ).scalar()
    return mined if own is None else max(mined, int(own) + 1)


def add_attempt(connection: Connection, row: Attempt) -> None:
    """Keep a signed transaction before it is sent."""
    connection.execute(
        insert(attempt).values(
            hash=row.hash,
            intent=row.intent,
            nonce=row.nonce,
            raw=row.raw,
            max_fee=str(row.max_fee),
            tip=str(row.tip),
            head=row.head,
            broadcast=int(row.broadcast),
        )
    )


def attempts(connection: Connection, intent_id: str) -> list[Attempt]:
    """Attempts of an intent, newest first."""
    rows = connection.execute(select(attempt).where(attempt.c.intent == intent_id))
    found = [
        Attempt(r.hash, r.intent, r.nonce, r.raw, int(r.max_fee), int(r.tip), r.head, bool(r.broadcast))
        for r in rows
    ]
    return sorted(found, key=lambda a: -a.max_fee)


def mark_broadcast(connection: Connection, hash: str) -> None:
    """The bytes have been handed to a node."""
    connection.execute(update(attempt).where(attempt.c.hash == hash).values(broadcast=1))


def counts(connection: Connection) -> dict[str, int]:
    """Number of intents by state."""
    return {
        s: int(n)
        for s, n in connection.execute(select(intent.c.state, func.count()).group_by(intent.c.state))
    }


def _intent(row: Row[Any]) -> Intent:
    values: dict[str, Any] = {name: getattr(row, name) for name in Intent.__slots__}
    return Intent(**(values | {"state": State(row.state)}))
