"""Margin-call notices: for every account, level and reader whether it has been told, so that a restart tells
nobody twice."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from keeper.store.database import Database
from keeper.store.schema import notice

SENDING, RAISED, FAILED, CLEARED = "sending", "raised", "failed", "cleared"


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """Where one level stands for one reader; times chain seconds, `sent_at` of the last notice that arrived.

    `state`: sending (kept before it is sent: after a crash it counts as sent), raised (told), failed (to be
    tried again), cleared (armed again).
    """

    account: int
    level: str
    subscriber: str
    state: str
    health: float
    crossed_at: int
    sent_at: int | None


def notices_of(connection: Connection, account: int, subscriber: str) -> dict[str, NoticeRow]:
    """By level."""
    where = and_(notice.c.account == account, notice.c.subscriber == subscriber)
    found = connection.execute(select(notice).where(where))
    return {row.level: NoticeRow(**row._mapping) for row in found}


def claim(database: Database, row: NoticeRow) -> bool:
    """Keep that a notice is being sent, before it is; False if another process was first."""
    try:
        with database.begin() as connection:
            query = select(notice.c.state).where(_key(row)).with_for_update()
            known = connection.execute(query).scalar()
            if known in (SENDING, RAISED):
                return False
            _put(connection, row, known is not None)
    except IntegrityError:  # both saw nothing, one was first
        return False
    return True


def put(connection: Connection, row: NoticeRow) -> None:
    """Replace what is known."""
    known = connection.execute(select(notice.c.state).where(_key(row))).first()
    _put(connection, row, known is not None)


def _put(connection: Connection, row: NoticeRow, is_known: bool) -> None:
    values = {name: getattr(row, name) for name in NoticeRow.__slots__}
    connection.execute(
        update(notice).where(_key(row)).values(**values) if is_known else insert(notice).values(**values)
    )


def _key(row: NoticeRow) -> ColumnElement[bool]:
    return and_(
        notice.c.account == row.account, notice.c.level == row.level, notice.c.subscriber == row.subscriber
    )
