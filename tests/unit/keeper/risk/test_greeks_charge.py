"""The Greeks charge: each part by hand, and the norms that headroom rests on."""

import json
from collections import defaultdict
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.risk import tenors
from keeper.risk.book import Exposure
from keeper.risk.greeks import BODY, CALL_WING, PUT_WING
from keeper.risk.greeks_charge import DeltaCharge, SmileCharge, combine, delta_charge, smile_charge
from keeper.risk.methodology import Methodology

METHODOLOGY = Methodology.default()
NOW, DAY = 1_750_000_000, 86_400
# index 0: perps, a day; 1: 30 days; 2: 120 days
TENORS = tenors.build(NOW, [NOW + 30 * DAY, NOW + 120 * DAY], METHODOLOGY.greeks, METHODOLOGY.roll)
MILLION = 10**6


def exposure(
    delta: dict[int, int] | None = None,
    vega: dict[tuple[int, int], int] | None = None,
    curvature: dict[int, int] | None = None,
    theta: int = 0,
) -> Exposure:
    return Exposure(delta or {}, vega or {}, curvature or {}, theta)


def delta(methodology: Methodology = METHODOLOGY, **by_name: dict[int, int]) -> DeltaCharge:
    exposures = {int(name[1:]): exposure(d) for name, d in by_name.items()}
    return delta_charge(exposures, TENORS, methodology)


def test_delta_charge__one_eth_perp_delta__weight_times_delta() -> None:
    charge = delta(u2={0: -10 * MILLION})
    assert (charge.total, charge.concentration) == (1_400_001, 0)
    assert charge.positions[2].net == 10 * MILLION


def test_delta_charge__calendar_spread__only_what_expiries_do_not_share() -> None:
    # +-10: variance 2 * 100 * (1 - rho), rho = .95 + .05 * 30/120 = .9625; .14 * sqrt(7.5) = .383406
    assert delta(u2={1: 10 * MILLION, 2: -10 * MILLION}).total == pytest.approx(383_406, abs=2)


def test_delta_charge__btc_against_eth__low_set_binds() -> None:
    # .12 * 10 = 1.2, -.14 * 10 = -1.4; g = .525: sqrt(1.44 + 1.96 - 2 * .525 * 1.68) = 1.279063
    charge = delta(u1={0: 10 * MILLION}, u2={0: -10 * MILLION})
    assert (charge.total, charge.correlation_set) == (pytest.approx(1_279_063, abs=2), "low")


def test_delta_charge__btc_with_eth__high_set_binds() -> None:
    # g = .875: sqrt(1.44 + 1.96 + 2 * .875 * 1.68) = 2.517936
    charge = delta(u1={0: 10 * MILLION}, u2={0: 10 * MILLION})
    assert (charge.total, charge.correlation_set) == (pytest.approx(2_517_936, abs=2), "high")


def test_delta_charge__unnamed_underlyings__add_up() -> None:
    # other: .35 * 10 each
    assert delta(u7={0: 10 * MILLION}, u8={0: -10 * MILLION}).total == pytest.approx(7 * MILLION, abs=2)


def test_delta_charge__four_times_the_threshold__doubled() -> None:
    # ETH: 12M USD per 1 % is 1.2bn USD of delta; 4.8bn has CR = 2
    quanta = 4_800_000_000 * 10**6
    charge = delta(u2={0: quanta})
    assert charge.total == pytest.approx(2 * quanta * 14 // 100, rel=1e-9)
    assert charge.concentration == pytest.approx(quanta * 14 // 100, rel=1e-9)


def test_delta_charge__concentrated_but_hedged_across__excess_is_not_offset() -> None:
    quanta = 4_800_000_000 * 10**6
    hedged, alone = delta(u2={0: quanta}, u1={0: -quanta}), delta(u2={0: quanta})
    # BTC: 25M per 1 % is 2.5bn, CR = sqrt(1.92) = 1.385641, .12 * .385641 of its delta on top
    btc = 0.12 * 0.3856406 * quanta
    assert hedged.concentration == pytest.approx(alone.concentration + btc, rel=1e-6)


def test_smile_charge__vega_of_two_buckets__three_quarters_correlated() -> None:
    # sqrt(9 + 16 + 2 * .75 * 12) = 6.557439
    book = exposure(vega={(1, BODY): 3 * MILLION, (1, CALL_WING): 4 * MILLION})
    assert smile_charge([book], TENORS, METHODOLOGY).vega == pytest.approx(6_557_439, abs=2)


def test_smile_charge__vega_of_two_expiries_and_buckets__both_correlations() -> None:
    # tenors: .3 + .7 * .25**.25 = .794975; sqrt(9 + 16 - 2 * .75 * .794975 * 12) = 3.269626
    book = exposure(vega={(1, PUT_WING): 3 * MILLION, (2, BODY): -4 * MILLION})
    assert smile_charge([book], TENORS, METHODOLOGY).vega == pytest.approx(3_269_626, abs=2)


def test_smile_charge__short_gamma__sum_and_root() -> None:
    # 6.635 CVR = 10: 10 + 5.635/6.635 * 10 * sqrt(.0975) = 12.651889
    book = exposure(vega={(1, BODY): 1}, curvature={1: 10 * MILLION})
    assert smile_charge([book], TENORS, METHODOLOGY).curvature == pytest.approx(12_651_889, abs=2)


def test_smile_charge__long_gamma__nothing() -> None:
    book = exposure(vega={(1, BODY): 0}, curvature={1: -10 * MILLION}, theta=3)
    assert smile_charge([book], TENORS, METHODOLOGY) == SmileCharge(0, 0, 0)


def test_smile_charge__calendar_of_gamma__the_root_alone() -> None:
    # rho^2 - .9025 at 30/120: .095 * .25 + .0025 * .0625 = .02390625; 5.635/6.635 * 10 * sqrt(2 * (.0975 -
    # .02390625)) = 3.258281
    book = exposure(vega={(1, BODY): 1}, curvature={1: 10 * MILLION, 2: -10 * MILLION})
    assert smile_charge([book], TENORS, METHODOLOGY).curvature == pytest.approx(3_258_281, abs=2)


def test_smile_charge__decay__charged_in_full_and_never_credited() -> None:
    books = [exposure(vega={(1, BODY): 1}, theta=t) for t in (-5, 9)]
    assert smile_charge(books, TENORS, METHODOLOGY).theta == 5


def test_combine__delta_three_vega_five__seven_and_the_rest() -> None:
    # 9 + 25 + 2 * .5 * 15 = 49
    total = combine(DeltaCharge(3, "base", 0, {}), SmileCharge(5, 11, 13), METHODOLOGY)
    assert total.total == 7 + 11 + 13
    assert total.detail()["delta"] == "3"


amounts = st.integers(-(10**12), 10**12)
exposures = st.builds(
    exposure,
    st.dictionaries(st.integers(0, 2), amounts),
    st.dictionaries(st.tuples(st.integers(1, 2), st.integers(0, 2)), amounts, min_size=1),
    st.dictionaries(st.integers(1, 2), amounts),
    amounts,
)
books = st.dictionaries(st.integers(1, 8), exposures, min_size=1)


def eight(correlations: list[int]) -> Methodology:
    """Eight named underlyings with any correlations, none concentrated."""
    data = json.loads(METHODOLOGY.to_json())
    first = data["underlyings"][0]
    data["underlyings"] = [
        {**first, "underlying": u, "spot": {**first["spot"], "weight_ppm": 100_000 + 20_000 * u}}
        for u in range(1, 9)
    ]
    pairs = [(a, b) for a in range(1, 9) for b in range(1, a)]
    data["correlations"]["pairs"] = [[*p, g] for p, g in zip(pairs, correlations, strict=True)]
    return Methodology.from_json(json.dumps(data))


EXTREMES = [
    METHODOLOGY,
    eight([(997 * i * i) % 1_000_001 for i in range(28)]),
    eight([0, 1_000_000] * 14),
    eight([1_000_000] * 28),
]


def charge(book: dict[int, Exposure], methodology: Methodology) -> int:
    smile = smile_charge(book.values(), TENORS, methodology)
    return combine(delta_charge(book, TENORS, methodology), smile, methodology).total


def total_of(first: dict[int, Exposure], second: dict[int, Exposure]) -> dict[int, Exposure]:
    result: dict[int, Exposure] = defaultdict(exposure)
    for book in (first, second):
        for u, one in book.items():
            for mine, theirs in ((result[u].delta, one.delta), (result[u].curvature, one.curvature)):
                for key, value in theirs.items():
                    mine[key] = mine.get(key, 0) + value
            for place, value in one.vega.items():
                result[u].vega[place] = result[u].vega.get(place, 0) + value
            result[u].theta += one.theta
    return dict(result)


@settings(max_examples=300, deadline=None)
@given(books, books, st.sampled_from(EXTREMES))
def test_charge__any_two_books__subadditive_to_the_rounding_of_roots(
    first: dict[int, Exposure], second: dict[int, Exposure], methodology: Methodology
) -> None:
    together = charge(total_of(first, second), methodology)
    assert together <= charge(first, methodology) + charge(second, methodology) + 60


@settings(max_examples=100, deadline=None)
@given(books, st.integers(2, 9), st.sampled_from(EXTREMES))
def test_charge__multiple_of_a_book__homogeneous(
    book: dict[int, Exposure], factor: int, methodology: Methodology
) -> None:
    large: dict[int, Exposure] = {}
    for _ in range(factor):
        large = total_of(large, book)
    assert charge(large, methodology) == pytest.approx(factor * charge(book, methodology), abs=60 * factor)


@settings(max_examples=100, deadline=None)
@given(books, st.sampled_from(EXTREMES))
def test_delta_charge__many_underlyings__sum_of_singles_within_the_spread(
    book: dict[int, Exposure], methodology: Methodology
) -> None:
    named = {u: e for u, e in book.items() if u in methodology.correlated}
    joint = delta_charge(named, TENORS, methodology).total
    singles = sum(delta_charge({u: e}, TENORS, methodology).total for u, e in named.items())
    assert singles * 10**6 <= methodology.spread_ppm * (joint + 1) + 20 * 10**6


def test_spread__default_sets__by_hand() -> None:
    # three underlyings, least eigenvalue of the low set 1 - .525 = .475: sqrt(3 * .95 / (.475 - .05))
    assert METHODOLOGY.spread_ppm == pytest.approx(10**6 * sqrt(3 * 0.95 / 0.425), rel=1e-5)
