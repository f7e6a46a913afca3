"""Migrations: from an empty database, from the first release, and not from a newer one."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from keeper.store import statement_store, upgrade
from keeper.store.database import Database, StoreError
from keeper.store.schema import metadata


def first_release(path: Path, *, stamped: bool = False) -> str:
    """A database as the first release left it, with one signed epoch and one intent."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(upgrade._config(connection), "0001")
        connection.exec_driver_sql("INSERT INTO signed_epoch VALUES (7, '0xaa', 1)")
        connection.exec_driver_sql(
            "INSERT INTO intent (id, kind, target, calldata, state, attempts, error, created_at)"
            " VALUES ('epoch:7', 'epoch', '0x', '0x', 'queued', 0, '', 5)"
        )
        if not stamped:
            connection.exec_driver_sql("DROP TABLE alembic_version")
    engine.dispose()
    return f"sqlite:///{path}"


def test_upgrade__empty_database__tables_are_those_of_the_schema(url: str, tmp_path: Path) -> None:
    database = Database(url)
    with database.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        ours = inspect(connection)
        for table in metadata.sorted_tables:
            key = ours.get_pk_constraint(table.name)["constrained_columns"]
            assert key == [column.name for column in table.primary_key]
            indexes = {index["name"] for index in ours.get_indexes(table.name)}
            assert {index.name for index in table.indexes} <= indexes
        assert upgrade.revision(connection) == upgrade.newest() == "0002"
    assert [p.name for p in tmp_path.iterdir() if "before" in p.name] == []


@pytest.mark.parametrize("stamped", [False, True])
def test_upgrade__first_release__keeps_every_row_and_a_copy(tmp_path: Path, stamped: bool) -> None:
    path = tmp_path / "keeper.sqlite"
    database = Database(first_release(path, stamped=stamped))
    with database.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        (intent,) = connection.exec_driver_sql("SELECT id, lane, sender, epoch FROM intent").all()
        assert intent == ("epoch:7", "oracle", "", 0)
    assert not statement_store.claim_epoch(database, "0xAny", 7, "0xbb", 2), "signed by somebody here"
    assert statement_store.claim_epoch(database, "0xAny", 7, "0xaa", 2)
    copy = sqlite3.connect(tmp_path / "keeper.sqlite.before-0002")
    assert copy.execute("SELECT number, digest FROM signed_epoch").fetchall() == [(7, "0xaa")]


def test_upgrade__newer_release__refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "keeper.sqlite"
    Database(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="revision 9999 is newer than this program's 0002: install"):
        Database(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


def test_upgrade__a_step_fails__nothing_of_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "keeper.sqlite"
    url = first_release(path)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE lease (other INTEGER)")  # in the way of the second step
    with pytest.raises(StoreError, match="cannot be opened: .*lease"):
        Database(url)
    with sqlite3.connect(path) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
        assert "gas_ledger" not in names and "alembic_version" not in names
        assert connection.execute("SELECT number, digest FROM signed_epoch").fetchall() == [(7, "0xaa")]
