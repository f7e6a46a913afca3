"""`plimsoll backup` and `plimsoll snapshot`: copies of a keeper's database, and an index for new keepers."""

import json
from pathlib import Path
from typing import Annotated

import typer

_Config = Annotated[Path, typer.Option("--config", "-c", help="A keeper's TOML file: its database.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes; replaced when whole.")],
    config: _Config = Path("plimsoll.toml"),
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether FILE can be restored; make no copy.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Copy a keeper's database while it runs, and check the copy.

    SQLite by its online backup: to restore, stop the keeper and put the file where its database was.
    PostgreSQL by pg_dump: to restore, `pg_restore --no-owner -d DATABASE FILE` into an empty database. What a
    copy must not lose is what was signed: back up after the key has signed, and never run two restored
    keepers with one key.

    Example: plimsoll backup /backups/keeper.backup -c plimsoll.toml

    Example: plimsoll backup /backups/keeper.backup --check
    """
    from keeper.app.config import load
    from keeper.store import backup as backups

    revision = backups.check(file) if check else backups.back_up(load(config).keeper.database, file)
    size = file.stat().st_size
    if as_json:
        typer.echo(json.dumps({"file": str(file), "bytes": size, "revision": revision}))
    else:
        typer.echo(f"{file}: {size:,} bytes, tables of revision {revision}, can be restored")


def snapshot(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the snapshot goes.")],
    config: _Config = Path("plimsoll.toml"),
    block: Annotated[
        int | None, typer.Option(min=0, help="As of this block; by default 64 behind the last one indexed.")
    ] = None,
    history: Annotated[
        int, typer.Option(min=0, help="Blocks before it that are held too: claims and reorgs need some.")
    ] = 7_200,
    as_json: _Json = False,
) -> None:
    """Write the index of a keeper that runs, for a new keeper to start from instead of from the first block.

    A new keeper reads it where its configuration says `[chain] snapshot = "FILE"` and its database is empty:
    it compares the block and every account's cash, counters, legs and book hash with its own node before it
    goes on. What the chain does not state in one word, such as the size of each position, rests on whoever
    wrote the file: take snapshots only from yourself.

    Example: plimsoll snapshot /backups/index.snapshot -c plimsoll.toml
    """
    from dataclasses import asdict

    from keeper.app.config import load
    from keeper.chain import deployment as deployments
    from keeper.chain.cold_start import write_snapshot
    from keeper.chain.index_reader import IndexReader
    from keeper.store.database import Database

    settings = load(config)
    database = Database(settings.keeper.database)
    try:
        deployment = deployments.load(settings.chain.deployment)
        header = write_snapshot(IndexReader(database), deployment, file, block, history)
    finally:
        database.close()
    size = file.stat().st_size
    if as_json:
        typer.echo(json.dumps({"file": str(file), "bytes": size, **asdict(header)}))
    else:
        typer.echo(f"{file}: {size:,} bytes, block {header.block}, good from block {header.first} on")
