"""The one deployment recipe: who holds what afterwards, and the record that it writes."""

import json

import pytest

from scripts._artifacts import EXTENSIONS, artifact
from scripts._protocol import DEPLOYED, GUARDED, OWNED, ZERO_ADDRESS, write_record
from tests.support.recipe import GUARDIAN, PARAMETERS, PROPOSER, deployed, deployment_of_the_module  # noqa: F401

ROLES = ("DEFAULT_ADMIN_ROLE", "PROPOSER_ROLE", "CANCELLER_ROLE", "EXECUTOR_ROLE")


@pytest.fixture(scope="module")
def timelock():
    backend, deployment = deployed()
    return backend.at(deployment["Timelock"])


@pytest.mark.parametrize("name", OWNED)
def test_deploy__owned_contract__belongs_to_the_timelock(name, timelock):
    backend, deployment = deployed()
    assert backend.call(deployment[name], "owner") == timelock.address


def test_owned__every_contract_with_an_owner__is_handed_over():
    owned = {name for name in DEPLOYED if any(item.get("name") == "owner" for item in artifact(name).abi)}
    # an extension called directly has an owner in storage that nobody reads
    assert owned - set(EXTENSIONS.values()) == set(OWNED)


@pytest.mark.parametrize("role", ROLES)
def test_deploy__deployer__has_no_role_in_the_timelock(role, timelock):
    backend, _ = deployed()
    assert not timelock.hasRole(getattr(timelock, role)(), backend.deployer)


def test_deploy__timelock__administers_itself_for_its_proposers(timelock):
    assert timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), timelock.address)
    assert timelock.hasRole(timelock.PROPOSER_ROLE(), PROPOSER)
    assert timelock.hasRole(timelock.EXECUTOR_ROLE(), ZERO_ADDRESS)
    assert timelock.get_minimum_delay() == PARAMETERS.minimum_delay


@pytest.mark.parametrize("name", GUARDED)
def test_deploy__guardian__is_the_one_named(name):
    backend, deployment = deployed()
    assert backend.call(deployment[name], "guardian") == GUARDIAN


def test_deploy__wired__exchange_is_the_module_and_everything_is_listed():
    backend, deployment = deployed()
    assert backend.call(deployment["Clearinghouse"], "modules", deployment.address("Exchange"))
    count = len(PARAMETERS.underlyings)
    assert backend.call(deployment["Markets"], "underlying_count") == count
    assert backend.call(deployment["RiskOracle"], "underlying_count") == count
    assert backend.call(deployment["RiskOracle"], "is_registered", PARAMETERS.methodology_hash)


def test_write_record__deployed__says_what_a_verifier_needs(tmp_path):
    _, deployment = deployed()
    path = write_record(deployment, 31_337, 5, tmp_path)
    record = json.loads(path.read_text())
    assert path == tmp_path / "31337.json"
    assert (record["chain_id"], record["block"]) == (31_337, 5)
    assert record["contracts"].keys() == record["integrity"].keys() == {*DEPLOYED, "MockToken"}
    for name, contract in record["contracts"].items():
        constructor = [item for item in contract["abi"] if item["type"] == "constructor"]
        inputs = constructor[0]["inputs"] if constructor else []
        assert contract["address"] == deployment.address(name)
        assert len(contract["arguments"]) == len(inputs)
        assert len(bytes.fromhex(record["integrity"][name])) == 32
        standard_json = json.loads((tmp_path / "31337" / f"{name}.json").read_text())
        assert standard_json["language"] == "Vyper"
        assert any(source.endswith(f"{name}.vy") for source in standard_json["sources"])
