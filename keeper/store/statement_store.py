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


def claim_epoch(database: Database, signer: str, number: int, digest: str, now: int) -> bool:
    """Record, durably and before signing, that `signer` signs `number` with `digest`.

    True when it is this digest's (a repeated request may be answered again), False when another digest has
    the number. What the first release signed, without saying by whom, counts for every signer.
    """
    key = signer.lower()
    try:
        with database.begin() as connection:
            known = _signed_digest(connection, key, number)
            if known is None:
                row = {"signer": key, "number": number, "digest": digest, "signed_at": now}
                connection.execute(insert(signed_epoch).values(**row))
            return known in (None, digest)
    except IntegrityError:  # another process over this database was first
        with database.begin() as connection:
            return _signed_digest(connection, key, number) == digest


def record_report(connection: Connection, signer: str, digest: str, epoch: int, action: str) -> None:
    """Record a report before it is signed; the same one may be signed again."""
    key = signer.lower()
    same = signed_report.c.signer == key, signed_report.c.digest == digest
    if connection.execute(select(signed_report.c.digest).where(*same)).first() is None:
        row = {"signer": key, "digest": digest, "epoch": epoch, "action": action}
        connection.execute(insert(signed_report).values(**row))


def _signed_digest(connection: Connection, signer: str, number: int) -> str | None:
    of_number = signed_epoch.c.number == number, signed_epoch.c.signer.in_(("", signer))
    return connection.execute(select(signed_epoch.c.digest).where(*of_number)).scalar()
