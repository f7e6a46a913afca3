"""Wiring of audits: a keeper's database, read only, and its nodes."""

from pathlib import Path

from keeper.app.config import load
from keeper.app.nodes import open_pool
from keeper.chain import deployment as deployments
from keeper.chain.contracts import Protocol
from keeper.chain.index_reader import IndexReader
from keeper.jobs.audit import EpochAudit, Line
from keeper.jobs.audit_auction import AuctionAudit
from keeper.jobs.books import Books
from keeper.jobs.statements import Statements
from keeper.risk.methodology import Methodology
from keeper.store.database import Database


def run_audit(path: Path, epoch: int | None, auction: int | None) -> list[Line]:
    """Of an epoch or of an account's latest auction. Raises the packages' errors, one sentence each."""
    config = load(path)
    deployment = deployments.load(config.chain.deployment)
    methodology = Methodology.load(config.methodology) if config.methodology else Methodology.default()
    pool = open_pool(config.chain, deployment.chain_id)
    database = Database(config.keeper.database)
    try:
        index = IndexReader(database)
        statements = Statements(database, methodology, Books(index))
        epochs = EpochAudit(Protocol(pool, deployment), index, statements, methodology)
        if epoch is not None:
            return epochs.epoch(epoch)
        assert auction is not None  # one of the two is named
        return AuctionAudit(epochs).auction(auction)
    finally:
        database.close()
        pool.close()
