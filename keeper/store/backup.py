"""Copies of a database that is in use, and whether they can be restored.

What a copy must hold above all are signatures and transactions: everything else can be read from the chain
again.
"""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.engine import URL

from keeper.store.upgrade import newest

_PAGES = 4_096  # copied at a time: writers get in between
_DUMP_SECONDS = 3_600


class BackupError(RuntimeError):
    """No copy could be made, or it cannot be restored; the text says why and what to do."""


def back_up(url: str, target: Path) -> str:
    """Copy a database to a file while it is in use, and check the copy; its revision.

    SQLite by its online backup, PostgreSQL by pg_dump (restore with `pg_restore`). The file is there whole or
    not at all.

    Raises BackupError.
    """
    source = make_url(url)
    part = target.with_name(f"{target.name}.part")
    try:
        if source.get_backend_name() == "sqlite":
            _copy(source, part)
        else:
            _dump(source, part)
        found = check(part)
        part.replace(target)
    except OSError as error:
        raise BackupError(f"backup {target} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    return found


def check(path: Path) -> str:
    """The revision of a copy that can be restored by this release. Raises BackupError."""
    if not path.is_file():
        raise BackupError(f"backup {path} is not there")
    with path.open("rb") as file:
        is_dump = file.read(5) == b"PGDMP"
    return _check_dump(path) if is_dump else _check_copy(path)


def _copy(source: URL, target: Path) -> None:
    if source.database is None or not Path(source.database).is_file():
        raise BackupError(f"backup: there is no database {source.database}")
    origin, copy = sqlite3.connect(source.database), sqlite3.connect(target)
    try:
        origin.backup(copy, pages=_PAGES)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, whole by itself
    except sqlite3.Error as error:
        raise BackupError(f"backup {target} cannot be written: {error}") from None
    finally:
        origin.close()
        copy.close()
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _check_copy(path: Path) -> str:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            revision = str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        finally:
            connection.close()
    except (sqlite3.Error, TypeError) as error:
        raise BackupError(f"backup {path} is no database of a keeper: {error}") from None
    if result != "ok":
        raise BackupError(f"backup {path} is damaged: {result}")
    if revision > newest():
        raise BackupError(f"backup {path} is of revision {revision}, newer than this release's {newest()}")
    return revision


def _dump(source: URL, target: Path) -> None:
    program = _program("pg_dump")
    query = {key: value for key, value in source.query.items() if isinstance(value, str)}
    fields = {"PGHOST": source.host or query.get("host"), "PGPORT": source.port or query.get("port")}
    fields |= {"PGUSER": source.username, "PGPASSWORD": source.password, "PGDATABASE": source.database}
    known = {name: str(value) for name, value in fields.items() if value is not None}
    _run([program, "--format=custom", "--no-owner", f"--file={target}"], os.environ | known)


def _check_dump(path: Path) -> str:
    """pg_restore reads the whole file and says the revision that it would restore."""
    command = [_program("pg_restore"), "--data-only", "--table=alembic_version", "--file=-", str(path)]
    lines = _run(command, dict(os.environ)).splitlines()
    rows = [line.strip() for line in lines if line.strip().isdigit()]
    if len(rows) != 1:
        raise BackupError(f"backup {path} is no dump of a keeper's database")
    return rows[0]


def _run(command: list[str], environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_DUMP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BackupError(f"backup: {command[0]} took more than {_DUMP_SECONDS} seconds") from None
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise BackupError(f"backup: {Path(command[0]).name} failed: {reason}")
    return done.stdout


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupError(
            f"backup: there is no program {name} on this machine: install PostgreSQL's client programs, or"
            " back the server up by its own means"
        )
    return found
