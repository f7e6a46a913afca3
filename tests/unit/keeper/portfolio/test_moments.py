"""Moments: 27 June 2025 08:00 UTC is 1751011200 (`date -u -d '2025-06-27 08:00' +%s`)."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from keeper.portfolio.moments import day_text, iso_text, unix_seconds

EXPIRY = 1_751_011_200


@pytest.mark.parametrize(
    "value",
    [
        EXPIRY,
        float(EXPIRY),
        str(EXPIRY),
        "27JUN25",
        "27jun25",
        "20250627",
        "2025-06-27",
        "2025-06-27T08:00:00Z",
        "2025-06-27 08:00",
        "2025-06-27T10:00:00+02:00",
        date(2025, 6, 27),
        datetime(2025, 6, 27, 8),
        datetime(2025, 6, 27, 8, tzinfo=UTC),
        datetime(2025, 6, 27, 10, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_unix_seconds__any_way_to_write_it__same_second(value: object) -> None:
    assert unix_seconds(value) == EXPIRY


@pytest.mark.parametrize("value", ["", "32JUN25", "soon", "2025-13-01", None, True, 1.5, 0, EXPIRY * 1000])
def test_unix_seconds__no_moment__refused(value: object) -> None:
    with pytest.raises(ValueError, match="moment|whole second"):
        unix_seconds(value)


@pytest.mark.parametrize("seconds", [EXPIRY, unix_seconds("2025-01-03"), EXPIRY + 1])
def test_day_text__of_an_expiry__reads_back(seconds: int) -> None:
    assert unix_seconds(day_text(seconds)) == seconds


def test_day_text__first_days__without_a_zero() -> None:
    assert day_text(unix_seconds("2025-01-03")) == "3JAN25"
    assert iso_text(EXPIRY) == "2025-06-27T08:00:00Z"
