"""What a run of blocks does to the index: projected in memory, written in bulk.

A draft holds the open versions of the accounts it was told to load, and what became of them since. Nothing
of it is in the database until `flush`. It stays good from one flush to the next as long as nobody else
writes; after a rollback, or when the lease was lost, a new one is begun.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from keeper.store import bulk, index_store, schema
from keeper.store.index_store import BlockRow, ChangeRow, EventRow, ListingRow
from keeper.store.liquidation_store import OPEN

_MANY = 500  # keys per query: SQLite takes 999 parameters
_NO_BOOK = "0x" + "00" * 32
# What the first version of a key starts from, in the order of the columns
_NEW_ACCOUNT = {"owner": "", "cash": "0", "added_im": "0", "added_mark": "0", "book_hash": _NO_BOOK}
_NEW_ACCOUNT |= {"frozen": "0", "tier": "0", "underlying": "0", "expiry": "0"}
_NEW_AUCTION = {"state": OPEN, "epoch": "0", "solvent": "1", "equity": "0"}
_NEW_AUCTION |= {"initial_margin": "0", "maintenance_margin": "0"}
_NEW_CONVERSION = {"state": OPEN, "settled": "0"}
_text_of = json.JSONEncoder(sort_keys=True).encode

Values = Mapping[str, str]
Book = dict[int, int]  # by instrument, or by the token's index


class Draft:
    """Blocks, events and versions to be written: all that the projection reads and changes."""

    def __init__(self, connection: Connection, contracts: Iterable[str]) -> None:
        """Begin at what the database holds; `contracts` are those whose events are numbered."""
        self.head = index_store.head(connection)
        self._last = {contract: index_store.last_place(connection, contract) for contract in contracts}
        self._versions = {table: _Versions(table) for table in schema.VERSIONED}
        self._rows: dict[Table, list[Sequence[Any]]] = {table: [] for table in schema.OF_A_BLOCK}
        self._positions: dict[int, Book] = {}
        self._collateral: dict[int, Book] = {}
        self._versions[schema.listing_version].load(connection)

    @property
    def size(self) -> int:
        """Accounts in memory."""
        return len(self._positions)

    def load(self, connection: Connection, accounts: Collection[int]) -> None:
        """Read accounts that are not in memory yet. The projection knows no others."""
        missing = sorted(set(accounts) - self._positions.keys())
        for account in missing:
            self._positions[account], self._collateral[account] = {}, {}
        for start in range(0, len(missing), _MANY):
            self._load(connection, missing[start : start + _MANY])

    def flush(self, connection: Connection) -> None:
        """Write everything, in the caller's transaction."""
        for table, rows in self._rows.items():
            bulk.insert(connection, table, rows)
            rows.clear()
        for versions in self._versions.values():
            versions.flush(connection)

    # Reading

    def last_seq(self, contract: str) -> int:
        """Highest sequence number of a contract; 0 if none."""
        return self._last.get(contract, (0, 0))[0]

    def last_block(self, contract: str) -> int:
        """Where a contract's last event is; 0 if there is none."""
        return self._last.get(contract, (0, 0))[1]

    def book_hash(self, account: int) -> bytes | None:
        """Of an account's book; None if there is no such account."""
        found = self._versions[schema.account_version].get((account,))
        return None if found is None else bytes.fromhex(found["book_hash"][2:])

    def positions(self, account: int) -> Book:
        """What an account holds, without zeros."""
        return self._positions.get(account, {})

    def collateral(self, account: int) -> Book:
        """Balances by the token's index, without zeros."""
        return self._collateral.get(account, {})

    def listings(self) -> dict[str, ListingRow]:
        """Collateral tokens by address in lower case."""
        rows = self._versions[schema.listing_version].items()
        return {values["token"]: index_store.listing_row(key[0], values) for key, values in rows}

    # Changing

    def add_block(self, row: BlockRow) -> None:
        """Append a block: its parent is the head (the caller has checked)."""
        self._rows[schema.block].append((row.number, row.hash, row.parent, row.timestamp))
        self.head = row

    def add_event(self, row: EventRow) -> None:
        """Append an event; the database refuses a sequence number twice."""
        text = _text_of(row.payload)
        place = row.block_number, row.log_index
        known = row.contract, row.seq, row.name, row.transaction_hash
        self._rows[schema.event].append((*place, *known, text))
        self._last[row.contract] = row.seq, row.block_number

    def add_change(self, row: EventRow, account: int, link: ChangeRow) -> None:
        """Append a link of an account's book hash; at most one per event and account."""
        place = row.block_number, row.log_index, account
        what = str(link.instrument), str(link.quantity), str(link.price), "0x" + link.book_hash.hex()
        self._rows[schema.account_change].append((*place, link.kind, *what))

    def put_account(self, number: int, account: int, changes: Mapping[str, Any]) -> None:
        """Change an account as of block `number`; a new account needs `owner`. Integers become text."""
        self._change(schema.account_version, number, account, changes, _NEW_ACCOUNT)

    def put_position(self, number: int, account: int, instrument: int, quantity: int) -> None:
        """Set a position as of block `number`; zero closes it."""
        _set(self._positions.setdefault(account, {}), instrument, quantity)
        key = account, str(instrument)
        self._versions[schema.position_version].put(number, key, {"quantity": str(quantity)})

    def put_collateral(self, number: int, account: int, index: int, balance: int) -> None:
        """Set a balance of collateral as of block `number`, WAD."""
        _set(self._collateral.setdefault(account, {}), index, balance)
        self._versions[schema.collateral_version].put(number, (account, index), {"balance": str(balance)})

    def put_listing(self, number: int, row: ListingRow) -> None:
        """Set the terms of a collateral token as of block `number`."""
        values = index_store.listing_values(row)
        self._versions[schema.listing_version].put(number, (row.index,), values)

    def put_auction(self, number: int, account: int, changes: Mapping[str, Any]) -> None:
        """Change an account's auction as of block `number`."""
        self._change(schema.auction_version, number, account, changes, _NEW_AUCTION)

    def put_conversion(self, number: int, account: int, changes: Mapping[str, Any]) -> None:
        """Change an account's conversion as of block `number`."""
        self._change(schema.conversion_version, number, account, changes, _NEW_CONVERSION)

    def add_bid(self, row: EventRow) -> None:
        """Append a bid."""
        p = row.payload
        amounts = (str(p[name]) for name in ("fraction", "discounted", "price", "payout"))
        place = row.block_number, row.log_index
        who = p["account"], p["bidder"], str(int(p["solvent"]))
        self._rows[schema.auction_bid].append((*place, *who, *amounts))

    def add_flow(self, row: EventRow, kind: str, holder: str, assets: int, shares: int) -> None:
        """Append a flow of the insurance fund."""
        place = row.block_number, row.log_index
        self._rows[schema.insurance_flow].append((*place, kind, holder, str(assets), str(shares)))

    def _change(
        self, table: Table, number: int, account: int, changes: Mapping[str, Any], initial: Values
    ) -> None:
        versions = self._versions[table]
        before = versions.get((account,)) or initial
        after = {**before, **{name: str(value) for name, value in changes.items()}}
        versions.put(number, (account,), after)

    def _load(self, connection: Connection, accounts: Sequence[int]) -> None:
        for table in (schema.account_version, schema.auction_version, schema.conversion_version):
            self._versions[table].load(connection, accounts)
        for key, values in self._versions[schema.position_version].load(connection, accounts):
            _set(self._positions[key[0]], int(key[1]), int(values["quantity"]))
        for key, values in self._versions[schema.collateral_version].load(connection, accounts):
            _set(self._collateral[key[0]], key[1], int(values["balance"]))


def accounts_of(row: EventRow) -> list[int]:
    """Accounts whose state an event reads or changes."""
    return [row.payload[name] for name in ("account", "seller", "buyer") if name in row.payload]


def _set(book: Book, key: int, value: int) -> None:
    if value:
        book[key] = value
    else:
        book.pop(key, None)


class _Versions:
    """The open versions of one table, and what is to be written of it.

    A key is the table's primary key without the block; columns are key, blocks, values, in this order.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        names = table.c.keys()
        self._width = names.index("valid_from")
        self._names = names[self._width + 2 :]
        self._open: dict[tuple[Any, ...], tuple[int, Values]] = {}
        self._unwritten: set[tuple[Any, ...]] = set()  # of the open ones
        self._closed: list[Sequence[Any]] = []  # begun and ended since the last flush
        self._ended: list[Sequence[Any]] = []  # rows of the database
        self._replaced: list[Sequence[Any]] = []

    def load(
        self, connection: Connection, accounts: Sequence[int] | None = None
    ) -> list[tuple[tuple[Any, ...], Values]]:
        """Read the open versions of some accounts, or all."""
        table, width = self._table, self._width
        query = select(table).where(table.c.valid_to.is_(None))
        if accounts is not None:
            query = query.where(table.c.account.in_(accounts))
        found: list[tuple[tuple[Any, ...], Values]] = []
        for row in connection.execute(query):
            key, values = tuple(row[:width]), dict(zip(self._names, row[width + 2 :], strict=True))
            self._open[key] = row[width], values
            found.append((key, values))
        return found

    def get(self, key: tuple[Any, ...]) -> Values | None:
        found = self._open.get(key)
        return None if found is None else found[1]

    def items(self) -> list[tuple[tuple[Any, ...], Values]]:
        return [(key, values) for key, (_, values) in self._open.items()]

    def put(self, number: int, key: tuple[Any, ...], values: Values) -> None:
        """End the open version at `number` and begin a new one; within one block the last write stands."""
        before = self._open.get(key)
        if before is not None:
            begun, old = before
            if key not in self._unwritten:
                (self._replaced if begun == number else self._ended).append((*key, begun, number))
            elif begun != number:
                self._closed.append((*key, begun, number, *old.values()))
        self._open[key] = number, values
        self._unwritten.add(key)

    def flush(self, connection: Connection) -> None:
        """Write what has changed. A row written before in the same block is replaced."""
        bulk.delete(connection, self._table, [row[:-1] for row in self._replaced])
        bulk.end_versions(connection, self._table, self._ended)
        fresh = [self._row(key) for key in self._unwritten]
        bulk.insert(connection, self._table, self._closed + fresh)
        for done in (self._unwritten, self._closed, self._ended, self._replaced):
            done.clear()

    def _row(self, key: tuple[Any, ...]) -> Sequence[Any]:
        begun, values = self._open[key]
        return (*key, begun, None, *values.values())
