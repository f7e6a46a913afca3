"""Backups of a database in use, and restoring them."""

import shutil
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, make_url, select

from keeper.store import backup, statement_store
from keeper.store.backup import BackupError
from keeper.store.database import Database
from keeper.store.schema import snapshot
from tests.support import postgres


def test_back_up__while_a_writer_goes_on__restored_copy_is_one_state(url: str, tmp_path: Path) -> None:
    if url.startswith("postgresql") and shutil.which("pg_dump") is None:
        pytest.skip("no pg_dump on this machine")
    database = Database(url)
    assert statement_store.claim_epoch(database, "0xa1", 7, "0xaa", 1)
    stop = threading.Event()

    def write() -> None:
        """Two rows a transaction: a copy has both or none."""
        number = 0
        while not stop.is_set():
            number += 2
            with database.begin() as connection:
                rows = [{"number": number + i, "root": "0x", "content": "x" * 500} for i in (0, 1)]
                connection.execute(insert(snapshot), rows)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        path = tmp_path / "keeper.backup"
        assert backup.back_up(url, path) == "0002"
    finally:
        stop.set()
        writer.join()
    assert list(tmp_path.glob("*.part")) == []
    restored = Database(_restored(url, path, tmp_path))
    assert not statement_store.claim_epoch(restored, "0xa1", 7, "0xbb", 2), "what was signed is known"
    with restored.read() as connection:
        assert len(connection.execute(select(snapshot)).all()) % 2 == 0


def _restored(url: str, path: Path, folder: Path) -> str:
    """A new database out of a backup."""
    if url.startswith("sqlite"):
        shutil.copy(path, folder / "restored.sqlite")
        return f"sqlite:///{folder}/restored.sqlite"
    other = postgres.server().create()
    to = make_url(other)
    command = ["pg_restore", "--no-owner", "-U", "postgres", "-h", str(to.query["host"]), "-d", to.database]
    subprocess.run([*command, str(path)], check=True)
    return other


def test_back_up__over_an_older_one__replaces_it_whole(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/keeper.sqlite")
    path = tmp_path / "keeper.backup"
    backup.back_up(f"sqlite:///{tmp_path}/keeper.sqlite", path)
    statement_store.claim_epoch(database, "0xa1", 7, "0xaa", 1)
    backup.back_up(f"sqlite:///{tmp_path}/keeper.sqlite", path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT number FROM signed_epoch").fetchall() == [(7,)]


def test_back_up__no_such_database_or_folder__one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="there is no database"):
        backup.back_up(f"sqlite:///{tmp_path}/absent.sqlite", tmp_path / "x")
    Database(f"sqlite:///{tmp_path}/keeper.sqlite").close()
    with pytest.raises((BackupError, sqlite3.OperationalError), match="cannot be written|unable to open"):
        backup.back_up(f"sqlite:///{tmp_path}/keeper.sqlite", tmp_path / "absent" / "x")


def test_back_up__no_pg_dump__says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="there is no program pg_dump on this machine: install"):
        backup.back_up("postgresql+psycopg://u@h/db", tmp_path / "x")


def test_back_up__server_refuses__its_reason_without_the_password(tmp_path: Path) -> None:
    if shutil.which("pg_dump") is None:
        pytest.skip("no pg_dump on this machine")
    with pytest.raises(BackupError, match="pg_dump failed: .*refused") as raised:
        backup.back_up("postgresql+psycopg://u:secret@127.0.0.1:1/db", tmp_path / "x")
    assert "secret" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no database at all", b"PGDMP and nothing else"])
def test_check__no_backup__refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BackupError, match="is not there"):
        backup.check(tmp_path / "x")
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BackupError, match="no database of a keeper|pg_restore|no program"):
        backup.check(tmp_path / "x")


def test_check__newer_release__refused(tmp_path: Path) -> None:
    path = tmp_path / "keeper.sqlite"
    Database(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(BackupError, match="is of revision 9999, newer than"):
        backup.check(path)
