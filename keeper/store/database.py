"""Opening the database: WAL, full synchronisation, and transactions that take the write lock when they
begin."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import SQLAlchemyError

from keeper.store.schema import metadata

_BUSY_SECONDS = 5


class StoreError(RuntimeError):
    """The database cannot be opened or written: whoever cannot persist must not sign or send."""


class Database:
    """One engine; every transaction is short and owned by `begin`."""

    def __init__(self, url: str) -> None:
        """Open and create missing tables. `url` is an SQLAlchemy URL. Raises StoreError, also for one of
        another release: its index is that of another deployment.
        """
        try:
            self.engine = _engine(url)
            metadata.create_all(self.engine)
            strange = _strange_tables(self.engine)
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise StoreError(f"database {url} cannot be opened: {error.__cause__ or error}") from error
        if strange:
            self.close()
            raise StoreError(f"database {url} is of another release ({', '.join(strange)}): name a new one")

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back on an exception."""
        with self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _strange_tables(engine: Engine) -> list[str]:
    """Tables with other columns than this release's."""
    found = inspect(engine)
    return [
        table.name
        for table in metadata.sorted_tables
        if {column["name"] for column in found.get_columns(table.name)} != set(table.c.keys())
    ]


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url)
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's BEGIN below, not the driver's
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # a deferred transaction that turns from reading to writing fails at once, whatever the timeout
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
