"""Price and funding series: resampling, alignment."""

import numpy as np
import pytest

from keeper.sources.prices import DAY, FundingSeries, PriceSeries, aligned

HOUR = 3_600


def hourly(hours: list[int], name: str = "x") -> PriceSeries:
    """Bars of one hour: opens at h + 1, closes at h + 2, reaches from h to h + 3; volume 1."""
    h = np.array(hours, dtype=np.float64)
    times = np.array(hours, dtype=np.int64) * HOUR
    return PriceSeries(name, times, h + 2, h + 1, h + 3, h + 0.5, np.ones(len(h)), HOUR)


def test_daily__two_whole_days__first_open_last_close_extremes_and_sum() -> None:
    days = hourly(list(range(48))).daily()
    assert list(days.timestamps) == [0, DAY]
    assert list(days.close) == [25, 49] and days.interval == DAY
    assert days.open is not None and list(days.open) == [1, 25]
    assert days.high is not None and list(days.high) == [26, 50]
    assert days.low is not None and list(days.low) == [0.5, 24.5]
    assert days.volume is not None and list(days.volume) == [24, 24]


def test_daily__day_that_ends_early__left_out() -> None:
    assert list(hourly([*range(24), *range(24, 46)]).daily().timestamps) == [0]
    assert list(hourly([*range(24), *range(24, 47)]).daily().timestamps) == [0, DAY]  # one hour short: within
    assert list(hourly([*range(24), *range(24, 47)]).daily(max_gap_seconds=0).timestamps) == [0]


def test_daily__gap_in_the_middle__day_is_kept() -> None:
    assert list(hourly([0, 1, 22, 23]).daily().close) == [25]


def test_daily__nothing_left__empty() -> None:
    assert len(hourly([3]).daily()) == 0 and len(hourly([]).daily()) == 0


def test_resample__to_shorter_bars__refused() -> None:
    with pytest.raises(ValueError, match="bars of 3600 s, ask for longer than 60 s"):
        hourly([1, 2]).resample(60)


def test_between__half_open() -> None:
    assert list(hourly([1, 2, 3]).between(HOUR, 3 * HOUR).timestamps) == [HOUR, 2 * HOUR]


def test_log_returns__known_prices() -> None:
    series = PriceSeries("x", np.array([0, DAY]), np.array([100.0, 110.0]))
    assert series.log_returns() == pytest.approx([np.log(1.1)])


def test_aligned__different_spans__only_common_times() -> None:
    times, closes = aligned({"a": hourly([1, 2, 3, 5]), "b": hourly([2, 3, 4, 5])})
    assert list(times) == [2 * HOUR, 3 * HOUR, 5 * HOUR]
    assert closes.tolist() == [[4, 4], [5, 5], [7, 7]]


def test_aligned__different_intervals__refused() -> None:
    with pytest.raises(ValueError, match="resample them to one interval"):
        aligned({"a": hourly([1]), "b": PriceSeries("b", np.array([0]), np.array([1.0]))})
    with pytest.raises(ValueError, match="no series to align"):
        aligned({})


def test_funding_daily__three_payments_a_day__summed() -> None:
    times = np.array([0, 8 * HOUR, 16 * HOUR, DAY, 3 * DAY], dtype=np.int64)
    days = FundingSeries("x", times, np.array([0.1, 0.2, -0.05, 0.4, 0.5])).daily()
    assert list(days.timestamps) == [0, DAY, 3 * DAY]
    assert days.rates == pytest.approx([0.25, 0.4, 0.5])
