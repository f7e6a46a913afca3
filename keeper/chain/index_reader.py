"""What the index holds, as of a block: for whoever follows the chain, and for those that only read."""

from collections.abc import Sequence

from keeper.store import index_store, liquidation_store
from keeper.store.database import Database
from keeper.store.index_store import AccountRow, BlockRow, ChangeRow, EventRow, ListingRow
from keeper.store.liquidation_store import AuctionRow, BidRow, FlowRow


class NotHeldError(LookupError):
    """A block from before the index began."""


class IndexReader:
    """Reads; needs no node. Everything is good from block `first()` on."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def first(self) -> int | None:
        """The lowest block that is held: where the index was begun, or what its snapshot goes back to."""
        with self.database.read() as connection:
            return index_store.first_block(connection)

    def head(self) -> BlockRow | None:
        """The last indexed block."""
        with self.database.read() as connection:
            return index_store.head(connection)

    def block(self, number: int) -> BlockRow | None:
        """An indexed block."""
        with self.database.read() as connection:
            return index_store.block_at(connection, number)

    def accounts(self, number: int, accounts: Sequence[int] | None = None) -> list[AccountRow]:
        """Every account as of an indexed block, or some of them, ascending. NotHeldError before `first()`."""
        with self.database.read() as connection:
            first = index_store.first_block(connection)
            if first is not None and number < first:
                raise NotHeldError(f"index: block {number} is older than what is held, from {first} on")
            return index_store.accounts_at(connection, number, accounts)

    def changed(self, after: int, until: int) -> list[int]:
        """Accounts that changed in blocks after < b <= until, ascending."""
        with self.database.read() as connection:
            return index_store.accounts_changed(connection, after, until)

    def listings(self, number: int) -> list[ListingRow]:
        """Collateral tokens as of an indexed block, ascending by index."""
        with self.database.read() as connection:
            return index_store.listings_at(connection, number)

    def changes(self, account: int, number: int) -> list[ChangeRow]:
        """Every change of an account's book up to an indexed block, in order."""
        with self.database.read() as connection:
            return index_store.changes_of(connection, account, number)

    def auctions(self, number: int) -> list[AuctionRow]:
        """Auctions open in an indexed block, ascending by account."""
        with self.database.read() as connection:
            return liquidation_store.open_auctions(connection, number)

    def conversions(self, number: int) -> list[int]:
        """Accounts whose collateral is on sale in an indexed block, ascending."""
        with self.database.read() as connection:
            return liquidation_store.open_conversions(connection, number)

    def bids(self, number: int, account: int | None = None) -> list[BidRow]:
        """Bids up to an indexed block, in order; on one account, or all."""
        with self.database.read() as connection:
            return liquidation_store.bids(connection, number, account)

    def insurance_flows(self, number: int) -> list[FlowRow]:
        """What the insurance fund took in and gave out up to an indexed block, in order."""
        with self.database.read() as connection:
            return liquidation_store.flows(connection, number)

    def last_event(self, contract: str, name: str, until: int) -> EventRow | None:
        """The last event of one name up to and including a block."""
        with self.database.read() as connection:
            return index_store.last_event(connection, contract, name, until)

    def events(self, contract: str, name: str, until: int) -> list[EventRow]:
        """Events of one name up to and including a block."""
        with self.database.read() as connection:
            return index_store.events(connection, contract, name, until)
