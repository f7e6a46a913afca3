"""`plimsoll backtest`, `stress` and `calibrate`: the machine form, files, bad input in one sentence."""

import json
from pathlib import Path

import pytest

from keeper.risk.methodology import Methodology
from tests.support.command_line import run

SMALL = ["--random", "0", "--model", "derive-pm2"]


def test_backtest__few_days__json_and_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "backtest.html"
    span = ["--from", "2022-11-06", "--to", "2022-11-11"]
    assert run("backtest", *SMALL, *span, "--crashes", 0, "--processes", 1, "--html", page, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["days"], found["from"]) == (5, "2022-11-06")
    perp = found["models"]["derive-pm2"]["books"]["long perp SOL"]
    # FTX: SOL fell by 22.5, 42.2 and rose by 25 %; the margin of 17.4 % stood none of it
    assert perp["exceedances"] >= 2 and perp["mean_maintenance"] == pytest.approx(17_400, abs=1)
    assert "default-src 'none'" in page.read_text()


def test_backtest__table__names_the_leaking_model(capsys: pytest.CaptureFixture[str]) -> None:
    span = ["--from", "2022-11-08", "--to", "2022-11-10"]
    assert run("backtest", *SMALL, *span, "--crashes", 0, "--processes", 1) == 0
    assert "derive-pm2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["backtest", "prices.csv"], "is not SYMBOL=FILE"),
        (["backtest", "--model", "nobody"], "no preset nobody"),
        (["backtest", "--from", "2030-01-01"], "lies outside"),
        (["stress", "--on", "2018-01-01"], "too early"),
    ],
)
def test_commands__bad_input__one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


def test_stress__a_fund__held_against_both_covers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "stress.html"
    assert run("stress", *SMALL, "--fund", 1e9, "--html", page, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {r["model"] for r in found["results"]} == {"derive-pm2"}
    assert all(r["fund_covers_two"] for r in found["results"])
    halved = next(r for r in found["results"] if "-50 %" in r["scenario"])
    assert halved["cover_two"] >= halved["cover_one"] > 0
    assert page.exists()


def test_calibrate__output__a_methodology_that_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "methodology.json"
    assert run("calibrate", "--to", "2024-12-31", "--output", path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    loaded = Methodology.load(path)
    assert loaded.expected_shortfall.scenarios == found["scenarios"]["hash"]
    assert loaded.scenarios.labels[499] == "2024-12-31"
