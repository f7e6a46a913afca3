"""A keeper that is given epochs: only what the chain has taken is kept, whoever gave it."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from keeper.attestation.accounts import Accounts
from keeper.attestation.epoch import EpochStatement
from keeper.attestation.snapshot import Snapshot
from keeper.chain.contracts import Spot
from keeper.jobs import follow
from keeper.jobs.follow import Follower
from keeper.network.schemas import hex_text
from keeper.network.server import Unavailable
from tests.unit.keeper.attestation.test_epoch import METHODOLOGY, make_epoch, make_snapshot

NUMBER = 3
SNAPSHOT, EPOCH = make_snapshot(), make_epoch(number=NUMBER)
INPUTS = replace(SNAPSHOT, accounts=Accounts.of([])).to_json()
URLS = ("http://first", "http://second")


class Statements:
    """What is kept; `accounts`: what the index has at the snapshot's block."""

    def __init__(self, accounts: Any = SNAPSHOT.accounts) -> None:
        self.kept: dict[int, EpochStatement] = {}
        self.accounts = accounts

    def get(self, number: int) -> EpochStatement | None:
        return self.kept.get(number)

    def completed(self, snapshot: Snapshot) -> Snapshot | None:
        return None if self.accounts is None else replace(snapshot, accounts=self.accounts)

    def keep(self, _snapshot: Snapshot, statement: EpochStatement) -> None:
        self.kept[statement.epoch.number] = statement

    def adopt(self, statement: EpochStatement) -> None:
        self.kept[statement.epoch.number] = statement


def desk(statements: Statements | None = None, posted: EpochStatement | None = EPOCH) -> Any:
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
        statements=statements or Statements(),
        methodology=METHODOLOGY,
        index=SimpleNamespace(last_event=lambda _contract, _name, _until: event),
    )


def view(number: int = NUMBER) -> Any:
    header = SimpleNamespace(number=number, timestamp=EPOCH.epoch.timestamp, block_number=10)
    spots = tuple(Spot(word >> 64, word & 2**64 - 1, 0, 0) for word in EPOCH.spots)
    return SimpleNamespace(header=header, block=SimpleNamespace(number=10), spots=spots)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Inputs by host; who is not in it does not answer."""
    found: dict[str, str] = {}

    def get_text(url: str, limit: int) -> str:
        host = url.split("/v1")[0]
        assert url == f"{host}/v1/epochs/{NUMBER}/inputs" and limit < 10**7
        if host not in found:
            raise httpx.ConnectError("refused")
        return found[host]

    monkeypatch.setattr(follow, "get_text", get_text)
    return found


@pytest.fixture
def leaves(monkeypatch: pytest.MonkeyPatch) -> dict[str, EpochStatement]:
    """Whose leaves a host serves; who is not in it serves none."""
    found: dict[str, EpochStatement] = {}

    class Reader:
        def __init__(self, urls: tuple[str], path: str) -> None:
            (self.url,), self.path = urls, path

        def leaves(self, number: int, kind: str, _root: bytes) -> Any:
            assert (self.path, number) == ("/v1/epochs", NUMBER)
            if self.url not in found:
                raise LookupError("serves no leaves")
            return tuple(getattr(found[self.url], kind))

    monkeypatch.setattr(follow, "LeafReader", Reader)
    return found


def test_tick__first_is_away__second_gives_it(served: dict[str, str]) -> None:
    served[URLS[1]] = INPUTS
    ours = desk()

    assert Follower(ours, URLS).tick(view())
    assert ours.statements.kept[NUMBER].root == EPOCH.root
    assert not Follower(ours, URLS).tick(view())


def test_tick__before_the_first_epoch__nothing(served: dict[str, str]) -> None:
    assert not Follower(desk(), URLS).tick(view(0))


def test_tick__other_inputs_than_the_posted__refused(served: dict[str, str], leaves: Any) -> None:
    served[URLS[0]] = replace(SNAPSHOT, block_number=11, accounts=Accounts.of([])).to_json()
    ours = desk()

    with pytest.raises(Unavailable, match="http://first: snapshotHash is not that of the epoch on the chain"):
        Follower(ours, URLS).tick(view())
    assert ours.statements.kept == {}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 3}', "[" * 10_000])
def test_tick__nonsense__named_and_the_next_asked(served: dict[str, str], text: str) -> None:
    served |= {URLS[0]: text, URLS[1]: INPUTS}

    assert Follower(desk(), URLS).tick(view())


@pytest.mark.parametrize("accounts", [None, SNAPSHOT.accounts[:2]])
def test_tick__own_index_is_not_enough__the_published_leaves_are(
    served: dict[str, str], leaves: dict[str, EpochStatement], accounts: Any
) -> None:
    served |= dict.fromkeys(URLS, INPUTS)
    leaves[URLS[1]] = EPOCH
    ours = desk(Statements(accounts))

    assert Follower(ours, URLS).tick(view())
    found = ours.statements.kept[NUMBER]
    assert found.root == EPOCH.root and found.tables is None
    assert found.account_proof(2) == EPOCH.account_proof(2)
    assert found.spots == EPOCH.spots


def test_tick__one_leaf_is_false__not_believed_and_the_next_asked(
    served: dict[str, str], leaves: dict[str, EpochStatement]
) -> None:
    first, *rest = EPOCH.margins
    leaves[URLS[0]] = replace(
        EPOCH, margins=(replace(first, maintenance_margin=first.maintenance_margin + 1), *rest)
    )
    with pytest.raises(Unavailable, match="http://first: marginRoot is not that of the epoch on the chain"):
        Follower(desk(), URLS).tick(view())
    leaves[URLS[1]] = EPOCH
    assert Follower(desk(), URLS).tick(view())


def test_tick__event_not_indexed__unavailable(served: dict[str, str]) -> None:
    served[URLS[0]] = INPUTS

    with pytest.raises(Unavailable, match="is not in the index yet"):
        Follower(desk(posted=None), URLS).tick(view())


def test_tick__nobody_to_ask__says_so(served: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match="no keeper to ask"):
        Follower(desk(), ()).tick(view())
