"""The risk table: marks, and what it always holds."""

from dataclasses import replace

import pytest

from keeper.markets.instrument import Kind
from keeper.risk.methodology import Methodology
from keeper.risk.table import build_table, spot_of
from tests.support.flat_market import NOW, flat_market, future, option, perp

METHODOLOGY = Methodology.default()


def test_build_table__nothing_listed__perps_stand_for_spot() -> None:
    table = build_table(flat_market(), METHODOLOGY, [])
    assert sorted(table.units) == [perp(u) for u in (1, 2, 3)] == [spot_of(u) for u in (1, 2, 3)]
    assert table.marks[perp(2)] == 2_000 * 10**8
    # quanta of 1e-6 USD
    assert table.unit(perp(2)).rates == (2e9, 0.0, 0.0, 0.0)


def test_unit__not_in_the_table__lookup_error() -> None:
    table = build_table(flat_market(), METHODOLOGY, [])
    with pytest.raises(LookupError, match="is not in the table"):
        table.unit(future(2, 30))


def test_build_table__offset_groups__btc_with_eth_and_sol_alone() -> None:
    table = build_table(flat_market(), METHODOLOGY, [future(3, 30)])
    assert {key: group.profit.shape[0] for key, group in table.groups.items()} == {1: 2, -3: 2}
    assert table.unit(future(3, 30)).tenor == 1


def test_build_table__at_the_money__mark_by_hand() -> None:
    # 2000 * (2 N(s / 2) - 1), s = .172015: 2000 * .0685394
    call = option(2, 30, 2_000, Kind.CALL)
    mark = build_table(flat_market(), METHODOLOGY, [call]).marks[call] / 1e8
    assert mark == pytest.approx(137.0788, abs=1e-3)


def test_build_table__deep_in_the_money__at_least_its_payoff() -> None:
    market = flat_market()
    late = replace(market, timestamp=NOW + 86_399)
    put = option(2, 1, 2_600, Kind.PUT)
    assert build_table(late, METHODOLOGY, [put]).marks[put] == 600 * 10**8


def test_build_table__unlisted_expiry__lookup_error() -> None:
    with pytest.raises(LookupError, match="market: no expiry"):
        build_table(flat_market(), METHODOLOGY, [future(2, 7)])
