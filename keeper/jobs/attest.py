"""The attester: recomputes what it is asked to sign, from its own node, sources and parameters, and signs
or says why not."""

import time
from collections.abc import Collection

from eth_utils.crypto import keccak

from keeper.attestation.epoch import EpochStatement, build
from keeper.attestation.snapshot import Snapshot, market_from_text
from keeper.attestation.typed_data import preimage
from keeper.chain.deployment import DEVNETS
from keeper.chain.keys import Signer, SigningError
from keeper.chain.node import BlockRef, NodeError
from keeper.chain.quorum import Quorum
from keeper.jobs.clock import skew_refusal
from keeper.jobs.compose import snapshot_of
from keeper.jobs.desk import Desk, posted_spots
from keeper.jobs.differences import LeafSource, difference
from keeper.jobs.effective import effective_spots
from keeper.jobs.observe import ChainView
from keeper.jobs.proposals import Comparison, Proposals
from keeper.network.peers import Peer, domain_of
from keeper.network.schemas import (
    EpochProposal,
    ProposalsAnswer,
    ReportProposal,
    SignatureAnswer,
    hex_text,
)
from keeper.network.server import Refusal, Unavailable
from keeper.observability import names
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.pricing.market import Market
from keeper.sources.market_check import market_problems
from keeper.store import statement_store
from keeper.store.database import Database, StoreError

MAX_BLOCKS_BACK = 64
MAX_NUMBERS_AHEAD = 2**20  # of the chain's: a number is 64 bits, and no proposer may use them up


class Attester:
    """Signs at most one epoch per number and key, ever; everything signed is kept, and served, before it is
    signed."""

    def __init__(
        self,
        desk: Desk,
        database: Database,
        signers: tuple[Signer, ...],
        leaves: LeafSource | None = None,
        metrics: Metrics | None = None,
        keepers: tuple[str, ...] = (),
    ) -> None:
        """
        Args:
            signers: the key, and around a change of the set also the one of the coming set: whichever is a
                member of the set in force signs.
            leaves: where the proposer's leaves are read to name a difference.
            keepers: APIs of fellow attesters, to compare what proposers have said.
        """
        self._desk = desk
        self._database = database
        self._signers = signers
        self._leaves = leaves
        self._metrics = metrics or Metrics()
        self._proposals = Proposals(database)
        deployment = desk.protocol.deployment
        peers = domain_of(deployment.chain_id, deployment.oracle)
        self._comparison = Comparison(self._proposals, peers, keepers)
        self.signed = 0
        self.last_refusal = ""

    def tick(self) -> None:
        """Know the set in force, and compare what proposers have said to others. Raises Unavailable."""
        head = self._desk.sync()
        self._desk.quorum(head.hash)
        for accused in self._comparison.tick(head.timestamp):
            self.last_refusal = f"{accused} proposes different contents under one number"

    def callers(self, proposers: Collection[str]) -> frozenset[str]:
        """Who may ask for signatures: known proposers and members of the latest set that was looked at."""
        return frozenset(proposers) | frozenset(self._desk.quorums.latest_signers)

    def proposals(self, number: int) -> ProposalsAnswer:
        """What was received under a number."""
        return self._proposals.answer(number)

    def sign_epoch(self, proposal: EpochProposal, peer: Peer) -> SignatureAnswer:
        """Signature over the epoch. Raises Refusal with the first difference, Unavailable if nothing can be
        checked."""
        deadline = time.monotonic() + proposal.patience_seconds
        try:
            return self._sign_epoch(proposal, peer, deadline)
        except (Refusal, Unavailable, StoreError) as error:
            self.last_refusal = str(error)
            self._metrics.count(names.REFUSED, kind="epoch")
            logger("attest").warning("refused", number=proposal.number, peer=peer.address, reason=str(error))
            if isinstance(error, StoreError):  # what cannot be kept is not signed
                raise Unavailable(str(error)) from error
            raise

    def sign_report(self, proposal: ReportProposal, peer: Peer) -> SignatureAnswer:
        """Signature over the reports after an action; proposer and attester compare digests by the
        signature."""
        try:
            self._check_clock(peer, None)
            with self._desk.lock:
                draft = self._desk.draft_report(proposal)
            signer, digest = self._member(draft.quorum), hex_text(draft.digest)
            action = hex_text(draft.reports[0].action)
            with self._database.begin() as connection:
                statement_store.record_report(connection, signer.address, digest, proposal.epoch, action)
            return self._sign(signer, draft.preimage, "report")
        except (Refusal, Unavailable):
            self._metrics.count(names.REFUSED, kind="report")
            raise

    def _sign_epoch(self, proposal: EpochProposal, peer: Peer, deadline: float) -> SignatureAnswer:
        try:
            market = market_from_text(proposal.market)
        except ValueError as error:
            raise Refusal(str(error)) from error
        contradiction = self._proposals.receive(proposal, peer, market.timestamp)
        self._comparison.note(proposal.number)
        with self._desk.lock:
            view = self._view(proposal, market)
            self._check_clock(peer, view)
            quorum = self._desk.quorum(view.block.hash)
            signer = self._member(quorum)
            ours, own = self._recompute(view, proposal, market)
        found = difference(own, proposal.epoch.to_epoch(), self._leaves) or contradiction
        if found is not None:
            raise Refusal(found)
        message = preimage(quorum.domain, own.epoch.struct_hash())
        self._claim(signer, proposal, peer, message, market.timestamp)
        # served before it is signed; claimed before that, so no other content can take the number's place
        self._desk.statements.keep(ours, own)
        if time.monotonic() > deadline:
            raise Refusal(
                f"too late: the proposer waits {proposal.patience_seconds:g} seconds, they are over"
            )
        logger("attest").info("signed", number=proposal.number, block=view.block.number)
        return self._sign(signer, message, "epoch")

    def _view(self, proposal: EpochProposal, market: Market) -> ChainView:
        head = self._desk.sync()
        return self._desk.view_at(self._pinned_block(head, proposal, market))

    def _recompute(
        self, view: ChainView, proposal: EpochProposal, market: Market
    ) -> tuple[Snapshot, EpochStatement]:
        methodology = self._desk.methodology
        stated, own = proposal.epoch.methodology_hash, hex_text(methodology.hash())
        if stated != own:
            raise Refusal(f"epoch methodology_hash: {own} here, {stated} there")
        try:
            registered = self._desk.protocol.is_registered(view.block.hash, methodology.hash())
        except NodeError as error:
            raise Unavailable(str(error)) from error
        if not registered:
            raise Refusal("methodology is not registered on chain")
        self._check_number(proposal.number, view.header.number)
        self._check_market(view, market)
        ours = snapshot_of(view, market, methodology)
        try:
            return ours, build(ours, methodology, proposal.number, self._desk.engine)
        except (ValueError, LookupError, OverflowError) as error:
            raise Refusal(str(error)) from error

    def _check_number(self, number: int, latest: int) -> None:
        if number <= latest:
            raise Refusal(f"epoch {number} is not above the latest on chain, {latest}")
        if number > latest + MAX_NUMBERS_AHEAD:
            raise Refusal(f"epoch {number} is too far above the latest on chain, {latest}")

    def _check_clock(self, peer: Peer, view: ChainView | None) -> None:
        """A devnet's clock runs as its driver pleases; another chain's is never ahead of ours."""
        refusal = skew_refusal(-peer.skew, "proposer", self._metrics)
        chain_id = self._desk.protocol.deployment.chain_id
        if refusal is None and view is not None and chain_id not in DEVNETS:
            behind = min(time.time() - view.block.timestamp, 0.0)
            refusal = skew_refusal(behind, "chain", self._metrics)
        if refusal is not None:
            raise Refusal(refusal)

    def _member(self, quorum: Quorum) -> Signer:
        """Of our keys the one that the set in force knows."""
        for signer in self._signers:
            if signer.address in quorum.signers:
                return signer
        ours = " and ".join(signer.address for signer in self._signers)
        raise Refusal(f"{ours}: no member of the quorum in force, {quorum.address}")

    def _claim(self, signer: Signer, proposal: EpochProposal, peer: Peer, message: bytes, now: int) -> None:
        """The number is this digest's from now on, and never another's."""
        digest = hex_text(keccak(message))
        if statement_store.claim_epoch(self._database, signer.address, proposal.number, digest, now):
            return
        self._proposals.accuse("second_content", proposal, peer, now)
        raise Refusal(f"epoch {proposal.number} is signed already with other content")

    def _pinned_block(self, head: BlockRef, proposal: EpochProposal, market: Market) -> BlockRef:
        number = proposal.epoch.block_number
        if not head.number - MAX_BLOCKS_BACK <= number <= head.number:
            raise Refusal(f"block {number} is not among the last {MAX_BLOCKS_BACK} of head {head.number}")
        row = self._desk.index.block(number)
        if row is None or row.hash != proposal.epoch.block_hash:
            raise Refusal(f"block {number} has another hash here")
        if row.timestamp != market.timestamp:
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

    def _sign(self, signer: Signer, message: bytes, kind: str) -> SignatureAnswer:
        try:
            r, vs = signer.sign(message).compact
        except SigningError as error:
            raise Unavailable(str(error)) from error
        self.signed += kind == "epoch"
        self._metrics.count(names.SIGNED, kind=kind)
        digest = hex_text(keccak(message))
        return SignatureAnswer(signer=signer.address, digest=digest, r=hex_text(r), vs=str(vs))
