"""What proposer and attester share: the index, the protocol, the sources, and margins after an action."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from keeper.attestation.batch_leaves import Engine, figures_of
from keeper.attestation.epoch import EpochStatement
from keeper.attestation.report import build_report, build_tables
from keeper.attestation.snapshot import AccountState, Snapshot
from keeper.attestation.typed_data import Report, preimage, reports_hash
from keeper.chain.contracts import Protocol
from keeper.chain.index import Index
from keeper.chain.node import BlockRef, NodeError
from keeper.chain.quorum import Quorum, Quorums
from keeper.jobs.actions import Outcome, outcome_of
from keeper.jobs.books import Books
from keeper.jobs.gauges import show_chain, show_market
from keeper.jobs.observe import ChainView, ObservationError, observe
from keeper.jobs.price_band import band_refusal
from keeper.jobs.statements import Statements
from keeper.jobs.states import DisagreementError
from keeper.jobs.watch import Watch
from keeper.network.schemas import ReportProposal
from keeper.network.server import Refusal, Unavailable
from keeper.observability.metrics import Metrics
from keeper.pricing.market import Market
from keeper.risk.margin import Margin
from keeper.risk.methodology import Methodology
from keeper.sources.consensus import Rules, combine, gather
from keeper.sources.market_check import Tolerance
from keeper.sources.source import Observation, Source
from keeper.sources.verdicts import Report as SourceReport
from keeper.store.index_store import AccountRow


@dataclass(frozen=True)
class ReportDraft:
    """Reports after one action, not yet signed."""

    reports: tuple[Report, ...]
    margins: tuple[Margin, ...]
    after: tuple[AccountState, ...]
    preimage: bytes  # of the digest that is signed
    quorum: Quorum  # that is to sign it

    @property
    def digest(self) -> bytes:
        """The 32 bytes that are signed."""
        return keccak(self.preimage)


@dataclass
class Desk:
    """One keeper's own view: its node, index, sources and parameters."""

    protocol: Protocol
    index: Index
    sources: tuple[Source, ...]
    methodology: Methodology
    statements: Statements
    books: Books
    tolerance: Tolerance = Tolerance()
    rules: Rules = Rules()
    lock: threading.RLock = field(default_factory=threading.RLock)  # one writer of the index
    watch: Watch | None = None
    engine: Engine = figures_of  # who computes the accounts' margins
    metrics: Metrics = field(default_factory=Metrics)
    sources_report: SourceReport = field(default_factory=SourceReport)  # of the latest observation
    _seen: ChainView | None = None
    _agreed: int = -1  # last block in which index and chain were found to agree
    _doubted: str = ""  # hash of the last block in which they were not

    def __post_init__(self) -> None:
        self.quorums = Quorums(self.protocol)

    def quorum(self, at: str) -> Quorum:
        """The attester set in force at a block. Raises Unavailable."""
        try:
            return self.quorums.at(at)
        except NodeError as error:
            raise Unavailable(str(error)) from error

    def sync(self) -> BlockRef:
        """Bring the index to the node's head. Raises Unavailable when the node does not answer."""
        with self.lock:
            try:
                return self.index.sync()
            except NodeError as error:
                raise Unavailable(str(error)) from error

    def view(self) -> ChainView:
        """The protocol at the node's head, read once per block.

        Raises:
            Unavailable: the node does not answer, or the index does not agree with it.
        """
        with self.lock:
            found = self.view_at(self.sync())
            if found is not self._seen:
                self._seen = found
                self.statements.publish(found.header.number)
                show_chain(self.metrics, found)
            return found

    def view_at(self, block: BlockRef) -> ChainView:
        """The protocol at a block that the index has reached. Raises Unavailable."""
        with self.lock:
            if self._seen is not None and self._seen.block.hash == block.hash:
                return self._seen
            try:
                found = self._observed(block)
            except (NodeError, ObservationError) as error:
                raise Unavailable(str(error)) from error
            self._agreed = max(self._agreed, block.number)
            return found

    def _observed(self, block: BlockRef) -> ChainView:
        """Where index and chain disagree, a node has kept an event back that no later one has missed yet: the
        index reads its last blocks again, once for each block."""
        try:
            return observe(self.books, self.protocol, block)
        except DisagreementError:
            if self._doubted == block.hash or not self.index.reread(self._agreed):
                raise
            self._doubted = block.hash
        self.books.forget()
        self.index.sync()
        return observe(self.books, self.protocol, block)

    def observe_market(self, now: int, listed: dict[int, list[int]]) -> Observation:
        """Own sources, combined. Raises Unavailable when too few of them can be believed."""
        observations, failures = gather(self.sources, now, listed)
        try:
            observation, self.sources_report = combine(observations, listed, self.rules, failures)
        except LookupError as error:
            raise Unavailable(str(error.args[0])) from error
        show_market(self.metrics, observations, observation, self.sources_report, self.rules)
        if self.watch is not None:
            self.watch.observed(observation, self.sources_report.rejected)
        return observation

    def draft_report(self, proposal: ReportProposal) -> ReportDraft:
        """Margins after an action on the latest epoch's market and the chain's current positions.

        Raises:
            Refusal: the epoch is not the latest, a price is outside its band, or the action cannot be
                margined.
        """
        head = self.sync()
        if self.protocol.header(head.hash).number != proposal.epoch:
            raise Refusal(f"epoch {proposal.epoch} is not the latest on chain")
        if not head.timestamp < proposal.deadline <= head.timestamp + 3_600:
            raise Refusal("deadline is past or more than an hour away")
        found = self.statements.pair(proposal.epoch)
        if found is None:
            raise Unavailable(f"epoch {proposal.epoch} is not known here")
        snapshot, statement = found
        rows = self._rows(head)
        listings = self.index.listings(head.number)
        leaves = {i.instrument: i for i in statement.instruments}
        try:
            outcome = outcome_of(proposal.action, rows, leaves, listings)
        except ObservationError as error:
            raise Unavailable(str(error)) from error
        self._require_inside_bands(outcome, snapshot, statement, head)
        drafts = []
        for after in outcome.after:
            try:
                drafts.append(
                    build_report(
                        snapshot,
                        self.methodology,
                        epoch=proposal.epoch,
                        action=outcome.action,
                        after=after,
                        deadline=proposal.deadline,
                        tables=statement.tables,
                    )
                )
            except (ValueError, LookupError, OverflowError) as error:
                raise Refusal(f"account {after.account} cannot be margined: {error}") from error
        reports = tuple(report for report, _ in drafts)
        quorum = self.quorum(head.hash)
        message = preimage(quorum.domain, reports_hash(reports))
        return ReportDraft(reports, tuple(margin for _, margin in drafts), outcome.after, message, quorum)

    def _rows(self, head: BlockRef) -> Mapping[int, AccountRow]:
        """Accounts at the head, by id. Raises Unavailable."""
        try:
            return self.books.at(head).rows
        except ObservationError as error:
            raise Unavailable(str(error)) from error

    def _require_inside_bands(
        self, outcome: Outcome, snapshot: Snapshot, statement: EpochStatement, head: BlockRef
    ) -> None:
        """Refusal where a trade is at a price far from the mark."""
        if not outcome.legs:
            return
        if statement.tables is None:
            raise Unavailable(f"epoch {statement.epoch.number} is known by its leaves alone here")
        table = statement.tables.effective
        unknown = {leg.instrument for leg in outcome.legs} - table.marks.keys()
        if unknown:
            try:
                table = build_tables(snapshot, self.methodology, unknown).effective
            except (ValueError, LookupError) as error:
                raise Refusal(f"the trade cannot be marked: {error}") from error
        spots = {u.underlying: u.effective for u in snapshot.market.underlyings}
        refusal = band_refusal(outcome.legs, table.marks, spots, self.protocol.price_bands(head.hash))
        if refusal is not None:
            raise Refusal(refusal)


def posted_spots(market: Market) -> dict[int, int]:
    """Posted spot by underlying, 1e-8 USD."""
    return {u.underlying: u.posted for u in market.underlyings}
