"""What is served on accounts, auctions and claims, as a client of the API sees it."""

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from keeper.chain.node import NodeError
from keeper.jobs.accounts import Accounts
from keeper.network.server import create_app
from keeper.store.index_store import AccountRow, ListingRow
from keeper.units.constants import WAD
from tests.support.claims import CLAIM_FIELDS
from tests.unit.keeper.jobs.stage import CALL, EPOCH, NOW, PUT, Stage, Told, auction
from tests.unit.keeper.jobs.test_liquidate import Place, Reader

WETH = ListingRow(2, "0x" + "ab" * 20, 18, 1, 1_000, 500, 10**24)
OWNER = "0x" + "cd" * 20


@pytest.fixture
def place() -> Place:
    stage = Stage()
    stage.short(1, 350 * WAD)
    return Place(stage)


def client(place: Place, rows: list[AccountRow] | None = None) -> TestClient:
    desk: Any = SimpleNamespace(
        sync=lambda: SimpleNamespace(number=100),
        view=place.view,
        index=SimpleNamespace(
            accounts=lambda _n, asked: [
                row
                for row in rows or [place.stage.row(n) for n in place.stage.states]
                if row.account in asked
            ],
            listings=lambda _n: [WETH],
            auctions=lambda _n: [SimpleNamespace(account=n) for n in place.auctions],
            changes=lambda account, _n: place.stage.links[account],
        ),
        statements=SimpleNamespace(
            get=lambda n: Told(tuple(place.stage.leaves.values())) if n == EPOCH else None,
            latest=lambda: None,
        ),
        protocol=None,
    )
    accounts = Accounts(desk)
    accounts._reader = Reader(place)  # type: ignore[assignment]
    return TestClient(create_app(desk.statements, dict, accounts=accounts, metrics=lambda: "open 3\n"))


def test_claim__traded_since__every_field_of_the_contract_s_struct(place: Place) -> None:
    place.stage.trade(1, PUT, WAD, 5 * WAD)
    found = client(place).get(f"/v1/epochs/{EPOCH}/accounts/1/claim").json()

    assert tuple(found) == ("schema_version", *CLAIM_FIELDS)
    assert found["instruments"] == [str(CALL), str(PUT)]
    assert (found["way"], found["epoch"], found["deadline"], found["signatures"]) == (1, EPOCH, 0, [0, []])
    assert (len(found["leaf"]), found["leaf"][0], found["leaf"][3][:2]) == (12, "1", "0x")
    assert found["path"] == ["0x" + (1).to_bytes(32, "big").hex()]
    assert found["changes"] == [["1", str(PUT), str(WAD), str(5 * WAD)]]
    assert found["units"][0][0] == str(PUT)
    assert found["unitPaths"] == [["0x" + PUT.to_bytes(32, "big").hex()]]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        (f"/v1/epochs/{EPOCH + 1}/accounts/1/claim", 404, f"epoch {EPOCH + 1} is not served here"),
        (f"/v1/epochs/{EPOCH}/accounts/5/claim", 404, "no account 5"),
        ("/v1/accounts/5", 404, "no account 5"),
    ],
)
def test_get__what_is_not_there__404(place: Place, path: str, status: int, detail: str) -> None:
    answer = client(place).get(path)

    assert (answer.status_code, answer.json()["detail"]) == (status, detail)


def test_claim__beyond_what_the_epoch_answers_for__409(place: Place) -> None:
    place.stage.links[1] = []
    place.stage.trade(1, PUT, WAD, WAD)
    answer = client(place).get(f"/v1/epochs/{EPOCH}/accounts/1/claim")

    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "claim: the account never had the leaf's book",
    )


def test_account__with_collateral__all_that_is_indexed(place: Place) -> None:
    positions, collateral = ((CALL, -WAD),), ((2, 7 * WAD),)
    row = AccountRow(
        1, OWNER, -5 * WAD, 3, -4, bytes(32), positions, collateral, True, tier=2, underlying=1, expiry=0
    )

    assert client(place, [row]).get("/v1/accounts/1").json() == {
        "schema_version": 2,
        "account": "1",
        "owner": OWNER,
        "block": 100,
        "cash": str(-5 * WAD),
        "added_im": "3",
        "added_mark": "-4",
        "book_hash": "0x" + "00" * 32,
        "frozen": True,
        "tier": 2,
        "underlying": 1,
        "expiry": 0,
        "positions": [{"instrument": str(CALL), "quantity": str(-WAD)}],
        "collateral": [{"index": 2, "token": WETH.token, "underlying": 1, "amount": str(7 * WAD)}],
    }


def test_auctions__one_open__margins_clock_and_price(place: Place) -> None:
    place.auctions = {1: auction()}

    (found,) = client(place).get("/v1/auctions").json()
    assert (found["account"], found["epoch"], found["insolvent"]) == ("1", EPOCH, False)
    assert (found["initial_margin"], found["maintenance_margin"]) == (str(300 * WAD), str(250 * WAD))
    assert (found["elapsed"], found["touched"]) == (0, NOW - 450)
    assert (found["asked"], found["gain"]) == (str(2_225 * WAD // 10), str(11 * WAD // 100))
    assert 0 < int(found["largest"]) < WAD


def test_auctions__node_away__503(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_arguments: Any) -> None:
        raise NodeError("node does not answer")

    monkeypatch.setattr(Reader, "terms", away)

    assert client(place).get("/v1/auctions").status_code == 503


def test_metrics__asked__text(place: Place) -> None:
    answer = client(place).get("/metrics")

    assert (answer.text, answer.headers["content-type"]) == ("open 3\n", "text/plain; charset=utf-8")
