"""A new index from another one's snapshot, on a real chain."""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from keeper.app.process import Keeper
from keeper.chain import cold_start
from keeper.chain.contracts import Protocol
from keeper.chain.deployment import load
from keeper.chain.index import Index
from keeper.chain.index_reader import NotHeldError
from keeper.chain.node import Node
from keeper.markets.instrument import Instrument, Kind
from keeper.store.database import Database
from keeper.store.schema import OF_A_BLOCK, VERSIONED
from keeper.store.snapshot_file import SnapshotError
from tests.support import postgres
from tests.support.keepers import EXPIRY, USDC, Room, Town, town

FUTURE = Instrument(2, EXPIRY, 0, Kind.FUTURE).pack()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture(scope="module")
def proposer(place: Town) -> Iterator[Keeper]:
    """It has posted an epoch, and two accounts have traded and one put up collateral."""
    attesters = [place.keeper(f"attester{i}", "attester") for i in (0, 1)]
    keeper = place.proposer(Room([a.attester for a in attesters]))
    place.post_epoch(keeper)
    for quantity in (2 * 10**18, -(10**18)):
        place.trade(keeper, FUTURE, quantity)
    place.deposit(place.accounts[0], 3 * 10**18, "WETH")
    place.pass_time(30, 3)
    yield keeper
    for each in (keeper, *attesters):
        each.close()


@pytest.fixture
def full(proposer: Keeper) -> Index:
    """The index that snapshots are made of, at the head."""
    proposer.desk.sync()
    return proposer.desk.index


def cold(place: Town, folder: Path, url: str = "") -> tuple[Index, Protocol]:
    """An empty index."""
    deployment = load(place.write_deployment(folder / "deployment.json"))
    protocol = Protocol(Node(place.devnet.url), deployment)
    return Index(protocol, Database(url or f"sqlite:///{folder}/cold.sqlite")), protocol


def rows(index: Index) -> dict[str, Any]:
    """Every row of the index's tables."""
    with index.database.read() as connection:
        tables = (*VERSIONED, *OF_A_BLOCK)
        return {t.name: sorted(map(str, connection.execute(select(t)).all())) for t in tables}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_start_from__whole_history__goes_on_to_the_same_rows(
    place: Town, full: Index, tmp_path: Path, kind: str
) -> None:
    head = full.head()
    index, protocol = cold(place, tmp_path, postgres.server().create() if kind == "postgresql" else "")
    path = tmp_path / "index.snapshot"
    cold_start.write_snapshot(full, protocol.deployment, path, head.number - 5)
    header = cold_start.start_from(index, protocol, path)
    assert (header.block, header.first) == (head.number - 5, 0)
    assert index.head().number == head.number - 5
    assert index.sync().hash == head.hash
    assert rows(index) == rows(full)
    assert cold_start.start_from(index, protocol, path) is None, "an index that has blocks stays as it is"


def test_start_from__short_history__same_from_there_on_and_refuses_before(
    place: Town, full: Index, tmp_path: Path
) -> None:
    head = full.head()
    index, protocol = cold(place, tmp_path)
    path = tmp_path / "index.snapshot"
    header = cold_start.write_snapshot(full, protocol.deployment, path, head.number - 4, history=6)
    cold_start.start_from(index, protocol, path)
    index.sync()
    assert index.first() == header.first == head.number - 10
    for number in range(header.first, head.number + 1):
        assert index.accounts(number) == full.accounts(number)
        assert index.listings(number) == full.listings(number)
    last = full.changes(place.accounts[0], head.number)[-1]
    assert index.changes(place.accounts[0], head.number)[-1] == last, "older than what is held, and needed"
    with pytest.raises(NotHeldError, match=f"from {header.first} on"):
        index.accounts(header.first - 1)


def test_start_from__reorg_afterwards__rolled_back_into_the_snapshot(
    place: Town, proposer: Keeper, full: Index, tmp_path: Path
) -> None:
    before = full.head()
    account = place.open_account(7 * USDC)
    head = proposer.desk.sync()
    index, protocol = cold(place, tmp_path)
    path = tmp_path / "index.snapshot"
    cold_start.write_snapshot(full, protocol.deployment, path, head.number)
    cold_start.start_from(index, protocol, path)
    assert index.accounts(head.number)[-1].account == account
    place.devnet.rpc("anvil_reorg", head.number - before.number, [])
    after = index.sync()
    assert after.hash != head.hash
    assert proposer.desk.sync() == after
    assert rows(index) == rows(full)


def test_write_snapshot__by_default__of_a_block_that_no_reorg_reaches(
    place: Town, proposer: Keeper, full: Index, tmp_path: Path
) -> None:
    place.pass_time(70, 70)
    head = proposer.desk.sync()
    _, protocol = cold(place, tmp_path)
    header = cold_start.write_snapshot(full, protocol.deployment, tmp_path / "index.snapshot")
    assert header.block == head.number - 64


def test_write_snapshot__block_not_indexed__refused(place: Town, full: Index, tmp_path: Path) -> None:
    _, protocol = cold(place, tmp_path)
    path = tmp_path / "index.snapshot"
    with pytest.raises(SnapshotError, match="block 100000 is not indexed"):
        cold_start.write_snapshot(full, protocol.deployment, path, 100_000)
    with pytest.raises(SnapshotError, match="cannot be written: No such file"):
        cold_start.write_snapshot(full, protocol.deployment, tmp_path / "absent" / "x")
    assert list(tmp_path.glob("*.part")) == [] and not path.exists()


def changed(path: Path, change: Callable[[list[Any]], list[Any]], *, resealed: bool = False) -> Path:
    """A copy with other lines; with a digest that fits them, if `resealed`."""
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    texts = [json.dumps(c, separators=(",", ":")) + "\n" for c in change(lines[:-1])]
    seal = hashlib.sha256("".join(texts).encode()).hexdigest() if resealed else lines[-1]["sha256"]
    other = path.with_name("changed.snapshot")
    other.write_bytes(gzip.compress("".join([*texts, json.dumps({"sha256": seal}) + "\n"]).encode()))
    return other


def with_cash(lines: list[Any]) -> list[Any]:
    """An account is a little richer."""
    for line in lines:
        if line.get("table") == "account_version":
            line["rows"][-1][4] = str(int(line["rows"][-1][4]) + 1)
    return lines


def headed(**fields: Any) -> Callable[[list[Any]], list[Any]]:
    """Another header."""
    return lambda lines: [{**lines[0], **fields}, *lines[1:]]


def without_accounts(lines: list[Any]) -> list[Any]:
    return [line for line in lines if line.get("table") != "account_version"]


@pytest.mark.parametrize(
    ("change", "resealed", "reason"),
    [
        pytest.param(with_cash, False, "its content is not what its digest says", id="content"),
        pytest.param(with_cash, True, "is not the chain's: .*cash", id="cash"),
        pytest.param(lambda lines: lines[:-1], False, "is damaged", id="line left out"),
        pytest.param(headed(hash="0x" + "11" * 32), True, "is not on the node's chain", id="fork"),
        pytest.param(headed(deployment="00"), True, "is of another deployment", id="deployment"),
        pytest.param(headed(revision="0001"), True, "tables are of revision 0001", id="revision"),
        pytest.param(headed(format=9), True, "not a snapshot that this release reads", id="format"),
        pytest.param(
            lambda x: [*x, {"table": "intent", "rows": []}], True, "no rows of the index", id="table"
        ),
        pytest.param(lambda x: [*x, {"table": "block", "rows": [[1]]}], True, "do not fit", id="columns"),
        pytest.param(without_accounts, True, "has 0 accounts, the chain", id="accounts"),
    ],
)
def test_start_from__file_is_not_what_it_should_be__refused_and_nothing_kept(
    place: Town, full: Index, tmp_path: Path, change: Any, resealed: bool, reason: str
) -> None:
    index, protocol = cold(place, tmp_path)
    path = tmp_path / "index.snapshot"
    cold_start.write_snapshot(full, protocol.deployment, path, full.head().number)
    with pytest.raises(SnapshotError, match=reason):
        cold_start.start_from(index, protocol, changed(path, change, resealed=resealed))
    assert not any(rows(index).values())
    assert cold_start.start_from(index, protocol, path) is not None, "the right one still can be loaded"


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"{}\n", mtime=0), gzip.compress(b"x" * 99, mtime=0)[:-9]],
    ids=["empty", "no gzip", "no snapshot", "cut off"],
)
def test_start_from__no_snapshot_at_all__one_sentence(
    place: Town, full: Index, tmp_path: Path, content: bytes
) -> None:
    index, protocol = cold(place, tmp_path)
    path = tmp_path / "x"
    with pytest.raises(SnapshotError, match="cannot be read: No such file"):
        cold_start.start_from(index, protocol, path)
    path.write_bytes(content)
    with pytest.raises(SnapshotError, match="damaged|not a snapshot"):
        cold_start.start_from(index, protocol, path)
