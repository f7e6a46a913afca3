"""The scan margin: closed cases by hand, and the properties that headroom and the brackets rest on."""

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.markets.instrument import Instrument, Kind, Leg, word
from keeper.pricing.market import Market
from keeper.risk.margin import RiskTable, account_margin, build_table, unit_margins
from keeper.risk.methodology import Methodology
from keeper.risk.payoff import expiry_bounds
from keeper.sources.recorded import RecordedSource
from keeper.sources.source import market_of
from keeper.units.constants import WAD

METHODOLOGY = Methodology.default()
NOW = 1_743_850_000
TENORS = (40, 86_400, 30 * 86_400)
QUANTUM = METHODOLOGY.quantum_e8 * 10**10


def make_market() -> Market:
    observed = RecordedSource("binance").observe(NOW, {u: [NOW + t for t in TENORS] for u in (1, 2, 3)})
    covered = {(u, NOW + 40): (2 * observed.spots[u] * 1_700, 1_700) for u in (1, 2, 3)}
    return market_of(observed, observed.spots, covered)


def make_universe(market: Market) -> list[int]:
    result = []
    for listed in market.underlyings:
        result.append(Instrument(listed.underlying, 0, 0, Kind.PERP))
        for expiry in listed.expiries:
            result.append(Instrument(listed.underlying, expiry.expiry, 0, Kind.FUTURE))
            for percent in (40, 70, 90, 95, 100, 105, 110, 150, 250):
                strike = listed.effective * percent // 100
                result += [
                    Instrument(listed.underlying, expiry.expiry, strike, k) for k in (Kind.CALL, Kind.PUT)
                ]
    return sorted(i.pack() for i in result)


MARKET = make_market()
UNIVERSE = make_universe(MARKET)
TABLE = build_table(MARKET, METHODOLOGY, UNIVERSE)

books = st.dictionaries(
    st.sampled_from(UNIVERSE), st.integers(-10_000, 10_000).filter(bool), min_size=1, max_size=25
).map(lambda book: [Leg(i, q * 10**15) for i, q in sorted(book.items())])


def merged(first: list[Leg], second: list[Leg]) -> list[Leg]:
    total: dict[int, int] = {}
    for leg in first + second:
        total[leg.instrument] = total.get(leg.instrument, 0) + leg.quantity
    return [Leg(i, q) for i, q in sorted(total.items()) if q]


def perp(underlying: int) -> int:
    return Instrument(underlying, 0, 0, Kind.PERP).pack()


@pytest.mark.parametrize("sign", [1, -1])
def test_account_margin__one_eth_perp__range_plus_flat_roll(sign: int) -> None:
    spot = MARKET.underlying(2).effective * 10**10
    margin = account_margin([Leg(perp(2), sign * WAD)], TABLE)
    assert margin.mark == sign * spot
    assert margin.core == pytest.approx(spot * 185 / 1000, abs=2 * QUANTUM)
    assert margin.initial == margin.core
    assert margin.maintenance == pytest.approx(spot * 148 / 1000, abs=2 * QUANTUM)


def test_account_margin__long_eth_short_btc__gain_offsets_sixty_percent() -> None:
    eth, btc = (MARKET.underlying(u).effective for u in (2, 1))
    margin = account_margin([Leg(perp(1), -WAD), Leg(perp(2), 10 * WAD)], TABLE)
    up = btc * 0.16 - 0.6 * 10 * eth * 0.18
    roll = 0.005 * (btc + 10 * eth)
    assert margin.core / 1e10 == pytest.approx(up + roll, rel=1e-9)


def test_account_margin__sol__never_offsets() -> None:
    alone = [account_margin([leg], TABLE).core for leg in (Leg(perp(1), WAD), Leg(perp(3), -WAD))]
    assert account_margin([Leg(perp(1), WAD), Leg(perp(3), -WAD)], TABLE).core == sum(alone)


def test_account_margin__tiers__scale_initial_and_keep_maintenance_below() -> None:
    legs = [Leg(perp(2), WAD)]
    margins = [account_margin(legs, TABLE, tier) for tier in range(4)]
    assert [round(m.initial / m.core, 6) for m in margins] == [1.0, 1.15, 0.95, 0.9]
    assert all(m.maintenance <= m.initial for m in margins)


def test_account_margin__breakdown__legs_add_up_to_the_loss() -> None:
    legs = [Leg(i, -WAD) for i in UNIVERSE if Instrument.unpack(i).underlying == 3]
    detail = account_margin(legs, TABLE).breakdown["scan"][0]
    assert sum(int(x) for x in detail["legs"].values()) == -int(detail["loss"])


def test_account_margin__unknown_instrument__lookup_error() -> None:
    with pytest.raises(LookupError, match="is not in the table"):
        account_margin([Leg(perp(4), WAD)], TABLE)


def test_account_margin__absurd_quantity__overflow_error() -> None:
    with pytest.raises(OverflowError, match="margin: profit and loss saturates"):
        account_margin([Leg(perp(1), 2**96)], TABLE)


def test_unit_margins__every_instrument__equal_its_own_account() -> None:
    for unit in unit_margins(TABLE, UNIVERSE):
        for sign, im, mm in ((1, unit.im_long, unit.mm_long), (-1, unit.im_short, unit.mm_short)):
            margin = account_margin([Leg(unit.instrument, sign * WAD)], TABLE)
            assert (im, mm, unit.mark) == (margin.initial, margin.maintenance, sign * margin.mark)


@settings(max_examples=200, deadline=None)
@given(books, books)
def test_core__any_two_books__subadditive_up_to_rounding(first: list[Leg], second: list[Leg]) -> None:
    together = account_margin(merged(first, second), TABLE).core
    apart = account_margin(first, TABLE).core + account_margin(second, TABLE).core
    assert together <= apart + 4 * QUANTUM * (len(first) + len(second) + 4)


@settings(max_examples=100, deadline=None)
@given(books, st.integers(2, 9))
def test_core__multiple_of_a_book__homogeneous_up_to_rounding(book: list[Leg], factor: int) -> None:
    large = account_margin([replace(leg, quantity=leg.quantity * factor) for leg in book], TABLE).core
    assert large == pytest.approx(
        factor * account_margin(book, TABLE).core, abs=4 * factor * QUANTUM * len(book) + 1
    )


@settings(max_examples=200, deadline=None)
@given(books)
def test_mark__any_book__inside_the_no_arbitrage_bracket(book: list[Leg]) -> None:
    words = [word(leg.instrument, leg.quantity) for leg in book]
    low = high = index = 0
    while index < len(words):
        head = Instrument.unpack(book[index].instrument)
        listed = MARKET.underlying(head.underlying)
        forward = listed.expiry(head.expiry).settlement_forward if head.expiry else listed.effective
        bounds = expiry_bounds(words, index, forward, forward)
        low, high, index = low + bounds.low, high + bounds.high, bounds.next_index
    mark = account_margin(book, TABLE).mark
    assert low <= mark <= high
    # holding it inside costs only the rounding of single marks
    plain = sum(leg.quantity * TABLE.marks[leg.instrument] * 10**10 for leg in book) // WAD
    assert abs(mark - plain) <= sum(abs(leg.quantity) for leg in book) * 10**10 // WAD + 10**10


def test_option__forty_seconds_before_expiry__only_the_remaining_share_moves() -> None:
    spot = MARKET.underlying(2).effective
    future = Instrument(2, NOW + 40, 0, Kind.FUTURE).pack()
    margin = account_margin([Leg(future, WAD)], TABLE)
    assert margin.core / 1e10 < spot * 0.25 * 0.185
    assert margin.mark / 1e10 == pytest.approx(spot, rel=1e-4)


def test_build_table__same_market_twice__same_bits() -> None:
    again: RiskTable = build_table(MARKET, METHODOLOGY, reversed(UNIVERSE))
    assert again.marks == TABLE.marks
    assert all((again.groups[k].profit == TABLE.groups[k].profit).all() for k in TABLE.groups)


def test_build_table__fifteen_accounts__under_half_a_second() -> None:
    chooser = random.Random(5)
    start = time.perf_counter()
    table = build_table(MARKET, METHODOLOGY, UNIVERSE)
    unit_margins(table, UNIVERSE)
    for _ in range(15):
        account_margin([Leg(i, WAD) for i in sorted(chooser.sample(UNIVERSE, 40))], table)
    assert time.perf_counter() - start < 0.5
