"""The pause, through the Clearinghouse."""

import boa
import pytest

from tests.support.clearing import GENESIS, PERP, USDC, Deal
from tests.support.house import House, events

DAY = 86_400
LONGEST = 2 * DAY
ZERO = "0x" + "00" * 20


@pytest.fixture
def clearing(contracts):
    with boa.env.anchor():
        boa.env.evm.patch.timestamp = GENESIS
        yield contracts.clearing


@pytest.fixture
def owner(contracts):
    return contracts.owner


@pytest.fixture
def guardian(contracts):
    return contracts.guardian


@pytest.fixture
def stranger():
    return boa.env.generate_address("stranger")


@pytest.fixture
def actors(owner, guardian, stranger):
    return {"owner": owner, "guardian": guardian, "stranger": stranger}


def wait(seconds):
    boa.env.evm.patch.timestamp += seconds


@pytest.mark.parametrize("role", ["owner", "guardian"])
@pytest.mark.parametrize("duration", [1, LONGEST])
def test_pause__owner_or_guardian__is_stored_and_logged(clearing, actors, role, duration):
    actor = actors[role]

    clearing.pause(duration, sender=actor)

    (event,) = events(clearing, "Paused")
    assert (event.actor, event.until) == (actor, GENESIS + duration)
    assert clearing.paused_until() == GENESIS + duration
    assert clearing.guardian_may_pause_from() == (GENESIS + 2 * duration if role == "guardian" else 0)


@pytest.mark.parametrize("role", ["owner", "guardian"])
@pytest.mark.parametrize("duration", [0, LONGEST + 1, 2**256 - 1])
def test_pause__duration_out_of_bounds__reverts(clearing, actors, role, duration):
    with boa.reverts("pausing: bad duration"):
        clearing.pause(duration, sender=actors[role])


def test_pause__stranger__reverts(clearing, stranger):
    with boa.reverts("ownable: caller is not the owner"):
        clearing.pause(DAY, sender=stranger)


def test_pause__increases_wait_until_its_end(contracts, clearing, guardian):
    house = House(contracts)
    maker, taker = house.open("maker", 10_000), house.open("taker", 10_000)
    house.post(house.margin(maker), house.margin(taker))
    deal = Deal(PERP)
    sides = house.easy(maker, deal, taker=False), house.easy(taker, deal)
    clearing.pause(10, sender=guardian)

    wait(9)
    with boa.reverts("pausing: paused"):
        house.trade(deal, maker, taker, *sides)
    wait(1)
    house.trade(deal, maker, taker, *sides)


def test_pause__deposits_go_on(contracts, clearing, guardian):
    house = House(contracts)
    clearing.pause(LONGEST, sender=guardian)

    account = house.open("maker", 10)

    assert house.vault.held(contracts.token.address) == 10 * USDC
    assert house.state(account).cash > 0


def test_pause__guardian__waits_as_long_as_its_last_pause_was(clearing, guardian):
    clearing.pause(DAY, sender=guardian)

    for seconds in (0, DAY, DAY - 1):
        wait(seconds)
        with boa.reverts("pausing: too soon"):
            clearing.pause(1, sender=guardian)
    wait(1)
    clearing.pause(LONGEST, sender=guardian)
    assert clearing.guardian_may_pause_from() == GENESIS + 2 * DAY + 2 * LONGEST


def test_pause__guardian_at_once_after_each_wait__holds_half_of_the_time(clearing, guardian):
    paused = 0
    for duration in (LONGEST, DAY, 1, LONGEST):
        clearing.pause(duration, sender=guardian)
        paused += duration
        boa.env.evm.patch.timestamp = clearing.guardian_may_pause_from()

    assert boa.env.evm.patch.timestamp - GENESIS == 2 * paused


@pytest.mark.parametrize("duration", [DAY, DAY - 1])
def test_pause__guardian_within_the_owners__only_lengthens(clearing, owner, guardian, duration):
    clearing.pause(DAY, sender=owner)

    with boa.reverts("pausing: shorter than the pause"):
        clearing.pause(duration, sender=guardian)
    clearing.pause(DAY + 1, sender=guardian)
    assert clearing.paused_until() == GENESIS + DAY + 1


@pytest.mark.parametrize("duration", [1, LONGEST])
def test_pause__owner__replaces_the_guardians_and_leaves_its_wait(clearing, owner, guardian, duration):
    clearing.pause(DAY, sender=guardian)

    clearing.pause(duration, sender=owner)

    assert clearing.paused_until() == GENESIS + duration
    assert clearing.guardian_may_pause_from() == GENESIS + 2 * DAY


def test_unpause__owner__ends_the_pause_but_not_the_guardians_wait(clearing, owner, guardian):
    clearing.pause(LONGEST, sender=guardian)
    wait(1)

    clearing.unpause(sender=owner)

    (event,) = events(clearing, "Unpaused")
    assert event.actor == owner
    assert clearing.paused_until() == GENESIS + 1
    with boa.reverts("pausing: too soon"):
        clearing.pause(LONGEST, sender=guardian)


@pytest.mark.parametrize("role", ["guardian", "stranger"])
def test_unpause__not_the_owner__reverts(clearing, actors, guardian, role):
    clearing.pause(LONGEST, sender=guardian)

    with boa.reverts("ownable: caller is not the owner"):
        clearing.unpause(sender=actors[role])
    assert clearing.paused_until() == GENESIS + LONGEST


def test_set_guardian__owner__replaces(clearing, owner, guardian, stranger):
    clearing.set_guardian(stranger, sender=owner)

    (event,) = events(clearing, "GuardianSet")
    assert event.guardian == clearing.guardian() == stranger
    with boa.reverts("ownable: caller is not the owner"):
        clearing.pause(DAY, sender=guardian)
    clearing.pause(DAY, sender=stranger)


def test_set_guardian__zero__leaves_the_owner(clearing, owner, guardian):
    clearing.set_guardian(ZERO, sender=owner)

    with boa.reverts("ownable: caller is not the owner"):
        clearing.pause(DAY, sender=guardian)
    clearing.pause(DAY, sender=owner)


@pytest.mark.parametrize("role", ["guardian", "stranger"])
def test_set_guardian__not_the_owner__reverts(clearing, actors, role, stranger):
    with boa.reverts("ownable: caller is not the owner"):
        clearing.set_guardian(stranger, sender=actors[role])
