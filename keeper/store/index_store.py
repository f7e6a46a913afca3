"""The projection of the chain: blocks, events and the versions of accounts and positions."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, insert, select, union

from keeper.store import versions
from keeper.store.schema import (
    account_change,
    account_version,
    block,
    collateral_version,
    event,
    listing_version,
    position_version,
)
from keeper.store.versions import valid

_MANY = 500  # keys per query: SQLite takes 999 parameters


@dataclass(frozen=True, slots=True)
class BlockRow:
    """One canonical block; hashes 0x text."""

    number: int
    hash: str
    parent: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """One decoded log. `payload` holds the event's arguments by name: integers, text, 0x text, lists, and
    structs by field name. `seq` is 0 for a standard's event, which knows none.
    """

    block_number: int
    log_index: int
    contract: str
    seq: int
    name: str
    transaction_hash: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account in one block; WAD integers, `book_hash` 32 bytes, positions by packed instrument and
    collateral by the token's index, ascending.

    Attributes:
        tier: credit tier, as the chain has it.
        underlying, expiry: all that an isolated account may hold; 0: any.
    """

    account: int
    owner: str
    cash: int
    added_im: int
    added_mark: int
    book_hash: bytes
    positions: tuple[tuple[int, int], ...]
    collateral: tuple[tuple[int, int], ...] = ()
    frozen: bool = False
    tier: int = 0
    underlying: int = 0
    expiry: int = 0


@dataclass(frozen=True, slots=True)
class ListingRow:
    """Terms of a collateral token in one block; haircuts in basis points, cap in the token's decimals.
    `since` and `until`, unix seconds, are of its delisting, 0: none; what does not count is only kept for its
    owners.
    """

    index: int
    token: str
    decimals: int
    underlying: int
    initial_haircut: int
    maintenance_haircut: int
    cap: int
    since: int = 0
    until: int = 0
    counts: bool = True


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One link of a book hash, and the hash after it: see `keeper.clearing.book_hash.fold`."""

    kind: int
    instrument: int
    quantity: int
    price: int
    book_hash: bytes


def head(connection: Connection) -> BlockRow | None:
    """The last indexed block."""
    row = connection.execute(select(block).order_by(block.c.number.desc()).limit(1)).first()
    return None if row is None else BlockRow(*row)


def block_at(connection: Connection, number: int) -> BlockRow | None:
    """One indexed block, if it is there."""
    row = connection.execute(select(block).where(block.c.number == number)).first()
    return None if row is None else BlockRow(*row)


def add_block(connection: Connection, row: BlockRow) -> None:
    """Append a block: its parent is the head (the caller has checked)."""
    connection.execute(
        insert(block).values(number=row.number, hash=row.hash, parent=row.parent, timestamp=row.timestamp)
    )


def last_seq(connection: Connection, contract: str) -> int:
    """Highest sequence number seen of a contract; 0 if none."""
    found = connection.execute(select(func.max(event.c.seq)).where(event.c.contract == contract)).scalar()
    return int(found or 0)


def add_event(connection: Connection, row: EventRow) -> None:
    """Append an event; the database refuses a sequence number twice."""
    connection.execute(
        insert(event).values(
            block_number=row.block_number,
            log_index=row.log_index,
            contract=row.contract,
            seq=row.seq,
            name=row.name,
            transaction_hash=row.transaction_hash,
            payload=json.dumps(dict(row.payload), sort_keys=True),
        )
    )


def events(connection: Connection, contract: str, name: str, until: int) -> list[EventRow]:
    """Events of one name up to and including a block, in order."""
    found = connection.execute(
        select(event)
        .where(event.c.contract == contract, event.c.name == name, event.c.block_number <= until)
        .order_by(event.c.seq)
    )
    return [_event_row(row) for row in found]


def last_event(connection: Connection, contract: str, name: str, until: int) -> EventRow | None:
    """The last event of one name up to and including a block."""
    row = connection.execute(
        select(event)
        .where(event.c.contract == contract, event.c.name == name, event.c.block_number <= until)
        .order_by(event.c.seq.desc())
        .limit(1)
    ).first()
    return None if row is None else _event_row(row)


def _event_row(row: Row[Any]) -> EventRow:
    payload = json.loads(row.payload)
    return EventRow(
        row.block_number, row.log_index, row.contract, row.seq, row.name, row.transaction_hash, payload
    )


_NEW_ACCOUNT = {
    "owner": "",
    "cash": "0",
    "added_im": "0",
    "added_mark": "0",
    "book_hash": "0x" + "00" * 32,
    "frozen": "0",
    "tier": "0",
    "underlying": "0",
    "expiry": "0",
}


def put_account(connection: Connection, number: int, account: int, changes: Mapping[str, Any]) -> None:
    """Change an account as of block `number`; a new account needs `owner`. Integers become text."""
    versions.change(connection, account_version, number, {"account": account}, changes, _NEW_ACCOUNT)


def put_position(connection: Connection, number: int, account: int, instrument: int, quantity: int) -> None:
    """Set a position as of block `number`; zero closes it."""
    key = {"account": account, "instrument": str(instrument)}
    versions.supersede(connection, position_version, number, key, {"quantity": str(quantity)})


def put_collateral(connection: Connection, number: int, account: int, index: int, balance: int) -> None:
    """Set a balance of collateral as of block `number`, WAD."""
    key = {"account": account, "token_index": index}
    versions.supersede(connection, collateral_version, number, key, {"balance": str(balance)})


def put_listing(connection: Connection, number: int, row: ListingRow) -> None:
    """Set the terms of a collateral token as of block `number`."""
    values = {
        "token": row.token.lower(),
        "decimals": str(row.decimals),
        "underlying": str(row.underlying),
        "initial_haircut": str(row.initial_haircut),
        "maintenance_haircut": str(row.maintenance_haircut),
        "cap": str(row.cap),
        "since": str(row.since),
        "until": str(row.until),
    }
    versions.supersede(connection, listing_version, number, {"token_index": row.index}, values)


def listings_at(connection: Connection, number: int) -> list[ListingRow]:
    """Collateral tokens as they were in block `number`, ascending by index."""
    found = connection.execute(
        select(listing_version).where(valid(listing_version, number)).order_by(listing_version.c.token_index)
    )
    return [
        ListingRow(
            row.token_index,
            row.token,
            int(row.decimals),
            int(row.underlying),
            int(row.initial_haircut),
            int(row.maintenance_haircut),
            int(row.cap),
            int(row.since),
            int(row.until),
        )
        for row in found
    ]


def add_change(connection: Connection, row: EventRow, account: int, link: ChangeRow) -> None:
    """Append a link of an account's book hash; at most one per event and account."""
    connection.execute(
        insert(account_change).values(
            block_number=row.block_number,
            log_index=row.log_index,
            account=account,
            kind=link.kind,
            instrument=str(link.instrument),
            quantity=str(link.quantity),
            price=str(link.price),
            book_hash="0x" + link.book_hash.hex(),
        )
    )


def changes_of(connection: Connection, account: int, until: int) -> list[ChangeRow]:
    """Every change of an account's book up to and including a block, in order."""
    table = account_change
    found = connection.execute(
        select(table)
        .where(table.c.account == account, table.c.block_number <= until)
        .order_by(table.c.block_number, table.c.log_index)
    )
    return [
        ChangeRow(
            row.kind, int(row.instrument), int(row.quantity), int(row.price), bytes.fromhex(row.book_hash[2:])
        )
        for row in found
    ]


def held(connection: Connection, account: int, instrument: int) -> int:
    """What an account holds of an instrument at the head."""
    key = {"account": account, "instrument": str(instrument)}
    found = versions.current(connection, position_version, key)
    return 0 if found is None else int(found["quantity"])


def account_now(connection: Connection, account: int) -> AccountRow | None:
    """One account at the head."""
    found = _accounts_where(connection, lambda t: [t.c.valid_to.is_(None), t.c.account == account])
    return found[0] if found else None


def accounts_at(
    connection: Connection, number: int, accounts: Sequence[int] | None = None
) -> list[AccountRow]:
    """Every account as it was in block `number`, or some of them, ascending."""
    if accounts is None:
        return _accounts_where(connection, lambda table: [valid(table, number)])
    found: list[AccountRow] = []
    asked = sorted(set(accounts))
    for start in range(0, len(asked), _MANY):
        found += _some_accounts(connection, number, asked[start : start + _MANY])
    return found


def accounts_changed(connection: Connection, after: int, until: int) -> list[int]:
    """Accounts that changed in blocks after < b <= until, ascending."""
    tables = (account_version, position_version, collateral_version)
    parts = [select(t.c.account).where(t.c.valid_from > after, t.c.valid_from <= until) for t in tables]
    return sorted(int(account) for account in connection.execute(union(*parts)).scalars())


def _some_accounts(connection: Connection, number: int, accounts: Sequence[int]) -> list[AccountRow]:
    return _accounts_where(connection, lambda t: [valid(t, number), t.c.account.in_(accounts)])


def _accounts_where(
    connection: Connection, where: Callable[[Table], list[ColumnElement[bool]]]
) -> list[AccountRow]:
    positions = _pairs(connection, position_version, "instrument", "quantity", where)
    collateral = _pairs(connection, collateral_version, "token_index", "balance", where)
    query = select(account_version).where(*where(account_version)).order_by(account_version.c.account)
    return [
        _account_row(dict(row._mapping), positions.get(row.account, []), collateral.get(row.account, []))
        for row in connection.execute(query)
    ]


def _pairs(
    connection: Connection,
    table: Table,
    key: str,
    value: str,
    where: Callable[[Table], list[ColumnElement[bool]]],
) -> dict[int, list[tuple[int, int]]]:
    """(key, value) pairs by account, without zeros."""
    query = select(table.c.account, table.c[key], table.c[value]).where(*where(table))
    found: dict[int, list[tuple[int, int]]] = {}
    for account, name, text in connection.execute(query):
        if text != "0":
            found.setdefault(account, []).append((int(name), int(text)))
    return found


def _account_row(
    row: Mapping[str, Any], positions: list[tuple[int, int]], collateral: list[tuple[int, int]]
) -> AccountRow:
    return AccountRow(
        row["account"],
        row["owner"],
        int(row["cash"]),
        int(row["added_im"]),
        int(row["added_mark"]),
        bytes.fromhex(row["book_hash"][2:]),
        tuple(sorted(positions)),
        tuple(sorted(collateral)),
        row["frozen"] == "1",
        int(row["tier"]),
        int(row["underlying"]),
        int(row["expiry"]),
    )
