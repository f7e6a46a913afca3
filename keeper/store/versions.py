"""Rows that hold from one block to another, and rows that belong to one block."""

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, or_, select, tuple_, update

from keeper.store.schema import OF_A_BLOCK, VERSIONED


def valid(table: Table, number: int) -> ColumnElement[bool]:
    """Versions that hold in block `number`."""
    return and_(table.c.valid_from <= number, or_(table.c.valid_to.is_(None), table.c.valid_to > number))


def roll_back(connection: Connection, ancestor: int) -> None:
    """Forget every block above `ancestor` and all that it changed.

    What ended above it was followed by a version that began there: these lead to those, by the index on
    `valid_from`.
    """
    for table in VERSIONED:
        key = [column for column in table.primary_key if column.name != "valid_from"]
        begun = select(*key, table.c.valid_from).where(table.c.valid_from > ancestor)
        ended = tuple_(*key, table.c.valid_to).in_(begun)
        connection.execute(update(table).where(ended, table.c.valid_from <= ancestor).values(valid_to=None))
        connection.execute(delete(table).where(table.c.valid_from > ancestor))
    for table in OF_A_BLOCK:
        connection.execute(delete(table).where(next(iter(table.primary_key)) > ancestor))
