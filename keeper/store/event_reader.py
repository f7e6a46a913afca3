"""What happened to one account, out of the events that the index keeps."""

import json
from collections.abc import Iterable

from sqlalchemy import Connection, and_, or_, select

from keeper.store.index_store import EventRow
from keeper.store.schema import block, event

_NAMED_AS = ("account", "seller", "buyer")  # arguments that name an account


def account_events(
    connection: Connection, account: int, until: int, names: Iterable[str], others: Iterable[str] = ()
) -> list[tuple[EventRow, int]]:
    """Events with the time of their block, in the chain's order, up to and including a block.

    Args:
        names: events that count if they name the account.
        others: events that count whomever they name.
    """
    # arguments are kept as text: what looks like the account's is looked at more closely
    patterns = [f'%"{key}":{space}{account}%' for key in _NAMED_AS for space in ("", " ")]
    looks = or_(*(event.c.payload.like(pattern) for pattern in patterns))
    wanted = or_(and_(event.c.name.in_(list(names)), looks), event.c.name.in_(list(others)))
    query = (
        select(event, block.c.timestamp)
        .join(block, block.c.number == event.c.block_number)
        .where(event.c.block_number <= until, wanted)
        .order_by(event.c.block_number, event.c.log_index)
    )
    found, always = [], set(others)
    for row in connection.execute(query):
        payload = json.loads(row.payload)
        if row.name in always or account in [payload.get(key) for key in _NAMED_AS]:
            place = (row.block_number, row.log_index, row.contract, row.seq, row.name, row.transaction_hash)
            found.append((EventRow(*place, payload), int(row.timestamp)))
    return found


def block_before(connection: Connection, time: int) -> int | None:
    """The last indexed block before a time, unix seconds; None if there is none."""
    query = select(block.c.number).where(block.c.timestamp < time).order_by(block.c.number.desc()).limit(1)
    return connection.execute(query).scalar()
