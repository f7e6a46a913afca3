import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.attestation.bands import Ages, Anchors, Bands, band, edges, effective_spot, is_calm
from keeper.units.constants import MAX_PRICE

USD = 10**8
BANDS = Bands(200, 500, 1_000)
FLAT = Anchors(2_000 * USD, 2_000 * USD, 2_000 * USD)

prices = st.integers(1, MAX_PRICE)
steps = st.lists(st.tuples(st.integers(0, 5_000), prices), min_size=1, max_size=40)
band_sets = st.tuples(st.integers(1, 63), st.integers(1, 127), st.integers(1, 127)).map(
    lambda units: Bands(*(25 * unit for unit in sorted(units)))
)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, (1_960 * USD, 2_040 * USD)),
        (60, (1_960 * USD, 2_040 * USD)),
        (61, (1_959_40000000, 2_040_60000000)),  # 203 basis points
        (120, (1_920 * USD, 2_080 * USD)),
        (10**6, (2_000 * USD // 10_000, 2_000 * USD + 2_000 * USD * (200 * 10**6 // 60) // 10_000)),
    ],
)
def test_band__age__widens_in_proportion_beyond_the_window(age, expected):
    assert band(2_000 * USD, 200, age, 60) == expected


def test_band__tiny_price__keeps_a_price_above_zero():
    assert band(1, 1_575, 0, 60) == (1, 1)


def test_effective_spot__inside__is_the_posted_spot():
    effective, after = effective_spot(2_039 * USD, FLAT, Ages(15, 15), 15, BANDS)

    assert effective == 2_039 * USD
    assert after == Anchors(2_039 * USD, 2_000 * USD, 2_000 * USD)


@pytest.mark.parametrize(("posted", "expected"), [(2_100, 2_040), (1_900, 1_960)])
def test_effective_spot__outside__follows_at_the_edge(posted, expected):
    assert effective_spot(posted * USD, FLAT, Ages(), 15, BANDS)[0] == expected * USD


def test_effective_spot__minute_by_minute__stops_at_the_ten_minute_band():
    state, ages, path = FLAT, Ages(), []
    for _ in range(4):
        spot, state = effective_spot(3_000 * USD, state, ages, 60, BANDS)
        ages = ages.after(60)
        path.append(spot)

    assert path == [2_040 * USD, 2_080_80000000, 2_100 * USD, 2_100 * USD]


def test_effective_spot__anchor_exactly_as_old_as_its_window__stays():
    _, after = effective_spot(2_010 * USD, FLAT, Ages(600, 600), 15, BANDS)

    assert after.ten == 2_000 * USD


def test_effective_spot__overdue_anchor__moves_to_the_last_spot():
    last = Anchors(2_010 * USD, 2_000 * USD, 1_990 * USD)

    _, after = effective_spot(2_011 * USD, last, Ages(601, 3_600), 15, BANDS)

    assert after == Anchors(2_011 * USD, 2_010 * USD, 1_990 * USD)
    assert Ages(601, 3_600).after(15) == Ages(15, 3_615)


@pytest.mark.parametrize("posted", [0, -1, MAX_PRICE + 1])
def test_effective_spot__no_price__is_refused(posted):
    with pytest.raises(ValueError, match="bands: price out of range"):
        effective_spot(posted, FLAT, Ages(), 15, BANDS)


@pytest.mark.parametrize(
    ("spot", "calm"), [(2_010, True), (2_010.01, False), (1_990, True), (1_989.99, False)]
)
def test_is_calm__quarter_of_the_minute_band__is_the_limit(spot, calm):
    assert is_calm(2_000 * USD, int(spot * USD), 200) is calm


@given(start=prices, bands=band_sets, path=steps)
def test_edges__any_path__hold_the_last_spot(start, bands, path):
    """So the edges never cross, and a spot can always stay where it is."""
    state, ages = Anchors(start, start, start), Ages()
    for elapsed, posted in path:
        lower, upper = edges(state, ages, elapsed, bands)
        assert 0 < lower <= state.effective <= upper <= MAX_PRICE
        effective, state = effective_spot(posted, state, ages, elapsed, bands)
        assert lower <= effective <= upper
        ages = ages.after(elapsed)


@given(start=prices, bands=band_sets, path=steps)
def test_ages__clamped_between_epochs__make_no_difference(start, bands, path):
    exact, stored, ages, clamped = (state := Anchors(start, start, start)), state, Ages(), Ages()
    for elapsed, posted in path:
        spot, exact = effective_spot(posted, exact, ages, elapsed, bands)
        other, stored = effective_spot(posted, stored, clamped, elapsed, bands)
        ages, clamped = ages.after(elapsed), clamped.after(elapsed).clamped()
        assert (spot, exact) == (other, stored)


@given(bands=band_sets, path=st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=80))
def test_effective_spot__extreme_posts__move_within_three_budgets_in_ten_minutes(bands, path):
    start = 2_000 * USD
    state, ages, now, seen = Anchors(start, start, start), Ages(), 0, [(0, start)]
    for elapsed, up in path:
        spot, state = effective_spot(MAX_PRICE if up else 1, state, ages, elapsed, bands)
        ages, now = ages.after(elapsed), now + elapsed
        window = [s for at, s in seen if now - at <= 600]
        seen.append((now, spot))
        widest = bands.ten_minutes * 720 // 600  # an anchor lives for its window and one epoch or two more
        up_by, down_by = (10_000 + widest) / 10_000, (10_000 - widest) / 10_000
        assert spot <= min(window) * up_by**2 / down_by + 2
        assert spot >= max(window) * down_by**2 / up_by - 2
