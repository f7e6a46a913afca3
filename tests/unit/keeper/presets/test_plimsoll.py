"""Our methodology on portfolios in human units, against arithmetic by hand.

The charges of a perp follow from the parameters alone: the scan is the range, the Greeks charge the weight
and the roll charge the flat rate, each of the dollar delta (keeper/risk/default_methodology.json).
"""

from dataclasses import replace
from math import erf, log, sqrt

import pytest

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Holding, MarginMode, Portfolio, Position
from keeper.presets import plimsoll
from keeper.presets.binding import binding_text
from keeper.presets.plimsoll_market import convert, underlying_ids
from keeper.presets.plimsoll_smile import fitted, smile_of
from keeper.presets.requirement import Requirement
from keeper.pricing.svi import Svi
from keeper.risk.methodology import Methodology

NOW = 1_744_113_600
EXPIRY = NOW + 30 * 86_400
YEARS = 30 / 365
VOLS = (
    (65e3, 0.715),
    (70e3, 0.655),
    (75e3, 0.605),
    (80e3, 0.565),
    (85e3, 0.54),
    (90e3, 0.53),
    (100e3, 0.545),
)
SMILE = Svi(0.02, 0.05, -0.2, 0.0, 0.3)


def market(**expiry: object) -> MarketState:
    listed = Expiry(EXPIRY, 80_400.0, **{"vols": ((80_000.0, 0.6),), **expiry})  # type: ignore[arg-type]
    return MarketState(
        NOW,
        {
            "BTC": Underlying("BTC", 80_000.0, 80_050.0, {EXPIRY: listed}),
            "ETH": Underlying("ETH", 1_600.0, 1_600.0, {}),
            "XYZ": Underlying("XYZ", 10.0, 10.0, {}),
        },
    )


def call(quantity: float, strike: float = 80_000.0) -> Position:
    return Position("BTC", Kind.CALL, quantity, strike, EXPIRY)


def found(*positions: Position, state: MarketState | None = None, **fields: object) -> Requirement:
    portfolio = Portfolio(positions, **fields)  # type: ignore[arg-type]
    return plimsoll.requirement(portfolio, state or market(), Methodology.default())


def black_call(forward: float, strike: float, years: float, vol: float) -> float:
    deviation = vol * sqrt(years)
    d1 = log(forward / strike) / deviation + deviation / 2
    normal = [(1 + erf(x / sqrt(2))) / 2 for x in (d1, d1 - deviation)]
    return forward * normal[0] - strike * normal[1]


def test_requirement__option__marked_at_black_76() -> None:
    price = black_call(80_400.0, 80_000.0, YEARS, 0.6)
    result = found(call(-2.0), cash=50_000.0)
    assert result.mark == pytest.approx(-2.0 * price, abs=1e-6)
    assert result.equity == pytest.approx(50_000.0 - 2.0 * price, abs=1e-6)
    assert result.initial > result.maintenance > 0.0


@pytest.mark.parametrize(("symbol", "number", "spot"), [("BTC", 1, 80_000), ("XYZ", 4, 10)])
def test_requirement__perp__charges_by_hand(symbol: str, number: int, spot: float) -> None:
    methodology = Methodology.default()
    risk, roll = methodology.spot(number), methodology.roll.flat_ppm
    charges = found(Position(symbol, Kind.PERP, 2.0)).breakdown["charges"]
    assert charges["scan"] == pytest.approx(2 * spot * risk.range_ppm / 1e6, abs=1e-4)
    assert charges["greeks"] == pytest.approx(2 * spot * risk.weight_ppm / 1e6, abs=1e-4)
    assert charges["roll"] == pytest.approx(2 * spot * roll / 1e6, abs=1e-4)


def test_requirement__perp_with_entry__profit_at_its_mark_price() -> None:
    result = found(Position("BTC", Kind.PERP, 2.0, entry=79_000.0), cash=10.0, unsettled=5.0)
    assert result.mark == pytest.approx(2.0 * 1_050.0)
    assert result.equity == pytest.approx(2_115.0)
    assert found(Position("BTC", Kind.PERP, 2.0)).mark == 0.0


def test_requirement__idle_collateral__counts_less_its_haircuts() -> None:
    result = found(cash=100.0, collateral=(Holding("ETH", 3.0, 0.2, 0.1),))
    assert result.equity == pytest.approx(100.0 + 4_800.0)
    assert result.initial == pytest.approx(960.0)
    assert result.maintenance == pytest.approx(480.0)


def test_requirement__covered_call__needs_less_than_call_and_coin_apart() -> None:
    coin = (Holding("BTC", 1.0, 0.1, 0.05),)
    covered = found(call(-1.0), collateral=coin)
    assert covered.initial < found(call(-1.0)).initial + found(collateral=coin).initial - 5_000.0
    assert covered.breakdown["collateral"][0]["pledged_initial"] > 0.0


def test_requirement__bounded_losses__never_more_than_the_worst() -> None:
    spread = found(call(-1.0), call(1.0, 81_000.0))
    assert spread.breakdown["worst_loss"] == pytest.approx(spread.mark + 1_000.0, abs=1e-6)
    assert spread.initial <= spread.mark + 1_000.0 + 1e-9
    long = found(call(1.0, 100_000.0))
    assert long.initial <= long.mark + 1e-9


def test_requirement__same_instrument_twice__as_once() -> None:
    assert found(call(-1.0), call(-1.5)).initial == found(call(-2.5)).initial
    assert found(call(-1.0), call(1.0)).initial == 0.0


@pytest.mark.parametrize(
    ("mode", "pockets"),
    [
        (MarginMode.ISOLATED_UNDERLYING, {"BTC", "ETH"}),
        (MarginMode.ISOLATED_EXPIRY, {"BTC", f"BTC-{EXPIRY}", "ETH"}),
    ],
)
def test_requirement__isolated__each_pocket_as_alone(mode: MarginMode, pockets: set[str]) -> None:
    parts = {
        f"BTC-{EXPIRY}": [call(-1.0), call(1.0, 81_000.0)],
        "BTC": [Position("BTC", Kind.PERP, 1.0)],
        "ETH": [Position("ETH", Kind.PERP, -20.0)],
    }
    if mode is MarginMode.ISOLATED_UNDERLYING:
        parts["BTC"] += parts.pop(f"BTC-{EXPIRY}")
    result = found(*(p for part in parts.values() for p in part), margin_mode=mode)
    alone = [found(*part) for part in parts.values()]
    assert result.breakdown["pockets"].keys() == pockets
    assert result.initial == pytest.approx(sum(r.initial for r in alone), abs=1e-5)
    assert result.maintenance == pytest.approx(sum(r.maintenance for r in alone), abs=1e-5)
    assert binding_text(result).count("; ") >= len(pockets) - 1


def test_requirement__isolated_coins__hedge_the_pocket_of_their_underlying() -> None:
    coins = (Holding("BTC", 1.0, 0.1, 0.05), Holding("ETH", 1.0, 0.1, 0.05))
    mode = MarginMode.ISOLATED_UNDERLYING
    both = found(call(-1.0), Position("XYZ", Kind.PERP, 1.0), collateral=coins, margin_mode=mode)
    pledged = both.breakdown["pockets"]["BTC"]["collateral"]
    assert [row["asset"] for row in pledged] == ["BTC"] and pledged[0]["pledged_initial"] > 0.0
    assert both.breakdown["pockets"]["XYZ"]["collateral"] == []
    by_expiry = found(call(-1.0), collateral=coins, margin_mode=MarginMode.ISOLATED_EXPIRY)
    assert by_expiry.initial == pytest.approx(found(call(-1.0)).initial + 8_000.0 + 160.0)


def test_requirement__breakdown__adds_up_to_the_initial_margin() -> None:
    positions = (call(-3.0), Position("BTC", Kind.PERP, 1.0), Position("ETH", Kind.PERP, -20.0))
    result = found(*positions, tier=1, state=replace(market(confidence=0.5), settlement_price=0.97))
    parts = result.breakdown
    charges = dict(parts["charges"])
    largest = max(charges.pop(name) for name in ("greeks", "scan", "shortfall"))
    assert parts["core"] == pytest.approx(largest + sum(charges.values()), abs=1e-5)
    # a coin two cents below .99 raises the factor by 4 * .02
    assert parts["depeg"] == pytest.approx(0.08)
    expected = parts["core"] * 1.15 * 1.08 + parts["liquidity"] + parts["size"]
    assert result.initial == pytest.approx(expected, abs=1e-5)
    # three naked calls at .3 % of the spot, and half of the notional of options at a confidence of .5
    assert charges["naked_shorts"] == pytest.approx(3 * 0.003 * 80_000)
    assert charges["confidence"] > 0.0


def test_requirement__tier__multiplies_the_core() -> None:
    anonymous, new = found(call(-1.0)), found(call(-1.0), tier=1)
    assert new.breakdown["multiplier"] == 1.15
    assert new.initial > 1.1 * anonymous.initial


def test_requirement__binding_scan__legs_add_up_to_its_loss() -> None:
    result = found(call(-1.0), Position("ETH", Kind.PERP, 10.0), collateral=(Holding("BTC", 0.5),))
    for group in result.breakdown["scan"]:
        legs = sum(group["legs"].values()) + sum(group["pledged"].values())
        assert legs == pytest.approx(sum(group["underlyings"].values()), abs=1e-5)
    assert result.breakdown["why"][0].startswith("The ")


def test_requirements__of_two__each_as_alone_where_they_share_strikes() -> None:
    portfolios = [Portfolio((call(-1.0),)), Portfolio((call(3.0),), cash=7.0)]
    together = plimsoll.requirements(portfolios, market(), Methodology.default())
    assert together == [found(call(-1.0)), found(call(3.0), cash=7.0)]


def test_evaluate__parameters_of_ones_own__used() -> None:
    perp = Portfolio((Position("BTC", Kind.PERP, 1.0),))
    shipped = plimsoll.evaluate(perp, market(), plimsoll.load_parameters())
    own = plimsoll.evaluate(perp, market(), plimsoll.load_parameters({"roll": {"flat_ppm": 15_000}}))
    assert own.breakdown["charges"]["roll"] == pytest.approx(3.0 * shipped.breakdown["charges"]["roll"])
    with pytest.raises(LookupError, match="flat"):
        plimsoll.load_parameters({"roll": {"flat": 1}})


def test_requirement__nothing_held__needs_nothing() -> None:
    result = found(cash=5.0)
    assert (result.equity, result.initial, result.maintenance) == (5.0, 0.0, 0.0)


def test_requirement__price_beyond_the_protocol__says_which() -> None:
    with pytest.raises(ValueError, match="BTC-.*-1000000000-C: 1e.09 USD is beyond 720,575,940 USD"):
        found(call(1.0, 1e9))


def test_requirement__market_lacks_something__says_what() -> None:
    with pytest.raises(LookupError, match="no underlying SOL"):
        found(Position("SOL", Kind.PERP, 1.0))
    with pytest.raises(LookupError, match="no vols of expiry"):
        found(call(1.0), state=market(vols=()))


def test_convert__inside_the_window__settlement_forward_is_the_forward() -> None:
    soon = NOW + 600
    listed = Expiry(soon, 80_100.0, fixed=53_000.0, vols=((80_000.0, 0.6),))
    state = MarketState(NOW, {"BTC": Underlying("BTC", 80_000.0, 80_000.0, {soon: listed})})
    portfolio = Portfolio((Position("BTC", Kind.CALL, 1.0, 80_000.0, soon),))
    converted = convert([portfolio], state, Methodology.default()).market.underlying(1).expiry(soon)
    assert converted.covered == 1_200
    assert converted.settlement_forward == pytest.approx(80_100 * 10**8, rel=1e-9)
    assert converted.fixed_average * 1_200 / 1_800 == pytest.approx(53_000 * 10**8, rel=1e-9)


def test_convert__regime_confidence_and_coin__taken_over() -> None:
    state = replace(market(confidence=0.7), settlement_price=0.98)
    btc = replace(state.underlyings["BTC"], volatility_scale=1.5, confidence=0.9)
    state = replace(state, underlyings={**state.underlyings, "BTC": btc})
    converted = convert([Portfolio((call(1.0),))], state, Methodology.default()).market
    listed = converted.underlying(1)
    assert (listed.volatility_scale_ppm, listed.confidence_ppm) == (1_500_000, 700_000)
    assert converted.settlement_price == 98_000_000


def test_underlying_ids__unknown_symbols__after_the_named_ones() -> None:
    assert underlying_ids(["ZZZ", "ETH", "AAA"], Methodology.default()) == {"ETH": 2, "AAA": 4, "ZZZ": 5}


def test_smile_of__many_quotes__fitted_within_half_a_vol_point() -> None:
    smile = smile_of(Expiry(EXPIRY, 80_400.0, vols=VOLS), YEARS)
    assert smile.source == "fit" and not smile.problems
    assert smile.detail()["quotes"] == 7
    assert max(abs(error) for _, error in smile.errors) < 0.005


def test_smile_of__one_quote__flat_through_it() -> None:
    smile = smile_of(Expiry(EXPIRY, 80_400.0, vols=((90_000.0, 0.6),)), YEARS)
    assert smile.source == "flat"
    assert smile.errors[0][1] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_smile_of__few_quotes__through_them_without_arbitrage(count: int) -> None:
    smile = smile_of(Expiry(EXPIRY, 80_400.0, vols=VOLS[1 : 1 + count]), YEARS)
    assert smile.source == "ssvi" and not smile.problems
    assert max(abs(error) for _, error in smile.errors) < 0.01


def test_smile_of__slice_of_another_forward_and_time__every_strike_keeps_its_vol() -> None:
    old = Expiry(EXPIRY, 80_400.0, smile=SMILE)
    moved = replace(old, forward=70_000.0, smile_forward=80_400.0, smile_years=YEARS)
    smile = smile_of(moved, YEARS / 2)
    again = Expiry(EXPIRY, 70_000.0, smile=smile.slice)
    for strike in (60_000.0, 80_000.0, 100_000.0):
        assert again.vol(strike, YEARS / 2) == pytest.approx(old.vol(strike, YEARS), rel=1e-12)


def test_fitted__quotes__become_the_slice_that_margins_use() -> None:
    state = market(vols=VOLS)
    smooth = fitted(state, {("BTC", EXPIRY)})
    assert smooth.underlyings["BTC"].expiry(EXPIRY).vols == ()
    assert found(call(-1.0), state=smooth).initial == found(call(-1.0), state=state).initial
