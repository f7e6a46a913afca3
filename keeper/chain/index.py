"""The index: every event of the protocol's contracts, read by block hash, checked for gaps, rolled back on
a reorg."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from keeper.chain import abi_codec, projection
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
from keeper.chain.node import BlockRef, NodeError, Rpc
from keeper.store import index_store, liquidation_store, versions
from keeper.store.database import Database
from keeper.store.index_store import AccountRow, BlockRow, ChangeRow, EventRow, ListingRow
from keeper.store.liquidation_store import AuctionRow, BidRow, FlowRow

WATCHED = (CLEARINGHOUSE, VAULT, ORACLE, MARKETS, EXCHANGE, AUCTION_HOUSE, COLLATERAL_SALE, INSURANCE_FUND)
# A vault's standard events know no sequence: nothing is decided by them
UNSEQUENCED = {(INSURANCE_FUND, "Deposit"), (INSURANCE_FUND, "Withdraw")}
# Its number is that of the clearing house's last event, where all that it changed is told
FILLED = (EXCHANGE, "OrderFilled")
_CHUNK = 50  # blocks per round trip and database transaction
_MAX_REORG = 256


class IndexingError(RuntimeError):
    """The node's logs cannot be trusted: a gap in the sequence numbers or a reorg below what is kept."""


class Index:
    """Follows the node's canonical chain. One writer."""

    def __init__(self, protocol: Protocol, database: Database) -> None:
        self._protocol = protocol
        self._node: Rpc = protocol.node
        self._database = database
        deployment = protocol.deployment
        self._names = {deployment.addresses[name].lower(): name for name in WATCHED}
        self._first = max(deployment.block, 0)

    def sync(self) -> BlockRef:
        """Catch up with the node's head and return it.

        Raises:
            NodeError: the node did not answer, or its chain moved while it was read (try again).
            IndexingError: a sequence number is missing or came twice, or a position does not add up.
        """
        head = self._node.head()
        with self._database.begin() as connection:
            known = index_store.head(connection)
        if known is not None and known.hash == head.hash:
            return head
        start = self._first if known is None else self._common_ancestor(known, head).number + 1
        for first in range(start, head.number + 1, _CHUNK):
            self._read(first, min(first + _CHUNK - 1, head.number))
        return head

    def accounts(self, number: int) -> list[AccountRow]:
        """Every account as of an indexed block."""
        with self._database.begin() as connection:
            return index_store.accounts_at(connection, number)

    def block(self, number: int) -> BlockRow | None:
        """An indexed block."""
        with self._database.begin() as connection:
            return index_store.block_at(connection, number)

    def listings(self, number: int) -> list[ListingRow]:
        """Collateral tokens as of an indexed block, ascending by index."""
        with self._database.begin() as connection:
            return index_store.listings_at(connection, number)

    def changes(self, account: int, number: int) -> list[ChangeRow]:
        """Every change of an account's book up to an indexed block, in order."""
        with self._database.begin() as connection:
            return index_store.changes_of(connection, account, number)

    def auctions(self, number: int) -> list[AuctionRow]:
        """Auctions open in an indexed block, ascending by account."""
        with self._database.begin() as connection:
            return liquidation_store.open_auctions(connection, number)

    def conversions(self, number: int) -> list[int]:
        """Accounts whose collateral is on sale in an indexed block, ascending."""
        with self._database.begin() as connection:
            return liquidation_store.open_conversions(connection, number)

    def bids(self, number: int, account: int | None = None) -> list[BidRow]:
        """Bids up to an indexed block, in order; on one account, or all."""
        with self._database.begin() as connection:
            return liquidation_store.bids(connection, number, account)

    def insurance_flows(self, number: int) -> list[FlowRow]:
        """What the insurance fund took in and gave out up to an indexed block, in order."""
        with self._database.begin() as connection:
            return liquidation_store.flows(connection, number)

    def last_event(self, contract: str, name: str, until: int) -> EventRow | None:
        """The last event of one name up to and including a block."""
        with self._database.begin() as connection:
            return index_store.last_event(connection, contract, name, until)

    def events(self, contract: str, name: str, until: int) -> list[EventRow]:
        """Events of one name up to and including a block."""
        with self._database.begin() as connection:
            return index_store.events(connection, contract, name, until)

    def _common_ancestor(self, known: BlockRow, head: BlockRef) -> BlockRow:
        """The last indexed block that the node still has; everything above it is forgotten."""
        for number in range(
            min(known.number, head.number), max(self._first, known.number - _MAX_REORG) - 1, -1
        ):
            with self._database.begin() as connection:
                ours = index_store.block_at(connection, number)
            theirs = self._node.block(number)
            if ours is not None and theirs is not None and ours.hash == theirs.hash:
                if number < known.number:
                    with self._database.begin() as connection:
                        versions.roll_back(connection, number)
                return ours
        raise IndexingError(f"index: no common block with node {self._node.url} in {_MAX_REORG} blocks")

    def _read(self, first: int, last: int) -> None:
        blocks = self._node.blocks(first, last)
        addresses = sorted(self._names)
        logs = self._node.batch(
            [("eth_getLogs", [{"blockHash": b.hash, "address": addresses}]) for b in blocks]
        )
        with self._database.begin() as connection:
            for ref, found in zip(blocks, logs, strict=True):
                self._append(connection, ref, found)

    def _append(self, connection: Connection, ref: BlockRef, logs: Sequence[Mapping[str, Any]]) -> None:
        known = index_store.head(connection)
        if known is not None and (known.number + 1, known.hash) != (ref.number, ref.parent):
            raise NodeError(f"node {self._node.url} changed its chain at block {ref.number}")
        index_store.add_block(connection, BlockRow(ref.number, ref.hash, ref.parent, ref.timestamp))
        for log in sorted(logs, key=lambda item: int(item["logIndex"], 16)):
            row = self._decode(ref, log)
            if row is not None:
                self._keep(connection, row)

    def _decode(self, ref: BlockRef, log: Mapping[str, Any]) -> EventRow | None:
        if log["blockHash"] != ref.hash:
            raise NodeError(f"node {self._node.url} gave a log of another block")
        name = self._names[log["address"].lower()]
        event = abi_codec.load(name).events.get(log["topics"][0])
        if event is None:
            return None
        payload = event.decode(log["topics"], bytes.fromhex(log["data"][2:]))
        if "seq" not in payload and (name, event.name) not in UNSEQUENCED:
            return None  # ownership and the like, from modules that know no sequence
        index, seq = int(log["logIndex"], 16), payload.get("seq", 0)
        return EventRow(ref.number, index, name, seq, event.name, log["transactionHash"], payload)

    def _keep(self, connection: Connection, row: EventRow) -> None:
        if (row.contract, row.name) == FILLED:
            self._check_seq(connection, row, index_store.last_seq(connection, CLEARINGHOUSE))
            return
        if (row.contract, row.name) not in UNSEQUENCED:
            self._check_seq(connection, row, index_store.last_seq(connection, row.contract) + 1)
            index_store.add_event(connection, row)
        try:
            projection.apply(connection, row)
        except projection.ProjectionError as error:
            raise IndexingError(f"index: {error}: node {self._node.url} gave a wrong event") from error

    def _check_seq(self, connection: Connection, row: EventRow, expected: int) -> None:
        if row.seq != expected:
            raise IndexingError(
                f"index: {row.contract} sequence {row.seq} instead of {expected} in block {row.block_number}:"
                f" node {self._node.url} left out or repeated an event"
            )
