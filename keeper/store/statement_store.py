"""What was served, asked for and signed: snapshots of epochs, proposals, the digests that our keys have put
their names to, and evidence of who contradicted himself."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from keeper.store.database import Database
from keeper.store.schema import evidence, proposal, signed_epoch, signed_report, snapshot

_PROPOSALS_KEPT = 512  # of one proposer; what proves a contradiction is kept for ever as evidence
_EVIDENCE_KEPT = 256  # against one address: more proves no more


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """Canonical JSON of a snapshot, and the root (0x text) of the epoch that follows from it."""

    root: str
    content: str


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal as it was received; `body` and `authorization` prove who made it. Address in lower case."""

    number: int
    proposer: str
    digest: str
    received_at: int
    authorization: str
    body: str


def keep_snapshot(connection: Connection, number: int, root: str, content: str) -> None:
    """Keep what epoch `number` is computed from. A retry under the same number replaces it."""
    connection.execute(snapshot.delete().where(snapshot.c.number == number))
    connection.execute(insert(snapshot).values(number=number, root=root, content=content))


def kept_snapshot(connection: Connection, number: int) -> SnapshotRow | None:
    """What epoch `number` is computed from."""
    query = select(snapshot.c.root, snapshot.c.content).where(snapshot.c.number == number)
    row = connection.execute(query).first()
    return None if row is None else SnapshotRow(row.root, row.content)


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


def add_proposal(connection: Connection, row: ProposalRow) -> None:
    """Keep a proposal; the same one again changes nothing, and the oldest ones go."""
    known = proposals_of(connection, row.number, row.proposer)
    if any(other.digest == row.digest for other in known) or len(known) > 1:
        return  # two under one number prove the contradiction: a third proves no more
    values = {name: getattr(row, name) for name in ProposalRow.__slots__}
    connection.execute(insert(proposal).values(**values))
    kept = (
        select(proposal.c.number)
        .where(proposal.c.proposer == row.proposer)
        .order_by(proposal.c.number.desc())
        .offset(_PROPOSALS_KEPT)
        .limit(1)
    )
    oldest = connection.execute(kept).scalar()
    if oldest is not None:
        stale = proposal.c.proposer == row.proposer, proposal.c.number <= oldest
        connection.execute(delete(proposal).where(*stale))


def proposals_of(connection: Connection, number: int, proposer: str | None = None) -> Sequence[ProposalRow]:
    """Proposals received under a number, of one proposer or of all."""
    query = select(proposal).where(proposal.c.number == number)
    if proposer is not None:
        query = query.where(proposal.c.proposer == proposer)
    ordered = query.order_by(proposal.c.proposer, proposal.c.digest)
    return [ProposalRow(**row._mapping) for row in connection.execute(ordered)]


def add_evidence(
    connection: Connection, kind: str, accused: str, number: int, content: str, now: int
) -> bool:
    """Keep evidence for ever, once for each kind, address and number; whether it is new."""
    key = evidence.c.kind == kind, evidence.c.accused == accused
    if connection.execute(select(evidence.c.number).where(*key, evidence.c.number == number)).first():
        return False
    if (
        connection.execute(select(func.count()).select_from(evidence).where(*key)).scalar_one()
        >= _EVIDENCE_KEPT
    ):
        return False
    row = {"kind": kind, "accused": accused, "number": number, "content": content, "found_at": now}
    connection.execute(insert(evidence).values(**row))
    return True


def kept_evidence(connection: Connection) -> list[dict[str, object]]:
    """All evidence, by kind, address and number."""
    order = evidence.c.kind, evidence.c.accused, evidence.c.number
    return [dict(row._mapping) for row in connection.execute(select(evidence).order_by(*order))]
