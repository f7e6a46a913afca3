"""kill -9 at the edges of signing and of proposing: a member signs one content under one number whatever it
is asked before and after, and an epoch that was begun is posted once or never.

CRASH_CAMPAIGN=3 kills at every edge; by default it is every third.
"""

import itertools
import multiprocessing
import os
import queue
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keeper.app.build import build
from keeper.app.config import load
from keeper.app.process import Keeper
from keeper.attestation.epoch import build as build_statement
from keeper.attestation.snapshot import market_from_text, market_text
from keeper.chain.node import BlockRef
from keeper.jobs.compose import snapshot_of
from keeper.network.schemas import EpochMessage, EpochProposal
from keeper.network.server import Refusal
from keeper.pricing.market import Market
from tests.chaos.crashing_keepers import answers, attest, peer_of, propose, seat, write
from tests.support.keepers import PROPOSER_KEY, Room, Town, town

STEP = max(1, 3 // int(os.environ.get("CRASH_CAMPAIGN", "1")))
ANOTHER = bytes([7]) * 32  # key of a second proposer: one that says two things is refused whatever it says
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.chaos.crashing_keepers"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """After a first epoch."""
    with town(tmp_path_factory.mktemp("town")) as found:
        keepers = [found.keeper(f"attester{i}", "attester", venue="bybit") for i in range(2)]
        proposer = found.proposer(Room([keeper.attester for keeper in keepers]))
        assert found.post_epoch(proposer) == 1
        for keeper in (*keepers, proposer):
            keeper.close()
        yield found


@pytest.fixture
def contents(place: Town) -> tuple[EpochProposal, EpochProposal]:
    """Two honest proposals of two proposers under one number: a unit of price apart."""
    place.pass_time()
    keeper = place.keeper("proposer", "proposer")
    room = Room()
    seat(keeper, room)
    keeper.tick()
    first = room.asked[-1]
    assert isinstance(first, EpochProposal)
    second = _otherwise(keeper, first)
    keeper.close()
    return first, second


def _otherwise(keeper: Keeper, proposal: EpochProposal) -> EpochProposal:
    row = keeper.desk.index.block(proposal.epoch.block_number)
    view = keeper.desk.view_at(BlockRef(row.number, row.hash, row.parent, row.timestamp))
    market = market_from_text(proposal.market)
    *rest, last = market.underlyings
    moved = replace(last, posted=last.posted + 1, effective=last.effective + 1)
    snapshot = snapshot_of(view, Market(market.timestamp, (*rest, moved)), keeper.desk.methodology)
    statement = build_statement(snapshot, keeper.desk.methodology, proposal.number)
    return EpochProposal(
        patience_seconds=5, market=market_text(snapshot.market), epoch=EpochMessage.of(statement.epoch)
    )


def test_attester__killed_at_its_edges__signs_one_content_and_only_that(
    place: Town, contents: tuple[EpochProposal, EpochProposal], tmp_path: Path
) -> None:
    first, second = contents
    signed_second = 0
    for edge in itertools.count(1, STEP):
        folder = tmp_path / str(edge)
        shutil.copytree(place.folder / "attester0", folder)
        write(folder, first)
        survived = _killed_at(attest, folder, edge)
        signed_second += _ask_for_the_other(folder, first, second)
        assert len(answers(folder)) == 1, f"edge {edge}: {answers(folder)}"
        shutil.rmtree(folder)
        if survived is not None:
            break
    assert survived is not None and survived >= 6 and signed_second, "from before the claim to the answer"


def _ask_for_the_other(folder: Path, first: EpochProposal, second: EpochProposal) -> bool:
    """The one that comes after the crash is asked for other content first, then for the same."""
    keeper = build(load(folder / "plimsoll.toml"))
    assert keeper.attester is not None
    given = []
    for proposal, key in ((second, ANOTHER), (first, PROPOSER_KEY)):
        try:
            answer = keeper.attester.sign_epoch(proposal, peer_of(keeper, proposal, key))
        except Refusal as refusal:
            assert "is signed already with other content" in str(refusal)
        else:
            given.append(proposal)
            with (folder / "answers").open("a") as out:
                out.write(answer.digest + "\n")
    keeper.close()
    assert given, "one of them it can always sign"
    return second in given


def test_proposer__killed_at_its_edges__what_was_begun_is_posted_once_or_never(
    place: Town, tmp_path: Path
) -> None:
    place.pass_time()
    survived = None
    for edge in itertools.count(2, STEP):
        snapshot = place.devnet.rpc("evm_snapshot")
        folder = tmp_path / str(edge)
        for name in ("proposer", "attester0", "attester1"):
            shutil.copytree(place.folder / name, folder / name)
        survived = _killed_at(propose, folder, edge)
        _recover(place, folder, edge)
        shutil.rmtree(folder)
        place.devnet.rpc("evm_revert", snapshot)
        if survived is not None:
            break
    assert survived is not None and survived >= 12


def _recover(place: Town, folder: Path, edge: int) -> None:
    """Another process takes over and posts the next epoch."""
    before = _number(place)
    keeper = build(load(folder / "proposer" / "plimsoll.toml"))
    keepers = [build(load(folder / f"attester{i}" / "plimsoll.toml")) for i in range(2)]
    seat(keeper, Room([found.attester for found in keepers]))
    place.pass_time()
    for _ in range(4):
        keeper.tick()
    assert keeper.proposer is not None
    assert _number(place) > before, (edge, keeper.problem, keeper.proposer.status)
    with keeper.database.read() as connection:
        attempts = dict(connection.exec_driver_sql("SELECT hash, intent FROM attempt").all())
    mined = _mined_by(place, keeper.signer.address if keeper.signer else "")
    effects = [attempts[hash] for hash in mined]  # KeyError: sent before it was kept
    assert len(effects) == len(set(effects)), (edge, effects)
    for found in (keeper, *keepers):
        found.close()


def _number(place: Town) -> int:
    return int(place.backend.call(place.deployment["RiskOracle"], "header")[0])


def _mined_by(place: Town, address: str) -> list[str]:
    head = int(place.devnet.rpc("eth_blockNumber"), 16)
    blocks = [place.devnet.rpc("eth_getBlockByNumber", hex(number), True) for number in range(head + 1)]
    own = address.lower()
    return [tx["hash"] for block in blocks for tx in block["transactions"] if tx["from"].lower() == own]


def _killed_at(run: Callable[..., Any], folder: Path, edge: int) -> int | None:
    """Number of edges if it survived."""
    done = CONTEXT.Queue()
    process = CONTEXT.Process(target=run, args=(str(folder), edge, done))
    process.start()
    process.join(120)
    assert process.exitcode in (0, -9), (run.__name__, edge, process.exitcode)
    try:
        return int(done.get(timeout=1)) if process.exitcode == 0 else None
    except queue.Empty:
        return None
