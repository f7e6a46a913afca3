from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.attestation.settlement import (
    COVERED_MODULUS,
    CUMULATIVE_MODULUS,
    Accumulator,
    Checkpoint,
    accumulate,
    checkpoint,
    settlement,
    window_average,
)
from keeper.units.constants import MAX_PRICE

USD = 10**8
T0 = 1_743_465_600  # a multiple of 300
EXPIRY = T0 + 3_600

points = st.lists(st.tuples(st.integers(0, 200), st.integers(1, MAX_PRICE)), min_size=1, max_size=60)


def walk(path, before=None):
    """Accumulator and checkpoints after epochs (timestamp, spot)."""
    state, found = before or Accumulator(path[0][0] - 1, path[0][1], started=False), {}
    for timestamp, spot in path:
        pinned = checkpoint(state, timestamp, spot)
        found |= dict([pinned]) if pinned else {}
        state = accumulate(state, timestamp, spot)
    return state, found


def every(seconds, start, end, spot=lambda _: 2_000 * USD):
    return [(at, spot(at)) for at in range(start, end + 1, seconds)]


def test_accumulate__first_epoch__covers_nothing():
    first = accumulate(Accumulator(T0, 2_000 * USD, started=False), T0 + 60, 2_100 * USD)

    assert first == Accumulator(T0 + 60, 2_100 * USD)


def test_accumulate__two_minutes__count_as_a_trapezoid():
    after = accumulate(Accumulator(T0, 2_000), T0 + 120, 2_100)

    assert after.counted == Checkpoint(4_100 * 120, 120)


def test_accumulate__longer_gap__does_not_count():
    after = accumulate(Accumulator(T0, 2_000, Checkpoint(7, 8)), T0 + 121, 2_100)

    assert after == Accumulator(T0 + 121, 2_100, Checkpoint(7, 8))


def test_accumulate__moduli__wrap():
    before = Accumulator(T0, MAX_PRICE, Checkpoint(CUMULATIVE_MODULUS - 1, COVERED_MODULUS - 1))

    assert accumulate(before, T0 + 1, MAX_PRICE).counted == Checkpoint(2 * MAX_PRICE - 1, 0)


def test_accumulate__earlier_time__is_refused():
    with pytest.raises(ValueError, match="settlement: timestamp before the latest"):
        accumulate(Accumulator(T0, 1), T0 - 1, 1)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (T0 - 20, T0 - 1, None),
        (T0, T0 + 15, None),  # the epoch on the boundary pinned it down
        (T0 - 10, T0 + 20, (T0, Checkpoint(10 * 2_000 + 10 * 2_010, 10))),
        (T0 - 30, T0, (T0, Checkpoint(30 * (2_000 + 2_030), 30))),
        (T0 - 200, T0 + 1, None),
        (T0 - 200, T0, (T0, Checkpoint(0, 0))),
    ],
)
def test_checkpoint__segment__pins_the_boundary(start, end, expected):
    assert checkpoint(Accumulator(start, 2_000), end, 2_030) == expected


def test_window_average__constant_spot__is_that_spot():
    _, found = walk(every(15, T0 + 1_800, EXPIRY))

    assert window_average(found[T0 + 1_800], found[EXPIRY]) == 2_000 * USD


def test_window_average__rising_spot__is_the_middle():
    _, found = walk(every(100, T0 + 1_800, EXPIRY, lambda at: (at - T0) * USD))

    assert window_average(found[T0 + 1_800], found[EXPIRY]) == 2_700 * USD


@pytest.mark.parametrize(("covered", "price"), [(1_440, 5), (1_439, None)])
def test_window_average__four_fifths__are_enough(covered, price):
    assert window_average(Checkpoint(10, 7), Checkpoint(10 + 2 * covered * 5, 7 + covered)) == price


def test_window_average__across_the_moduli__is_the_difference():
    start = Checkpoint(CUMULATIVE_MODULUS - 100, COVERED_MODULUS - 1)

    assert window_average(start, Checkpoint(2 * 1_800 * 9 - 100, 1_799)) == 9


@pytest.mark.parametrize("ends", [(None, Checkpoint(1, 1_800)), (Checkpoint(1, 0), None)])
def test_window_average__unknown_end__is_none(ends):
    assert window_average(*ends) is None


def test_settlement__no_epoch_past_the_end__waits():
    _, found = walk(every(15, T0 + 1_800, EXPIRY))

    assert settlement(EXPIRY, EXPIRY - 1, found) is None
    assert settlement(EXPIRY, EXPIRY, found) == (2_000 * USD, EXPIRY)


def test_settlement__outage_before_expiry__takes_the_first_complete_window_after_it():
    """Seven minutes of silence spoil every window that holds them or ends in them."""
    path = every(15, T0 + 1_800, EXPIRY - 400) + every(15, EXPIRY + 20, EXPIRY + 3_600, lambda _: 2_100 * USD)
    state, found = walk(path)

    price, end = settlement(EXPIRY, state.timestamp, found)

    assert end == EXPIRY + 2_100
    assert price == 2_100 * USD


def test_settlement__outage_over_a_day__is_none():
    assert settlement(EXPIRY, EXPIRY + 10**6, {}) is None


@given(path=points)
def test_walk__any_path__agrees_with_fractions(path):
    """Within one unit per checkpoint of the exact integral; the average stays within the spots."""
    times, total = [], 0
    for gap, spot in path:
        total += gap
        times.append((T0 + 17 + total, spot))
    state, found = walk(times)

    area, covered, crossed = Fraction(0), 0, {}
    for (t0, s0), (t1, s1) in zip(times, times[1:], strict=False):
        if t1 - t0 > 120:
            continue
        boundary = t1 // 300 * 300
        if t0 < boundary:
            into = boundary - t0
            middle = s0 + Fraction((s1 - s0) * into, t1 - t0)
            crossed[boundary] = area + (s0 + middle) * into, covered + into
        area, covered = area + (s0 + s1) * (t1 - t0), covered + t1 - t0
    assert state.counted == (area % CUMULATIVE_MODULUS, covered)
    for boundary, (exact, seconds) in crossed.items():
        assert found[boundary] == (int(exact) % CUMULATIVE_MODULUS, seconds)
