"""Proposals as they were received, and what contradicts them: who proposes two contents under one number is
convicted by his own signatures."""

import json
import time
from collections import deque
from collections.abc import Sequence

import httpx

from keeper.network.client import get_text
from keeper.network.peers import Peer, Unauthenticated, signed_by
from keeper.network.schemas import EpochProposal, ProposalAnswer, ProposalsAnswer, hex_text
from keeper.network.server import SIGN_EPOCH
from keeper.observability.logs import logger
from keeper.store import statement_store
from keeper.store.database import Database
from keeper.store.statement_store import ProposalRow

_WAITING = 64  # numbers to be compared; older ones are forgotten
_SECONDS = 2.0
_MAX_BYTES = 8 * 1024 * 1024


class Proposals:
    """Of one attester."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def receive(self, proposal: EpochProposal, peer: Peer, now: int) -> str | None:
        """Keep a proposal, durably. The reason to refuse it if its proposer has proposed something else."""
        row = _row(proposal, peer, now)
        with self._database.begin() as connection:
            statement_store.add_proposal(connection, row)
            known = statement_store.proposals_of(connection, row.number, row.proposer)
        if all(other.digest == row.digest for other in known):
            return None
        self._keep_contradiction(known, now)
        return f"epoch {row.number} was proposed by {peer.address} with other content, too"

    def accuse(self, kind: str, proposal: EpochProposal, peer: Peer, now: int) -> None:
        """Keep a proposal as evidence of its own."""
        self._keep(kind, [_row(proposal, peer, now)], now)

    def answer(self, number: int) -> ProposalsAnswer:
        """What was received under a number, for other attesters to compare."""
        with self._database.begin() as connection:
            rows = statement_store.proposals_of(connection, number)
        return ProposalsAnswer(
            proposals=[
                ProposalAnswer(
                    number=row.number,
                    proposer=row.proposer,
                    digest=row.digest,
                    body=row.body,
                    authorization=row.authorization,
                )
                for row in rows
            ]
        )

    def compare(self, domain: bytes, others: ProposalsAnswer, now: int) -> list[str]:
        """What another attester received under numbers that we know, too: addresses that said two things.

        Args:
            domain: of requests between peers; an answer without its proposer's signature says nothing.
        """
        found = []
        for other in others.proposals:
            theirs = _verified(domain, other, now)
            if theirs is None:
                continue
            with self._database.begin() as connection:
                ours = statement_store.proposals_of(connection, theirs.number, theirs.proposer)
            if any(row.digest != theirs.digest for row in ours):
                self._keep_contradiction([*ours, theirs], now)
                found.append(theirs.proposer)
        return found

    def _keep_contradiction(self, rows: Sequence[ProposalRow], now: int) -> None:
        self._keep("equivocation", rows, now)

    def _keep(self, kind: str, rows: Sequence[ProposalRow], now: int) -> None:
        content = json.dumps([{"body": r.body, "authorization": r.authorization} for r in rows])
        accused, number = rows[0].proposer, rows[0].number
        with self._database.begin() as connection:
            new = statement_store.add_evidence(connection, kind, accused, number, content, now)
        if new:
            logger("attest").error("evidence", kind=kind, accused=accused, number=number)


class Comparison:
    """What fellow attesters were told: one number at a time, off the path of signatures."""

    def __init__(self, proposals: Proposals, domain: bytes, keepers: tuple[str, ...]) -> None:
        """`domain`: of requests between peers; `keepers`: whom to ask."""
        self._proposals, self._domain, self._keepers = proposals, domain, keepers
        self._waiting: deque[int] = deque(maxlen=_WAITING)

    def note(self, number: int) -> None:
        """Something was proposed under a number."""
        if self._keepers and number not in self._waiting:
            self._waiting.append(number)

    def tick(self, now: int) -> list[str]:
        """Compare the oldest number that waits; addresses that said two things. A keeper that does not
        answer, or not sensibly, is left out."""
        if not self._waiting:
            return []
        number, found = self._waiting.popleft(), set()
        for url in self._keepers:
            try:
                text = get_text(f"{url}/v1/proposals/{number}", timeout=_SECONDS, limit=_MAX_BYTES)
                answer = ProposalsAnswer.model_validate_json(text)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError):
                continue
            found |= set(self._proposals.compare(self._domain, answer, now))
        return sorted(found)


def _row(proposal: EpochProposal, peer: Peer, now: int) -> ProposalRow:
    return ProposalRow(
        number=proposal.number,
        proposer=peer.address.lower(),
        digest=_digest(proposal),
        received_at=now,
        authorization=peer.authorization,
        body=peer.body.decode("utf-8", "replace"),
    )


def _digest(proposal: EpochProposal) -> str:
    """Of the content, whatever set signs it."""
    return hex_text(proposal.epoch.to_epoch().struct_hash())


def _verified(domain: bytes, other: ProposalAnswer, now: int) -> ProposalRow | None:
    """A proposal that its proposer has signed, digest and all; None for anything else."""
    body = other.body.encode()
    try:
        address, _, _ = signed_by(domain, "POST", SIGN_EPOCH, body, other.authorization)
        proposal = EpochProposal.model_validate_json(body)
    except (Unauthenticated, ValueError):
        return None
    return _row(proposal, Peer(address, 0.0, other.authorization, body), now or int(time.time()))
