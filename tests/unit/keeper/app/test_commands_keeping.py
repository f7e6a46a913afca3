"""`plimsoll backup` and `plimsoll snapshot`, from a configuration to a file."""

import json
from pathlib import Path

import pytest

from keeper.app.config import load
from keeper.chain.deployment import REQUIRED
from keeper.store import snapshot_file, statement_store
from keeper.store.database import Database
from keeper.store.draft import Draft
from keeper.store.index_store import BlockRow
from tests.support.command_line import run

ADDRESSES = {name: {"address": f"0x{n:040x}"} for n, name in enumerate(REQUIRED, start=1)}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a process that only serves."""
    (tmp_path / "deployment.json").write_text(json.dumps({"chain_id": 31337, "contracts": ADDRESSES}))
    path = tmp_path / "plimsoll.toml"
    path.write_text(
        '[keeper]\nroles=["api"]\n[chain]\nrpc="http://127.0.0.1:1"\ndeployment="deployment.json"\n'
        'snapshot="index.snapshot"\n[source]\nvenues=["binance"]\n[api]\nport=8600\n'
    )
    return path


def test_backup__then_check__file_that_can_be_restored(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statement_store.claim_epoch(Database(f"sqlite:///{tmp_path}/keeper.sqlite"), "0xa1", 7, "0xaa", 1)
    target = tmp_path / "copy"
    assert run("backup", target, "-c", config, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(target),
        "bytes": target.stat().st_size,
        "revision": "0002",
    }
    assert run("backup", target, "--check") == 0
    assert "can be restored" in capsys.readouterr().out
    assert not statement_store.claim_epoch(Database(f"sqlite:///{target}"), "0xa1", 7, "0xbb", 2)


def test_backup__no_database__one_sentence(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("backup", tmp_path / "copy", "-c", config) == 1
    assert "there is no database" in capsys.readouterr().err
    assert run("backup", config, "--check") == 1
    assert "is no database of a keeper" in capsys.readouterr().err


def test_snapshot__nothing_indexed__one_sentence(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("snapshot", tmp_path / "index.snapshot", "-c", config) == 1
    assert "nothing is indexed yet" in capsys.readouterr().err


def test_snapshot__some_blocks__says_from_where_it_is_good(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Database(f"sqlite:///{tmp_path}/keeper.sqlite").begin() as connection:
        draft = Draft(connection, ())
        for number in range(100):
            draft.add_block(BlockRow(number, f"0x{number}", f"0x{number - 1}", number))
        draft.flush(connection)
    target = tmp_path / "index.snapshot"
    assert run("snapshot", target, "-c", config, "--history", 10, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["block"], found["hash"], found["first"]) == (35, "0x35", 25)
    assert snapshot_file.read_header(target).block == 35
    assert load(config).chain.snapshot == target
