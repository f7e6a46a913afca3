"""What only one process may do: a lease in the database, with a fencing epoch.

A lease runs out by itself, so a dead holder blocks nobody for long; but a holder that was only slow (a paused
machine, a long collection of garbage) wakes up believing that it still holds. Every write therefore passes
`guard` in its own transaction: once another has taken over, the epoch is another one and nothing is written.
Time is the database's, so the clocks of the machines do not matter.
"""

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from keeper.store.database import Database, StoreError
from keeper.store.schema import lease as table

INDEX = "index"  # the one writer of the index
PROPOSER = "proposer"


class LeaseLost(StoreError):  # noqa: N818
    """Another process holds the lease by now: nothing has been written."""


def sender(address: str) -> str:
    """The lease of whoever sends with a key."""
    return f"sender:{address.lower()}"


def new_holder(name: str = "") -> str:
    """A name that no other process has, not even this one after a restart."""
    return f"{name or 'keeper'}@{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def holder_at(name: str, port: int) -> str:
    """A name that no other live process has, but this one again after a restart, so that it need not wait for
    its own lease to run out: one process at a time listens on a port of a machine. The epoch still grows."""
    return f"{name or 'keeper'}@{socket.gethostname()}:{port}"


class Lease:
    """One process's view of one lease."""

    def __init__(self, database: Database, name: str, holder: str, seconds: float = 10.0) -> None:
        """`holder`: of `holder_at` or `new_holder`. A lease not renewed for `seconds` is free."""
        self.name = name
        self.holder = holder
        self.seconds = seconds
        self.epoch: int | None = None  # fencing epoch while we believe that we hold it
        self._database = database

    @property
    def held(self) -> bool:
        """We believe that we hold it; only `guard` knows."""
        return self.epoch is not None

    def acquire(self) -> bool:
        """Take the lease if it is free or has run out, renew it if it is ours; whether we hold it."""
        if self.held:
            with suppress(LeaseLost):
                self.renew()
                return True
        with self._database.begin() as connection:
            self.epoch = self._take(connection)
        return self.held

    def renew(self) -> None:
        """Hold on to it for another while. Raises LeaseLost."""
        with self._database.begin() as connection:
            self.guard(connection)
            until = _now(connection) + round(self.seconds * 1000)
            connection.execute(update(table).where(table.c.name == self.name).values(expires_at=until))

    def release(self) -> None:
        """Let the next one in at once. Says nothing if it is not ours any more."""
        try:
            with self._database.begin() as connection:
                self.guard(connection)
                connection.execute(update(table).where(table.c.name == self.name).values(expires_at=0))
        except LeaseLost:
            return
        self.epoch = None

    def guard(self, connection: Connection) -> None:
        """Inside a transaction: nobody has taken over, and nobody will before it ends. Raises LeaseLost.

        A lease that has run out and that nobody took still is ours.
        """
        query = select(table.c.epoch).where(table.c.name == self.name).with_for_update(read=True)
        current = connection.execute(query).scalar()
        if self.epoch is None or current != self.epoch:
            ours, self.epoch = self.epoch, None
            raise LeaseLost(f"lease {self.name}: epoch {ours} of {self.holder} is over, it is {current} now")

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that only the holder can make. Raises LeaseLost."""
        with self._database.begin() as connection:
            self.guard(connection)
            yield connection

    def owner(self) -> tuple[str, int, float] | None:
        """Holder, epoch and seconds left of whoever has it; None while nobody has."""
        with self._database.begin() as connection:
            row = connection.execute(select(table).where(table.c.name == self.name)).first()
            if row is None or row.expires_at <= (now := _now(connection)):
                return None
            return row.holder, row.epoch, (row.expires_at - now) / 1000

    def _take(self, connection: Connection) -> int | None:
        """The new epoch, None while another holds it."""
        now = _now(connection)
        values = {"holder": self.holder, "expires_at": now + round(self.seconds * 1000)}
        row = connection.execute(select(table).where(table.c.name == self.name).with_for_update()).first()
        if row is None:
            return self._create(connection, values)
        if row.expires_at > now and row.holder != self.holder:
            return None
        epoch = int(row.epoch) + 1
        connection.execute(update(table).where(table.c.name == self.name).values(epoch=epoch, **values))
        return epoch

    def _create(self, connection: Connection, values: dict[str, object]) -> int | None:
        try:
            with connection.begin_nested():
                connection.execute(insert(table).values(name=self.name, epoch=1, **values))
        except IntegrityError:  # two of us were first
            return None
        return 1


def _now(connection: Connection) -> int:
    """The database's clock, unix milliseconds; SQLite's is this machine's."""
    if connection.dialect.name != "postgresql":
        return time.time_ns() // 10**6
    found = connection.execute(text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")).scalar()
    assert isinstance(found, int)
    return found
