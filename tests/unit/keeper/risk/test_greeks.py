"""Per-unit Greeks of a flat market, by hand.

At the money, 30 days, vol .60, forward 2000: total vol s = .6 sqrt(30/365) = .172015, d1 = s/2 = .0860074,
N(d1) = .534270, n(d1) = .397469.
"""

import numpy as np
import pytest

from keeper.markets.instrument import Instrument, Kind
from keeper.risk import scan
from keeper.risk.greeks import BODY, CALL_WING, PUT_WING, UnitGreeks, unit_greeks
from tests.support.flat_market import DAY, NOW, flat_market
from tests.support.round_methodology import round_methodology

PARAMETERS = round_methodology().greeks


def greeks(*legs: tuple[float, int, Kind], days: tuple[float, ...] = (1, 30, 120)) -> UnitGreeks:
    listed = [Instrument(2, NOW + round(d * DAY) if d else 0, k * 10**8, kind) for d, k, kind in legs]
    return unit_greeks(scan.contracts(flat_market(days), listed), PARAMETERS)


def test_unit_greeks__at_the_money_call__closed_form() -> None:
    g = greeks((30, 2_000, Kind.CALL))
    # N(d1) * 2000
    assert float(g.delta[0]) == pytest.approx(1068.5394, abs=1e-3)
    # 2000 * n(d1) * sqrt(30/365) * .60 = 136.741 USD per 100 % of vol, times .35 at the reference tenor
    assert float(g.vega[0]) == pytest.approx(0.35 * 136.741, abs=1e-3)
    # gamma F^2 = 2000 n(d1) / s = 4621.34; -1/2 * 4621.34 * .36/365 * 6.635
    assert float(g.curvature[0]) == pytest.approx(-15.1212, abs=5e-4)
    # -1/2 * 2000 * n(d1) * .60 / sqrt(30/365) / 365
    assert float(g.theta[0]) == pytest.approx(-2.27902, abs=1e-4)


def test_unit_greeks__put_of_the_same_strike__same_but_for_delta() -> None:
    g = greeks((30, 2_000, Kind.CALL), (30, 2_000, Kind.PUT))
    assert float(g.delta[0] - g.delta[1]) == pytest.approx(2_000.0)
    for name in ("vega", "curvature", "theta", "bucket"):
        assert getattr(g, name)[0] == getattr(g, name)[1]


def test_unit_greeks__linear__delta_alone() -> None:
    g = greeks((0, 0, Kind.PERP), (30, 0, Kind.FUTURE))
    assert g.delta.tolist() == [2_000.0, 2_000.0]
    assert not np.any([g.vega, g.curvature, g.theta])


def test_unit_greeks__at_the_money_ten_minutes_to_expiry__those_of_a_day() -> None:
    # without the floor gamma would be sqrt(144) = 12 times larger
    late, day = (greeks((d, 2_000, Kind.CALL), days=(d,)) for d in (600 / DAY, 1))
    for name in ("vega", "curvature", "theta"):
        assert float(getattr(late, name)[0]) == pytest.approx(float(getattr(day, name)[0]), rel=1e-6)


def test_unit_greeks__long_tenor__vega_weight_falls_with_the_smaller_power() -> None:
    # .35 * (30/120)**.13 = .292282; vega 2000 * n(.172015) * sqrt(120/365) * .6, n(.172015) = .393084
    g = greeks((120, 2_000, Kind.CALL))
    assert float(g.vega[0]) == pytest.approx(0.292282 * 270.4618, abs=2e-3)


def test_unit_greeks__short_tenor__vega_weight_is_that_of_three_days() -> None:
    # .35 * (30/3)**.30 = .698342; vega 2000 * n(.0157027) * sqrt(1/365) * .6, n(.0157027) = .398893
    g = greeks((1, 2_000, Kind.CALL))
    assert float(g.vega[0]) == pytest.approx(0.698342 * 25.05446, abs=2e-3)


@pytest.mark.parametrize("kind", [Kind.CALL, Kind.PUT])
def test_unit_greeks__strikes_across_the_smile__three_buckets(kind: Kind) -> None:
    # the call's delta is .75 at d1 = .6745, which is K = 2000 exp(-.6745 s + s^2/2) = 1808; .25 at 2280
    g = greeks(*[(30, strike, kind) for strike in (1_800, 1_815, 2_000, 2_270, 2_290)])
    assert g.bucket.tolist() == [PUT_WING, BODY, BODY, BODY, CALL_WING]
