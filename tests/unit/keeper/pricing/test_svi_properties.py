"""Raw SVI and surfaces of it under any parameters."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.pricing import svi
from keeper.pricing.surface import Surface, Tenor
from keeper.pricing.svi_slice import Shape, butterfly, nodes, shape

DAY = 86_400
any_slice = st.builds(
    svi.Svi,
    a=st.floats(-0.1, 0.2),
    b=st.floats(0.0, 2.5),
    rho=st.floats(-1.0, 1.0),
    m=st.floats(-1.0, 1.0),
    sigma=st.floats(0.0, 1.5),
)
calm_slice = st.builds(
    svi.Svi,
    a=st.floats(0.001, 0.05),
    b=st.floats(0.005, 0.4),
    rho=st.floats(-0.8, 0.8),
    m=st.floats(-0.3, 0.3),
    sigma=st.floats(0.05, 0.6),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(any_slice, min_size=1, max_size=3))
def test_repair__any_slices__no_arbitrage_is_left(slices: list[svi.Svi]) -> None:
    repaired = svi.repair(slices)
    assert svi.arbitrage(repaired.slices) == []
    changed = sum(old != new for old, new in zip(slices, repaired.slices, strict=True))
    assert len(repaired.changes) == changed


@settings(max_examples=20, deadline=None)
@given(any_slice)
def test_repair__twice__changes_nothing_more(x: svi.Svi) -> None:
    once = svi.repair([x]).slices
    assert svi.repair(once) == svi.Repaired(once, ())


@settings(max_examples=30, deadline=None)
@given(calm_slice)
def test_calibrate__quotes_without_noise__variances_recovered(x: svi.Svi) -> None:
    fair = svi.repair([x]).slices[0]
    k = np.linspace(-0.8, 0.8, 25)
    variance = svi.total_variance(parameters=fair, log_moneyness=k)
    fitted = svi.calibrate(log_moneyness=k, variance=variance)
    error = svi.total_variance(parameters=fitted, log_moneyness=k) - variance
    assert np.max(np.abs(error)) < 1e-8


@settings(max_examples=20, deadline=None)
@given(calm_slice, calm_slice, st.lists(st.integers(1, 29), min_size=1, max_size=4, unique=True))
def test_surface__slices_between_expiries__free_of_arbitrage(
    near: svi.Svi, far: svi.Svi, days: list[int]
) -> None:
    start, end = svi.repair([near, far]).slices
    surface = Surface((Tenor(DAY, 1 / 365, 100.0, start), Tenor(31 * DAY, 31 / 365, 101.0, end)))
    between = surface.slices_at([DAY * (1 + d) for d in sorted(days)])
    assert svi.arbitrage([start, *between, end]) == []


@settings(max_examples=30, deadline=None)
@given(calm_slice, calm_slice, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_surface__linear_in_time__variance_never_falls(
    near: svi.Svi, far: svi.Svi, first: float, second: float
) -> None:
    start, end = svi.repair([near, far]).slices
    surface = Surface((Tenor(DAY, 1 / 365, 100.0, start), Tenor(31 * DAY, 31 / 365, 101.0, end)))
    k = nodes(end)
    early, late = sorted(DAY + int(30 * DAY * x) for x in (first, second))
    grown = surface.total_variance(k, late) - surface.total_variance(k, early)
    assert np.min(grown) >= -1e-10


@settings(max_examples=30, deadline=None)
@given(calm_slice, st.floats(1.0, 3.0), st.floats(-0.2, 0.2), st.floats(0.0, 1.0))
def test_surface__linear_between_kindred_smiles__no_butterfly(
    x: svi.Svi, growth: float, skew: float, share: float
) -> None:
    """Neighbouring expiries of one underlying: the later one larger, its skew a little different."""
    near = svi.repair([x]).slices[0]
    rho = float(np.clip(near.rho + skew, -0.95, 0.95))
    far = svi.repair([near, svi.scale(near, growth)._replace(rho=rho)]).slices[1]
    k = nodes(near)
    low, high = shape(near, k), shape(far, k)
    mixed = Shape(*(a + (b - a) * share for a, b in zip(low, high, strict=True)))
    assert np.min(butterfly(mixed, k)) >= -1e-9
