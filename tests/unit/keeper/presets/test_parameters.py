"""Parameter files and what a user's file may change in them."""

import pytest

from keeper.presets.parameters import entry, load_parameters, merge, preset_parameters

PRESETS = ("derive-pm1", "derive-pm2", "derive-srm", "deribit-pm", "deribit-standard", "span")


@pytest.mark.parametrize("name", PRESETS)
def test_load_parameters__published__names_its_source(name: str) -> None:
    assert load_parameters(name) == preset_parameters(name)
    assert load_parameters(name)["source"]


@pytest.mark.parametrize("name", PRESETS)
def test_load_parameters__every_parameter__can_be_overridden(name: str) -> None:
    published = preset_parameters(name)
    assert merge(published, published, name) == published


def test_load_parameters__nested_override__leaves_the_rest() -> None:
    changed = load_parameters("derive-pm2", {"margin": {"long_base_discount": 0.95}})
    published = preset_parameters("derive-pm2")
    assert changed["margin"].pop("long_base_discount") == 0.95
    assert published["margin"].pop("long_base_discount") == 1.05
    assert changed == published


def test_load_parameters__new_entry_of_an_open_table__starts_from_the_default() -> None:
    changed = load_parameters("deribit-standard", {"future": {"XRP": {"initial": 0.05}}})
    default = preset_parameters("deribit-standard")["future"]["*"]
    assert changed["future"]["XRP"] == default | {"initial": 0.05}
    assert entry(changed["future"], "XRP")["initial"] == 0.05
    assert entry(changed["future"], "DOGE") == default


def test_load_parameters__list__is_replaced_whole() -> None:
    scenarios = [{"spot": 1.1, "vol": "up", "dampening": 1}]
    assert load_parameters("derive-pm2", {"scenarios": scenarios})["scenarios"] == scenarios


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"marign": {}}, "derive-pm2 has no parameter 'marign'; it has basis, collateral"),
        ({"margin": {"factor": 1.0}}, r"derive-pm2\.margin has no parameter 'factor'"),
        ({"scenarios": [{"spot": 1.1, "vol": "up"}]}, r"derive-pm2\.scenarios\[0\] lacks dampening"),
    ],
)
def test_load_parameters__unknown_name__error(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(LookupError, match=message):
        load_parameters("derive-pm2", overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"margin": 1.0}, r"derive-pm2\.margin must be a table"),
        ({"scenarios": {}}, r"derive-pm2\.scenarios must be a list"),
        ({"margin": {"initial_factor": "1"}}, r'initial_factor must be of the type of 1\.0, not "1"'),
        ({"margin": {"initial_factor": True}}, r"initial_factor must be of the type of 1\.0, not true"),
        ({"margin": {"initial_factor": None}}, r"initial_factor must be of the type of 1\.0, not null"),
    ],
)
def test_load_parameters__wrong_type__error(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_parameters("derive-pm2", overrides)


def test_preset_parameters__unknown_preset__error() -> None:
    with pytest.raises(LookupError, match="no parameters of 'cboe'"):
        preset_parameters("cboe")
