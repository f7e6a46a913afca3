"""The scan margin: closed cases by hand, and the properties that headroom and the brackets rest on."""

import json
import random
import time
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keeper.markets.instrument import Instrument, Kind, Leg, word
from keeper.pricing.market import Market
from keeper.risk.collateral import Collateral
from keeper.risk.margin import Margin, RiskTable, account_margin, build_table, unit_margins
from keeper.risk.methodology import Methodology
from keeper.risk.payoff import expiry_bounds
from keeper.sources.recorded import RecordedSource
from keeper.sources.source import market_of
from keeper.units.constants import WAD
from tests.support import flat_market as flat
from tests.support.round_methodology import round_methodology

METHODOLOGY = round_methodology()
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
# more than a unit of anything is worth, by 1e-8
DUST = 200_000 * 10**10


def crowded() -> Methodology:
    """Thresholds that books of a few units exceed: 500 USD per 1 %, and size tiers to match."""
    data = json.loads(METHODOLOGY.to_json())
    data["sizes"]["tiers"] = [[2_000, 100_000], [20_000, 250_000], [200_000, 500_000]]
    for underlying in data["underlyings"]:
        underlying["spot"]["threshold_usd"] = 500
    return Methodology.from_json(json.dumps(data))


CROWDED = build_table(MARKET, crowded(), UNIVERSE)

books = st.dictionaries(
    st.sampled_from(UNIVERSE), st.integers(-10_000, 10_000).filter(bool), min_size=1, max_size=25
).map(lambda book: [Leg(i, q * 10**15) for i, q in sorted(book.items())])


def merged(first: list[Leg], second: list[Leg]) -> list[Leg]:
    total: dict[int, int] = {}
    for leg in first + second:
        total[leg.instrument] = total.get(leg.instrument, 0) + leg.quantity
    return [Leg(i, q) for i, q in sorted(total.items()) if q]


def scaled(book: list[Leg], share: Fraction | int) -> list[Leg]:
    """Every quantity times a share, cut to 1e-8 as the chain cuts it."""
    cut = [(leg, int(abs(leg.quantity) * share) // 10**10 * 10**10) for leg in book]
    return [replace(leg, quantity=size if leg.quantity > 0 else -size) for leg, size in cut]


def fitted(trades: list[Leg], limit: int) -> list[Leg]:
    """The trades, made smaller until they fit the reach."""
    size = added(CROWDED, trades)
    share = min(Fraction(1), Fraction(limit, max(size, 1)))
    return [leg for leg in scaled(trades, share) if leg.quantity]


def rounding(first: list[Leg], second: list[Leg], marginal: int) -> int:
    """A few quanta per leg, by the multiplier where it applies."""
    return 4 * QUANTUM * (len(first) + len(second) + 8) * (1 + marginal // WAD)


def perp(underlying: int) -> int:
    return Instrument(underlying, 0, 0, Kind.PERP).pack()


@pytest.mark.parametrize("sign", [1, -1])
def test_account_margin__one_eth_perp__range_roll_perpetual_and_liquidity(sign: int) -> None:
    spot = MARKET.underlying(2).effective * 10**10
    margin = account_margin([Leg(perp(2), sign * WAD)], TABLE)
    assert margin.mark == sign * spot
    assert margin.core == pytest.approx(spot * 190 / 1000, abs=2 * QUANTUM)
    half_spread = 0.0002 * spot
    liquidity = half_spread * (1 + (half_spread / (0.0004 * 12e6 * WAD)) ** 0.5)
    assert margin.initial == pytest.approx(margin.core + liquidity, abs=3 * QUANTUM)
    assert margin.maintenance == pytest.approx(spot * 152 / 1000 + liquidity / 2, abs=4 * QUANTUM)


def test_account_margin__long_eth_short_btc__gain_offsets_sixty_percent() -> None:
    eth, btc = (MARKET.underlying(u).effective for u in (2, 1))
    margin = account_margin([Leg(perp(1), -WAD), Leg(perp(2), 10 * WAD)], TABLE)
    up = btc * 0.16 - 0.6 * 10 * eth * 0.18
    roll_and_perps = (0.005 + 0.005) * (btc + 10 * eth)
    assert margin.core / 1e10 == pytest.approx(up + roll_and_perps, rel=1e-9)


def test_account_margin__sol__never_offsets() -> None:
    alone = [account_margin([leg], TABLE).core for leg in (Leg(perp(1), WAD), Leg(perp(3), -WAD))]
    assert account_margin([Leg(perp(1), WAD), Leg(perp(3), -WAD)], TABLE).core == sum(alone)


def test_account_margin__tiers__scale_initial_and_keep_maintenance_below() -> None:
    legs = [Leg(perp(2), WAD)]
    margins = [account_margin(legs, TABLE, tier) for tier in range(4)]
    liquidity = margins[0].initial - margins[0].core
    found = [round((m.initial - liquidity) / m.core, 6) for m in margins]
    assert found == [1.0, 1.15, 0.95, 0.9]
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


def test_unit_margins__every_instrument__its_own_account_with_liquidity_at_its_steepest() -> None:
    for unit in unit_margins(TABLE, UNIVERSE):
        for sign, im, mm in ((1, unit.im_long, unit.mm_long), (-1, unit.im_short, unit.mm_short)):
            margin = account_margin([Leg(unit.instrument, sign * WAD)], TABLE)
            liquidity = margin.breakdown["liquidity"]
            steepest = -(-int(liquidity["half_spreads"]) * 1_150 // 1_000)
            assert im == margin.initial + (steepest - int(liquidity["charge"])) * QUANTUM
            assert im >= mm >= margin.maintenance
            assert unit.mark == sign * margin.mark


@settings(max_examples=200, deadline=None)
@given(books, books)
def test_core__any_two_books__subadditive_up_to_rounding(first: list[Leg], second: list[Leg]) -> None:
    together = account_margin(merged(first, second), TABLE).core
    apart = account_margin(first, TABLE).core + account_margin(second, TABLE).core
    assert together <= apart + 4 * QUANTUM * (len(first) + len(second) + 8)


@settings(max_examples=100, deadline=None)
@given(books, st.integers(2, 9))
def test_core__multiple_of_a_book__homogeneous_up_to_rounding(book: list[Leg], factor: int) -> None:
    large = account_margin(scaled(book, factor), TABLE).core
    assert large == pytest.approx(
        factor * account_margin(book, TABLE).core, abs=4 * factor * QUANTUM * (len(book) + 8)
    )


@settings(max_examples=200, deadline=None)
@given(books, st.fractions(0, 1))
def test_core__fraction_of_a_concentrated_book__at_most_its_share(book: list[Leg], share: Fraction) -> None:
    whole = account_margin(book, CROWDED).core
    part = account_margin([leg for leg in scaled(book, share) if leg.quantity], CROWDED).core
    # cutting quantities to 1e-8 changes the book by less than 1e-8 of a unit of everything
    assert part <= whole * share + 4 * QUANTUM * (len(book) + 8) + DUST * len(book)


def added(table: RiskTable, legs: list[Leg]) -> int:
    """What the chain adds to U for these trades."""
    units = {u.instrument: u for u in unit_margins(table, [leg.instrument for leg in legs])}
    return sum(
        -(-abs(q) * (units[i].im_long if q > 0 else units[i].im_short) // WAD)
        for i, q in ((leg.instrument, leg.quantity) for leg in legs)
    )


@settings(max_examples=300, deadline=None)
@given(books, books, st.integers(0, 3))
def test_marginal__additions_within_reach__bounded_by_the_counters(
    held: list[Leg], trades: list[Leg], tier: int
) -> None:
    margin = account_margin(held, CROWDED, tier)
    within = fitted(trades, margin.max_added)
    assume(within)
    after = account_margin(merged(held, within), CROWDED, tier).initial
    bound = margin.initial + margin.marginal * added(CROWDED, within) // WAD
    assert after <= bound + rounding(held, within, margin.marginal)


@settings(max_examples=300, deadline=None)
@given(books, books)
def test_marginal__removals_of_any_size__maintenance_falls_by_no_more(
    held: list[Leg], trades: list[Leg]
) -> None:
    before = account_margin(held, CROWDED)
    after = account_margin(merged(held, trades), CROWDED).maintenance
    back = added(CROWDED, [replace(leg, quantity=-leg.quantity) for leg in trades]) * 8 // 10
    floor = before.maintenance - before.marginal * back // WAD
    assume(before.marginal < 2**64 - 1)
    assert after >= floor - rounding(held, trades, before.marginal)


@settings(max_examples=200, deadline=None)
@given(books, books, st.fractions(0, 1), st.integers(0, 3), st.integers(0, 3))
def test_marginal__share_of_another_account_within_reach__bounded_by_its_margin(
    held: list[Leg], seller: list[Leg], share: Fraction, tier: int, seller_tier: int
) -> None:
    margin, whole = account_margin(held, CROWDED, tier), account_margin(seller, CROWDED, seller_tier)
    share = min(share, Fraction(margin.max_added, max(whole.initial, 1)))
    bought = [leg for leg in scaled(seller, share) if leg.quantity]
    after = account_margin(merged(held, bought), CROWDED, tier).initial
    bound = margin.initial + margin.marginal * Fraction(whole.initial) * share / WAD
    assert (
        after <= bound + rounding(held, bought, margin.marginal) + DUST * len(seller) * margin.marginal // WAD
    )


def test_marginal__crowded_books__both_above_and_at_the_least_occur() -> None:
    held = [[Leg(perp(2), q * WAD)] for q in (1, 40, 200)]
    found = [account_margin(book, CROWDED) for book in held]
    # liquidity at its steepest, whatever the book
    assert found[0].marginal == WAD * 1_150 // 1_000
    assert found[0].marginal < found[1].marginal < found[2].marginal
    assert all(margin.max_added > 0 for margin in found)


def test_marginal__beyond_what_a_leaf_can_state__no_reach() -> None:
    margin = account_margin([Leg(perp(2), 10**6 * WAD)], CROWDED)
    assert (margin.marginal, margin.max_added) == (2**64 - 1, 0)


def test_breakdown__short_straddle__names_the_charge_that_binds() -> None:
    legs = [Leg(i, -WAD) for i in UNIVERSE if Instrument.unpack(i).strike == MARKET.underlying(2).effective]
    breakdown = account_margin(legs, TABLE).breakdown
    charges = {
        "greeks": int(breakdown["greeks"]["charge"]),
        "scan": int(breakdown["scan"][0]["loss"]),
        "shortfall": int(breakdown["shortfall"]["charge"]),
    }
    assert charges[breakdown["binding"]] == max(charges.values())
    roll = sum(int(charge) for charge in breakdown["roll"].values())
    addons = sum(int(charge) for charge in breakdown["addons"].values())
    assert int(breakdown["core"]) == (max(charges.values()) + roll + addons) * QUANTUM
    assert breakdown["greeks"]["correlation_set"] in {"base", "high", "low"}
    assert json.loads(json.dumps(breakdown)) == breakdown


def straddle(quantity: int) -> Margin:
    """At the money, 30 days, flat vol .60, spot 2000: the unit Greeks of test_greeks."""
    legs = [Leg(flat.option(2, 30, 2_000, kind), quantity * WAD) for kind in (Kind.CALL, Kind.PUT)]
    table = build_table(flat.flat_market(), METHODOLOGY, [leg.instrument for leg in legs])
    return account_margin(legs, table)


def test_core__long_straddle__greeks_bind() -> None:
    margin = straddle(1)
    greeks = margin.breakdown["greeks"]
    # delta 1068.5394 - 931.4606 = 137.0788, times .14
    assert int(greeks["delta"]) / 1e6 == pytest.approx(19.1910, abs=1e-3)
    # twice .35 * 136.741
    assert int(greeks["vega"]) / 1e6 == pytest.approx(95.7187, abs=2e-3)
    # a certain loss of 2 * 2.27902 a day; long gamma costs nothing
    assert (int(greeks["theta"]) / 1e6, greeks["curvature"]) == (pytest.approx(4.55804, abs=1e-3), "0")
    # sqrt(19.1910^2 + 95.7187^2 + 19.1910 * 95.7187) + 4.55804, and a roll of .005 * 137.0788
    assert margin.breakdown["binding"] == "greeks"
    assert margin.core / WAD == pytest.approx(106.6180 + 4.5580 + 0.6854, abs=5e-3)


def test_core__short_straddle__the_scan_binds() -> None:
    margin = straddle(-1)
    # 2 * 15.1212 * (1 + 5.635 / 6.635 * sqrt(.0975))
    assert int(margin.breakdown["greeks"]["curvature"]) / 1e6 == pytest.approx(38.2625, abs=2e-3)
    assert int(margin.breakdown["greeks"]["charge"]) / 1e6 == pytest.approx(144.880, abs=5e-3)
    assert (margin.breakdown["binding"], margin.breakdown["greeks"]["theta"]) == ("scan", "0")
    assert margin.core / WAD > 144.880


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
    coins = (Collateral(1, 2, 1_000, 500, 20 * WAD),)
    start = time.perf_counter()
    table = build_table(MARKET, METHODOLOGY, UNIVERSE)
    unit_margins(table, UNIVERSE)
    for number in range(15):
        legs = [Leg(i, WAD) for i in sorted(chooser.sample(UNIVERSE, 40))]
        account_margin(legs, table, 0, coins if number % 2 else ())
    assert time.perf_counter() - start < 0.5
