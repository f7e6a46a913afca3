"""The price band of a trade, to the last 1e-8."""

import pytest

from keeper.exchange.order import LegFill
from keeper.jobs.price_band import band_refusal
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import PRICE_UNIT, WAD

CALL = Instrument(2, 1_743_552_000, 3_000 * 10**8, Kind.CALL).pack()
MARKS = {CALL: 150 * 10**8}
SPOTS = {1: 80_000 * 10**8, 2: 2_000 * 10**8}
BANDS = {1: WAD // 100, 2: WAD // 20}  # 100 dollars around the mark


@pytest.mark.parametrize("price", [50 * WAD, 150 * WAD, 250 * WAD])
def test_band_refusal__up_to_the_edge__none(price):
    assert band_refusal([LegFill(CALL, WAD, price)], MARKS, SPOTS, BANDS) is None


@pytest.mark.parametrize("price", [0, 50 * WAD - PRICE_UNIT, 250 * WAD + PRICE_UNIT, 10**30])
def test_band_refusal__beyond__names_the_instrument(price):
    inside = LegFill(CALL, WAD, 150 * WAD)
    found = band_refusal([inside, LegFill(CALL, -WAD, price)], MARKS, SPOTS, BANDS)

    assert found == f"price of {CALL} is outside its band around the mark"
