"""Opening and using the database: what goes wrong ends in one sentence that says what to do."""

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from keeper.store.database import BusyError, Database, StoreError
from keeper.store.schema import snapshot
from tests.support import postgres

ROW = {"number": 1, "root": "0x", "content": "x" * 4_000}


def test_open__twice__same_rows(url: str) -> None:
    first = Database(url)
    with first.begin() as connection:
        connection.execute(insert(snapshot).values(**ROW))
    first.close()
    with Database(url).read() as connection:
        assert len(connection.execute(select(snapshot)).all()) == 1


def test_open__several_at_once__one_upgrades(url: str) -> None:
    failed: list[BaseException] = []

    def open_it() -> None:
        try:
            Database(url).close()
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_open__of_another_release__named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "keeper.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE account_version (account INTEGER, valid_from INTEGER, cash TEXT)")
        connection.execute("INSERT INTO account_version VALUES (1, 2, '3')")

    with pytest.raises(StoreError, match="another release .account_version.: name a new one"):
        Database(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT * FROM account_version").fetchall() == [(1, 2, "3")]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///{folder}/absent/keeper.sqlite", "unable to open database file: is its folder there"),
        ("sqlite:///file:{folder}/kept.sqlite?mode=ro&uri=true", "readonly database: let this process write"),
        ("sqlite:///{folder}/text.sqlite", "file is not a database: restore a backup"),
        ("nonsense", "its URL cannot be used: Could not parse"),
        ("nosuch://host/db", "its URL cannot be used: .*nosuch"),
        (
            "postgresql+psycopg://u:secret@127.0.0.1:1/db",
            r"u:\*\*\*@127.0.0.1:1/db cannot be opened: .*ref",
        ),
    ],
)
def test_open__impossible__one_sentence(tmp_path: Path, url: str, reason: str) -> None:
    (tmp_path / "text.sqlite").write_text("no database, " * 100)
    sqlite3.connect(tmp_path / "kept.sqlite").execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(StoreError, match=reason) as raised:
        Database(url.format(folder=tmp_path))
    assert "secret" not in str(raised.value)


def test_open__damaged_file__refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "keeper.sqlite"
    database = Database(f"sqlite:///{path}")
    with database.begin() as connection:
        connection.execute(insert(snapshot), [{**ROW, "number": n} for n in range(200)])
    database.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 20_000] = b"\xff" * 20_000
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged .*restore a backup; without one its signatures are lost"):
        Database(f"sqlite:///{path}")
    assert path.read_bytes() == bytes(content)


def test_begin__disk_full__one_sentence_and_nothing_kept(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/keeper.sqlite")
    reason = "disk is full: make room on its disk; nothing is signed or sent"
    with pytest.raises(StoreError, match=reason), database.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.execute(insert(snapshot), [{**ROW, "number": n} for n in range(200)])
    with database.read() as connection:
        assert connection.execute(select(snapshot)).all() == []


def test_begin__another_holds_it_for_long__try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keeper.store.database._BUSY_SECONDS", 0.1)
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    first, second = Database(url), Database(url)
    with first.begin() as connection:
        connection.execute(insert(snapshot).values(**ROW))
        with pytest.raises(BusyError, match="database is locked"), second.begin():
            pass
        with second.read() as reading:
            assert reading.execute(select(snapshot)).all() == [], "reading waits for nobody"


def test_begin__key_twice__stays_an_integrity_error(database: Database) -> None:
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(insert(snapshot).values(**ROW))
        connection.execute(insert(snapshot).values(**ROW))


def test_read__while_another_writes__one_state_throughout(database: Database) -> None:
    with database.read() as reading:
        assert reading.execute(select(snapshot)).all() == []
        with database.begin() as writing:
            writing.execute(insert(snapshot).values(**ROW))
        assert reading.execute(select(snapshot)).all() == []
    with database.read() as reading:
        assert len(reading.execute(select(snapshot)).all()) == 1


def test_begin__server_went_away__try_again_and_then_it_works() -> None:
    server = postgres.server()
    database = Database(server.create())
    with pytest.raises(BusyError, match="does not answer"), database.begin() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    with database.begin() as connection:
        connection.execute(insert(snapshot).values(**ROW))
