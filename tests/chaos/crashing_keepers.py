"""Keepers in a process of its own that kills itself, as kill -9 does, at a numbered edge: around every commit
of the keeper in question, every signature of its key and every transaction that leaves it."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keeper.app.build import build
from keeper.app.config import load
from keeper.app.process import Keeper
from keeper.chain.keys import Signature, Signer, signer_of
from keeper.network.peers import Peer, authorize, domain_of
from keeper.network.schemas import EpochProposal
from tests.support.keepers import PROPOSER_KEY, Room


class Edges:
    """Counts; at the one it was made for the process dies. 0: never."""

    def __init__(self, fatal: int) -> None:
        self.passed, self._fatal = 0, fatal

    def cross(self) -> None:
        """One edge."""
        self.passed += 1
        if self.passed == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def around(self) -> Iterator[None]:
        """One before and one after."""
        self.cross()
        yield
        self.cross()


class CrossingSigner:
    """A key whose every signature is an edge."""

    def __init__(self, signer: Signer, edges: Edges) -> None:
        self.address, self._signer, self._edges = signer.address, signer, edges

    def sign(self, preimage: bytes) -> Signature:
        """As the key does."""
        with self._edges.around():
            return self._signer.sign(preimage)


def instrument(keeper: Keeper, edges: Edges) -> None:
    """Edges around commits and around what is sent to the node."""
    begin, node = keeper.database.begin, keeper.desk.protocol.node

    @contextmanager
    def crossing() -> Iterator[Any]:
        with begin() as connection:
            yield connection
            edges.cross()
        edges.cross()

    keeper.database.begin = crossing  # type: ignore[method-assign]
    node.send = _around(edges, node.send)  # type: ignore[method-assign]


def _around(edges: Edges, call: Callable[..., Any]) -> Callable[..., Any]:
    def crossing(*arguments: Any) -> Any:
        with edges.around():
            return call(*arguments)

    return crossing


def peer_of(keeper: Keeper, proposal: EpochProposal, key: bytes = PROPOSER_KEY) -> Peer:
    """A proposer asks for it now."""
    deployment = keeper.desk.protocol.deployment
    body = proposal.model_dump_json().encode()
    signer, domain = signer_of(key), domain_of(deployment.chain_id, deployment.oracle)
    return Peer(signer.address, 0.0, authorize(signer, domain, "POST", "/v1/epochs", body), body)


def attest(folder: str, fatal: int, done: Any) -> None:
    """An attester asked for the proposal in its folder; what it answers goes to `answers` there."""
    keeper, edges = _opened(Path(folder), "attester"), Edges(fatal)
    instrument(keeper, edges)
    assert keeper.attester is not None
    keeper.attester._signers = tuple(CrossingSigner(s, edges) for s in keeper.attester._signers)
    proposal = EpochProposal.model_validate_json(Path(folder, "proposal.json").read_text())
    answer = keeper.attester.sign_epoch(proposal, peer_of(keeper, proposal))
    with Path(folder, "answers").open("a") as out:
        out.write(answer.digest + "\n")
    edges.cross()
    done.put(edges.passed)


def propose(folder: str, fatal: int, done: Any) -> None:
    """A proposer and two attesters; one epoch from its first look to its confirmation."""
    keeper, edges = _opened(Path(folder), "proposer"), Edges(fatal)
    instrument(keeper, edges)
    room = Room([_opened(Path(folder), f"attester{i}").attester for i in range(2)])
    seat(keeper, room)
    for _ in range(3):
        keeper.tick()
    assert keeper.proposer is not None and keeper.proposer.status.posted, keeper.proposer.status
    done.put(edges.passed)


def seat(keeper: Keeper, room: Room) -> None:
    """The proposer asks the attesters in a room."""
    assert keeper.proposer is not None
    deployment = keeper.desk.protocol.deployment
    room.domain = domain_of(deployment.chain_id, deployment.oracle)
    keeper.proposer._attesters = keeper.proposer._reports._attesters = room  # type: ignore[assignment]


def _opened(folder: Path, name: str) -> Keeper:
    path = folder / "plimsoll.toml"
    return build(load(path if path.exists() else folder / name / "plimsoll.toml"))


def answers(folder: Path) -> set[str]:
    """Digests of the signatures that have left the process."""
    path = folder / "answers"
    return set(path.read_text().split()) if path.exists() else set()


def numbers(keeper: Keeper) -> list[int]:
    """Epochs that an attester has given a digest to."""
    with keeper.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT number FROM signed_epoch").all()
    return [int(row[0]) for row in rows]


def write(folder: Path, proposal: EpochProposal) -> None:
    """What the attester in a folder is asked."""
    (folder / "proposal.json").write_text(json.dumps(json.loads(proposal.model_dump_json())))
