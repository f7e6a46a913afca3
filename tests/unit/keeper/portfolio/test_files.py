"""Portfolio and market files: the examples, nothing lost, and one sentence for what is wrong."""

import json
import re
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import pytest

from keeper.markets.instrument import Kind
from keeper.portfolio.files import load_market, load_portfolio
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Holding, MarginMode, Portfolio, Position
from keeper.pricing.svi import Svi

EXAMPLES = Path(str(resources("keeper.portfolio"))) / "examples"
JUNE = 1_751_011_200
NOW = 1_744_113_600
PORTFOLIO: dict[str, Any] = {"format": "plimsoll-portfolio-1"}
MARKET: dict[str, Any] = {
    "format": "plimsoll-market-1",
    "timestamp": NOW,
    "underlyings": {"BTC": {"spot": 1}},
}


def written(folder: Path, content: object, name: str = "file.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def with_position(**fields: Any) -> dict[str, Any]:
    return {**PORTFOLIO, "positions": [{"quantity": 1, **fields}]}


def with_expiry(**fields: Any) -> dict[str, Any]:
    return {
        **MARKET,
        "underlyings": {"BTC": {"spot": 1, "expiries": [{"expiry": JUNE, "forward": 2, **fields}]}},
    }


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_examples__of_each_format__parse_and_fit_together(suffix: str) -> None:
    portfolio = load_portfolio(EXAMPLES / f"portfolio.{suffix}")
    market = load_market(EXAMPLES / f"market.{suffix}")
    for position in portfolio.positions:
        underlying = market.underlying(position.underlying)
        if position.is_option:
            expiry = underlying.expiry(position.expiry)
            assert 0.3 < expiry.vol(position.strike, market.years(expiry.expiry)) < 1.0


def test_readme__files_it_shows__parse(tmp_path: Path) -> None:
    readme = Path(__file__).parents[4] / "keeper" / "README.md"
    blocks = re.findall(r"```toml\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    shown = [block for block in blocks if 'format = "plimsoll-' in block]
    assert len(shown) == 2
    for block in shown:
        load = load_portfolio if "plimsoll-portfolio-1" in block else load_market
        load(written(tmp_path, block, "shown.toml"))


def test_load_portfolio__every_field__arrives(tmp_path: Path) -> None:
    content = {
        **PORTFOLIO,
        "name": "all",
        "note": "for people",
        "cash": "-1.5",
        "unsettled": 7,
        "tier": "verified-maker",
        "margin_mode": "isolated-expiry",
        "collateral": [{"asset": "eth", "amount": 2, "initial_haircut": 0.2, "maintenance_haircut": "0.1"}],
        "positions": [
            {"instrument": "BTC-27JUN25-100000-C", "quantity": "-2"},
            {
                "underlying": "BTC",
                "kind": "put",
                "strike": "90000.5",
                "expiry": "2025-06-27",
                "quantity": 1e-8,
            },
            {"underlying": "SOL", "kind": "perp", "quantity": 3, "entry": 120},
            {"underlying": "SOL", "kind": "future", "expiry": JUNE, "quantity": 3},
        ],
    }
    assert load_portfolio(written(tmp_path, content)) == Portfolio(
        positions=(
            Position("BTC", Kind.CALL, -2.0, 100_000.0, JUNE),
            Position("BTC", Kind.PUT, 1e-8, 90_000.5, JUNE),
            Position("SOL", Kind.PERP, 3.0, entry=120.0),
            Position("SOL", Kind.FUTURE, 3.0, expiry=JUNE),
        ),
        cash=-1.5,
        collateral=(Holding("ETH", 2.0, 0.2, 0.1),),
        name="all",
        tier=2,
        margin_mode=MarginMode.ISOLATED_EXPIRY,
        unsettled=7.0,
    )


def test_load_market__every_field__arrives(tmp_path: Path) -> None:
    smile = {"a": 0.01, "b": 0.1, "rho": -0.2, "m": 0.0, "sigma": 0.3, "forward": 81_000, "years": 0.25}
    june = {
        "expiry": "27JUN25",
        "forward": 80_000,
        "rate": "-0.01",
        "confidence": 0.9,
        "rate_confidence": 0.8,
    }
    soon = {"expiry": NOW + 600, "forward": 79_000, "fixed": 50_000, "vols": {"90000": 0.5, "80000.5": "0.6"}}
    spots = {"spot": 79_000, "perp": 79_010, "confidence": 0.7, "perp_confidence": 0.6, "volatility_scale": 2}
    content = {
        **MARKET,
        "settlement_price": 0.98,
        "underlyings": {
            "btc": {**spots, "expiries": [{**june, "rate_confidence": 0.8, "svi": smile}, soon]},
            "ETH": {"spot": 1500},
        },
    }
    expiries = {
        JUNE: Expiry(
            JUNE, 80_000.0, 0.0, -0.01, Svi(0.01, 0.1, -0.2, 0.0, 0.3), (), 0.9, 0.8, 81_000.0, 0.25
        ),
        NOW + 600: Expiry(NOW + 600, 79_000.0, 50_000.0, vols=((80_000.5, 0.6), (90_000.0, 0.5))),
    }
    assert load_market(written(tmp_path, content)) == MarketState(
        timestamp=NOW,
        underlyings={
            "BTC": Underlying("BTC", 79_000.0, 79_010.0, expiries, 0.7, 0.6, 2.0),
            "ETH": Underlying("ETH", 1500.0, 1500.0, {}),
        },
        settlement_price=0.98,
    )


def test_load_portfolio__no_name__the_files(tmp_path: Path) -> None:
    assert load_portfolio(written(tmp_path, PORTFOLIO, "hedge.json")).name == "hedge"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[1]", "holds no object"),
        ("{", "is no JSON"),
        ('{"cash": 1, "cash": 2}', "'cash' comes twice"),
        ({}, "format is missing: add it"),
        (MARKET, "format: must be 'plimsoll-portfolio-1'"),
        ({**PORTFOLIO, "cash": "much"}, "cash: 'much' is not a number"),
        ({**PORTFOLIO, "cash": float("nan")}, "cash: nan is not finite"),
        ({**PORTFOLIO, "cash": True}, "cash: is not a number"),
        ({**PORTFOLIO, "leverage": 2}, "leverage is no field; known here: format, name"),
        ({**PORTFOLIO, "tier": "gold"}, "tier: 'gold' is no tier: write one of anonymous"),
        (
            with_position(instrument="BTC-PERP", price=3),
            "positions[0].price is no field; known here: quantity",
        ),
        (with_position(instrument="BTC-27JUN25-1-X"), "positions[0]: 'BTC-27JUN25-1-X' is none of"),
        (with_position(instrument="BTC-PERP", quantity=0), "positions[0].quantity: is zero"),
        (with_position(instrument="BTC-PERP", expiry=JUNE), "not both"),
        (with_position(underlying="BTC", kind="perp", expiry=JUNE), "a perp has no expiry"),
        (with_position(underlying="BTC", kind="call", expiry=JUNE), "a call has a strike"),
        (
            with_position(underlying="BTC", kind="future", expiry="June"),
            "positions[0].expiry: 'June' is no moment",
        ),
        (with_position(instrument="BTC-27JUN25-1-C", entry=3), "premium is in the cash"),
        (
            {**PORTFOLIO, "collateral": [{"asset": "ETH", "amount": 1, "maintenance_haircut": 0.1}]},
            "collateral[0]: maintenance_haircut is above",
        ),
        ({**PORTFOLIO, "collateral": [{"asset": "ETH", "amount": 1}] * 2}, "collateral ETH comes twice"),
    ],
)
def test_load_portfolio__wrong__one_sentence_with_file_and_field(
    tmp_path: Path, content: object, sentence: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ValueError) as caught:
        load_portfolio(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ") and sentence in said and "\n" not in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({**MARKET, "underlyings": {}}, "underlyings: "),
        ({**MARKET, "underlyings": {"btc": {"spot": 1}, "BTC": {"spot": 2}}}, "mean the same"),
        ({**MARKET, "underlyings": {"BTC": {"spot": 0}}}, "underlyings.BTC.spot: must be greater than 0"),
        (with_expiry(vols={"100": 60}), "underlyings.BTC.expiries[0].vols.100: must be less"),
        (with_expiry(vols={"100": 0.6, "100.0": 0.7}), "mean the same"),
        (with_expiry(vols={"atm": 0.6}), "vols.atm: 'atm' is not a number"),
        (with_expiry(vol=0.6), "underlyings.BTC.expiries[0].vol is no field; known here: expiry"),
        (with_expiry(expiry=NOW), "has passed"),
        (with_expiry(expiry=NOW + 60), "add `fixed`"),
        (with_expiry(fixed=1), "leave `fixed` out"),
        (with_expiry(fixed=3), "`fixed` is above"),
        (with_expiry(svi={"a": -1, "b": 0.1, "rho": 0, "m": 0, "sigma": 0.1}), "negative at its least"),
        (with_expiry(svi={"a": 0.1, "b": 0.1, "rho": -1, "m": 0, "sigma": 0.1}), "svi.rho: must be greater"),
    ],
)
def test_load_market__wrong__one_sentence_with_file_and_field(
    tmp_path: Path, content: object, sentence: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ValueError) as caught:
        load_market(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ") and sentence in said and "\n" not in said


def test_load_market__expiry_twice__refused(tmp_path: Path) -> None:
    expiries = [{"expiry": JUNE, "forward": 2}, {"expiry": "2025-06-27", "forward": 2}]
    path = written(tmp_path, {**MARKET, "underlyings": {"BTC": {"spot": 1, "expiries": expiries}}})
    with pytest.raises(ValueError, match="expiry 2025-06-27T08:00:00Z comes twice"):
        load_market(path)


def test_load_portfolio__unreadable__one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        load_portfolio(tmp_path / "none.json")
    with pytest.raises(ValueError, match="must end in .toml or .json"):
        load_portfolio(written(tmp_path, "", "portfolio.yaml"))
    with pytest.raises(ValueError, match="is no TOML"):
        load_portfolio(written(tmp_path, "cash = ", "portfolio.toml"))
