"""Variation margin by hand."""

from dataclasses import replace

import pytest

from keeper.markets.instrument import Kind, Leg
from keeper.risk.methodology import Methodology
from keeper.risk.table import RiskTable, build_table
from keeper.risk.variation import variation_margin
from keeper.units.constants import WAD
from tests.support.flat_market import flat_market, option, perp

METHODOLOGY = Methodology.default()
CALL = option(2, 30, 2_000, Kind.CALL)
BEFORE = build_table(flat_market(), METHODOLOGY, [CALL])


def moved() -> RiskTable:
    market = flat_market()
    eth = replace(market.underlyings[1], posted=2_100 * 10**8, effective=2_100 * 10**8)
    return build_table(
        replace(market, underlyings=(market.underlyings[0], eth, market.underlyings[2])), METHODOLOGY, [CALL]
    )


AFTER = moved()


@pytest.mark.parametrize("sign", [1, -1])
def test_variation_margin__perp__move_less_funding(sign: int) -> None:
    legs = [Leg(perp(2), sign * 3 * WAD)]
    found = variation_margin(legs, BEFORE, AFTER, {perp(2): 2 * WAD})
    assert found == sign * (300 - 6) * WAD


def test_variation_margin__option_at_an_unmoved_forward__nothing() -> None:
    assert variation_margin([Leg(CALL, WAD)], BEFORE, AFTER) == 0


def test_variation_margin__funding_of_a_fraction__rounded_against_the_account() -> None:
    assert variation_margin([Leg(perp(2), 10**10)], BEFORE, BEFORE, {perp(2): 1}) == -1
    assert variation_margin([Leg(perp(2), -(10**10))], BEFORE, BEFORE, {perp(2): 1}) == 0


def test_variation_margin__settled_leg__lookup_error() -> None:
    with pytest.raises(LookupError, match="is not in the table"):
        variation_margin([Leg(option(2, 1, 1_700, Kind.PUT), WAD)], BEFORE, AFTER)
