"""The proposer: composes an epoch when one is due, gathers a threshold of signatures, and hands the post to
the sender."""

import time
from dataclasses import dataclass, field

from keeper.attestation.epoch import EpochStatement, build
from keeper.attestation.snapshot import Snapshot
from keeper.attestation.typed_data import digest
from keeper.chain.node import NodeError
from keeper.chain.transactions import Sender
from keeper.jobs.compose import snapshot_of
from keeper.jobs.decide import Trigger, decide_epoch
from keeper.jobs.desk import Desk
from keeper.jobs.effective import effective_spots
from keeper.jobs.observe import ChainView
from keeper.network.client import Attesters, Gathered
from keeper.network.schemas import (
    EpochProposal,
    ReportAnswer,
    ReportProposal,
    ReportRequest,
    SignatureMessage,
    SignaturesMessage,
    hex_text,
    margin_fields,
    texts,
)
from keeper.network.server import Refusal, Unavailable
from keeper.observability.logs import logger
from keeper.sources.source import market_of
from keeper.store.transaction_store import UNRESOLVED, State

_RETRY_SECONDS = 1.0
_REPORT_SECONDS = 600  # a report lives no longer, in chain time


@dataclass
class ProposerStatus:
    """What the operator sees."""

    posted: int = 0
    last_reason: str = ""
    last_error: str = ""
    seconds: float = 0.0
    refusals: dict[str, str] = field(default_factory=dict)


class Proposer:
    """One tick: look, decide, compose, gather, post. Never waits for a block."""

    def __init__(self, desk: Desk, attesters: Attesters, sender: Sender, trigger: Trigger) -> None:
        self._desk = desk
        self._attesters = attesters
        self._sender = sender
        self._trigger = trigger
        self._pending = ""  # intent of the epoch on its way
        self._failed_at = ("", 0.0)  # block and moment: an attempt on the same block waits a little
        self._members: tuple[str, list[str], int] | None = None
        self.status = ProposerStatus()

    def tick(self) -> str | None:
        """Post an epoch if one is due. Returns the reason, None if nothing was due. Failures are kept in
        `status`."""
        if self._is_pending():
            return None
        try:
            with self._desk.lock:
                view = self._desk.view()
            if (
                view.block.hash == self._failed_at[0]
                and time.monotonic() < self._failed_at[1] + _RETRY_SECONDS
            ):
                return None
            try:
                return self._propose(view)
            except (NodeError, Unavailable, Refusal):
                self._failed_at = (view.block.hash, time.monotonic())
                raise
        except (NodeError, Unavailable, Refusal) as error:
            if str(error) != self.status.last_error:
                logger("propose").warning("failed", reason=str(error))
            self.status.last_error = str(error)
            return None

    def _is_pending(self) -> bool:
        """An epoch that is still on its way keeps the next one back."""
        if not self._pending:
            return False
        intent = self._sender.find(self._pending)
        if intent is not None and intent.state in UNRESOLVED:
            return True
        if intent is not None and intent.state != State.CONFIRMED:
            self.status.last_error = f"{intent.id}: {intent.state}: {intent.error}"
        elif intent is not None:
            self.status.posted += 1
        self._pending = ""
        return False

    def _propose(self, view: ChainView) -> str | None:
        started = time.monotonic()
        listed = view.priced_expiries()
        observation = self._desk.observe_market(view.block.timestamp, listed)
        latest = self._desk.statements.latest()
        attested = frozenset(m.account for m in latest.margins) if latest else frozenset()
        reason = decide_epoch(view, observation.spots, attested, self._trigger)
        if reason is None:
            return None
        effective = effective_spots(
            view.header, view.spots, view.bands, observation.spots, view.block.timestamp
        )
        market = market_of(observation, effective, view.windows)
        snapshot = snapshot_of(view, market, self._desk.methodology)
        number = max(view.header.number, self._desk.statements.highest()) + 1
        try:
            statement = build(snapshot, self._desk.methodology, number)
        except (ValueError, LookupError, OverflowError) as error:
            raise Refusal(f"no epoch can be computed: {error}") from error
        # kept first: its number is never used for anything else, whatever happens next
        self._desk.statements.keep(snapshot, statement)
        gathered = self._gather(view, snapshot, statement)
        self._post(view, statement, gathered)
        self.status.seconds = time.monotonic() - started
        self.status.last_reason = reason
        return reason

    def _gather(self, view: ChainView, snapshot: Snapshot, statement: EpochStatement) -> Gathered:
        proposal = EpochProposal(
            number=statement.epoch.number,
            snapshot=snapshot.to_json(),
            epoch=texts(statement.epoch.values()),
            margins=[texts(m.values()) for m in statement.margins],
        )
        signers, threshold = self._quorum(view.block.hash)
        message = digest(self._desk.domain, statement.epoch.struct_hash())
        gathered = self._attesters.gather("/v1/epochs", proposal, message, signers, threshold)
        self.status.refusals = gathered.refusals
        if self._desk.watch is not None and gathered.signatures:
            answers = {url: gathered.refusals.get(url, "") for url in self._attesters.urls}
            self._desk.watch.proposed(view.block.timestamp, answers)
        return gathered

    def _post(self, view: ChainView, statement: EpochStatement, gathered: Gathered) -> None:
        _, threshold = self._quorum(view.block.hash)
        number = statement.epoch.number
        signatures = gathered.assemble(threshold)
        if signatures is None:
            raise Unavailable(_too_few(number, gathered, threshold))
        calldata = self._desk.protocol.post_epoch(statement.epoch, statement.spots, *signatures)
        intent_id = f"epoch:{number}"
        target = self._desk.protocol.deployment.oracle
        intent = self._sender.submit(intent_id, "epoch", target, calldata, view.block.timestamp)
        logger("propose").info("epoch", number=number, state=intent.state, error=intent.error)
        self._pending = intent_id
        self.status.last_error = intent.error

    def _quorum(self, at: str) -> tuple[list[str], int]:
        """Members and threshold: immutable, so read once."""
        if self._members is None:
            protocol = self._desk.protocol
            self._members = (protocol.deployment.quorum, protocol.signers(at), protocol.threshold(at))
        return self._members[1], self._members[2]

    def report(self, request: ReportRequest) -> ReportAnswer:
        """Signed reports after an action. Raises Refusal or Unavailable."""
        with self._desk.lock:
            view_head = self._desk.sync()
            number = self._desk.protocol.header(view_head.hash).number
            if number == 0:
                raise Unavailable("no epoch has been posted yet")
            deadline = view_head.timestamp + _REPORT_SECONDS
            proposal = ReportProposal(epoch=number, deadline=deadline, action=request.action)
            draft = self._desk.draft_report(proposal)
            signers, threshold = self._quorum(view_head.hash)
        gathered = self._attesters.gather(
            "/v1/attestations/reports", proposal, draft.digest, signers, threshold
        )
        signatures = gathered.assemble(threshold)
        if signatures is None:
            raise Unavailable(_too_few(number, gathered, threshold))
        bitmap, compact = signatures
        return ReportAnswer(
            epoch=number,
            deadline=deadline,
            action=hex_text(draft.reports[0].action),
            margins=[margin_fields(report.margin) for report in draft.reports],
            breakdowns=[dict(margin.breakdown) for margin in draft.margins],
            instruments=[[str(leg.instrument) for leg in state.legs] for state in draft.after],
            signatures=SignaturesMessage(
                bitmap=str(bitmap),
                compact=[SignatureMessage(r=hex_text(r), vs=str(vs)) for r, vs in compact],
            ),
        )


def _too_few(number: int, gathered: Gathered, threshold: int) -> str:
    """Who failed, and how many of how many."""
    refusals = "; ".join(f"{url}: {why}" for url, why in gathered.refusals.items())
    return f"epoch {number}: {len(gathered.signatures)} of {threshold} signatures ({refusals})"
