"""Worst case and bracket from the definition, and the fast walk of `keeper.risk` against it."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.clearing import valuation
from keeper.markets.instrument import Instrument, Kind, word
from keeper.risk.payoff import expiry_bounds
from keeper.units.constants import WAD

JANUARY, FEBRUARY = 1_743_552_000, 1_746_144_000
USD = 10**8

legs = st.dictionaries(
    st.one_of(
        st.just(Instrument(1, JANUARY, 0, Kind.FUTURE)),
        st.builds(
            Instrument,
            st.just(1),
            st.just(JANUARY),
            st.integers(1, 12).map(lambda n: n * 500 * USD),
            st.sampled_from([Kind.CALL, Kind.PUT]),
        ),
    ).map(Instrument.pack),
    st.integers(-9, 9).filter(bool).map(lambda n: n * WAD // 4),
    min_size=1,
    max_size=8,
)
spots = st.integers(1, 7_000 * USD)


def call(strike, expiry=JANUARY):
    return Instrument(1, expiry, strike * USD, Kind.CALL).pack()


def future(expiry=JANUARY):
    return Instrument(1, expiry, 0, Kind.FUTURE).pack()


def test_worst_case__short_spread__is_its_width():
    assert valuation.worst_case({call(3_000): -WAD, call(4_000): WAD}) == -1_000 * WAD


def test_worst_case__net_short_future__is_unbounded():
    assert valuation.worst_case({future(): -WAD}) is None


def test_worst_case__sure_gain__is_not_lent_against():
    put = Instrument(1, JANUARY, 4_000 * USD, Kind.PUT).pack()
    box = {future(): WAD, call(4_000): -WAD, put: WAD}

    assert valuation.least_payoff(valuation.profiles(box)[1, JANUARY]) == 4_000 * WAD
    assert valuation.worst_case(box) == 0


def test_worst_case__two_expiries__do_not_offset():
    assert valuation.worst_case({future(JANUARY): WAD, call(3_000, FEBRUARY): -WAD}) is None


def test_worst_case__perp__is_unbounded():
    assert valuation.worst_case({Instrument(1, 0, 0, Kind.PERP).pack(): WAD}) is None


def test_bracket__call_spread__lies_within_its_width():
    spread = valuation.profiles({call(3_000): WAD, call(4_000): -WAD})[1, JANUARY]

    assert valuation.bracket(spread, 3_500 * USD, 3_500 * USD) == (0, 875 * WAD)


@given(legs, spots, st.integers(0, 500 * USD))
def test_bracket__any_book__equals_the_walk(positions, spot, width):
    book = [word(i, q) for i, q in sorted(positions.items())]
    walked = expiry_bounds(book, 0, spot, spot + width)
    profile = valuation.profiles(positions)[1, JANUARY]

    assert (walked.low, walked.high) == valuation.bracket(profile, spot, spot + width)
    least = valuation.least_payoff(profile)
    assert walked.finite == (least is not None)
    assert not walked.finite or walked.worst == least
