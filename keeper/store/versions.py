"""Rows that hold from one block to another, and rows that belong to one block."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, insert, or_, select, update

from keeper.store.schema import (
    account_change,
    account_version,
    auction_bid,
    auction_version,
    block,
    collateral_version,
    conversion_version,
    event,
    insurance_flow,
    listing_version,
    position_version,
)

_VERSIONS = (
    account_version,
    position_version,
    collateral_version,
    listing_version,
    auction_version,
    conversion_version,
)
_OF_A_BLOCK = (event, account_change, auction_bid, insurance_flow)


def supersede(
    connection: Connection, table: Table, number: int, key: Mapping[str, Any], values: Mapping[str, str]
) -> None:
    """End the open version at `number` and begin a new one; within one block the last write stands."""
    same = _same(table, key)
    connection.execute(delete(table).where(*same, table.c.valid_from == number))
    connection.execute(update(table).where(*same, table.c.valid_to.is_(None)).values(valid_to=number))
    connection.execute(insert(table).values(valid_from=number, valid_to=None, **key, **values))


def current(connection: Connection, table: Table, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The open version of a key."""
    found = connection.execute(select(table).where(*_same(table, key), table.c.valid_to.is_(None))).first()
    return None if found is None else dict(found._mapping)


def change(
    connection: Connection,
    table: Table,
    number: int,
    key: Mapping[str, Any],
    changes: Mapping[str, Any],
    initial: Mapping[str, str],
) -> None:
    """A new version that differs from the open one in `changes`; `initial` is what the first one starts from.
    Values become text.
    """
    before = current(connection, table, key)
    values = dict(initial) if before is None else {name: before[name] for name in initial}
    values |= {name: str(value) for name, value in changes.items()}
    supersede(connection, table, number, key, values)


def valid(table: Table, number: int) -> ColumnElement[bool]:
    """Versions that hold in block `number`."""
    return and_(table.c.valid_from <= number, or_(table.c.valid_to.is_(None), table.c.valid_to > number))


def roll_back(connection: Connection, ancestor: int) -> None:
    """Forget every block above `ancestor` and all that it changed."""
    for table in _VERSIONS:
        connection.execute(delete(table).where(table.c.valid_from > ancestor))
        connection.execute(update(table).where(table.c.valid_to > ancestor).values(valid_to=None))
    for table in _OF_A_BLOCK:
        connection.execute(delete(table).where(table.c.block_number > ancestor))
    connection.execute(delete(block).where(block.c.number > ancestor))


def _same(table: Table, key: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    return [table.c[name] == value for name, value in key.items()]
