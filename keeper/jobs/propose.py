"""The proposer: composes an epoch when one is due and it is its turn, gathers a threshold of signatures, and
hands the post to the sender."""

import json
import time
from dataclasses import dataclass, field

from keeper.attestation.epoch import EpochStatement, build
from keeper.attestation.snapshot import Snapshot, market_text
from keeper.attestation.typed_data import digest
from keeper.chain.node import NodeError
from keeper.chain.quorum import Quorum
from keeper.chain.transactions import Sender
from keeper.jobs.compose import snapshot_of
from keeper.jobs.decide import Due, decide_epoch, may_post
from keeper.jobs.desk import Desk
from keeper.jobs.effective import effective_spots
from keeper.jobs.health_watch import MAINTENANCE, Watched, crossing, floats, watched_of
from keeper.jobs.observe import ChainView
from keeper.jobs.reports import Reports, too_few
from keeper.jobs.rota import Rota
from keeper.jobs.triggers import Attested, Trigger, measures
from keeper.network.client import Attesters, Gathered
from keeper.network.schemas import EpochMessage, EpochProposal, ReportAnswer, ReportRequest
from keeper.network.server import SIGN_EPOCH, Refusal, Unavailable
from keeper.observability import names
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.pricing.market import Market
from keeper.sources.source import Observation, market_of
from keeper.store import statement_store
from keeper.store.database import Database
from keeper.store.lease import Lease
from keeper.store.transaction_store import SUCCEEDED, UNRESOLVED, State

_RETRY_SECONDS = 1.0
_MAX_RETRY_SECONDS = 60.0


@dataclass
class ProposerStatus:
    """What the operator sees."""

    posted: int = 0
    last_reason: str = ""
    last_error: str = ""
    seconds: float = 0.0
    stage: int = 0
    refusals: dict[str, str] = field(default_factory=dict)


class Proposer:
    """One tick: look, decide, compose, gather, post. Never waits for a block."""

    def __init__(
        self,
        desk: Desk,
        database: Database,
        attesters: Attesters,
        sender: Sender,
        trigger: Trigger,
        rota: Rota,
        lease: Lease | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`lease`: where several processes propose over one database, one of them at a time."""
        self._desk = desk
        self._database = database
        self._attesters = attesters
        self._sender = sender
        self._trigger = trigger
        self._rota = rota
        self._lease = lease
        self._metrics = metrics or Metrics()
        self._reports = Reports(desk, attesters)
        self._pending = ""  # intent of the epoch on its way
        self._failed_at = ("", 0.0)  # block, and moment until which no other attempt is made on it
        self._failures = 0  # in a row on that block
        self._watched: Watched | None = None
        self._crossed: tuple[str, str | None] = ("", None)  # block, what was found in it
        self._due_since = (-1, 0)  # latest epoch, chain time at which its successor was first due
        self._watched_since = 0.0  # by this machine's clock
        self.status = ProposerStatus()
        self._metrics.set(names.EPOCH_HEARTBEAT, trigger.heartbeat_seconds)

    def tick(self) -> str | None:
        """Post an epoch if one is due. Returns the reason, None if nothing was due. Failures are kept in
        `status`."""
        if self._is_pending():
            self._takes_lease()
            return None
        if self._lease is not None and self._lease.held:
            self._lease.release()
        try:
            view = self._desk.view()
            if self._is_too_soon(view):
                return None
            try:
                return self._propose(view)
            except _Overtaken as found:
                logger("propose").info("overtaken", reason=str(found))
                self.status.last_error = ""
                return None
            except (NodeError, Unavailable, Refusal):
                self._put_off(view)
                raise
        except (NodeError, Unavailable, Refusal) as error:
            if str(error) != self.status.last_error:
                logger("propose").warning("failed", reason=str(error))
            self.status.last_error = str(error)
            return None

    def report(self, request: ReportRequest) -> ReportAnswer:
        """Signed reports after an action. Raises Refusal or Unavailable."""
        return self._reports.report(request)

    def _takes_lease(self) -> bool:
        """Held from the look at the chain until the post is mined or dead; free for the others in between."""
        return self._lease is None or self._lease.acquire()

    def _is_too_soon(self, view: ChainView) -> bool:
        block, until = self._failed_at
        return view.block.hash == block and time.monotonic() < until

    def _put_off(self, view: ChainView) -> None:
        """On the same block what failed fails again, most likely: each attempt waits twice as long."""
        self._failures = self._failures + 1 if view.block.hash == self._failed_at[0] else 0
        wait = min(_RETRY_SECONDS * 2**self._failures, _MAX_RETRY_SECONDS)
        self._failed_at = (view.block.hash, time.monotonic() + wait)

    def _is_pending(self) -> bool:
        """An epoch that is still on its way keeps the next one back."""
        if not self._pending:
            return False
        intent = self._sender.find(self._pending)
        if intent is not None and intent.state in UNRESOLVED:
            return True
        if intent is not None and intent.state not in SUCCEEDED:
            self.status.last_error = f"{intent.id}: {intent.state}: {intent.error}"
        elif intent is not None:
            self.status.posted += 1
        self._pending = ""
        return False

    def _propose(self, view: ChainView) -> str | None:
        observation = self._desk.observe_market(view.block.timestamp, view.priced_expiries())
        due = self._due(view, observation)
        if due is None:
            self.status.last_error = ""  # whatever has failed: somebody's epoch is fresh
            return None
        if not self._is_turn(view, due) or not self._takes_lease():
            return None
        if not self._is_still_latest(view.header.number):  # whoever acts has looked at the chain just now
            return None
        status = "failed"
        try:
            self._post_epoch(view, observation)
            status = "posted"
        finally:
            self._metrics.count(names.EPOCH_ATTEMPTS, trigger=due.trigger, status=status)
        self.status.last_reason = due.text
        return due.text

    def _due(self, view: ChainView, observation: Observation) -> Due | None:
        if not may_post(view):
            return None
        latest = self._desk.statements.latest()
        found = measures(view, observation, Attested.of(latest) if latest else None, self._trigger)
        due = decide_epoch(view, found, self._trigger)
        if due is not None or latest is None:
            return due
        return decide_epoch(view, found, self._trigger, self._crossing(view, observation, latest))

    def _crossing(self, view: ChainView, observation: Observation, latest: EpochStatement) -> str | None:
        """An account that crosses a level under the market as it is now; looked for once a block."""
        levels = self._trigger.health_levels
        if self._crossed[0] == view.block.hash:
            return self._crossed[1]
        if self._watched is None or self._watched.epoch != latest.epoch.number:
            self._watched = watched_of(view, latest, levels)
        try:
            market = self._market(view, observation)
            found = crossing(view, self._watched, market, self._desk.methodology, levels)
        except (ValueError, LookupError, OverflowError) as error:
            logger("propose").warning("health", reason=str(error))
            found = None
        self._crossed = (view.block.hash, found)
        return found

    def _is_turn(self, view: ChainView, due: Due) -> bool:
        """Back-ups wait for those before them."""
        number, now = view.header.number, view.block.timestamp
        if self._due_since[0] != number:
            self._due_since = (number, min(due.since, now))
            self._watched_since = time.monotonic()
        self.status.stage = self._rota.stage(number)
        watched = time.monotonic() - self._watched_since
        return self._rota.is_turn(number, now - self._due_since[1], watched)

    def _is_still_latest(self, number: int) -> bool:
        """Nobody else has posted the epoch after `number` by now."""
        head = self._desk.sync()
        return self._desk.protocol.header(head.hash).number == number

    def _post_epoch(self, view: ChainView, observation: Observation) -> None:
        started = time.monotonic()
        snapshot, statement = self._compose(view, observation)
        self._metrics.observe(names.EPOCH_SECONDS, time.monotonic() - started)
        # kept first: its number is never used for anything else, whatever happens next
        self._desk.statements.keep(snapshot, statement)
        quorum = self._desk.quorum(view.block.hash)
        gathered = self._gather(view, snapshot, statement, quorum)
        self._post(view, statement, quorum, gathered)
        self.status.seconds = time.monotonic() - started

    def _compose(self, view: ChainView, observation: Observation) -> tuple[Snapshot, EpochStatement]:
        if observation.age > self._desk.tolerance.max_age_seconds:  # an old value gets no new time
            raise Refusal(f"no epoch: the market data is {observation.age} seconds old")
        number = self._rota.next_number(max(view.header.number, self._desk.statements.highest()))
        try:
            snapshot = snapshot_of(view, self._market(view, observation), self._desk.methodology)
            return snapshot, build(snapshot, self._desk.methodology, number, self._desk.engine)
        except (ValueError, LookupError, OverflowError) as error:
            raise Refusal(f"no epoch can be computed: {error}") from error

    def _market(self, view: ChainView, observation: Observation) -> Market:
        """What is observed, inside the oracle's bands. Raises ValueError for a spot that is no price."""
        effective = effective_spots(
            view.header, view.spots, view.bands, observation.spots, view.block.timestamp
        )
        return market_of(observation, effective, view.windows)

    def _gather(
        self, view: ChainView, snapshot: Snapshot, statement: EpochStatement, quorum: Quorum
    ) -> Gathered:
        proposal = EpochProposal(
            patience_seconds=self._attesters.timeout,
            market=market_text(snapshot.market),
            epoch=EpochMessage.of(statement.epoch),
        )
        message = digest(quorum.domain, statement.epoch.struct_hash())
        signers, threshold = list(quorum.signers), quorum.threshold
        gathered = self._attesters.gather(SIGN_EPOCH, proposal, message, signers, threshold)
        self.status.refusals = gathered.refusals
        self._metrics.set(names.SIGNATURES, len(gathered.signatures))
        self._metrics.set(names.SIGNATURES_NEEDED, threshold)
        self._keep_dissents(gathered, proposal.number, view.block.timestamp)
        if self._desk.watch is not None and gathered.signatures:
            answers = {url: gathered.refusals.get(url, "") for url in self._attesters.urls}
            self._desk.watch.proposed(view.block.timestamp, answers)
        return gathered

    def _keep_dissents(self, gathered: Gathered, number: int, now: int) -> None:
        """A member that signs something else than it was asked has put that in writing."""
        for answer in gathered.dissents:
            content = json.dumps(answer.model_dump())
            with self._database.begin() as connection:
                statement_store.add_evidence(
                    connection, "dissent", answer.signer.lower(), number, content, now
                )

    def _post(self, view: ChainView, statement: EpochStatement, quorum: Quorum, gathered: Gathered) -> None:
        number = statement.epoch.number
        signatures = gathered.assemble(quorum.threshold)
        if signatures is None:
            raise Unavailable(too_few(number, gathered, quorum.threshold))
        if not self._is_still_latest(view.header.number):
            raise _Overtaken(f"epoch {number}: another proposer was first")
        calldata = self._desk.protocol.post_epoch(statement.epoch, statement.spots, *signatures)
        intent_id = f"epoch:{number}"
        target = self._desk.protocol.deployment.oracle
        now, deadline = view.block.timestamp, statement.epoch.timestamp + view.limits.max_age
        worth = _margins(statement)
        intent = self._sender.submit(
            intent_id, "epoch", target, calldata, now, value_at_risk=worth, deadline=deadline
        )
        logger("propose").info("epoch", number=number, state=intent.state, error=intent.error)
        if intent.state == State.DROPPED:
            raise Refusal(f"epoch {number}: {intent.error}")
        self._pending = intent_id
        self.status.last_error = intent.error


class _Overtaken(Exception):  # noqa: N818
    """The epoch that was being proposed is not needed any more."""


def _margins(statement: EpochStatement) -> int:
    """What the epoch stands for: the maintenance margins of all accounts, USD, WAD; as exact as a double."""
    return int(floats(statement.margins, MAINTENANCE).sum())
