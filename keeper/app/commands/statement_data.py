"""What an account statement is made of: events of the index, and the chain's own balances beside it."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from keeper.app.config import Config, load
from keeper.app.nodes import open_pool
from keeper.chain import deployment as deployments
from keeper.chain.contracts import CLEARINGHOUSE, Call, Protocol
from keeper.chain.node import NodeError
from keeper.jobs.journal import Entry, Statement, journal, price_text, statement
from keeper.portfolio.moments import unix_seconds
from keeper.store import event_reader, index_store
from keeper.store.database import Database
from keeper.store.index_store import BlockRow

_NAMES = (
    "AccountOpened",
    "Deposited",
    "Withdrawn",
    "InterestCharged",
    "PositionChanged",
    "AccountSettled",
    "ShareTransferred",
    "CollateralConverted",
)


@dataclass(frozen=True)
class Found:
    """A statement, the names of underlyings, and how its balances compare with the chain's."""

    statement: Statement
    symbols: dict[int, str]
    compared: list[dict[str, Any]]


def read_statement(path: Path, account: int, since: str | None, until: str | None, offline: bool) -> Found:
    """The statement of an account.

    Raises:
        ConfigError, StoreError, ValueError, JournalError: one sentence each.
    """
    config = load(path)
    first = 0 if since is None else _moment(since)
    last = int(time.time()) if until is None else _moment(until)
    if first >= last:
        raise ValueError("statement: --from must be before --to")
    database = Database(config.keeper.database)
    try:
        with database.read() as connection:
            head = index_store.head(connection)
            if head is None:
                raise ValueError("statement: nothing is indexed in this database yet, run a keeper on it")
            last = max(last, head.timestamp + 1) if until is None else last
            rows = event_reader.account_events(
                connection, account, head.number, _NAMES, others=("FundingRateSet",)
            )
            ends = [_block(connection, moment) for moment in (first, last)]
    finally:
        database.close()
    entries = journal(account, rows)
    if not any(row.name == "AccountOpened" for row, _ in rows):
        raise ValueError(f"statement: account {account} is not open in block {head.number}")
    made = statement(account, entries, first, last)
    if offline:
        return Found(made, {}, [])
    return _compared(config, made, entries, ends)


def _moment(text: str) -> int:
    """Unix seconds; a day begins at midnight UTC, though expiries of that day come at eight."""
    try:
        return int(datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC).timestamp())
    except ValueError:
        return unix_seconds(text)


def _block(connection: Any, moment: int) -> BlockRow | None:
    number = event_reader.block_before(connection, moment)
    return None if number is None else index_store.block_at(connection, number)


def _compared(config: Config, made: Statement, entries: list[Entry], ends: list[BlockRow | None]) -> Found:
    """Both balances beside the chain's, at the last blocks before the two moments."""
    deployment = deployments.load(config.chain.deployment)
    try:
        pool = open_pool(config.chain, deployment.chain_id)
    except NodeError as error:
        return Found(made, {}, [_line("the chain", None, str(error))])
    protocol = Protocol(pool, deployment)
    try:
        symbols = protocol.symbols(pool.head().hash)
        names, balances = ("opening balance", "closing balance"), (made.opening, made.closing)
        lines = [
            _compare(protocol, made.account, name, balance, block)
            for name, balance, block in zip(names, balances, ends, strict=True)
            if block is not None
        ]
    finally:
        pool.close()
    return Found(made, symbols, lines)


def _compare(protocol: Protocol, account: int, name: str, balance: int, block: BlockRow) -> dict[str, Any]:
    try:
        found = protocol.structs(block.hash, [Call(CLEARINGHOUSE, "account", (account,))])[0]["cash"]
    except NodeError as error:
        return _line(f"{name} at block {block.number}", None, str(error))
    what = f"{name} {price_text(balance)} at block {block.number}"
    return _line(what, found == balance, f"the chain says {price_text(found)}")


def _line(what: str, agrees: bool | None, why: str) -> dict[str, Any]:
    """`agrees` None: could not be compared, which is no disagreement."""
    if agrees is None:
        return {"agrees": True, "text": f"{what} was not compared: {why}"}
    return {"agrees": agrees, "text": f"{what}: " + ("the chain says the same" if agrees else why)}
