"""Opening the database: WAL, full synchronisation, and transactions that take the write lock when they
begin."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError

from keeper.store.upgrade import SchemaError, upgrade

_BUSY_SECONDS = 5
_CACHE_KIB = 65_536  # of pages; the default of two megabytes makes a large index slow to fill
# A process that was stopped in the middle of a transaction must not hold up the others for ever
_SERVER_OPTIONS = "-c lock_timeout=10s -c idle_in_transaction_session_timeout=30s"
_BUSY_WORDS = (
    "is locked",
    "lock timeout",
    "connection",
    "terminat",
    "shutting down",
    "starting up",
    "deadlock",
)
_ADVICE = {
    "disk is full": "make room on its disk",
    "No space left": "make room on its disk",
    "readonly": "let this process write to its folder",
    "read-only": "let this process write to it",
    "unable to open": "is its folder there, and may this process write to it?",
    "disk I/O error": "look at its disk",
    "malformed": "restore a backup; without one its signatures are lost, and the key must not sign again",
}
_ADVICE["No module named 'psycopg'"] = "install plimsoll[postgres]"
_ADVICE["not a database"] = _ADVICE["malformed"]


class StoreError(RuntimeError):
    """The database cannot be opened or written: whoever cannot persist must not sign or send."""


class BusyError(StoreError):
    """Another process holds the database, or its server is away: the next attempt may succeed."""


class Database:
    """One engine; every transaction is short and owned by `begin`."""

    def __init__(self, url: str) -> None:
        """Open, and bring the tables to this release's. `url` is an SQLAlchemy URL.

        Raises:
            StoreError: it cannot be opened, or is of a release that this one does not know.
        """
        try:
            self._shown = shown(url)
            self.engine = _engine(url)
        except (SQLAlchemyError, ImportError) as error:
            raise StoreError(
                f"database: its URL cannot be used: {_cause(error)}{_advice(str(error))}"
            ) from None
        try:
            _check_file(self.engine)
            upgrade(self.engine)
        except SchemaError as error:
            self.close()
            raise StoreError(f"database {self._shown} cannot be used: {error}") from None
        except (SQLAlchemyError, CommandError, sqlite3.Error, OSError) as error:
            self.close()
            cause = _cause(error)
            raise StoreError(f"database {self._shown} cannot be opened: {cause}{_advice(cause)}") from error

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back on an exception.

        Raises:
            StoreError: it could not be written; BusyError where the next attempt may succeed.
        """
        with self._named_errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, sees one state throughout, and holds no writer up.

        Raises as `begin`.
        """
        with self._named_errors(), self.engine.connect() as connection:
            options: dict[str, Any] = {"plimsoll_reads": True}
            if connection.dialect.name == "postgresql":
                options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            with connection.execution_options(**options).begin():
                yield connection

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """What the database could not do, in a sentence. A broken rule (a key twice) stays what it is."""
        try:
            yield
        except DBAPIError as error:
            if isinstance(error, IntegrityError | DataError | ProgrammingError):
                raise
            raise _named(self._shown, error) from error

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _named(where: str, error: DBAPIError) -> StoreError:
    cause = _cause(error)
    if error.connection_invalidated or any(words in cause for words in _BUSY_WORDS):
        return BusyError(f"database {where} does not answer: {cause}")
    return StoreError(f"database {where} cannot be used: {cause}{_advice(cause)}; nothing is signed or sent")


def _cause(error: BaseException) -> str:
    """The driver's own words, in one line."""
    return " ".join(str(error.__cause__ or getattr(error, "orig", None) or error).split())


def _advice(cause: str) -> str:
    return next((f": {advice}" for words, advice in _ADVICE.items() if words in cause), "")


def _check_file(engine: Engine) -> None:
    """An SQLite file that is damaged is not written to."""
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        found = connection.execution_options(plimsoll_reads=True).exec_driver_sql("PRAGMA quick_check(1)")
        result = found.scalar()
    if result != "ok":
        result = " ".join(str(result).split())
        raise SchemaError(f"its file is damaged ({result}): {_ADVICE['malformed']}")


def shown(url: str) -> str:
    """A URL for people to read: without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        # a server that was away is asked anew
        return create_engine(url, pool_pre_ping=True, connect_args={"options": _SERVER_OPTIONS})
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's BEGIN below, not the driver's
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # a deferred transaction that turns from reading to writing fails at once, whatever the timeout
        reads = connection.get_execution_options().get("plimsoll_reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
