"""`plimsoll surface`: table, JSON, page, and errors in one sentence."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.app.cli import app
from tests.support import option_chain


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("chain") / "chain.csv"
    return str(option_chain.write(path, option_chain.rows()))


def test_surface__json__slices_without_arbitrage(chain: str) -> None:
    result = CliRunner().invoke(app, ["surface", chain, "--json"])
    assert result.exit_code == 0
    (found,) = json.loads(result.stdout)["surfaces"]
    assert found["underlying"] == "BTC" and found["arbitrage"] == []
    assert len(found["slices"]) == len(option_chain.SMILES)
    assert all(piece["median_error_vol_points"] <= 0.1 for piece in found["slices"])
    assert found["slices"][-1]["quotes"]["crossed"] >= 1


def test_surface__table_and_page__written(chain: str, tmp_path: Path) -> None:
    page = tmp_path / "surface.html"
    result = CliRunner().invoke(app, ["surface", chain, "--html", str(page)])
    assert result.exit_code == 0
    assert "Arbitrage left: none" in result.stdout and "crossed" in result.stdout
    assert "Volatility of BTC" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--at", "soon"], "surface: --at 'soon' is no ISO-8601 time"),
        (["--at", "2020-01-01"], "has no snapshot as early"),
        (["--underlying", "ETH"], "chains: name one of the underlyings BTC"),
    ],
)
def test_surface__bad_option__says_so(chain: str, options: list[str], reason: str) -> None:
    result = CliRunner().invoke(app, ["surface", chain, *options])
    assert result.exit_code != 0
    assert reason in str(result.exception)
