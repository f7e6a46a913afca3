"""A PostgreSQL server on this machine, for as long as a network runs."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from keeper.app.topology.plan import SECRET, USER

_OWNER = "postgres"  # the server refuses to run as root
_SECONDS = 60.0


class PostgresError(RuntimeError):
    """The server cannot be made ready."""


def missing() -> str:
    """What this machine lacks to run one; empty if nothing."""
    lacking = [tool for tool in ("initdb", "postgres") if shutil.which(tool) is None]
    if lacking:
        return f"there is no {' and no '.join(lacking)} on PATH"
    try:
        import psycopg  # noqa: F401  an extra
    except ImportError:
        return "psycopg is not installed (pip install plimsoll[postgres])"
    if os.geteuid() == 0 and not _has_owner():
        return f"root may not run it and there is no user {_OWNER}"
    return ""


def owner() -> str | None:
    """User to run it as; None: the present one."""
    return _OWNER if os.geteuid() == 0 else None


def create() -> Path:
    """A new server's files, outside of the network's folder: that one is only for the present user."""
    folder = Path(tempfile.mkdtemp(prefix="plimsoll-postgresql-"))
    if owner() is not None:
        shutil.chown(folder, _OWNER)
    data = folder / "data"
    command = ["initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
    done = subprocess.run(command, user=owner(), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise PostgresError(f"initdb: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return folder


def create_databases(port: int, names: Sequence[str]) -> None:
    """Empty databases, once the server answers. PostgresError if it does not."""
    import psycopg
    from psycopg import sql

    deadline = time.monotonic() + _SECONDS
    address = f"postgresql://{USER}:{SECRET}@127.0.0.1:{port}/postgres"
    while True:
        try:
            with psycopg.connect(address, autocommit=True, connect_timeout=2) as connection:
                for name in names:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise PostgresError(f"postgres does not answer on port {port}: {error}") from None
            time.sleep(0.1)


def _has_owner() -> bool:
    try:
        pwd.getpwnam(_OWNER)
    except KeyError:
        return False
    return True
