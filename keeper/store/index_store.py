"""The projection of the chain: blocks, events and the versions of accounts and positions."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select, union

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

_TERMS = tuple(listing_version.c.keys())[4:]
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
class AccountSummary:
    """What the chain states of an account in a few words; WAD."""

    account: int
    legs: int
    cash: int
    added_im: int
    added_mark: int
    book_hash: bytes


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


def block_hashes(connection: Connection, first: int, last: int) -> dict[int, str]:
    """Hashes of indexed blocks by number, both ends included."""
    query = select(block.c.number, block.c.hash).where(block.c.number.between(first, last))
    return {row.number: row.hash for row in connection.execute(query)}


def first_block(connection: Connection) -> int | None:
    """The lowest block that the index holds: it was begun there, or at a snapshot."""
    return connection.execute(select(func.min(block.c.number))).scalar()


def last_place(connection: Connection, contract: str) -> tuple[int, int]:
    """Sequence number and block of a contract's last event; zeros if it has none."""
    query = select(event.c.seq, event.c.block_number).where(event.c.contract == contract)
    row = connection.execute(query.order_by(event.c.seq.desc()).limit(1)).first()
    return (0, 0) if row is None else (row.seq, row.block_number)


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


def listings_at(connection: Connection, number: int) -> list[ListingRow]:
    """Collateral tokens as they were in block `number`, ascending by index."""
    found = connection.execute(
        select(listing_version).where(valid(listing_version, number)).order_by(listing_version.c.token_index)
    )
    return [listing_row(row.token_index, dict(row._mapping)) for row in found]


def listing_row(index: int, values: Mapping[str, Any]) -> ListingRow:
    """Terms out of the table's text."""
    terms: dict[str, Any] = {name: int(values[name]) for name in _TERMS}
    return ListingRow(index, values["token"], **terms)


def listing_values(row: ListingRow) -> dict[str, str]:
    """Terms as the table keeps them, in its order."""
    return {"token": row.token.lower(), **{name: str(getattr(row, name)) for name in _TERMS}}


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


def accounts_at(
    connection: Connection, number: int, accounts: Sequence[int] | None = None
) -> list[AccountRow]:
    """Every account as it was in block `number`, or some of them, ascending."""
    top = connection.execute(select(func.max(block.c.number))).scalar()
    holds = _is_open if top is not None and number >= top else _holding_in(number)
    if accounts is None:
        return _accounts_where(connection, lambda table: [holds(table)])
    found: list[AccountRow] = []
    asked = sorted(set(accounts))
    for start in range(0, len(asked), _MANY):
        found += _some_accounts(connection, holds, asked[start : start + _MANY])
    return found


def _is_open(table: Table) -> ColumnElement[bool]:
    """Holds at the head: an index of its own leads to these, however long the history is."""
    return table.c.valid_to.is_(None)


def _holding_in(number: int) -> Callable[[Table], ColumnElement[bool]]:
    return lambda table: valid(table, number)


def summaries(connection: Connection) -> list[AccountSummary]:
    """What the chain states of each account, as of the head; ascending."""
    held = position_version
    legs = select(held.c.account, func.count()).where(held.c.valid_to.is_(None), held.c.quantity != "0")
    counts = {account: count for account, count in connection.execute(legs.group_by(held.c.account))}
    a = account_version.c
    query = select(a.account, a.cash, a.added_im, a.added_mark, a.book_hash).where(a.valid_to.is_(None))
    return [
        AccountSummary(
            account, counts.get(account, 0), int(cash), int(im), int(mark), bytes.fromhex(book[2:])
        )
        for account, cash, im, mark, book in connection.execute(query.order_by(a.account))
    ]


def accounts_changed(connection: Connection, after: int, until: int) -> list[int]:
    """Accounts that changed in blocks after < b <= until, ascending."""
    tables = (account_version, position_version, collateral_version)
    parts = [select(t.c.account).where(t.c.valid_from > after, t.c.valid_from <= until) for t in tables]
    return sorted(int(account) for account in connection.execute(union(*parts)).scalars())


def _some_accounts(
    connection: Connection, holds: Callable[[Table], ColumnElement[bool]], accounts: Sequence[int]
) -> list[AccountRow]:
    return _accounts_where(connection, lambda t: [holds(t), t.c.account.in_(accounts)])


def _accounts_where(
    connection: Connection, where: Callable[[Table], list[ColumnElement[bool]]]
) -> list[AccountRow]:
    positions = _pairs(connection, position_version, "instrument", "quantity", where)
    collateral = _pairs(connection, collateral_version, "token_index", "balance", where)
    query = select(account_version).where(*where(account_version)).order_by(account_version.c.account)
    return [
        _account_row(row, positions.get(row.account, []), collateral.get(row.account, []))
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
    keys: dict[Any, int] = {}  # few, and each held many times
    for account, name, text in connection.execute(query):
        if text == "0":
            continue
        number = keys.get(name)
        if number is None:
            number = keys[name] = int(name)
        found.setdefault(account, []).append((number, int(text)))
    return found


def _account_row(
    row: Row[Any], positions: list[tuple[int, int]], collateral: list[tuple[int, int]]
) -> AccountRow:
    positions.sort()
    collateral.sort()
    return AccountRow(
        row.account,
        row.owner,
        int(row.cash),
        int(row.added_im),
        int(row.added_mark),
        bytes.fromhex(row.book_hash[2:]),
        tuple(positions),
        tuple(collateral),
        row.frozen == "1",
        int(row.tier),
        int(row.underlying),
        int(row.expiry),
    )
