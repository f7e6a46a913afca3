"""From the [source] section to sources and rules."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from keeper.app.config import ConfigError, load
from keeper.app.source_config import SourceSection
from keeper.app.sources import open_sources, rules_of
from keeper.chain.node import Node
from keeper.risk.methodology import Methodology

SYMBOLS = {1: "BTC", 2: "ETH", 3: "SOL"}
METHODOLOGY = Methodology.default()
NODE = Node("http://127.0.0.1:9")
ADDRESS = "0x" + "5f" * 20

SEVERAL = f"""
minimum = 2
wanted = 3
max_age_seconds = 120
[[feeds]]
kind = "deribit"
coins = ["BTC", "ETH"]
[[feeds]]
kind = "chainlink"
symbol = "ETH"
address = "{ADDRESS}"
max_age_seconds = 4000
[[feeds]]
kind = "recorded"
venue = "bybit"
"""


def section(text: str) -> SourceSection:
    return SourceSection.model_validate(tomllib.loads(text))


def test_open_sources__venues_alone__recorded_ones() -> None:
    found = open_sources(
        section('kind = "recorded"\nvenues = ["binance", "bybit"]'), NODE, SYMBOLS, METHODOLOGY
    )
    assert [s.venue for s in found.all] == ["binance", "bybit"]
    found.close()


def test_open_sources__several_kinds__in_order_and_closed() -> None:
    made = section(SEVERAL)
    found = open_sources(made, NODE, SYMBOLS, METHODOLOGY)
    assert [s.venue for s in found.all] == ["deribit", "chainlink ETH", "bybit"]
    found.close()
    rules = rules_of(made)
    assert (rules.minimum, rules.wanted, rules.max_age_seconds) == (2, 3, 120)
    assert rules.max_ages == {"chainlink ETH": 4_000}


def test_open_sources__unlisted_symbol__named() -> None:
    feed = SEVERAL.replace('symbol = "ETH"', 'symbol = "DOGE"')
    with pytest.raises(LookupError, match="DOGE is not listed, only BTC, ETH, SOL"):
        open_sources(section(feed), NODE, SYMBOLS, METHODOLOGY)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "source.venues: name at least one"),
        ('venues = ["binance", "binance"]', "source.feeds: binance is named twice"),
        ('minimum = 2\nvenues = ["binance"]', "source.minimum: 2 of 1 sources can never be reached"),
        (
            f'[[feeds]]\nkind = "chainlink"\nsymbol = "ETH"\naddress = "{ADDRESS}"',
            "only 0 sources know surfaces",
        ),
    ],
)
def test_problems__across_fields__named(text: str, problem: str) -> None:
    assert any(problem in p for p in section(text).problems())


@pytest.mark.parametrize(
    "feed",
    [
        {"kind": "kraken"},
        {"kind": "deribit", "strem": True},
        {"kind": "chainlink", "symbol": "ETH", "address": "0x12"},
        {"kind": "ccxt", "exchange": "kraken", "symbols": {}},
    ],
)
def test_section__faulty_feed__refused(feed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="feeds"):
        SourceSection.model_validate({"feeds": [feed]})


def test_load__source_problem__among_the_others(tmp_path: Path) -> None:
    path = tmp_path / "plimsoll.toml"
    path.write_text(
        '[keeper]\nroles = ["api"]\n[chain]\nrpc = "http://127.0.0.1:8545"\ndeployment = "1.json"\n'
        "[source]\n[api]\nport = 8601\n"
    )
    with pytest.raises(ConfigError, match="source.venues: name at least one"):
        load(path)


def test_load__history__path_is_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "plimsoll.toml"
    path.write_text(
        '[keeper]\nroles = ["api"]\n[chain]\nrpc = "http://127.0.0.1:8545"\ndeployment = "1.json"\n'
        '[source]\nvenues = ["binance"]\n'
        '[[source.feeds]]\nkind = "history"\nsymbol = "ETH"\npath = "eth.csv"\n'
        "[api]\nport = 8601\n"
    )
    config = load(path)
    found = open_sources(config.source, NODE, SYMBOLS, METHODOLOGY)
    assert [s.venue for s in found.all] == ["binance", "history ETH"]
    assert config.source.feeds[0].path == tmp_path / "eth.csv"
