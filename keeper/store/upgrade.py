"""Bringing a database's tables to this release's, by the steps in `migrations`."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text

_MIGRATIONS = Path(__file__).parent / "migrations"
_FIRST = "0001"
_LOCK = 0x706C696D736F6C6C  # "plimsoll": processes that start together upgrade one after the other


class SchemaError(RuntimeError):
    """The database is of another release than this program; the text says what to do."""


def newest() -> str:
    """The revision of this release."""
    head = _script().get_current_head()
    assert head is not None  # the package holds at least the first step
    return head


def revision(connection: Connection) -> str | None:
    """The revision of a database; None before the first."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine) -> None:
    """Run every missing step in one transaction; an SQLite file with content is copied beside itself before.

    Raises:
        SchemaError: the database is newer than this program, or none of ours.
    """
    with engine.connect() as connection:
        if revision(connection) == newest():
            return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = revision(connection)  # another process may have been first
        if found == newest():
            return
        config = _config(connection)
        if found is None and inspect(connection).get_table_names():
            _check_first_release(connection)
            command.stamp(config, _FIRST)
            found = _FIRST
        _check_known(found)
        if found is not None:
            _copy_beside(engine, found)
        command.upgrade(config, "head")


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    for option, folder in (("script_location", ""), ("version_locations", "revisions")):
        config.set_main_option(option, str(_MIGRATIONS / folder).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")  # one folder, whatever characters its name has
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _check_known(found: str | None) -> None:
    known = {step.revision for step in _script().walk_revisions()}
    if found is not None and found not in known:
        raise SchemaError(
            f"its revision {found} is newer than this program's {newest()}: install the release that wrote it"
        )


def _check_first_release(connection: Connection) -> None:
    """Tables without a revision are those of the release before there were migrations, or none of ours."""
    found, expected = _columns(connection), _first_release()
    strange = sorted(name for name in found if name in expected and found[name] != expected[name])
    strange = strange or sorted(expected.keys() - found.keys())
    if strange:
        raise SchemaError(f"it is of another release ({', '.join(strange)}): name a new one")


def _first_release() -> dict[str, set[str]]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        command.upgrade(_config(connection), _FIRST)
        columns = _columns(connection)
    engine.dispose()
    return {name: found for name, found in columns.items() if name != "alembic_version"}


def _columns(connection: Connection) -> dict[str, set[str]]:
    found = inspect(connection)
    return {name: {c["name"] for c in found.get_columns(name)} for name in found.get_table_names()}


def _copy_beside(engine: Engine, found: str) -> None:
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        return
    source = sqlite3.connect(path)
    target = sqlite3.connect(f"{path}.before-{newest()}")
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
