"""Many rows at once: one statement's cost for thousands of rows, on either database."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

Row = Sequence[Any]


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, all columns in the table's order. The database refuses a key twice (IntegrityError)."""
    if not rows:
        return
    names = ", ".join(_quoted(column.name) for column in table.columns)
    if connection.dialect.name == "postgresql":
        _copy(connection, f"COPY {_quoted(table.name)} ({names}) FROM STDIN", rows)
        return
    marks = ", ".join("?" * len(table.c))
    connection.exec_driver_sql(f"INSERT INTO {_quoted(table.name)} ({names}) VALUES ({marks})", list(rows))


def end_versions(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Set `valid_to` of versions; a row is the primary key in its order, then the block it ends at."""
    if not rows:
        return
    key = [column.name for column in table.primary_key]
    if connection.dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{table.c[name].type.compile(connection.dialect)}[]" for name in key)
        names = ", ".join(_quoted(name) for name in key)
        same = " AND ".join(f"t.{_quoted(name)} = v.{_quoted(name)}" for name in key)
        connection.exec_driver_sql(
            f"UPDATE {_quoted(table.name)} t SET valid_to = v.ends"
            f" FROM unnest({arrays}, %s::bigint[]) AS v({names}, ends) WHERE {same}",
            tuple(list(column) for column in zip(*rows, strict=True)),
        )
        return
    same = " AND ".join(f"{_quoted(name)} = ?" for name in key)
    statement = f"UPDATE {_quoted(table.name)} SET valid_to = ? WHERE {same}"
    connection.exec_driver_sql(statement, [(row[-1], *row[:-1]) for row in rows])


def delete(connection: Connection, table: Table, keys: Sequence[Row]) -> None:
    """Delete rows by primary key."""
    for key in keys:
        same = [column == value for column, value in zip(table.primary_key, key, strict=True)]
        connection.execute(table.delete().where(*same))


def _copy(connection: Connection, statement: str, rows: Iterable[Row]) -> None:
    """PostgreSQL's own way in, several times faster than inserts."""
    driver: Any = connection.connection.driver_connection
    errors: Any = connection.dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except errors as error:  # as sqlalchemy would have raised it
        raise DBAPIError.instance(statement, None, error, errors) from error


def _quoted(name: str) -> str:
    return f'"{name}"'
