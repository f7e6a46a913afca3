"""All models by name, with parameters of one's own, and what they say binds."""

from importlib.resources import files
from pathlib import Path

import pytest

from keeper.portfolio.files import load_market, load_portfolio
from keeper.presets import registry
from keeper.presets.binding import binding_text

EXAMPLES = Path(str(files("keeper.portfolio"))) / "examples"


@pytest.mark.parametrize("name", registry.NAMES)
def test_model__each_on_the_example__sensible_margins(name: str) -> None:
    portfolio, market = load_portfolio(EXAMPLES / "portfolio.toml"), load_market(EXAMPLES / "market.toml")
    found = registry.model(name).evaluate(portfolio, market)
    assert found.model == name
    assert 0.0 < found.maintenance <= found.initial
    assert found.equity == pytest.approx(120_670.0, abs=50.0)
    if name != "deribit-standard":
        assert binding_text(found)


def test_model__unknown__lists_those_there_are() -> None:
    with pytest.raises(LookupError, match="no model 'cme'; there are plimsoll, "):
        registry.model("cme")


def test_overrides_of__files__one_table_per_model_or_one_model(tmp_path: Path) -> None:
    both, one = tmp_path / "both.toml", tmp_path / "one.json"
    both.write_text("[plimsoll.roll]\nflat_ppm = 7000\n[derive-pm2.margin]\ninitial_factor = 2.0\n")
    one.write_text('{"roll": {"flat_ppm": 9000}}')
    assert registry.overrides_of([str(both)])["plimsoll"] == {"roll": {"flat_ppm": 7000}}
    assert registry.overrides_of([str(both), f"plimsoll={one}"])["plimsoll"] == {"roll": {"flat_ppm": 9000}}
    parameters = registry.model("plimsoll", {"roll": {"flat_ppm": 9000}}).parameters
    assert parameters["roll"] == {"flat_ppm": 9000, "per_year_ppm": 50_000}


def test_overrides_of__wrong_files__one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[cme]\nx = 1\n")
    with pytest.raises(LookupError, match="no model 'cme'"):
        registry.overrides_of([str(path)])
    path.write_text("plimsoll = 1\n")
    with pytest.raises(ValueError, match="must be a table"):
        registry.overrides_of([str(path)])
