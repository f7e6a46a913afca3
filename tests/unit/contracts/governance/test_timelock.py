"""A parameter of the Vault changes through the Timelock, after its delay."""

import boa
import pytest

from tests.support.clearing import OUTFLOW_SHARE, WAD, deploy, source

DELAY = 2 * 86_400
SHARE = WAD // 10
NONE = bytes(32)
ZERO = "0x" + "00" * 20
PROPOSER, STRANGER = (boa.env.generate_address(name) for name in ("proposer", "stranger"))
REFUSED = "access_control: account is missing role"
NOT_READY = "timelock_controller: operation is not ready"


@pytest.fixture(scope="module")
def deployed():
    """The Vault, handed over to a Timelock through which anyone executes what is due."""
    with boa.env.anchor():
        contracts = deploy()
        timelock = source("governance/Timelock").deploy(DELAY, [PROPOSER], [ZERO])
        contracts.vault.transfer_ownership(timelock.address, sender=contracts.owner)
        yield contracts, timelock


@pytest.fixture
def contracts(deployed):
    with boa.env.anchor():
        yield deployed[0]


@pytest.fixture
def vault(contracts):
    return contracts.vault


@pytest.fixture
def timelock(contracts, deployed):
    return deployed[1]


@pytest.fixture
def change(vault):
    """set_outflow_share as `execute` takes it."""
    return vault.address, 0, vault.set_outflow_share.prepare_calldata(SHARE), NONE, NONE


def share(contracts):
    return contracts.vault.outflow(contracts.token.address).share


def test_execute__after_the_delay__changes_the_parameter(contracts, timelock, change):
    timelock.schedule(*change, DELAY, sender=PROPOSER)
    assert timelock.get_timestamp(timelock.hash_operation(*change)) == boa.env.evm.patch.timestamp + DELAY

    boa.env.evm.patch.timestamp += DELAY - 1
    with boa.reverts(NOT_READY):
        timelock.execute(*change, sender=STRANGER)
    assert share(contracts) == OUTFLOW_SHARE
    boa.env.evm.patch.timestamp += 1
    timelock.execute(*change, sender=STRANGER)

    assert share(contracts) == SHARE
    assert timelock.is_operation_done(timelock.hash_operation(*change))
    with boa.reverts(NOT_READY):
        timelock.execute(*change, sender=STRANGER)


def test_execute__never_scheduled__reverts(contracts, timelock, change):
    boa.env.evm.patch.timestamp += DELAY

    with boa.reverts(NOT_READY):
        timelock.execute(*change, sender=PROPOSER)
    assert share(contracts) == OUTFLOW_SHARE


def test_schedule__shorter_delay__reverts(timelock, change):
    with boa.reverts("timelock_controller: insufficient delay"):
        timelock.schedule(*change, DELAY - 1, sender=PROPOSER)


def test_schedule__stranger__reverts(timelock, change):
    with boa.reverts(REFUSED):
        timelock.schedule(*change, DELAY, sender=STRANGER)


def test_cancel__proposer__stops_what_is_scheduled(contracts, timelock, change):
    timelock.schedule(*change, DELAY, sender=PROPOSER)
    identifier = timelock.hash_operation(*change)
    with boa.reverts(REFUSED):
        timelock.cancel(identifier, sender=STRANGER)

    timelock.cancel(identifier, sender=PROPOSER)

    boa.env.evm.patch.timestamp += DELAY
    with boa.reverts(NOT_READY):
        timelock.execute(*change, sender=PROPOSER)
    assert share(contracts) == OUTFLOW_SHARE


def test_set_outflow_share__past_the_timelock__reverts(contracts, vault):
    for caller in (contracts.owner, contracts.guardian, PROPOSER, STRANGER):
        with boa.reverts("ownable: caller is not the owner"):
            vault.set_outflow_share(SHARE, sender=caller)


def test_update_delay__only_through_the_timelock_itself(timelock):
    with boa.reverts("timelock_controller: caller must be timelock"):
        timelock.update_delay(0, sender=PROPOSER)
    change = timelock.address, 0, timelock.update_delay.prepare_calldata(1), NONE, NONE
    timelock.schedule(*change, DELAY, sender=PROPOSER)
    boa.env.evm.patch.timestamp += DELAY

    timelock.execute(*change, sender=STRANGER)

    assert timelock.get_minimum_delay() == 1


def test_roles__deployer_and_proposer__administer_nothing(timelock):
    role = timelock.PROPOSER_ROLE()
    for caller in (boa.env.eoa, PROPOSER):
        assert not timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), caller)
        with boa.reverts(REFUSED):
            timelock.grantRole(role, STRANGER, sender=caller)


def test_deploy__without_a_proposer__reverts():
    with boa.env.anchor(), boa.reverts("timelock: no proposer"):
        source("governance/Timelock").deploy(DELAY, [], [ZERO])
