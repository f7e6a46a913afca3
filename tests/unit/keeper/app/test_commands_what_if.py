"""`plimsoll what-if`: before, after and the change, against arithmetic by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import run

MARKET = """
format = "plimsoll-market-1"
timestamp = 2025-04-08T12:00:00Z
[underlyings.BTC]
spot = 80_000
[[underlyings.BTC.expiries]]
expiry = 2025-04-10
forward = 80_000
vols = { 80000 = 0.5 }
"""
PORTFOLIO = """
format = "plimsoll-portfolio-1"
cash = 20_000
[[positions]]
instrument = "BTC-PERP"
quantity = 1
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Portfolio and market."""
    portfolio, market = tmp_path / "portfolio.toml", tmp_path / "market.toml"
    portfolio.write_text(PORTFOLIO)
    market.write_text(MARKET)
    return portfolio, market


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """The one JSON object on stdout."""
    assert run("what-if", *arguments, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_what_if__spot_down__the_perp_loses_and_margins_shrink(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, *files, "--spot", "BTC=-5%")
    assert found["before"]["equity"] == pytest.approx(20_000)
    assert found["after"]["equity"] == pytest.approx(16_000)
    assert found["change"]["equity"] == pytest.approx(-4_000)
    for margin in ("initial", "maintenance"):
        assert found["after"][margin] == pytest.approx(0.95 * found["before"][margin], rel=1e-3)
    assert found["maintenance_holds"] is True


def test_what_if__liquidation_point__where_equity_meets_the_maintenance_margin(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    # of a long perp both are linear in the move x: 20,000 + 80,000 x = (1 + x) MM
    found = answer(capsys, *files)
    maintenance = found["before"]["maintenance"]
    expected = (maintenance - 20_000) / (80_000 - maintenance)
    assert found["liquidations"]["all"] == [pytest.approx(expected, abs=2e-4)]
    assert found["change"] == {name: 0.0 for name in found["change"]}


def test_what_if__trade_with_a_price__premium_in_the_cash(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    value = 80_000 * 0.01851  # of an at-the-money call: .3989 * .5 * sqrt(44 h) of the forward, about
    found = answer(capsys, *files, "--add", "BTC-10APR25-80000-C:-2@1000")
    assert found["trades"] == [{"instrument": "BTC-10APR25-80000-C", "quantity": -2.0, "price": 1000.0}]
    sold = found["after"]["mark"] - found["before"]["mark"]
    assert -2.0 * value * 1.1 < sold < -2.0 * value * 0.7
    assert found["change"]["equity"] == pytest.approx(2_000 + sold)
    fair = answer(capsys, *files, "--add", "BTC-10APR25-80000-C:-2")
    assert fair["trades"][0]["price"] == pytest.approx(-sold / 2.0, rel=1e-6)
    assert fair["change"]["equity"] == pytest.approx(0.0, abs=1e-3)


def test_what_if__expiry_passes__the_call_settles_into_cash(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    trade = ("--add", "BTC-10APR25-80000-C:-1@0")
    found = answer(capsys, *files, *trade, "--spot", "81000", "--time", "+2d")
    assert found["timestamp"]["after"] - found["timestamp"]["before"] == 172_800
    assert found["after"]["mark"] == pytest.approx(1_000)
    assert found["after"]["equity"] == pytest.approx(20_000 + 1_000 - 1_000)


def test_what_if__vols_up__the_short_call_costs_more(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    trade = ("--add", "BTC-10APR25-80000-C:-1")
    calm, up = (answer(capsys, *files, *trade, *more) for more in ((), ("--vol", "+20%")))
    # at the money the price is proportional to the vol to first order
    assert up["after"]["mark"] == pytest.approx(1.2 * calm["after"]["mark"], rel=1e-3)
    points = answer(capsys, *files, *trade, "--vol", "BTC=+10")
    assert points["after"]["mark"] == pytest.approx(up["after"]["mark"], rel=1e-9)


@pytest.mark.parametrize("model", ["plimsoll", "derive-pm2", "deribit-pm"])
def test_what_if__table_and_page__verdict_and_liquidation(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    page = tmp_path / "what-if.html"
    assert run("what-if", *files, "--spot", "-20%", "--model", model, "--html", page) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "would be liquidated" in said and "4,000.00" in said
    assert "would be liquidated" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--spot", "down"), "'down' is no change: write"),
        (("--spot", "SOL=-5%"), "no underlying SOL"),
        (("--time", "soon"), "'soon' is no time"),
        (("--add", "BTC-PERP"), "is no trade: write"),
        (("--add", "BTC-27JUN25-1-C:1"), "no expiry"),
        (("--vol", "-100%"), "would not be positive"),
    ],
)
def test_what_if__bad_input__one_sentence(
    files: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    assert run("what-if", *files, *arguments) == 1
    captured = capsys.readouterr()
    assert sentence in captured.err and captured.err.count("\n") == 1 and captured.out == ""
