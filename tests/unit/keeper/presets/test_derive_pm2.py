"""Derive's portfolio margin against the venue's own cases, computed by its reference risk model."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Holding, Portfolio, Position
from keeper.presets import derive_pm2
from keeper.presets.parameters import load_parameters, merge
from keeper.pricing.svi import Svi

TABLE = json.loads(Path(__file__).with_name("derive_pm2_cases.json").read_text())
CASES = {x["name"]: x for x in TABLE["cases"]}
NOW = 1_630_000_000


def expiry_of(feed: dict[str, Any]) -> Expiry:
    *svi, forward, years = feed["svi"]
    # inside the last half hour part of the forward is already averaged
    open_share = min(feed["seconds"] / 1800, 1.0)
    return Expiry(
        NOW + feed["seconds"],
        feed["forward"],
        fixed=feed["forward"] * (1.0 - open_share),
        rate=feed["rate"],
        smile=Svi(*svi),
        confidence=min(feed["forward_confidence"], feed["vol_confidence"]),
        rate_confidence=feed["rate_confidence"],
        smile_forward=forward,
        smile_years=years,
    )


def market_of(case: dict[str, Any]) -> MarketState:
    expiries = {NOW + x["seconds"]: expiry_of(x) for x in case["feeds"]}
    symbol = case["symbol"]
    listed = {
        symbol: Underlying(
            symbol,
            case["spot"],
            case["perp_price"],
            expiries,
            case["spot_confidence"],
            case["perp_confidence"],
        )
    }
    for x in case["collateral"]:
        asset = x["asset"]
        listed.setdefault(asset, Underlying(asset, x["price"], x["price"], {}, x["confidence"]))
    return MarketState(NOW, listed, case["stable"])


def portfolio_of(case: dict[str, Any]) -> Portfolio:
    positions = [
        Position(case["symbol"], Kind.CALL if is_call else Kind.PUT, quantity, strike, NOW + seconds)
        for seconds, strike, is_call, quantity in case["options"]
    ]
    if case["perps"]:
        positions.append(Position(case["symbol"], Kind.PERP, case["perps"]))
    holdings = tuple(Holding(x["asset"], x["amount"]) for x in case["collateral"])
    return Portfolio(tuple(positions), case["cash"], holdings, unsettled=case["unsettled"])


def with_scenarios(parameters: dict[str, Any]) -> dict[str, Any]:
    if "scenarios" not in parameters:
        return parameters
    keys = ("spot", "vol", "dampening")
    return parameters | {"scenarios": [dict(zip(keys, x, strict=True)) for x in parameters["scenarios"]]}


def parameters_of(case: dict[str, Any]) -> dict[str, Any]:
    base = load_parameters("derive-pm2", with_scenarios(TABLE["parameters"]))
    collateral = {
        x["asset"]: {
            "initial_haircut": x["initial_haircut"],
            "maintenance_haircut": x["maintenance_haircut"],
            "risk_cancelling": [case["symbol"]] if x["risk_cancelling"] else [],
        }
        for x in case["collateral"]
    }
    return merge(base, with_scenarios(case["parameters"]) | {"collateral": collateral}, "derive-pm2")


def close(value: float, expected: float) -> bool:
    return math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_evaluate__case_of_the_venue__every_scenario_and_both_margins(name: str) -> None:
    case = CASES[name]
    expected = case["expected"]
    result = derive_pm2.evaluate(portfolio_of(case), market_of(case), parameters_of(case))
    detail = result.breakdown["markets"][case["symbol"]]
    assert close(result.mark - case["unsettled"], expected["option_mark"])
    # of test_61 the file leaves out one expiry that the contract includes; it does not bind there
    if expected["basis_contingency"] is not None:
        assert close(detail["basis_contingency"], expected["basis_contingency"])
    losses = zip(detail["scenario_pnl"], expected["losses"], strict=True)
    assert [x for x in losses if not close(*x)] == []
    assert close(result.equity - result.initial, expected["initial"])
    assert close(result.equity - result.maintenance, expected["maintenance"])


def test_evaluate__mainnet_wiring__marks_a_long_up_and_a_short_down() -> None:
    # the configuration gives longs 1.05 exp(-.16 T) and shorts min(.95 exp(.16 T), 1 / discount)
    case = CASES["test_67_misc_skew_scenario_with_spot_move"]
    published = load_parameters("derive-pm2")
    only = {"scenarios": [{"spot": 1.0, "vol": "none", "dampening": 1.0}]}
    years = 3214052 / 31_536_000
    for sign, factor in ((1.0, 1.05 * math.exp(-0.16 * years)), (-1.0, 0.95 * math.exp(0.16 * years))):
        option = case["options"][0][:3] + [sign]
        book = portfolio_of(case | {"options": [option]})
        result = derive_pm2.evaluate(book, market_of(case), merge(published, only, "derive-pm2"))
        detail = result.breakdown["markets"]["ETH"]
        assert close(detail["scenario_pnl"][0], result.mark * (factor - 1.0))


def test_evaluate__two_underlyings__sum_of_one_account_each() -> None:
    eth, btc = CASES["test_67_misc_skew_scenario_with_spot_move"], CASES["test_22_structures_long_box"]
    parameters = load_parameters("derive-pm2")
    markets = [market_of(x) for x in (eth, btc)]
    both = MarketState(NOW, {k: v for x in markets for k, v in x.underlyings.items()}, eth["stable"])
    books = [portfolio_of(x) for x in (eth, btc)]
    joint = derive_pm2.evaluate(Portfolio(books[0].positions + books[1].positions, 10.0), both, parameters)
    single = [derive_pm2.evaluate(b, m, parameters) for b, m in zip(books, markets, strict=True)]
    assert close(joint.initial, sum(x.initial for x in single))
    assert close(joint.maintenance, sum(x.maintenance for x in single))
    assert close(joint.equity, sum(x.equity for x in single) + 10.0)


def test_evaluate__dated_future__is_refused() -> None:
    case = CASES["test_67_misc_skew_scenario_with_spot_move"]
    future = Position("ETH", Kind.FUTURE, 1.0, expiry=NOW + 3214052)
    with pytest.raises(ValueError, match="derive-pm2: ETH has dated futures"):
        derive_pm2.evaluate(Portfolio((future,)), market_of(case), load_parameters("derive-pm2"))
