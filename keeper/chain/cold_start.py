"""Starting an index from a snapshot: loaded, and compared with the chain at the snapshot's block."""

import hashlib
import json
from pathlib import Path

from sqlalchemy import Connection

from keeper.chain.contracts import Protocol, Summary
from keeper.chain.deployment import Deployment
from keeper.chain.index import Index
from keeper.chain.index_reader import IndexReader
from keeper.chain.node import CallError
from keeper.observability.logs import logger
from keeper.store import index_store, snapshot_file
from keeper.store.snapshot_file import Header, SnapshotError

FINAL_BLOCKS = 64  # behind the head: no reorg takes back what a snapshot says
HISTORY_BLOCKS = 7_200  # a day of Ethereum's blocks
_ACCOUNTS = 4_096  # compared at a time: a node must answer before the timeout


def digest_of(deployment: Deployment) -> str:
    """Of the chain and the contracts' addresses."""
    addresses = {name: address.lower() for name, address in deployment.addresses.items()}
    text = json.dumps([deployment.chain_id, addresses], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_snapshot(
    index: IndexReader,
    deployment: Deployment,
    path: Path,
    block: int | None = None,
    history: int = HISTORY_BLOCKS,
) -> Header:
    """Write what an index holds as of a block, by default the last one that no reorg reaches.

    Raises SnapshotError: nothing is indexed yet, or the block is not.
    """
    with index.database.read() as connection:
        head = index_store.head(connection)
        if head is None:
            raise SnapshotError("snapshot: nothing is indexed yet")
        chosen = max(0, head.number - FINAL_BLOCKS) if block is None else block
        digest = digest_of(deployment)
        return snapshot_file.write(connection, path, deployment.chain_id, digest, chosen, history)


def start_from(index: Index, protocol: Protocol, path: Path) -> Header | None:
    """Load a snapshot into an empty index; None if the index has blocks, or another process writes it.

    Raises:
        SnapshotError: the file is damaged, of another deployment or another chain, or does not say what the
            chain says; nothing of it is kept.
        NodeError: the node did not answer.
    """
    if index.head() is not None or not index.writes():
        return None
    header = snapshot_file.read_header(path)
    _check_chain(protocol, path, header)
    with index.begin() as connection:
        snapshot_file.load(connection, path)
        _check_accounts(connection, protocol, path, header)
    logger("index").info("started from a snapshot", path=str(path), block=header.block)
    return header


def _check_chain(protocol: Protocol, path: Path, header: Header) -> None:
    deployment = protocol.deployment
    if (header.chain_id, header.deployment) != (deployment.chain_id, digest_of(deployment)):
        raise SnapshotError(f"snapshot {path} is of another deployment, on chain {header.chain_id}")
    found = protocol.node.block(header.block)
    if found is None or found.hash != header.hash:
        raise SnapshotError(f"snapshot {path}: its block {header.block} is not on the node's chain")


def _check_accounts(connection: Connection, protocol: Protocol, path: Path, header: Header) -> None:
    """Every account's cash, counters, number of legs and book hash, at the snapshot's block."""
    rows = index_store.summaries(connection)
    ids = [row.account for row in rows]
    found: list[Summary] = []
    try:
        count = protocol.account_count(header.hash)
        for start in range(0, len(ids), _ACCOUNTS):
            found += protocol.summaries(header.hash, ids[start : start + _ACCOUNTS])
    except CallError as error:
        raise SnapshotError(
            f"snapshot {path}: the node does not answer for block {header.block} ({error.reason}): ask an"
            " archive node, or write a newer snapshot"
        ) from None
    if count != len(rows):
        raise SnapshotError(f"snapshot {path} has {len(rows)} accounts, the chain {count}")
    for row, theirs in zip(rows, found, strict=True):
        ours = Summary.of(row.legs, row.cash, row.added_im, row.added_mark, row.book_hash)
        if ours != theirs:
            difference = ours.difference(theirs)
            raise SnapshotError(f"snapshot {path}: account {row.account} is not the chain's: {difference}")
