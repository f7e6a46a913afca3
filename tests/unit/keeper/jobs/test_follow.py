"""A keeper that is given snapshots: only what the chain has taken is kept."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from keeper.attestation.epoch import EpochStatement
from keeper.attestation.snapshot import Snapshot
from keeper.jobs import follow
from keeper.jobs.follow import Follower
from keeper.network.schemas import hex_text
from keeper.network.server import Unavailable
from tests.unit.keeper.attestation.test_epoch import METHODOLOGY, make_epoch, make_snapshot

NUMBER = 3
SNAPSHOT, EPOCH = make_snapshot(), make_epoch(number=NUMBER)
URLS = ("http://first", "http://second")


class Statements:
    """What is kept."""

    def __init__(self) -> None:
        self.kept: dict[int, EpochStatement] = {}

    def get(self, number: int) -> EpochStatement | None:
        return self.kept.get(number)

    def keep(self, _snapshot: Snapshot, statement: EpochStatement) -> None:
        self.kept[statement.epoch.number] = statement


def desk(posted: EpochStatement | None = EPOCH) -> Any:
    payload = None
    if posted is not None:
        payload = {
            "number": posted.epoch.number,
            "snapshotHash": hex_text(posted.epoch.snapshot_hash),
            "marketRoot": hex_text(posted.epoch.market_root),
            "marginRoot": hex_text(posted.epoch.margin_root),
        }
    event = None if payload is None else SimpleNamespace(payload=payload)
    return SimpleNamespace(
        statements=Statements(),
        methodology=METHODOLOGY,
        index=SimpleNamespace(last_event=lambda _contract, _name, _until: event),
    )


def view(number: int = NUMBER) -> Any:
    return SimpleNamespace(header=SimpleNamespace(number=number), block=SimpleNamespace(number=10))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Text by host; who is not in it does not answer."""
    found: dict[str, str] = {}

    def get_text(url: str) -> str:
        host = url.split("/v1")[0]
        assert url == f"{host}/v1/epochs/{NUMBER}/snapshot"
        if host not in found:
            raise httpx.ConnectError("refused")
        return found[host]

    monkeypatch.setattr(follow, "get_text", get_text)
    return found


def test_tick__first_is_away__second_gives_it(served: dict[str, str]) -> None:
    served[URLS[1]] = SNAPSHOT.to_json()
    ours = desk()

    assert Follower(ours, URLS).tick(view())
    assert ours.statements.kept[NUMBER].root == EPOCH.root
    assert not Follower(ours, URLS).tick(view())


def test_tick__before_the_first_epoch__nothing(served: dict[str, str]) -> None:
    assert not Follower(desk(), URLS).tick(view(0))


def test_tick__another_snapshot_than_the_posted__refused(served: dict[str, str]) -> None:
    served[URLS[0]] = replace(SNAPSHOT, block_number=11).to_json()
    ours = desk()

    with pytest.raises(Unavailable, match="http://first: snapshotHash is not that of the epoch on the chain"):
        Follower(ours, URLS).tick(view())
    assert ours.statements.kept == {}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 3}'])
def test_tick__nonsense__named_and_the_next_asked(served: dict[str, str], text: str) -> None:
    served |= {URLS[0]: text, URLS[1]: SNAPSHOT.to_json()}

    assert Follower(desk(), URLS).tick(view())


def test_tick__event_not_indexed__unavailable(served: dict[str, str]) -> None:
    served[URLS[0]] = SNAPSHOT.to_json()

    with pytest.raises(Unavailable, match="number is not that of the epoch"):
        Follower(desk(None), URLS).tick(view())


def test_tick__nobody_to_ask__says_so(served: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match="no keeper to ask"):
        Follower(desk(), ()).tick(view())
