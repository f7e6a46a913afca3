"""`plimsoll example`, `margin` and `compare`: the machine form against arithmetic by hand, bad input in one
sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from keeper.risk.methodology import Methodology
from tests.support.command_line import run

METHODOLOGY = Methodology.default()
RANGE, ROLL = METHODOLOGY.spot(1).range_ppm / 1e6, METHODOLOGY.roll.flat_ppm / 1e6
MARKET = """
format = "plimsoll-market-1"
timestamp = 2025-04-08T12:00:00Z
[underlyings.BTC]
spot = 80_000
[underlyings.ETH]
spot = 1_600
"""
PORTFOLIO = """
format = "plimsoll-portfolio-1"
name = "one perp"
cash = 30_000
[[collateral]]
asset = "ETH"
amount = 5
initial_haircut = 0.1
maintenance_haircut = 0.05
[[positions]]
instrument = "BTC-PERP"
quantity = 1
entry = 79_000
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
    assert run(*arguments, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found: dict[str, Any] = json.loads(captured.out)
    return found


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence on stderr."""
    assert run(*arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err


def test_margin__one_perp__as_by_hand(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "margin", *files)
    equity = 30_000 + 1_000 + 5 * 1_600
    assert found["portfolio"] == "one perp" and found["model"] == "plimsoll"
    assert found["timestamp"] == 1_744_113_600
    assert found["mark"] == pytest.approx(1_000)
    assert found["equity"] == pytest.approx(equity)
    charges = found["breakdown"]["charges"]
    assert charges["scan"] == pytest.approx(RANGE * 80_000)
    assert charges["roll"] == pytest.approx(ROLL * 80_000)
    assert found["initial"] >= (RANGE + ROLL) * 80_000
    assert found["free_initial"] == pytest.approx(equity - found["initial"])
    assert found["free_maintenance"] == pytest.approx(equity - found["maintenance"])


def test_margin__table__says_what_binds_and_why(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("margin", *files) == 0
    said = capsys.readouterr().out
    for text in ("39,000.00", "initial margin", "expected shortfall", "binds", "BTC-PERP", "The scan of "):
        assert text in said


def test_margin__table__rows_add_up_to_the_initial_margin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("example", tmp_path / "book") == 0
    assert run("margin", tmp_path / "book" / "portfolio.toml", tmp_path / "book" / "market.toml") == 0
    cells = [[c.strip() for c in line.split("│")[1:3]] for line in capsys.readouterr().out.splitlines()]
    rows = {c[0]: float(c[1].replace(",", "")) for c in cells if len(c) == 2 and c[1][-3:-2] == "."}
    largest = max(rows[name] for name in ("Greeks charge", "scan", "expected shortfall"))
    others = ("basis and roll", "naked shorts", "funding and basis of perps", "uncertain sources")
    assert rows["core margin"] == pytest.approx(largest + sum(rows[name] for name in others), abs=0.05)
    above = ("core margin", "liquidity", "size", "haircuts of collateral", "of it given back")
    assert rows["initial margin"] == pytest.approx(sum(rows[name] for name in above), abs=0.05)
    assert rows["free for new positions"] == pytest.approx(rows["equity"] - rows["initial margin"], abs=0.02)


def test_margin__derive_standard__ten_and_six_and_a_half_percent(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    # Derive's perps need 10 % and 6.5 % of the price; its haircuts of ether are .8 * .9375 and .8
    found = answer(capsys, "margin", *files, "--model", "derive-srm")
    assert found["initial"] == pytest.approx(8_000 + 8_000 * (1 - 0.75))
    assert found["maintenance"] == pytest.approx(5_200 + 8_000 * (1 - 0.8))


def test_margin__parameters_of_ones_own__used(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.json"
    own.write_text('{"roll": {"flat_ppm": 20000}}')
    found = answer(capsys, "margin", *files, "--parameters", f"plimsoll={own}")
    assert found["breakdown"]["charges"]["roll"] == pytest.approx(0.02 * 80_000)


def test_example__then_margin_and_compare__work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "book"
    assert run("example", folder) == 0
    for suffix in ("toml", "json"):
        assert run("margin", folder / f"portfolio.{suffix}", folder / f"market.{suffix}") == 0
        assert run("compare", folder / f"portfolio.{suffix}", folder / f"market.{suffix}") == 0
    assert "Left out: derive-pm2: BTC has dated futures" in capsys.readouterr().out
    assert "left alone" in refusal(capsys, "example", folder)


def test_compare__every_model__ratios_to_ours_and_a_page(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "compare.html"
    rows = answer(capsys, "compare", *files, "--html", page)["models"]
    ours = rows[0]
    assert [row["model"] for row in rows[:3]] == ["plimsoll", "derive-pm1", "derive-pm2"]
    assert ours["initial_ratio"] == ours["maintenance_ratio"] == 1.0
    for row in (row for row in rows if "refused" not in row):
        assert row["initial_ratio"] == pytest.approx(row["initial"] / ours["initial"])
        assert row["equity"] == pytest.approx(39_000, rel=1e-9)
    assert ours["binding"] == f"scan: BTC {-100 * RANGE:.1f} %, vols up"
    assert page.read_text().count("derive-srm") >= 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("margin",), "name a portfolio file and a market file, or --account"),
        (("margin", "none.toml", "none.toml"), "none.toml: cannot be read"),
        (("margin", "P", "P"), "format: must be 'plimsoll-market-1'"),
        (("margin", "P", "M", "--model", "cme"), "no model 'cme'; there are plimsoll"),
        (("margin", "P", "M", "--parameters", "cme=M"), "no model 'cme'"),
        (("margin", "P", "M", "--parameters", "plimsoll=M"), "no parameter 'format'"),
        (("margin", "P", "M", "--account", "3"), "--account takes no files"),
        (("margin", "--account", "3", "--keeper", "http://127.0.0.1:9"), "no keeper answers"),
        (("compare", "M", "P"), "format: must be 'plimsoll-portfolio-1'"),
    ],
)
def test_margin__bad_input__one_sentence(
    files: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    portfolio, market = map(str, files)
    named = [
        {"P": portfolio, "M": market, "cme=M": f"cme={market}", "plimsoll=M": f"plimsoll={market}"}.get(x, x)
        for x in arguments
    ]
    assert sentence in refusal(capsys, *named)
