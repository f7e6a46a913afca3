"""Configuration: everything wrong is said at once."""

from pathlib import Path

import pytest

from keeper.app.config import ConfigError, load

GOOD = """
[keeper]
roles = ["attester"]
keystore = "keystore.json"
password_file = "password.txt"
[chain]
rpc = "http://127.0.0.1:8545"
deployment = "31337.json"
[source]
venues = ["binance"]
[api]
port = 8601
"""


def test_load__good__paths_are_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "plimsoll.toml"
    path.write_text(GOOD)
    config = load(path)
    assert config.keeper.keystore == tmp_path / "keystore.json"
    assert config.chain.deployment == tmp_path / "31337.json"
    assert config.keeper.database == f"sqlite:///{tmp_path}/keeper.sqlite"


def test_load__several_faults__all_named(tmp_path: Path) -> None:
    path = tmp_path / "plimsoll.toml"
    path.write_text(GOOD.replace("8601", "99999").replace("[source]", "[source]\nvenus = 1"))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert "api.port" in str(caught.value) and "source.venus" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"attester"', '"attester", "proposer"', "process of its own"),
        ('keystore = "keystore.json"', "", "keeper: name a keystore"),
        ("http://", "ftp://", "chain.rpc"),
        ('roles = ["attester"]', "roles = [", "not TOML"),
        ('"attester"', '"liquidator"', "liquidator.account"),
        ('"attester"', '"liquidator"', "liquidator.keepers"),
    ],
)
def test_load__cross_faults__refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = tmp_path / "plimsoll.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=reason):
        load(path)


def test_load__missing_file__one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "absent.toml")


def test_load__liquidator__return_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "plimsoll.toml"
    path.write_text(GOOD.replace('"attester"', '"attester", "liquidator"') + "[liquidator]\naccount = 5\n")
    config = load(path)
    assert (config.liquidator.account, config.needs_key) == (5, True)
    assert config.liquidator.minimum_return_wad == 3 * 10**16
