"""A live account from a keeper's answers, without a network."""

import json
from typing import Any

import httpx
import pytest

from keeper.app.commands import live_account
from keeper.app.commands.margin_view import print_margin
from keeper.attestation.epoch import build
from keeper.attestation.snapshot import AccountState, Snapshot
from keeper.markets.instrument import Instrument, Kind, Leg
from keeper.network.leaf_rows import margin_fields
from keeper.pricing.market import Market, UnderlyingMarket
from keeper.risk.collateral import Collateral
from keeper.risk.methodology import Methodology
from keeper.units.constants import WAD

NOW = 1_744_113_600
SPOT = 80_000 * 10**8
PERP = Instrument(1, 0, 0, Kind.PERP).pack()
HASH = b"\x07" * 32


def snapshot(methodology_hash: bytes) -> Snapshot:
    coins = (Collateral(1, 1, 1_000, 500, WAD // 10),)
    account = AccountState(3, (Leg(PERP, -WAD),), 0, 0, HASH, collateral=coins)
    market = Market(NOW, (UnderlyingMarket(1, SPOT, SPOT),))
    return Snapshot(1, 5, bytes(32), market, (account,), (PERP,), methodology_hash)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answers by path; a test may change them."""
    state = snapshot(Methodology.default().hash())
    statement = build(state, Methodology.default(), 7)
    detail = statement.explain(3)
    answers: dict[str, Any] = {
        "/v1/epochs/latest": {"number": 7},
        "/v1/epochs/7/accounts/3": {
            "leaf": margin_fields(statement.margin(3)),
            "breakdown": json.loads(json.dumps(detail.breakdown)),
        },
        "/v1/accounts/3": {"cash": str(100_000 * WAD), "book_hash": "0x" + HASH.hex()},
        "/v1/epochs/7/snapshot": state.to_json(),
    }

    def get(url: str, **_: Any) -> Any:
        path = url.removeprefix("http://keeper")
        if path not in answers:
            request = httpx.Request("GET", url)
            raise httpx.HTTPStatusError("", request=request, response=httpx.Response(404, request=request))
        return answers[path]

    monkeypatch.setattr(live_account, "get_json", get)
    monkeypatch.setattr(live_account, "get_text", get)
    return answers


def test_live_answer__short_perp_with_coins__the_leaf_and_the_cash(served: dict[str, Any]) -> None:
    found = live_account.live_answer("http://keeper/", 3)
    leaf = served["/v1/epochs/7/accounts/3"]["leaf"]
    assert found["epoch"] == 7 and found["timestamp"] == NOW
    # cash 100,000, a perp sold for 80,000 that was paid into it, .1 coins of 80,000
    assert found["equity"] == pytest.approx(100_000 - 80_000 + 8_000)
    assert found["initial"] == pytest.approx(int(leaf["initialMargin"]) / WAD + 800)
    assert found["maintenance"] == pytest.approx(int(leaf["maintenanceMargin"]) / WAD + 400)
    assert found["changed_since"] is False
    assert found["recomputed"] is True


def test_live_answer__margin_that_is_not_ours__said(served: dict[str, Any]) -> None:
    served["/v1/epochs/7/accounts/3"]["leaf"]["initialMargin"] = "1"
    served["/v1/accounts/3"]["book_hash"] = "0x" + "00" * 32
    found = live_account.live_answer("http://keeper", 3)
    assert found["recomputed"] is False
    assert found["changed_since"] is True


@pytest.mark.parametrize(
    ("recomputed", "changed", "said"),
    [
        (True, False, "the same to the bit."),
        (False, True, "has changed since"),
        (None, False, "not recomputed."),
    ],
)
def test_print_margin__live__says_what_it_rests_on(
    served: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    recomputed: bool | None,
    changed: bool,
    said: str,
) -> None:
    found = live_account.live_answer("http://keeper", 3)
    print_margin({**found, "recomputed": recomputed, "changed_since": changed})
    assert said in " ".join(capsys.readouterr().out.split())


def test_live_answer__other_parameters__not_recomputed(served: dict[str, Any]) -> None:
    served["/v1/epochs/7/snapshot"] = snapshot(b"\1" * 32).to_json()
    assert live_account.live_answer("http://keeper", 3)["recomputed"] is None


def test_live_answer__no_such_account__one_sentence(served: dict[str, Any]) -> None:
    del served["/v1/accounts/3"]
    with pytest.raises(RuntimeError, match="does not serve /v1/accounts/3: 404"):
        live_account.live_answer("http://keeper", 3)
