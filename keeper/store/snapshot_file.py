"""An index in a file, as of one block: what a new keeper starts from instead of reading the chain from the
deployment on.

Gzipped lines of JSON: a header, then rows of one table a line, then the SHA-256 of all lines before. Held
are the open versions and everything of the last `history` blocks, so that a reorg in them can be undone and a
claim against a recent epoch made; of what is older only what those need. Keys, signatures, transactions and
whatever else is the process's own is not in it.
"""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from keeper.store import bulk, index_store, schema
from keeper.store.upgrade import newest

_ROWS = 5_000  # a line
_FORMAT = 1


class SnapshotError(RuntimeError):
    """The file is damaged or of another deployment, or there is nothing to write; the text says which."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file is of. Everything is good from block `first` on; `deployment` is a digest of the chain and
    the contracts' addresses, `revision` that of the tables."""

    format: int
    chain_id: int
    deployment: str
    revision: str
    block: int
    hash: str
    first: int


def write(
    connection: Connection, path: Path, chain_id: int, deployment: str, block: int, history: int
) -> Header:
    """Write the index as of an indexed block. The file is there whole or not at all.

    Raises:
        SnapshotError: the block is not indexed, or the file cannot be written.
    """
    top = index_store.block_at(connection, block)
    first = max(block - history, index_store.first_block(connection) or 0)
    if top is None:
        raise SnapshotError(f"snapshot: block {block} is not indexed")
    header = Header(_FORMAT, chain_id, deployment, newest(), block, top.hash, first)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            _write_lines(file, header, _tables(connection, first, block))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise SnapshotError(f"snapshot {path} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    return header


def read_header(path: Path) -> Header:
    """What a file is of. Raises SnapshotError."""
    with _lines(path) as lines:
        return _header(path, next(lines, b""))


def load(connection: Connection, path: Path) -> Header:
    """Read a file into an empty index, in the caller's transaction: roll back if this raises.

    Raises:
        SnapshotError: the file is damaged or of another revision, or the index is not empty.
    """
    if index_store.head(connection) is not None:
        raise SnapshotError("snapshot: the index has blocks already, name a new database")
    if connection.dialect.name == "postgresql":  # the caller compares with the chain before it commits
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '10min'")
    digest, last = hashlib.sha256(), b""
    with _lines(path) as lines:
        header = _header(path, next(lines, b""), digest)
        for line in lines:
            if last:
                _insert(connection, path, last)
                digest.update(last)
            last = line
    if not last or _parsed(path, last).get("sha256") != digest.hexdigest():
        raise SnapshotError(f"snapshot {path} is damaged: its content is not what its digest says")
    return header


def _write_lines(file: BinaryIO, header: Header, tables: Iterator[tuple[str, list[list[Any]]]]) -> None:
    digest = hashlib.sha256()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0, filename="") as packed:
        for content in (asdict(header), *({"table": name, "rows": rows} for name, rows in tables)):
            line = json.dumps(content, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            packed.write(line)
        packed.write(json.dumps({"sha256": digest.hexdigest()}).encode() + b"\n")


def _tables(connection: Connection, first: int, last: int) -> Iterator[tuple[str, list[list[Any]]]]:
    for table in (*schema.VERSIONED, *schema.OF_A_BLOCK):
        is_versioned = table in schema.VERSIONED
        query = _versions(table, first, last) if is_versioned else _rows(table, first, last)
        for part in connection.execute(query).partitions(_ROWS):
            yield table.name, [list(row) for row in part]


def _versions(table: Table, first: int, last: int) -> Select[Any]:
    """Versions that hold in any block of the range; those that end after it are open."""
    ends = case((table.c.valid_to > last, None), else_=table.c.valid_to).label("valid_to")
    columns = [ends if column.name == "valid_to" else column for column in table.c]
    holds = or_(table.c.valid_to.is_(None), table.c.valid_to > first)
    return select(*columns).where(table.c.valid_from <= last, holds).order_by(*table.primary_key)


def _rows(table: Table, first: int, last: int) -> Select[Any]:
    """Rows of the blocks of the range, and the older ones that say where these begin."""
    number = next(iter(table.primary_key))
    in_range = and_(number >= first, number <= last)
    return select(table).where(or_(in_range, _older(table, first))).order_by(*table.primary_key)


def _older(table: Table, first: int) -> ColumnElement[bool]:
    """Each contract's last event, for its number; each account's last change, for its hash; and all that is
    little."""
    if table is schema.block:
        return false()
    number = table.c.block_number
    key = {schema.event: "contract", schema.account_change: "account"}.get(table)
    if key is None:
        return number < literal(first)
    what = func.max(table.c.seq) if table is schema.event else func.max(number)
    named = table.c.seq if table is schema.event else number
    latest = select(table.c[key], what).where(number < first).group_by(table.c[key])
    return tuple_(table.c[key], named).in_(latest)


def _insert(connection: Connection, path: Path, line: bytes) -> None:
    content = _parsed(path, line)
    table = schema.metadata.tables.get(content.get("table", ""))
    rows = content.get("rows")
    if table not in (*schema.VERSIONED, *schema.OF_A_BLOCK) or not isinstance(rows, list):
        raise SnapshotError(f"snapshot {path} is damaged: a line is no rows of the index")
    if any(not isinstance(row, list) or len(row) != len(table.c) for row in rows):
        raise SnapshotError(f"snapshot {path} is damaged: rows of {table.name} do not fit")
    bulk.insert(connection, table, [tuple(row) for row in rows])


def _header(path: Path, line: bytes, digest: Any = None) -> Header:
    content = _parsed(path, line)
    if digest is not None:
        digest.update(line)
    if content.get("format") != _FORMAT or content.keys() != {field.name for field in fields(Header)}:
        raise SnapshotError(f"snapshot {path} is not a snapshot that this release reads")
    header = Header(**content)
    if header.revision != newest():
        found = f"its tables are of revision {header.revision}, this release's of {newest()}"
        raise SnapshotError(f"snapshot {path}: {found}: write a new one")
    return header


def _parsed(path: Path, line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise SnapshotError(f"snapshot {path} is damaged: a line is no JSON object")
    return content


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[bytes]]:
    try:
        with gzip.open(path, "rb") as file:
            yield iter(file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SnapshotError(f"snapshot {path} is damaged: {error}") from None
    except OSError as error:
        raise SnapshotError(f"snapshot {path} cannot be read: {error.strerror or error}") from None
