"""The projection of the chain: blocks, events and the versions of accounts and positions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, func, insert, or_, select, update

from keeper.store.schema import account_version, block, event, position_version


@dataclass(frozen=True, slots=True)
class BlockRow:
    """One canonical block; hashes 0x text."""

    number: int
    hash: str
    parent: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """One decoded log. `payload` holds the event's arguments by name: integers, text, 0x text, lists."""

    block_number: int
    log_index: int
    contract: str
    seq: int
    name: str
    transaction_hash: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account in one block; WAD integers, `book_hash` 32 bytes, positions by packed instrument,
    ascending."""

    account: int
    owner: str
    cash: int
    added_im: int
    added_mark: int
    book_hash: bytes
    positions: tuple[tuple[int, int], ...]


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
    return [
        EventRow(
            row.block_number,
            row.log_index,
            row.contract,
            row.seq,
            row.name,
            row.transaction_hash,
            json.loads(row.payload),
        )
        for row in found
    ]


def put_account(connection: Connection, number: int, account: int, changes: Mapping[str, Any]) -> None:
    """Change an account as of block `number`; a new account needs `owner`. Integers become text."""
    values = {"owner": "", "cash": "0", "added_im": "0", "added_mark": "0", "book_hash": "0x" + "00" * 32}
    current = connection.execute(
        select(account_version).where(
            account_version.c.account == account, account_version.c.valid_to.is_(None)
        )
    ).first()
    if current is not None:
        values = {name: getattr(current, name) for name in values}
    values |= {name: str(value) for name, value in changes.items()}
    _supersede(connection, account_version, number, {"account": account}, values)


def put_position(connection: Connection, number: int, account: int, instrument: int, quantity: int) -> None:
    """Set a position as of block `number`; zero closes it."""
    key = {"account": account, "instrument": str(instrument)}
    _supersede(connection, position_version, number, key, {"quantity": str(quantity)})


def book(connection: Connection, account: int, instrument: int) -> tuple[int, bytes]:
    """What an account holds of an instrument, and its book hash, both at the head."""
    position = select(position_version.c.quantity).where(
        position_version.c.account == account,
        position_version.c.instrument == str(instrument),
        position_version.c.valid_to.is_(None),
    )
    stated = select(account_version.c.book_hash).where(
        account_version.c.account == account, account_version.c.valid_to.is_(None)
    )
    held, text = connection.execute(position).scalar(), connection.execute(stated).scalar()
    return int(held or 0), bytes.fromhex((text or "0x" + "00" * 32)[2:])


def _supersede(
    connection: Connection, table: Table, number: int, key: Mapping[str, Any], values: Mapping[str, str]
) -> None:
    """End the open version at `number` and begin a new one; within one block the last write stands."""
    same = [table.c[name] == value for name, value in key.items()]
    connection.execute(delete(table).where(*same, table.c.valid_from == number))
    connection.execute(update(table).where(*same, table.c.valid_to.is_(None)).values(valid_to=number))
    connection.execute(insert(table).values(valid_from=number, valid_to=None, **key, **values))


def roll_back(connection: Connection, ancestor: int) -> None:
    """Forget every block above `ancestor` and all that it changed."""
    for table in (account_version, position_version):
        connection.execute(delete(table).where(table.c.valid_from > ancestor))
        connection.execute(update(table).where(table.c.valid_to > ancestor).values(valid_to=None))
    connection.execute(delete(event).where(event.c.block_number > ancestor))
    connection.execute(delete(block).where(block.c.number > ancestor))


def accounts_at(connection: Connection, number: int) -> list[AccountRow]:
    """Every account as it was in block `number`, ascending."""
    positions: dict[int, list[tuple[int, int]]] = {}
    for row in connection.execute(select(position_version).where(_valid(position_version, number))):
        if row.quantity != "0":
            positions.setdefault(row.account, []).append((int(row.instrument), int(row.quantity)))
    found = connection.execute(
        select(account_version).where(_valid(account_version, number)).order_by(account_version.c.account)
    )
    return [
        AccountRow(
            row.account,
            row.owner,
            int(row.cash),
            int(row.added_im),
            int(row.added_mark),
            bytes.fromhex(row.book_hash[2:]),
            tuple(sorted(positions.get(row.account, []))),
        )
        for row in found
    ]


def _valid(table: Table, number: int) -> Any:
    return and_(table.c.valid_from <= number, or_(table.c.valid_to.is_(None), table.c.valid_to > number))
