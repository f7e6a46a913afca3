"""Opening the database."""

import sqlite3
from pathlib import Path

import pytest

from keeper.store.database import Database, StoreError


def test_open__twice__same_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    Database(url).close()
    Database(url).close()


def test_open__of_another_release__named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "keeper.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE account_version (account INTEGER, valid_from INTEGER, cash TEXT)")
        connection.execute("INSERT INTO account_version VALUES (1, 2, '3')")

    with pytest.raises(StoreError, match="another release .account_version.: name a new one"):
        Database(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT * FROM account_version").fetchall() == [(1, 2, "3")]


def test_open__no_folder__one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        Database(f"sqlite:///{tmp_path}/absent/keeper.sqlite")
