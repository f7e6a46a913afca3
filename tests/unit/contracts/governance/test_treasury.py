"""Fees on their way: to the stakers of the insurance fund, to the pot of the bounties, to the reserve."""

import boa
import pytest

from tests.support.clearing import CALL, WAD, Deal, source
from tests.support.house import House, events
from tests.unit.contracts.governance.conftest import DAY, POT, USDC

RETURNS_FALSE = 2  # a mode of MockHostileToken
WEEK = 7 * DAY
FEES = 1_000  # dollars of one trade
ZERO = "0x" + "00" * 20
NOT_OWNER = "ownable: caller is not the owner"


@pytest.fixture
def house(office):
    """A house of accounts on the same contracts, with stakers in the fund."""
    house = House(office.hall.on)
    office.hall.stake(10_000)
    return house


def earn(house, dollars=FEES):
    """A trade that pays this much in fees."""
    maker, taker = house.open(f"maker {dollars}", 50_000), house.open(f"taker {dollars}", 50_000)
    house.post()
    deal = Deal(CALL, WAD, 100 * WAD, (dollars * WAD // 4, dollars * WAD * 3 // 4), counted=False)
    house.hold(maker, taker, deal)


def fund(office):
    return office.earned(office.hall.on.fund.address)


def test_distribute__fees__are_collected_and_split(office, house):
    earn(house)
    assert house.clearing.fees() == FEES * WAD
    treasury, before = office.treasury, fund(office)

    treasury.distribute(sender=office.rival)

    (event,) = events(treasury, "FeesSplit")
    assert (event.collected, event.fund) == (FEES * USDC, 400 * USDC)
    assert event.bounties == 50 * USDC  # a tenth, but the pot takes no more than 150 in all
    assert event.reserve == treasury.reserve() == 550 * USDC
    assert office.earned(office.bounties.address) == POT + 50 * USDC
    assert house.clearing.fees() == 0
    assert fund(office) == before
    stream = treasury.stream()
    assert stream.remaining == 400 * USDC
    assert (stream.updated, stream.ends - stream.updated) == (boa.env.evm.patch.timestamp, WEEK)
    assert event.seq == treasury.seq() == 3


def test_distribute__pot_is_full__its_part_stays_in_the_reserve(office, house):
    office.token.mint(office.bounties.address, 50 * USDC)
    earn(house)
    office.treasury.distribute()
    assert office.earned(office.bounties.address) == 150 * USDC
    assert office.treasury.reserve() == 600 * USDC


def test_distribute__over_a_week__reaches_the_fund_evenly(office, house):
    earn(house)
    office.treasury.distribute()
    before = fund(office)
    for day in range(1, 8):
        boa.env.evm.patch.timestamp += DAY
        office.treasury.distribute(sender=office.rival)
        (event,) = events(office.treasury, "FundPaid")
        assert event.fund == office.hall.on.fund.address
        assert fund(office) - before == pytest.approx(400 * USDC * day // 7, abs=1)
    assert fund(office) - before == 400 * USDC
    assert office.treasury.stream().remaining == 0

    boa.env.evm.patch.timestamp += WEEK
    office.treasury.distribute()
    assert fund(office) - before == 400 * USDC


def test_distribute__any_number_of_times__pays_the_same(office, house):
    """Who calls often neither hastens nor delays what the fund gets."""
    earn(house)
    office.treasury.distribute()
    before, ends = fund(office), office.treasury.stream().ends
    for _ in range(50):
        boa.env.evm.patch.timestamp += 3 * DAY // 50
        office.treasury.distribute(sender=office.rival)
    often = fund(office) - before
    elapsed = boa.env.evm.patch.timestamp - (ends - WEEK)
    assert often == pytest.approx(400 * USDC * elapsed / WEEK, abs=50)
    assert office.treasury.stream().ends == ends


def test_distribute__dust_again_and_again__hardly_delays_the_fund(office, house):
    earn(house)
    office.treasury.distribute()
    ends = office.treasury.stream().ends
    boa.env.evm.patch.timestamp += DAY
    earn(house, 1)
    office.treasury.distribute()
    assert 0 <= office.treasury.stream().ends - ends <= DAY // 100


def test_distribute__staked_just_before__gains_next_to_nothing(office, house):
    """The attack that the stream is for: a large stake a moment before would take most of the fees."""
    earn(house)
    token, shares = office.token, office.hall.on.fund
    stake = 1_000_000 * USDC
    token.mint(office.rival, stake)
    token.approve(shares.address, stake, sender=office.rival)
    shares.deposit(stake, office.rival, sender=office.rival)
    office.treasury.distribute()
    boa.env.evm.patch.timestamp += 60
    office.treasury.distribute()

    gained = shares.convertToAssets(shares.balanceOf(office.rival)) - stake
    assert gained <= 400 * USDC * 60 // WEEK


def test_distribute__nothing_to_do__changes_nothing(office, house):
    seq = office.treasury.seq()
    office.treasury.distribute()
    assert office.treasury.seq() == seq


def test_distribute__less_than_a_unit_of_fees__stays(office, house):
    maker, taker = house.open("maker", 50_000), house.open("taker", 50_000)
    house.post()
    house.hold(maker, taker, Deal(CALL, WAD, 100 * WAD, (0, 10**12 - 1), counted=False))
    office.treasury.distribute()
    assert house.clearing.fees() == 10**12 - 1


def test_spend__owner__no_more_than_the_reserve(office, house):
    earn(house)
    office.treasury.distribute()
    token = office.token.address
    with boa.reverts("treasury: more than the reserve"):
        office.treasury.spend(token, office.rival, 550 * USDC + 1, sender=office.owner)

    office.treasury.spend(token, office.rival, 550 * USDC, sender=office.owner)

    (event,) = events(office.treasury, "Spent")
    assert (event.token, event.recipient, event.amount) == (token, office.rival, 550 * USDC)
    assert office.earned(office.rival) == 550 * USDC
    assert office.treasury.reserve() == 0
    assert office.earned(office.treasury.address) == office.treasury.stream().remaining


def test_spend__another_token__all_of_it(office):
    stray = source("mocks/MockToken").deploy(18)
    stray.mint(office.treasury.address, 5)
    office.treasury.spend(stray.address, office.rival, 5, sender=office.owner)
    assert stray.balanceOf(office.rival) == 5


def test_spend__token_says_no__reverts(office):
    stray = source("mocks/MockHostileToken").deploy(18)
    stray.mint(office.treasury.address, 5)
    stray.set_mode(RETURNS_FALSE)
    with boa.reverts("treasury: transfer failed"):
        office.treasury.spend(stray.address, office.rival, 5, sender=office.owner)


@pytest.mark.parametrize(
    ("recipient", "amount", "reason"),
    [(ZERO, 1, "treasury: zero recipient"), ("0x" + "11" * 20, 0, "treasury: zero amount")],
)
def test_spend__bad_argument__reverts(office, recipient, amount, reason):
    with boa.reverts(reason):
        office.treasury.spend(office.token.address, recipient, amount, sender=office.owner)


@pytest.mark.parametrize("split", [(10_000, 0, 0), (0, 10_000, 10**6 * USDC), (0, 0, 0), (5_000, 5_000, 1)])
def test_set_split__in_range__is_stored_and_logged(office, split):
    office.treasury.set_split(split, sender=office.owner)
    (event,) = events(office.treasury, "SplitSet")
    assert tuple(event.split) == tuple(office.treasury.split()) == split


@pytest.mark.parametrize(
    ("split", "reason"),
    [
        ((5_000, 5_001, 0), "treasury: shares above 1"),
        ((2**16 - 1, 0, 0), "treasury: shares above 1"),
        ((0, 0, 10**6 * USDC + 1), "treasury: pot too large"),
    ],
)
def test_set_split__out_of_range__reverts(office, split, reason):
    with boa.reverts(reason):
        office.treasury.set_split(split, sender=office.owner)


def test_set_bounties__contract__is_stored_and_logged(office):
    office.treasury.set_bounties(office.token.address, sender=office.owner)
    (event,) = events(office.treasury, "BountiesSet")
    assert event.bounties == office.treasury.bounties() == office.token.address


def test_set_bounties__no_contract__reverts(office):
    with boa.reverts("treasury: bounties is no contract"):
        office.treasury.set_bounties(office.rival, sender=office.owner)


def test_owner__stranger__may_set_and_spend_nothing(office):
    treasury = office.treasury
    with boa.reverts(NOT_OWNER):
        treasury.set_split((0, 0, 0), sender=office.rival)
    with boa.reverts(NOT_OWNER):
        treasury.set_bounties(office.token.address, sender=office.rival)
    with boa.reverts(NOT_OWNER):
        treasury.spend(office.token.address, office.rival, 1, sender=office.rival)
