"""The index: every event of the protocol's contracts, read by block hash, checked for gaps, rolled back on
a reorg, refilled from another node where one leaves something out."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from eth_abi.exceptions import DecodingError
from sqlalchemy import Connection

from keeper.chain import abi_codec, projection
from keeper.chain.block_logs import BlockLogs, Log, LogReader
from keeper.chain.contracts import (
    AUCTION_HOUSE,
    CLEARINGHOUSE,
    COLLATERAL_SALE,
    EXCHANGE,
    INSURANCE_FUND,
    MARKETS,
    ORACLE,
    VAULT,
    Protocol,
)
from keeper.chain.index_reader import IndexReader
from keeper.chain.node import BlockRef, NodeError, Rpc
from keeper.chain.witnesses import Witnesses
from keeper.observability import names
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.store import index_store, versions
from keeper.store.database import Database
from keeper.store.draft import Draft, accounts_of
from keeper.store.index_store import BlockRow, EventRow
from keeper.store.lease import Lease, LeaseLost

WATCHED = (CLEARINGHOUSE, VAULT, ORACLE, MARKETS, EXCHANGE, AUCTION_HOUSE, COLLATERAL_SALE, INSURANCE_FUND)
# A vault's standard events know no sequence: nothing is decided by them
UNSEQUENCED = {(INSURANCE_FUND, "Deposit"), (INSURANCE_FUND, "Withdraw")}
# Its number is that of the clearing house's last event, where all that it changed is told
FILLED = (EXCHANGE, "OrderFilled")
MAX_REORG = 256  # blocks; Ethereum is final after 64 to 96
_MOST_ACCOUNTS = 50_000  # in memory from one run of blocks to the next
_DOUBTFUL_BLOCKS = 16  # read again at a time
_MOST_BEHIND = 5  # blocks that a writer may lag and still be read from
_POLL_SECONDS = 0.05


class IndexingError(RuntimeError):
    """The nodes' logs cannot be trusted: a gap that nobody fills, or a reorg below what is kept."""


class _Doubt(IndexingError):  # noqa: N818
    """A run of blocks does not add up; what is wrong with it began at block `since` at the earliest. Of an
    event left out, `missing` is the contract and the sequence number."""

    def __init__(self, reason: str, since: int, missing: tuple[str, int] = ("", 0)) -> None:
        super().__init__(reason)
        self.since = since
        self.missing = missing


class Pace:
    """How many blocks are read at a time: as many as take about a second."""

    _LOGS = 10_000  # in one transaction

    def __init__(self, blocks: int = 64, most: int = 4_096) -> None:
        self.blocks = blocks
        self._most = most

    def done(self, seconds: float, logs: int) -> None:
        """A run took so long and brought so much."""
        if seconds > 2 or logs > self._LOGS:
            self.failed()
        elif seconds < 0.5 and logs < self._LOGS // 2:
            self.blocks = min(2 * self.blocks, self._most)

    def failed(self) -> None:
        """A node did not answer in time, or refused so much at once."""
        self.blocks = max(self.blocks // 2, 1)


class Index(IndexReader):
    """Follows the canonical chain. One writer per database: whoever holds the lease."""

    def __init__(
        self,
        protocol: Protocol,
        database: Database,
        lease: Lease | None = None,
        metrics: Metrics | None = None,
        *,
        max_reorg: int = MAX_REORG,
        wait_seconds: float = 2.0,
    ) -> None:
        """Without a lease this is the only process over `database`. `wait_seconds` is how long one that does
        not write waits for the one that does."""
        super().__init__(database)
        self._protocol = protocol
        self._rpc: Rpc = protocol.node
        self._lease = lease
        self._metrics = metrics or Metrics()
        self._max_reorg = max_reorg
        self._wait_seconds = wait_seconds
        deployment = protocol.deployment
        self._names = {deployment.addresses[name].lower(): name for name in WATCHED}
        self._first = max(deployment.block, 0)
        self._reader = LogReader(self._names)
        self._witnesses = Witnesses(self._rpc, self._reader, self._names, self._metrics)
        self._pace = Pace()
        self._seen = -1
        self._doubtful_until = -1  # block up to which receipts are read instead of logs
        self._draft: Draft | None = None

    def sync(self) -> BlockRef:
        """Catch up with the chain's head and return it; a process without the lease waits for who has it.

        Raises:
            NodeError: no node answered, the chain moved while it was read, or the writer is behind (try
                again).
            IndexingError: an event is missing, came twice or does not add up, and no node knows better; or a
                reorg goes deeper than what is kept.
        """
        head = self._rpc.head()
        try:
            found = self._advance(head) if self.writes() else self._follow(head)
        except LeaseLost:
            self._draft = None
            found = self._follow(head)
        self._report(head, found)
        return found

    def writes(self) -> bool:
        """Whether this process is the one that writes."""
        return self._lease is None or self._lease.acquire()

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction that only the writer can make. Raises LeaseLost."""
        return self.database.begin() if self._lease is None else self._lease.begin()

    def reread(self, since: int) -> bool:
        """Take back the blocks above `since`, at most so many as a reorg may, to read them anew out of their
        receipts: the chain's state says that something is missing. Whether there is anything to read and
        this process is the one that writes."""
        known = self._resume() if self.writes() else None
        if known is None:
            return False
        ancestor = max(since, self.first() or 0, known.number - self._max_reorg)
        if ancestor >= known.number:
            return False
        self._draft = None
        with self.begin() as connection:
            versions.roll_back(connection, ancestor)
        self._doubtful_until = known.number
        logger("index").warning("read again", first=ancestor + 1, last=known.number)
        self._metrics.count(names.LOG_GAPS, result="read again")
        return True

    # Writing

    def _advance(self, head: BlockRef) -> BlockRef:
        known = self._resume()
        if known is not None and self._has(head):
            return head  # a node that is behind takes nothing back
        if known is not None:
            self._roll_back(known, self._common_ancestor(known, head))
        while (first := self._next()) <= head.number:
            self._keep_lease()
            self._run(first, min(first + self._pace.blocks - 1, head.number))
        return head

    def _resume(self) -> BlockRow | None:
        """The last indexed block. What is in memory stays if nobody else has written."""
        with self.database.read() as connection:
            known = index_store.head(connection)
        draft = self._draft
        if draft is not None and (draft.head != known or draft.size > _MOST_ACCOUNTS):
            self._draft = None
        return known

    def _next(self) -> int:
        known = self._resume() if self._draft is None else self._draft.head
        return self._first if known is None else known.number + 1

    def _has(self, ref: BlockRef) -> bool:
        found = self.block(ref.number)
        return found is not None and found.hash == ref.hash

    def _common_ancestor(self, known: BlockRow, head: BlockRef) -> int:
        """The last indexed block that the chain still has."""
        top = min(known.number, head.number)
        lowest = max(self.first() or 0, known.number - self._max_reorg)
        while top >= lowest:
            bottom = max(lowest, top - 31)
            theirs = {ref.number: ref.hash for ref in self._rpc.blocks(bottom, top)}
            with self.database.read() as connection:
                ours = index_store.block_hashes(connection, bottom, top)
            same = [number for number in theirs if ours.get(number) == theirs[number]]
            if same:
                return max(same)
            top = bottom - 1
        raise IndexingError(
            f"index: no common block with node {self._rpc.url} in {self._max_reorg} blocks: either the chain"
            " was reorganised deeper than that, or the node is on another chain. Halted: nothing is signed or"
            " sent. If the node is right, begin a new database or load a snapshot"
        )

    def _roll_back(self, known: BlockRow, ancestor: int) -> None:
        if ancestor == known.number:
            return
        self._draft = None
        with self.begin() as connection:
            versions.roll_back(connection, ancestor)
        depth = known.number - ancestor
        logger("index").warning("reorg", depth=depth, ancestor=ancestor)
        self._metrics.count(names.REORGS)
        self._metrics.set(names.REORG_DEPTH, depth)

    def _run(self, first: int, last: int) -> None:
        """Read and store a run of blocks."""
        started = time.monotonic()
        try:
            blocks = self._read(first, last)
        except NodeError:
            self._pace.failed()
            raise
        self._metrics.observe(names.LOG_QUERY, time.monotonic() - started)
        try:
            self._store(blocks)
        except _Doubt as doubt:
            self._refill(doubt, blocks)
        else:
            self._pace.done(time.monotonic() - started, sum(len(block.logs) for block in blocks))

    def _read(self, first: int, last: int) -> Sequence[BlockLogs]:
        found = self._witnesses.checked(self._reader.read(self._rpc, first, last))
        if first > self._doubtful_until:
            return found
        found = self._reader.from_receipts(self._rpc, found)
        self._witnesses.blame(found)
        return found

    def _store(self, blocks: Sequence[BlockLogs]) -> None:
        """Project a run of blocks and write it, all or nothing."""
        rows = [(block.ref, self._decoded(block)) for block in blocks]
        accounts = {account for _, events in rows for row in events for account in accounts_of(row)}
        try:
            with self.begin() as connection:
                if self._draft is None:
                    self._draft = Draft(connection, WATCHED)
                self._draft.load(connection, accounts)
                for ref, events in rows:
                    self._append(self._draft, ref, events)
                self._draft.flush(connection)
        except BaseException:
            self._draft = None
            raise

    def _append(self, draft: Draft, ref: BlockRef, rows: Sequence[EventRow]) -> None:
        known = draft.head
        if known is not None and (known.number + 1, known.hash) != (ref.number, ref.parent):
            raise NodeError(f"node {self._rpc.url} changed its chain at block {ref.number}")
        draft.add_block(BlockRow(ref.number, ref.hash, ref.parent, ref.timestamp))
        for row in rows:
            self._keep(draft, row)

    def _decoded(self, block: BlockLogs) -> list[EventRow]:
        try:
            found = [self._decode(block.ref, log) for log in block.logs]
        except (DecodingError, ValueError, KeyError, TypeError) as error:
            reason = f"index: a log in block {block.ref.number} cannot be read: {error}"
            raise _Doubt(reason, block.ref.number) from error
        return [row for row in found if row is not None]

    def _decode(self, ref: BlockRef, log: Log) -> EventRow | None:
        name = self._names[log["address"].lower()]
        topics = log["topics"]
        event = abi_codec.load(name).events.get(topics[0]) if topics else None
        if event is None:
            return None
        payload = event.decode(topics, bytes.fromhex(log["data"][2:]))
        if "seq" not in payload and (name, event.name) not in UNSEQUENCED:
            return None  # ownership and the like, from modules that know no sequence
        index, seq = int(log["logIndex"], 16), payload.get("seq", 0)
        return EventRow(ref.number, index, name, seq, event.name, log["transactionHash"], payload)

    def _keep(self, draft: Draft, row: EventRow) -> None:
        if (row.contract, row.name) == FILLED:
            self._check_seq(draft, row, CLEARINGHOUSE, draft.last_seq(CLEARINGHOUSE), row.seq)
            return
        if (row.contract, row.name) not in UNSEQUENCED:
            expected = draft.last_seq(row.contract) + 1
            self._check_seq(draft, row, row.contract, expected, expected)
            draft.add_event(row)
        try:
            projection.apply(draft, row)
        except projection.ProjectionError as error:
            reason = f"index: {error}: node {self._rpc.url} gave a wrong event"
            raise _Doubt(reason, row.block_number) from error

    def _check_seq(self, draft: Draft, row: EventRow, contract: str, expected: int, missing: int) -> None:
        if row.seq != expected:
            raise _Doubt(
                f"index: {row.contract} sequence {row.seq} instead of {expected} in block {row.block_number}:"
                f" node {self._rpc.url} left out or repeated an event",
                draft.last_block(contract) or self._first,
                (contract, missing),
            )

    def _refill(self, doubt: _Doubt, blocks: Sequence[BlockLogs]) -> None:
        """Read a run again from every other node, and out of receipts. If the hole began in an earlier run,
        the cursor goes back there. Raises the doubt if nobody knows better."""
        if len(blocks) > _DOUBTFUL_BLOCKS:
            self._pace.blocks = _DOUBTFUL_BLOCKS  # come back in small steps: receipts are large
            return
        first = blocks[0].ref.number
        since = self._witnesses.block_of(doubt.missing, doubt.since, first) if doubt.since < first else first
        if since < first:
            with self.begin() as connection:
                versions.roll_back(connection, since - 1)
            blocks = self._reader.read(self._rpc, since, since)
        for better in self._witnesses.testimonies(blocks):
            if since < first and not self._witnesses.hold(doubt.missing, better):
                continue  # it adds up as far as it goes: so it did when the event was lost
            try:
                self._store(better)
            except (NodeError, _Doubt):
                continue
            logger("index").warning("refilled", block=better[-1].ref.number, reason=str(doubt))
            self._metrics.count(names.LOG_GAPS, result="refilled")
            self._witnesses.blame(better)
            return
        self._metrics.count(names.LOG_GAPS, result="unfilled")
        raise doubt

    def _keep_lease(self) -> None:
        if self._lease is not None:
            self._lease.renew()

    # Reading what another writes

    def _follow(self, head: BlockRef) -> BlockRef:
        """Wait a little until the writer has `head`. Raises NodeError if it is too far behind."""
        until = time.monotonic() + self._wait_seconds
        while not self._has(head):
            if time.monotonic() > until:
                return self._behind(head)
            time.sleep(_POLL_SECONDS)
        return head

    def _behind(self, head: BlockRef) -> BlockRef:
        """The last block that both the writer and the chain have."""
        with self.database.read() as connection:
            known = index_store.head(connection)
        behind = head.number + 1 if known is None else head.number - known.number
        found = None if known is None else self._rpc.block(min(known.number, head.number))
        if found is None or behind > _MOST_BEHIND or not self._has(found):
            writer = self._lease.owner() if self._lease is not None else None
            who = writer[0] if writer else "nobody"
            raise NodeError(f"index: {behind} blocks behind, its writer is {who}: waiting for it")
        return found

    def _report(self, head: BlockRef, found: BlockRef) -> None:
        self._metrics.set(names.BLOCK, head.number, state="head")
        self._metrics.set(names.BLOCK, found.number, state="indexed")
        self._metrics.set(names.INDEX_LAG, head.number - found.number)
        if self._lease is not None:
            self._metrics.set(names.LEASE_EPOCH, self._lease.epoch or 0, lease=self._lease.name)
        if found.number > self._seen:
            self._metrics.observe(names.LOG_LATENCY, max(0.0, time.time() - found.timestamp))
            self._seen = found.number
