"""Deribit as a source, on states that are given to it."""

import pytest

from keeper.sources.deribit import DeribitSource
from keeper.sources.deribit_feeds import CoinState
from keeper.sources.option_quote import OptionQuote
from keeper.sources.smile_distance import standard_vols
from tests.support.flat_market import DAY, NOW

SOON = NOW + 30 * DAY
ETH = 2


def option(strike: float, timestamp: int = NOW, vol: float = 0.6) -> OptionQuote:
    return OptionQuote("ETH", SOON, strike, strike > 2_010, timestamp, 1.0, forward=2_010.0, mark_vol=vol)


STRIKES = (1_400.0, 1_700.0, 1_900.0, 2_000.0, 2_100.0, 2_400.0, 2_800.0)
FLAT = tuple(option(k) for k in STRIKES)


class Given:
    """A feed that knows one state of ETH."""

    def __init__(self, state: CoinState) -> None:
        self.given = state
        self.asked: list[tuple[str, bool]] = []

    def state(self, coin: str, now: int, with_options: bool) -> CoinState:
        self.asked.append((coin, with_options))
        return self.given


def state(
    index: float = 2_000.0,
    perpetual: float = 2_000.5,
    time: int = NOW - 3,
    options: tuple[OptionQuote, ...] = FLAT,
) -> CoinState:
    return CoinState(index, perpetual, time, options)


def source(given: CoinState) -> tuple[DeribitSource, Given]:
    feed = Given(given)
    return DeribitSource(feed, {ETH: "ETH", 3: "SOL"}), feed


def test_observe__spot_is_the_index__and_the_surface_of_the_quotes() -> None:
    made, _ = source(state())
    found = made.observe(NOW, {1: [], ETH: [SOON]})
    assert (found.spots, found.age, found.confidences_ppm) == ({ETH: 2_000 * 10**8}, 3, {ETH: 10**6})
    quote = found.expiries[(ETH, SOON)]
    assert quote.forward == pytest.approx(2_010 * 10**8, rel=1e-6)
    assert standard_vols(quote.svi, 30 / 365) == pytest.approx([0.6] * 5, abs=0.005)


def test_observe__old_option_quotes__not_fitted() -> None:
    wild = tuple(option(k, NOW - 901, vol=1.5) for k in STRIKES)
    made, _ = source(state(options=wild[:3] + FLAT))
    found = made.observe(NOW, {ETH: [SOON]}).expiries[(ETH, SOON)]
    assert standard_vols(found.svi, 30 / 365) == pytest.approx([0.6] * 5, abs=0.005)
    made, _ = source(state(options=wild))
    with pytest.raises(LookupError, match="no option quote of ETH is younger than 900 seconds"):
        made.observe(NOW, {ETH: [SOON]})


def test_observe__soon_again__surface_moved_along_with_the_index_and_as_old_as_it_is() -> None:
    made, feed = source(state())
    first = made.observe(NOW, {ETH: [SOON]}).expiries[(ETH, SOON)]
    feed.given = state(index=2_100.0, perpetual=2_100.0, time=NOW + 29, options=())
    found = made.observe(NOW + 29, {ETH: [SOON]})
    assert found.expiries[(ETH, SOON)].svi == first.svi and found.age == 29
    assert found.expiries[(ETH, SOON)].forward == pytest.approx(first.forward * 1.05, rel=1e-9)
    assert feed.asked == [("ETH", True), ("ETH", False)]
    feed.given = state(time=NOW + 30)
    assert made.observe(NOW + 30, {ETH: [SOON]}).age == 0 and feed.asked[-1] == ("ETH", True)


def test_observe__last_hour__always_fitted() -> None:
    made, feed = source(state(time=SOON - 3_000, options=tuple(option(k, SOON - 3_000) for k in STRIKES)))
    for now in (SOON - 3_000, SOON - 2_999):
        made.observe(now, {ETH: [SOON]})
    assert feed.asked == [("ETH", True)] * 2


def test_observe__no_expiries__options_not_asked_for() -> None:
    made, feed = source(state())
    assert made.observe(NOW, {ETH: []}).expiries == {} and feed.asked == [("ETH", False)]


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
