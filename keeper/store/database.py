"""Opening the database: WAL, full synchronisation, and transactions that take the write lock when they
begin."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from keeper.store.upgrade import SchemaError, upgrade

_BUSY_SECONDS = 5


class StoreError(RuntimeError):
    """The database cannot be opened or written: whoever cannot persist must not sign or send."""


class Database:
    """One engine; every transaction is short and owned by `begin`."""

    def __init__(self, url: str) -> None:
        """Open, and bring the tables to this release's. `url` is an SQLAlchemy URL.

        Raises:
            StoreError: it cannot be opened, or is of a release that this one does not know.
        """
        try:
            self.engine = _engine(url)
            upgrade(self.engine)
        except SchemaError as error:
            self.close()
            raise StoreError(f"database {shown(url)} cannot be used: {error}") from None
        except (SQLAlchemyError, CommandError, sqlite3.Error) as error:
            cause = str(error.__cause__ or error).strip()
            raise StoreError(f"database {shown(url)} cannot be opened: {cause}") from error

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back on an exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, sees one state throughout, and holds no writer up."""
        with self.engine.connect() as connection:
            options: dict[str, Any] = {"plimsoll_reads": True}
            if connection.dialect.name == "postgresql":
                options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            with connection.execution_options(**options).begin():
                yield connection

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def shown(url: str) -> str:
    """A URL for people to read: without its password."""
    return make_url(url).render_as_string(hide_password=True)


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
        reads = connection.get_execution_options().get("plimsoll_reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
