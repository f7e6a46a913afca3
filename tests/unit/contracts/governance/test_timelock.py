"""A parameter of the Vault changes through the Timelock, after its delay and not long after."""

import boa
import pytest

from tests.support.clearing import OUTFLOW_SHARE, WAD, deploy, source
from tests.support.house import events

DAY = 86_400
EXIT_WINDOW = 3 * DAY
DELAY = 4 * DAY
GRACE = 14 * DAY
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
        timelock = source("governance/Timelock").deploy(EXIT_WINDOW, DELAY, [PROPOSER], [ZERO])
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


def test_execute__last_second_of_the_grace_period__changes_the_parameter(contracts, timelock, change):
    timelock.schedule(*change, DELAY, sender=PROPOSER)
    assert timelock.GRACE_PERIOD() == GRACE
    boa.env.evm.patch.timestamp += DELAY + GRACE

    timelock.execute(*change, sender=STRANGER)

    assert share(contracts) == SHARE


def test_execute__after_the_grace_period__has_lapsed_until_scheduled_anew(contracts, timelock, change):
    timelock.schedule(*change, DELAY, sender=PROPOSER)
    boa.env.evm.patch.timestamp += DELAY + GRACE + 1

    with boa.reverts("timelock: operation has lapsed"):
        timelock.execute(*change, sender=STRANGER)
    with boa.reverts("timelock: operation has lapsed"):
        timelock.execute_batch(*as_batch(timelock, change), sender=STRANGER)
    assert share(contracts) == OUTFLOW_SHARE

    timelock.cancel(timelock.hash_operation(*change), sender=PROPOSER)
    timelock.schedule(*change, DELAY, sender=PROPOSER)
    boa.env.evm.patch.timestamp += DELAY
    timelock.execute(*change, sender=STRANGER)
    assert share(contracts) == SHARE


def as_batch(timelock, change):
    """The call as a batch of one, scheduled long ago."""
    target, amount, payload, predecessor, salt = change
    batch = [target], [amount], [payload], predecessor, salt
    now = boa.env.evm.patch.timestamp
    boa.env.evm.patch.timestamp = now - DELAY - GRACE - 1
    timelock.schedule_batch(*batch, DELAY, sender=PROPOSER)
    boa.env.evm.patch.timestamp = now
    return batch


def test_execute_batch__due__makes_all_calls_in_order_and_logs_each(contracts, timelock, vault):
    payloads = [vault.set_outflow_share.prepare_calldata(s) for s in (SHARE, 2 * SHARE)]
    batch = [vault.address] * 2, [0, 0], payloads, NONE, NONE
    timelock.schedule_batch(*batch, DELAY, sender=PROPOSER)
    boa.env.evm.patch.timestamp += DELAY

    timelock.execute_batch(*batch, sender=STRANGER)

    assert share(contracts) == 2 * SHARE
    made = events(timelock, "CallExecuted")
    expected = [(i, vault.address, payload) for i, payload in enumerate(payloads)]
    assert [(e.index, e.target, e.payload) for e in made] == expected
    assert timelock.is_operation_done(timelock.hash_operation_batch(*batch))


def test_execute_batch__one_call_reverts__none_is_made(contracts, timelock, vault):
    payloads = [vault.set_outflow_share.prepare_calldata(s) for s in (SHARE, 0)]
    batch = [vault.address] * 2, [0, 0], payloads, NONE, NONE
    timelock.schedule_batch(*batch, DELAY, sender=PROPOSER)
    boa.env.evm.patch.timestamp += DELAY

    with boa.reverts("custody: bad outflow share"):
        timelock.execute_batch(*batch, sender=STRANGER)
    assert share(contracts) == OUTFLOW_SHARE


def test_execute_batch__lengths_differ__reverts(timelock, vault):
    with boa.reverts("timelock: length mismatch"):
        timelock.execute_batch([vault.address], [], [b""], NONE, NONE)
    with boa.reverts("timelock: length mismatch"):
        timelock.execute_batch([vault.address], [0], [], NONE, NONE)


def test_execute__named_executor__nobody_else(contracts, change):
    timelock = source("governance/Timelock").deploy(EXIT_WINDOW, DELAY, [PROPOSER], [PROPOSER])
    contracts.vault.transfer_ownership(timelock.address, sender=contracts.vault.owner())
    timelock.schedule(*change, DELAY, sender=PROPOSER)
    boa.env.evm.patch.timestamp += DELAY

    with boa.reverts(REFUSED):
        timelock.execute(*change, sender=STRANGER)
    with boa.reverts(REFUSED):
        timelock.execute_batch([change[0]], [0], [change[2]], NONE, NONE, sender=STRANGER)
    timelock.execute(*change, sender=PROPOSER)
    assert share(contracts) == SHARE


@pytest.mark.parametrize("delay", [EXIT_WINDOW, 90 * DAY])
def test_update_delay__within_its_bounds__is_set_by_the_timelock_itself(timelock, delay):
    with boa.reverts("timelock: not the timelock"):
        timelock.update_delay(delay, sender=PROPOSER)

    update_delay(timelock, delay)

    (event,) = events(timelock, "MinimumDelayChange")
    assert (event.old_duration, event.new_duration) == (DELAY, delay)
    assert timelock.get_minimum_delay() == delay


@pytest.mark.parametrize(
    ("delay", "reason"),
    [
        (EXIT_WINDOW - 1, "timelock: delay below the exit window"),
        (0, "timelock: delay below the exit window"),
        (90 * DAY + 1, "timelock: delay above 90 days"),
    ],
)
def test_update_delay__out_of_bounds__reverts(timelock, delay, reason):
    with boa.reverts(reason):
        update_delay(timelock, delay)
    assert timelock.get_minimum_delay() == DELAY


def update_delay(timelock, delay):
    """By the whole way: scheduled, due, executed."""
    change = timelock.address, 0, timelock.update_delay.prepare_calldata(delay), NONE, NONE
    timelock.schedule(*change, DELAY, sender=PROPOSER)
    boa.env.evm.patch.timestamp += DELAY
    timelock.execute(*change, sender=STRANGER)


def test_roles__deployer_and_proposer__administer_nothing(timelock):
    role = timelock.PROPOSER_ROLE()
    for caller in (boa.env.eoa, PROPOSER):
        assert not timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), caller)
        with boa.reverts(REFUSED):
            timelock.grantRole(role, STRANGER, sender=caller)


@pytest.mark.parametrize(
    ("window", "delay", "proposers", "executors", "reason"),
    [
        (0, DELAY, [PROPOSER], [ZERO], "timelock: bad exit window"),
        (30 * DAY + 1, 90 * DAY, [PROPOSER], [ZERO], "timelock: bad exit window"),
        (EXIT_WINDOW, EXIT_WINDOW - 1, [PROPOSER], [ZERO], "timelock: delay below the exit window"),
        (EXIT_WINDOW, 90 * DAY + 1, [PROPOSER], [ZERO], "timelock: delay above 90 days"),
        (EXIT_WINDOW, DELAY, [], [ZERO], "timelock: no proposer"),
        (EXIT_WINDOW, DELAY, [PROPOSER], [], "timelock: no executor"),
    ],
)
def test_deploy__bad_argument__reverts(window, delay, proposers, executors, reason):
    with boa.env.anchor(), boa.reverts(reason):
        source("governance/Timelock").deploy(window, delay, proposers, executors)
