"""Findings, and who has acknowledged them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from keeper.store.schema import acknowledgement, anomaly, snapshot

_ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who looked at a finding, when (unix seconds), and what came of it."""

    id: str
    person: str
    note: str
    at: int


def keep_finding(connection: Connection, fields: Mapping[str, Any]) -> bool:
    """Keep a finding (its fields with the id); False when it is known already."""
    known = connection.execute(select(anomaly.c.id).where(anomaly.c.id == fields["id"])).first()
    if known is None:
        connection.execute(insert(anomaly).values(**fields))
    return known is None


def kept_findings(connection: Connection, since: int = 0) -> list[dict[str, Any]]:
    """Fields of the findings of `since` and later, oldest first."""
    found = connection.execute(
        select(anomaly).where(anomaly.c.time >= since).order_by(anomaly.c.time, anomaly.c.id)
    )
    return [dict(row._mapping) for row in found]


def acknowledge(connection: Connection, found: Acknowledgement) -> None:
    """Record that a person has looked. The first acknowledgement of a finding stands.

    Raises:
        ValueError: no finding's id, nobody's name, nothing said, or already acknowledged.
    """
    if len(found.id) != _ID_DIGITS or set(found.id) - set("0123456789abcdef"):
        raise ValueError(f"anomalies: {found.id!r} is no id, copy one of twelve hex digits from the list")
    if not found.person.strip() or not found.note.strip():
        raise ValueError("anomalies: say who acknowledges and what was found, neither may be empty")
    before = acknowledgements(connection, [found.id]).get(found.id)
    if before is not None:
        raise ValueError(f"anomalies: {found.id} was acknowledged by {before.person} already, leave it")
    connection.execute(
        insert(acknowledgement).values(id=found.id, person=found.person, note=found.note, at=found.at)
    )


def acknowledgements(connection: Connection, ids: Iterable[str] | None = None) -> dict[str, Acknowledgement]:
    """By finding: all of them, or those of some."""
    query = select(acknowledgement)
    if ids is not None:
        query = query.where(acknowledgement.c.id.in_(list(ids)))
    return {
        row.id: Acknowledgement(row.id, row.person, row.note, row.at) for row in connection.execute(query)
    }


def latest_snapshots(connection: Connection, count: int) -> list[tuple[int, str]]:
    """Number and canonical JSON of the last epochs kept, ascending."""
    found = connection.execute(
        select(snapshot.c.number, snapshot.c.content).order_by(snapshot.c.number.desc()).limit(count)
    )
    return [(row.number, row.content) for row in found][::-1]
