"""The regime: exponentially weighted volatility by hand, the floor against calms, the limits."""

from dataclasses import replace

import pytest

from keeper.risk.methodology import Methodology
from keeper.risk.volatility import clipped, ewma, log_returns, scale_ppm

P = Methodology.default().expected_shortfall


def test_log_returns__doubling__ln_2() -> None:
    assert log_returns([1.0, 2.0, 1.0]) == pytest.approx([0.693147, -0.693147], abs=1e-6)


def test_ewma__equal_returns__their_size() -> None:
    assert ewma([0.02, -0.02] * 40, 0.97) == pytest.approx([0.02] * 80)


def test_ewma__one_shock__weighs_three_percent_of_its_square() -> None:
    assert ewma([0.01] * 60 + [0.11], 0.97)[-1] ** 2 == pytest.approx(0.97 * 1e-4 + 0.03 * 0.0121)


def test_ewma__too_short__refused() -> None:
    with pytest.raises(ValueError, match="volatility: 29 returns, needs 30"):
        ewma([0.01] * 29, 0.97)


def test_scale__today_above_the_mean__today_over_the_reference() -> None:
    assert scale_ppm([0.02] * 364 + [0.04], 20_000, P) == 2_000_000


def test_scale__calm_after_a_storm__no_less_than_a_share_of_the_year() -> None:
    assert scale_ppm([0.05] * 300 + [0.02] * 65, 30_000, P) == round(
        0.8 * (300 * 0.05 + 65 * 0.02) / 365 / 0.03 * 1e6
    )


def test_scale__older_than_a_year__forgotten() -> None:
    assert scale_ppm([9.0, *[0.03] * 365], 30_000, P) == 1_000_000


@pytest.mark.parametrize(("scale", "held"), [(1, 700_000), (10**6, 10**6), (10**9, 2_500_000)])
def test_clipped__any_scale__inside_the_limits(scale: int, held: int) -> None:
    assert clipped(scale, replace(P)) == held
