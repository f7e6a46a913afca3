"""Deribit's messages as quotes in USD."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from keeper.sources.deribit_messages import (
    BookSummary,
    Ticker,
    parse_name,
    quote_of_summary,
    quote_of_ticker,
)

MESSAGES: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors" / "deribit_messages.json").read_text()
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BTC-24SEP21-34000-P", ("BTC", True, 1_632_470_400, 34_000.0, False)),
        ("ETH-9JAN24-1900-C", ("ETH", True, 1_704_787_200, 1_900.0, True)),
        ("XRP_USDC-30JUN23-0d625-C", ("XRP", False, 1_688_112_000, 0.625, True)),
        ("BTC-PERPETUAL", None),
        ("BTC-24SEP21", None),
        ("BTC-99SEP21-34000-P", None),
        ("BTC-24SEP21-34000-X", None),
        ("", None),
    ],
)
def test_parse_name__documented_forms__parts(name: str, expected: tuple[object, ...] | None) -> None:
    found = parse_name(name)
    assert (None if found is None else tuple(found)) == expected


def test_quote_of_summary__inverse_option__usd_at_the_forward() -> None:
    found = quote_of_summary(BookSummary.model_validate(MESSAGES["summary"]))
    assert found is not None
    assert (found.underlying, found.strike, found.is_call, found.timestamp) == (
        "BTC",
        7_750,
        True,
        1_583_783_678,
    )
    assert found.bid == pytest.approx(0.0185 * 7_856.445926872601)
    assert found.spot == 7_856.29 and found.mark_vol is None


def test_quote_of_ticker__vols__fractions() -> None:
    found = quote_of_ticker(Ticker.model_validate(MESSAGES["option_ticker"]))
    assert found is not None
    assert (found.bid_vol, found.ask_vol, found.mark_vol) == pytest.approx((0.7104, 0.9983, 0.8727))
    assert found.ask == pytest.approx(0.6235 * 33_974.38)


def test_quote__linear_option__price_as_it_is() -> None:
    summary = MESSAGES["summary"] | {
        "instrument_name": "SOL_USDC-26DEC25-200-C",
        "underlying_price": 190.0,
        "bid_price": 7.5,
    }
    found = quote_of_summary(BookSummary.model_validate(summary))
    assert found is not None and (found.underlying, found.bid) == ("SOL", 7.5)


@pytest.mark.parametrize("change", [{"bid_price": 0}, {"bid_price": None}])
def test_quote__no_bid__none(change: dict[str, Any]) -> None:
    found = quote_of_summary(BookSummary.model_validate(MESSAGES["summary"] | change))
    assert found is not None and found.bid is None


def test_quote__not_an_option_or_not_open__none() -> None:
    assert quote_of_ticker(Ticker.model_validate(MESSAGES["perpetual"]["result"])) is None
    assert quote_of_ticker(Ticker.model_validate(MESSAGES["option_ticker"] | {"state": "settlement"})) is None


@pytest.mark.parametrize(
    "change", [{"mark_price": -1}, {"underlying_price": float("inf")}, {"timestamp": 0}, {"state": None}]
)
def test_ticker__impossible_value__refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Ticker.model_validate(MESSAGES["option_ticker"] | change)
