"""The edge of the bands, by hand."""

import pytest

from keeper.chain.contracts import Header, Spot
from keeper.jobs.effective import effective_spots

NOW = 100_000
CALM = Spot(10_000, 10_000, 10_000, 10_000)


def _header(elapsed: int, ten_age: int = 0, hour_age: int = 0) -> Header:
    return Header(1, 0, NOW - elapsed, 1, 2, ten_age, hour_age)


@pytest.mark.parametrize(
    ("elapsed", "posted", "expected"),
    [
        (60, 10_100, 10_100),
        (60, 10_300, 10_200),
        (60, 9_000, 9_800),
        (120, 10_900, 10_400),
        (6_000, 30_000, 11_666),
    ],
)
def test_effective_spots__band_of_two_percent__clamped_to_the_narrowest(
    elapsed: int, posted: int, expected: int
) -> None:
    assert effective_spots(_header(elapsed), [CALM], [(200, 500, 1_000)], {1: posted}, NOW) == {1: expected}


def test_effective_spots__old_anchor__moves_to_the_last_effective_spot() -> None:
    spot = Spot(10_000, 10_000, 9_000, 10_000)
    young = effective_spots(_header(60, ten_age=600), [spot], [(200, 500, 1_000)], {1: 10_100}, NOW)
    old = effective_spots(_header(60, ten_age=601), [spot], [(200, 500, 1_000)], {1: 10_100}, NOW)
    assert (young, old) == ({1: 9_495}, {1: 10_100})
