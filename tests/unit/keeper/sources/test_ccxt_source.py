"""ccxt's venues through a stand-in of its interface."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from keeper.sources.ccxt_source import CcxtSource, open_exchange
from tests.support.flat_market import NOW

# shape of ccxt's unified ticker: docs.ccxt.com, "ticker structure"
GOOD = {"symbol": "ETH/USD", "bid": 2_999.0, "ask": 3_001.0, "last": 2_998.0, "timestamp": (NOW - 7) * 1_000}
LISTED = {1: [], 2: [NOW + 86_400]}


class StandIn:
    """Answers as it is told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def fetch_ticker(self, symbol: str) -> dict[str, Any]:
        self.asked.append(symbol)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def source(answer: Any) -> CcxtSource:
    return CcxtSource("kraken", {2: "ETH/USD", 9: "DOGE/USD"}, lambda _: StandIn(answer))


def test_observe__good_ticker__middle_and_age() -> None:
    found = source(GOOD).observe(NOW, LISTED)
    assert (found.venue, found.spots, found.age, found.expiries) == ("kraken", {2: 3_000 * 10**8}, 7, {})


@pytest.mark.parametrize("missing", [{"bid": None}, {"ask": 0.0}, {"ask": float("nan")}])
def test_observe__one_side__last_price(missing: dict[str, Any]) -> None:
    assert source(GOOD | missing).observe(NOW, LISTED).spots == {2: 2_998 * 10**8}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (GOOD | {"bid": 3_002.0}, "crossed"),
        (GOOD | {"bid": None, "last": None}, "holds no price"),
        (GOOD | {"bid": "3000", "last": None}, "holds no price"),
        (GOOD | {"timestamp": None}, "names no time"),
        (GOOD | {"timestamp": (NOW + 61) * 1_000}, "61 seconds ahead"),
        (None, "malformed"),
        (
            RuntimeError("kraken GET https://api\n 403 Forbidden"),
            "no ticker of ETH/USD: kraken GET .* 403 Forbidden",
        ),
    ],
)
def test_observe__unusable__said(answer: Any, reason: str) -> None:
    with pytest.raises(LookupError, match=f"^kraken: .*{reason}"):
        source(answer).observe(NOW, LISTED)


def test_observe__underlying_without_symbol__left_out() -> None:
    assert source(GOOD).observe(NOW, {1: []}).spots == {}


def test_open_exchange__not_installed__what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(LookupError, match=r"pip install 'plimsoll\[ccxt\]'"):
        open_exchange("kraken")


def test_open_exchange__installed__named_one_with_options(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(exchanges=["kraken"], kraken=lambda options: options)
    monkeypatch.setitem(sys.modules, "ccxt", fake)
    assert open_exchange("kraken", 2.5) == {"timeout": 2_500, "enableRateLimit": True}
    with pytest.raises(LookupError, match="no exchange nowhere"):
        open_exchange("nowhere")
