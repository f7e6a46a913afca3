"""The attester: recomputes what it is asked to sign, from its own node, sources and parameters, and signs
or says why not."""

from dataclasses import replace

from eth_utils.crypto import keccak

from keeper.attestation.epoch import EpochStatement, build, first_difference
from keeper.attestation.snapshot import Snapshot
from keeper.attestation.typed_data import preimage
from keeper.chain.keys import Signer
from keeper.chain.node import BlockRef, NodeError
from keeper.jobs.compose import snapshot_difference, snapshot_of
from keeper.jobs.desk import Desk, posted_spots
from keeper.jobs.effective import effective_spots
from keeper.jobs.observe import ChainView, ObservationError, observe
from keeper.network.schemas import (
    EpochProposal,
    ReportProposal,
    SignatureAnswer,
    epoch_from,
    hex_text,
    margin_from,
)
from keeper.network.server import Refusal, Unavailable
from keeper.observability.logs import logger
from keeper.pricing.market import Market
from keeper.sources.market_check import market_problems
from keeper.store import statement_store
from keeper.store.database import Database

MAX_BLOCKS_BACK = 64


class Attester:
    """Signs at most one epoch per number, ever; everything signed is kept, and served, before it is
    signed."""

    def __init__(self, desk: Desk, database: Database, signer: Signer) -> None:
        self._desk = desk
        self._database = database
        self._signer = signer
        self.signed = 0
        self.last_refusal = ""

    def sign_epoch(self, proposal: EpochProposal) -> SignatureAnswer:
        """Signature over the epoch. Raises Refusal with the first difference, Unavailable if nothing can be
        checked."""
        try:
            with self._desk.lock:
                return self._sign_epoch(proposal)
        except (Refusal, Unavailable) as error:
            self.last_refusal = str(error)
            logger("attest").warning("refused", number=proposal.number, reason=str(error))
            raise

    def sign_report(self, proposal: ReportProposal) -> SignatureAnswer:
        """Signature over the reports after an action; proposer and attester compare digests by the
        signature."""
        with self._desk.lock:
            draft = self._desk.draft_report(proposal)
            text = hex_text(draft.digest)
            with self._database.begin() as connection:
                statement_store.record_report(
                    connection, self._signer.address, text, proposal.epoch, hex_text(draft.reports[0].action)
                )
        return self._sign(draft.preimage)

    def _sign_epoch(self, proposal: EpochProposal) -> SignatureAnswer:
        try:
            theirs = Snapshot.from_json(proposal.snapshot)
        except ValueError as error:
            raise Refusal(str(error)) from error
        ours, own = self._recompute(proposal, theirs)
        difference = first_difference(own, _claimed(own, proposal))
        if difference is not None:
            raise Refusal(difference)
        message = preimage(self._desk.domain, own.epoch.struct_hash())
        now = theirs.market.timestamp
        claim = self._signer.address, proposal.number, hex_text(keccak(message)), now
        if not statement_store.claim_epoch(self._database, *claim):
            raise Refusal(f"epoch {proposal.number} is signed already with other content")
        # served before it is signed; claimed before that, so no other content can take the number's place
        self._desk.statements.keep(ours, own)
        self.signed += 1
        logger("attest").info("signed", number=proposal.number, block=theirs.block_number)
        return self._sign(message)

    def _recompute(self, proposal: EpochProposal, theirs: Snapshot) -> tuple[Snapshot, EpochStatement]:
        head = self._desk.sync()
        block = self._pinned_block(head, theirs)
        try:
            view = observe(self._desk.index, self._desk.protocol, block)
            registered = self._desk.protocol.is_registered(block.hash, self._desk.methodology.hash())
        except (NodeError, ObservationError) as error:
            raise Unavailable(str(error)) from error
        if not registered:
            raise Refusal("methodology is not registered on chain")
        if proposal.number <= view.header.number:
            raise Refusal(f"epoch {proposal.number} is not above the latest on chain, {view.header.number}")
        self._check_market(view, theirs.market)
        ours = snapshot_of(view, theirs.market, self._desk.methodology)
        difference = snapshot_difference(ours, theirs)
        if difference is not None:
            raise Refusal(difference)
        try:
            return ours, build(ours, self._desk.methodology, proposal.number)
        except (ValueError, LookupError, OverflowError) as error:
            raise Refusal(str(error)) from error

    def _pinned_block(self, head: BlockRef, snapshot: Snapshot) -> BlockRef:
        if not head.number - MAX_BLOCKS_BACK <= snapshot.block_number <= head.number:
            raise Refusal(
                f"block {snapshot.block_number} is not among the last {MAX_BLOCKS_BACK} of head {head.number}"
            )
        row = self._desk.index.block(snapshot.block_number)
        if row is None or row.hash != hex_text(snapshot.block_hash):
            raise Refusal(f"block {snapshot.block_number} has another hash here")
        if row.timestamp != snapshot.market.timestamp:
            raise Refusal("market is not of the block's time")
        return BlockRef(row.number, row.hash, row.parent, row.timestamp)

    def _check_market(self, view: ChainView, market: Market) -> None:
        if [u.underlying for u in market.underlyings] != list(range(1, len(view.spots) + 1)):
            raise Refusal("market: other underlyings than the chain's")
        expiries = view.priced_expiries()
        for listed in market.underlyings:
            if [e.expiry for e in listed.expiries] != expiries[listed.underlying]:
                raise Refusal(f"market: other expiries of underlying {listed.underlying} than the chain's")
            for expiry in listed.expiries:
                window = view.windows.get((listed.underlying, expiry.expiry), (0, 0))
                if (expiry.settlement_sum, expiry.settlement_covered) != window:
                    raise Refusal(f"market: settlement window of {listed.underlying} {expiry.expiry} differs")
        try:
            edges = effective_spots(
                view.header, view.spots, view.bands, posted_spots(market), view.block.timestamp
            )
        except ValueError as error:
            raise Refusal(str(error)) from error
        for listed in market.underlyings:
            if listed.effective != edges[listed.underlying]:
                ours = edges[listed.underlying]
                raise Refusal(
                    f"market: effective spot of {listed.underlying}: {ours} here, {listed.effective} there"
                )
        own = self._desk.observe_market(market.timestamp, expiries)
        problems = market_problems(market, own, self._desk.tolerance)
        if problems:
            raise Refusal(problems[0])

    def _sign(self, message: bytes) -> SignatureAnswer:
        r, vs = self._signer.sign(message).compact
        digest = hex_text(keccak(message))
        return SignatureAnswer(signer=self._signer.address, digest=digest, r=hex_text(r), vs=str(vs))


def _claimed(own: EpochStatement, proposal: EpochProposal) -> EpochStatement:
    """Our epoch with the proposer's figures in the places where it states them."""
    try:
        epoch = epoch_from(proposal.epoch)
        margins = tuple(margin_from(values) for values in proposal.margins)
    except (ValueError, TypeError) as error:
        raise Refusal(f"malformed proposal: {error}") from error
    return replace(own, epoch=epoch, margins=margins)
