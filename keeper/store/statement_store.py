"""What was served and signed: snapshots of epochs, and the digests that this key has put its name to."""

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from keeper.store.database import Database
from keeper.store.schema import signed_epoch, signed_report, snapshot


def keep_snapshot(connection: Connection, number: int, root: str, content: str) -> None:
    """Keep what epoch `number` is computed from. A retry under the same number replaces it."""
    connection.execute(snapshot.delete().where(snapshot.c.number == number))
    connection.execute(insert(snapshot).values(number=number, root=root, content=content))


def kept_snapshot(connection: Connection, number: int) -> str | None:
    """Canonical JSON of an epoch's snapshot."""
    return connection.execute(select(snapshot.c.content).where(snapshot.c.number == number)).scalar()


def highest_number(connection: Connection) -> int:
    """Highest epoch number ever kept or signed here; 0 if none."""
    kept = connection.execute(select(func.max(snapshot.c.number))).scalar() or 0
    signed = connection.execute(select(func.max(signed_epoch.c.number))).scalar() or 0
    return max(int(kept), int(signed))


def claim_epoch(database: Database, number: int, digest: str, now: int) -> bool:
    """Record, durably and before signing, that `number` is signed with `digest`.

    True when it is this digest's (a repeated request may be answered again), False when another digest has
    the number.
    """
    try:
        with database.begin() as connection:
            connection.execute(insert(signed_epoch).values(number=number, digest=digest, signed_at=now))
        return True
    except IntegrityError:
        with database.begin() as connection:
            found = connection.execute(select(signed_epoch.c.digest).where(signed_epoch.c.number == number))
            return found.scalar() == digest


def record_report(connection: Connection, digest: str, epoch: int, action: str) -> None:
    """Record a report before it is signed; the same one may be signed again."""
    if (
        connection.execute(select(signed_report.c.digest).where(signed_report.c.digest == digest)).first()
        is None
    ):
        connection.execute(insert(signed_report).values(digest=digest, epoch=epoch, action=action))
