"""Deribit as a source, on states that are given to it."""

from collections.abc import Mapping, Sequence

import pytest

from keeper.sources.deribit import DeribitSource
from keeper.sources.deribit_feeds import CoinState
from keeper.sources.option_quote import OptionQuote
from keeper.sources.source import ExpiryQuote
from tests.support.flat_market import DAY, NOW

SOON = NOW + 30 * DAY
ETH = 2


def option(strike: float, timestamp: int = NOW) -> OptionQuote:
    return OptionQuote("ETH", SOON, strike, True, timestamp, 30 / 365, forward=2_010.0, mark_vol=0.6)


class Given:
    """A feed that knows one state of ETH."""

    def __init__(self, state: CoinState) -> None:
        self.given = state
        self.asked: list[tuple[str, bool]] = []

    def state(self, coin: str, now: int, with_options: bool) -> CoinState:
        self.asked.append((coin, with_options))
        return self.given


def state(index: float = 2_000.0, perpetual: float = 2_000.5, time: int = NOW - 3) -> CoinState:
    return CoinState(index, perpetual, time, (option(2_000.0), option(2_100.0, NOW - 901)))


def source(given: CoinState) -> tuple[DeribitSource, list[int]]:
    """The source, and how many quotes each fit was given."""
    fitted: list[int] = []

    def fit(quotes: Sequence[OptionQuote], now: int, expiries: Sequence[int]) -> Mapping[int, ExpiryQuote]:
        fitted.append(len(quotes))
        return {e: ExpiryQuote(201_000_000_000, (1, 2, 3, 4, 5)) for e in expiries}

    return DeribitSource(Given(given), {ETH: "ETH", 3: "SOL"}, fit), fitted


def test_observe__spot_is_the_index__and_the_surface_of_young_quotes() -> None:
    made, fitted = source(state())
    found = made.observe(NOW, {1: [], ETH: [SOON]})
    assert (found.spots, found.age, found.confidences_ppm) == ({ETH: 2_000 * 10**8}, 3, {ETH: 10**6})
    assert list(found.expiries) == [(ETH, SOON)] and fitted == [1]


def test_observe__no_expiries__options_not_asked_for() -> None:
    made, fitted = source(state())
    assert made.observe(NOW, {ETH: []}).expiries == {} and fitted == []


@pytest.mark.parametrize(
    ("perpetual", "confidence"), [(2_010.0, 1.0), (1_945.0, 0.5), (2_055.0, 0.5), (1_901.0, 0.011)]
)
def test_observe__perpetual_away_from_the_index__less_confidence(perpetual: float, confidence: float) -> None:
    made, _ = source(state(perpetual=perpetual))
    found = made.observe(NOW, {ETH: []}).confidences_ppm[ETH]
    assert found == pytest.approx(confidence * 10**6, abs=200)


def test_observe__perpetual_far_off__refused() -> None:
    # SOL traded a fifth below its index on 2022-11-09
    made, _ = source(state(perpetual=1_600.0))
    with pytest.raises(
        LookupError, match="perpetual of ETH at 1600, index 2000: 2000 bps apart, at most 500"
    ):
        made.observe(NOW, {ETH: []})


def test_observe__venue_ahead_of_the_chain__refused() -> None:
    made, _ = source(state(time=NOW + 61))
    with pytest.raises(LookupError, match="ETH is 61 seconds ahead"):
        made.observe(NOW, {ETH: []})


def test_observe__old_index__age_is_told() -> None:
    made, _ = source(state(time=NOW - 5_000))
    assert made.observe(NOW, {ETH: []}).age == 5_000
