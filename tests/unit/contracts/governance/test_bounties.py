"""What is paid, what is not, and that nobody earns by work that nobody needed."""

from dataclasses import replace

import boa
import pytest

from scripts._protocol import DebtTerms
from tests.support.auctions import CALL, EXPIRY, PUT, USD8, USDC, WAD, events, put, unit
from tests.support.clearing import source
from tests.support.house import INSTRUMENTS
from tests.unit.contracts.governance.conftest import (
    BOUNTIES,
    DAY,
    DEBT,
    EPOCH,
    FLAG,
    FUNDING,
    POT,
    REWARD,
    SETTLE,
    SETTLEMENT,
    replace_on,
)
from tests.unit.contracts.liquidation.conftest import LATER, SPOT, STRIKE

RETURNS_FALSE = 2  # a mode of MockHostileToken
ZERO = "0x" + "00" * 20
NOT_OWNER = "ownable: caller is not the owner"
TOO_LITTLE = "bounties: not worth a reward"


def paid(office):
    """Everything that left the pot."""
    return POT - office.earned(office.bounties.address)


# Epochs


def test_post_epoch__after_the_distance__pays_who_posts(office):
    office.hall.open("somebody", 1)
    with boa.env.prank(office.keeper):
        office.paid_hall().post(seconds=60)

    (event,) = events(office.bounties, "BountyPaid")
    assert (event.kind, event.caller, event.reward) == (EPOCH, office.keeper, REWARD)
    assert event.seq == office.bounties.seq() == len(BOUNTIES) + 1
    assert office.earned(office.keeper) == REWARD
    assert office.bounties.paid_today(EPOCH) == 1
    assert office.hall.on.oracle.header().number == 1


def test_post_epoch__sooner__is_refused_and_free_at_the_oracle(office):
    hall = office.hall
    hall.open("somebody", 1)
    hall.post()
    with boa.reverts(TOO_LITTLE):
        office.paid_hall().post(seconds=59)
    assert paid(office) == 0

    hall.post(seconds=1)
    assert hall.on.oracle.header().number == 2


def test_post_epoch__others_post_for_nothing__nothing_to_earn(office):
    """The distance is to the latest epoch, whoever posted it: who works for nothing ends the bounty."""
    hall = office.hall
    hall.open("somebody", 1)
    for _ in range(3):
        hall.post(seconds=59)
        with boa.reverts(TOO_LITTLE):
            replace_on(hall, oracle=office.bounties).post(seconds=59)
    assert paid(office) == 0


def test_post_epoch__copied_in_the_mempool__is_paid_once(office):
    hall = office.hall
    hall.open("somebody", 1)
    copy = replace_on(hall, oracle=office.bounties)
    patch = boa.env.evm.patch
    stamp, number = patch.timestamp, patch.block_number
    with boa.env.prank(office.rival):
        office.paid_hall().post(seconds=60)
    patch.timestamp, patch.block_number = stamp, number
    with boa.env.prank(office.keeper), boa.reverts():
        copy.post(seconds=60)
    assert (office.earned(office.rival), office.earned(office.keeper)) == (REWARD, 0)


# Settlement prices


def test_finalize_settlement__listed_expiry__pays_once(office):
    office.hall.open("somebody", 1)
    office.expire()

    office.bounties.finalize_settlement(1, EXPIRY, sender=office.keeper)

    assert office.hall.on.oracle.settlement_price(1, EXPIRY) == 2_040 * USD8
    assert office.earned(office.keeper) == REWARD
    with boa.reverts("oracle: already final"):
        office.bounties.finalize_settlement(1, EXPIRY, sender=office.rival)
    assert paid(office) == REWARD


@pytest.mark.parametrize(("underlying", "expiry"), [(1, EXPIRY - 300), (2, EXPIRY), (1, 0)])
def test_finalize_settlement__not_listed__is_refused(office, underlying, expiry):
    """The oracle fixes a price for every five minutes: without listing, 288 rewards a day for nothing."""
    office.hall.open("somebody", 1)
    office.expire()
    with boa.reverts("bounties: expiry not listed"):
        office.bounties.finalize_settlement(underlying, expiry, sender=office.keeper)


# Settling


def test_settle__worth_it__closes_the_legs_and_pays(office, seller):
    office.expire()
    office.hall.on.oracle.finalize_settlement(1, EXPIRY)

    office.bounties.settle(seller, [CALL, PUT], sender=office.keeper)

    assert office.hall.on.clearing.account(seller).legCount == 0
    assert office.earned(office.keeper) == REWARD
    with boa.reverts(TOO_LITTLE):
        office.bounties.settle(seller, [], sender=office.rival)


def test_settle__before_the_price_is_final__is_refused(office, seller):
    office.expire()
    with boa.reverts(TOO_LITTLE):
        office.bounties.settle(seller, [CALL, PUT], sender=office.keeper)


def test_settle__legs_that_live__do_not_count(office, seller):
    office.hall.post()
    with boa.reverts(TOO_LITTLE):
        office.bounties.settle(seller, [CALL, PUT], sender=office.keeper)


@pytest.mark.parametrize(
    ("dollars", "is_paid"), [(2_001, False), (2_002, True), (1_998, True), (1_999, False)]
)
def test_settle__value_of_the_legs__decides(office, seller, dollars, is_paid):
    """Ten legs of 2 dollars are worth the 20 that a reward takes; dust settles unpaid."""
    office.expire(dollars)
    office.hall.on.oracle.finalize_settlement(1, EXPIRY)
    if is_paid:
        office.bounties.settle(seller, [CALL, PUT], sender=office.keeper)
        assert office.earned(office.keeper) == REWARD
        return
    with boa.reverts(TOO_LITTLE):
        office.bounties.settle(seller, [CALL, PUT], sender=office.keeper)
    office.hall.on.clearing.settle(seller, [CALL, PUT], sender=office.keeper)
    assert paid(office) == 0


def test_settle__put_far_in_the_money__counts_no_more_than_its_notional(office):
    """Its fees were a share of the notional: by its payoff, a high strike would be worth farming."""
    hall, deep = office.hall, put(5_000)
    holder, writer = hall.open("holder", 10_000), hall.open("writer", 100_000)
    size = WAD // 100
    hall.hold(holder, writer, {deep: size})
    office.expire(1_990)
    hall.on.oracle.finalize_settlement(1, EXPIRY)
    effective = hall.on.oracle.settlement_price(1, EXPIRY) // USD8
    worth = size * min(5_000 - effective, effective)
    assert 5_000 - effective > effective
    with boa.env.prank(office.owner):
        office.bounties.set_bounty(SETTLE, (1, 3, worth + 1))
        with boa.reverts(TOO_LITTLE):
            office.bounties.settle(holder, [deep])
        office.bounties.set_bounty(SETTLE, (1, 3, worth))
        office.bounties.settle(holder, [deep])


def test_settle__wash_traded_legs__cost_more_in_fees_than_they_earn(office):
    """Whoever trades with himself pays a basis point of the notional or more, and settles it twice."""
    reward, _, minimum = BOUNTIES[SETTLE]
    fees = minimum // 10_000
    assert 2 * reward * 10**12 <= fees
    assert minimum == office.bounties.WASH_SETTLE() * reward * 10**12


# Flags


def fallen(office, seller):
    """Equity 2,000 of a maintenance margin of 2,100 by the latest epoch."""
    hall = office.hall
    hall.post(hall.margin(seller, initial_margin=2_500 * WAD, maintenance_margin=2_100 * WAD))


def test_flag__below_maintenance_margin__pays(office, seller):
    fallen(office, seller)
    with boa.env.prank(office.keeper):
        office.paid_hall().flag(seller, office.hall.claim(seller))

    assert office.hall.auction(seller).maintenanceMargin >= 1_000 * WAD
    assert office.earned(office.keeper) == REWARD


def test_flag__small_account__is_free_only(office, seller):
    fallen(office, seller)
    with boa.env.prank(office.owner):
        office.bounties.set_bounty(FLAG, (REWARD, 3, 10_000 * WAD))
    with boa.reverts(TOO_LITTLE):
        office.bounties.flag(seller, office.hall.claim(seller), sender=office.keeper)
    assert office.hall.auction(seller).epoch == 0
    office.hall.flag(seller)


def test_flag__healthy_account__is_refused_by_the_house(office, seller):
    office.hall.post()
    with boa.reverts("auction: not below maintenance margin"):
        office.bounties.flag(seller, office.hall.claim(seller), sender=office.keeper)
    assert paid(office) == 0


def test_flag__flagged_and_topped_up_again_and_again__is_paid_once_in_thirty_days(office, seller):
    """An owner could flag, top up and recover in one transaction, whenever the market falls."""
    hall = office.hall
    fallen(office, seller)
    office.bounties.flag(seller, hall.claim(seller), sender=office.keeper)
    hall.deposit(seller, 5_000)
    hall.update(seller)
    assert hall.auction(seller).epoch == 0
    for seconds in (60, 29 * DAY):
        boa.env.evm.patch.timestamp += seconds
        with boa.reverts("bounties: flagged not long ago"):
            office.bounties.flag(seller, b"", sender=office.keeper)
    boa.env.evm.patch.timestamp += DAY
    with boa.reverts():  # the house looks at the claim again
        office.bounties.flag(seller, b"", sender=office.keeper)
    assert paid(office) == REWARD


# Debts and funding


@pytest.fixture
def debtor(office):
    """Owes 2,000 USD against 1.5 ether at 10 % a year, noted once."""
    hall = office.hall
    debtor, other = hall.open("debtor"), hall.open("lender", 100_000)
    hall.deposit_ether(debtor, 15 * WAD // 10)
    hall.hold(debtor, other, {STRIKE: -10 * WAD})
    hall.wait(EXPIRY + DAY - boa.env.evm.patch.timestamp)
    hall.post(units=[unit(STRIKE)], spot=SPOT * USD8)
    hall.on.oracle.finalize_settlement(1, EXPIRY)
    hall.on.clearing.settle(debtor, [STRIKE])
    hall.move(debtor, STRIKE, 10 * WAD)
    assert hall.cash(debtor) == -2_000 * WAD
    hall.on.sale.set_terms(DebtTerms().values(), sender=office.owner)
    hall.on.sale.note_debt(debtor, [])
    return debtor


def later(office, seconds):
    office.hall.post(units=[unit(LATER)], spot=SPOT * USD8, seconds=seconds)


def test_note_debt__brings_fees_worth_it__pays(office, debtor):
    before = office.hall.on.clearing.fees()
    later(office, 2 * DAY)  # 2,000 * 10 % * 2 / 365 = 1.10

    office.bounties.note_debt(debtor, [], sender=office.keeper)

    brought = office.hall.on.clearing.fees() - before
    assert BOUNTIES[DEBT][2] <= brought < 2 * WAD
    assert office.earned(office.keeper) == REWARD
    assert brought >= 2 * REWARD * 10**12


def test_note_debt__a_little_interest__is_free_only(office, debtor):
    """Noted every minute it would bring the noter more than the protocol."""
    later(office, DAY)
    with boa.reverts(TOO_LITTLE):
        office.bounties.note_debt(debtor, [], sender=office.keeper)
    office.hall.on.sale.note_debt(debtor, [])
    assert paid(office) == 0


def test_update__hourly__pays_and_sooner_does_not(office):
    hall, on = office.hall, office.hall.on
    hall.open("somebody", 1)
    with boa.env.prank(office.owner):
        funding = source("markets/Funding").deploy(on.clearing.address, on.markets.address)
        on.clearing.set_funding(funding.address)
        funding.set_terms(1, (WAD // 2_000, WAD // 50, WAD * 75 // 10_000))
    perp = replace(INSTRUMENTS[0], mark=2_020 * WAD)

    def update():
        stated = hall.epoch.instruments[perp.instrument]
        proof = hall.epoch.proof(stated)
        office.bounties.update(1, stated.values(), proof, hall.epoch.number, sender=office.keeper)

    hall.post(units=[perp])
    update()
    assert on.clearing.funding_index(1) == 0
    assert funding.last_epoch(1) == 1
    assert office.earned(office.keeper) == REWARD

    hall.post(units=[perp], seconds=3_599)
    with boa.reverts(TOO_LITTLE):
        update()
    hall.post(units=[perp], seconds=1)
    update()
    assert on.clearing.funding_index(1) != 0
    assert office.earned(office.keeper) == 2 * REWARD
    boa.env.evm.patch.timestamp += 3_600
    with boa.reverts():  # the same epoch brings nothing new
        update()


# Caps


def test_calls__more_than_a_day_has__are_refused_until_tomorrow(office):
    hall = office.hall
    hall.open("somebody", 1)
    boa.env.evm.patch.timestamp += -boa.env.evm.patch.timestamp % DAY
    for number in range(3):
        replace_on(hall, oracle=office.bounties).post(seconds=60)
        hall.epoch = type(hall.epoch)(number + 1)
    assert office.bounties.paid_today(EPOCH) == 3
    with boa.reverts("bounties: none left today"):
        replace_on(hall, oracle=office.bounties).post(seconds=60)

    boa.env.evm.patch.timestamp += DAY
    assert office.bounties.paid_today(EPOCH) == 0
    replace_on(hall, oracle=office.bounties).post(seconds=60)
    assert paid(office) == 4 * REWARD


def test_pot__empty__refuses_the_whole_call(office, seller):
    office.expire()
    office.hall.on.oracle.finalize_settlement(1, EXPIRY)
    office.bounties.withdraw(office.token.address, office.owner, POT - REWARD + 1, sender=office.owner)

    with boa.reverts("bounties: empty pot"):
        office.bounties.settle(seller, [CALL, PUT], sender=office.keeper)
    assert office.hall.on.clearing.account(seller).legCount == 2
    assert office.bounties.paid_today(SETTLE) == 0


def test_reward__zero__refuses(office, seller):
    office.bounties.set_bounty(SETTLE, (0, 3, 0), sender=office.owner)
    with boa.reverts("bounties: no reward"):
        office.bounties.settle(seller, [CALL, PUT], sender=office.keeper)


# Owner


@pytest.mark.parametrize(
    ("kind", "bounty", "reason"),
    [
        (6, (0, 0, 0), "bounties: unknown kind"),
        (255, (0, 0, 0), "bounties: unknown kind"),
        (SETTLEMENT, (1_000 * USDC + 1, 1, 0), "bounties: reward too large"),
        (SETTLEMENT, (1, 10_001, 0), "bounties: too many calls"),
        (SETTLEMENT, (1, 1, 10**27 + 1), "bounties: minimum too large"),
        (EPOCH, (1, 1, 9), "bounties: farming would pay"),
        (FUNDING, (1, 1, 9), "bounties: farming would pay"),
        (SETTLE, (USDC, 1, 20_000 * WAD - 1), "bounties: farming would pay"),
        (FLAG, (USDC, 1, 1_000 * WAD - 1), "bounties: farming would pay"),
        (DEBT, (USDC, 1, 2 * WAD - 1), "bounties: farming would pay"),
    ],
)
def test_set_bounty__out_of_range__reverts(office, kind, bounty, reason):
    with boa.reverts(reason):
        office.bounties.set_bounty(kind, bounty, sender=office.owner)


@pytest.mark.parametrize(
    ("kind", "bounty"),
    [
        (SETTLEMENT, (1_000 * USDC, 10_000, 10**27)),
        (EPOCH, (1, 1, 10)),
        (SETTLE, (USDC, 1, 20_000 * WAD)),
        (FLAG, (USDC, 1, 1_000 * WAD)),
        (DEBT, (USDC, 1, 2 * WAD)),
    ],
)
def test_set_bounty__in_range__is_stored_and_logged(office, kind, bounty):
    office.bounties.set_bounty(kind, bounty, sender=office.owner)

    (event,) = events(office.bounties, "BountySet")
    assert (event.kind, tuple(event.bounty)) == (kind, bounty)
    assert tuple(office.bounties.bounty(kind)) == bounty


def test_withdraw__owner__takes_any_token_out(office):
    stray = source("mocks/MockToken").deploy(18)
    stray.mint(office.bounties.address, 5)
    for token, amount in ((stray, 5), (office.token, POT)):
        office.bounties.withdraw(token.address, office.rival, amount, sender=office.owner)
        (event,) = events(office.bounties, "Withdrawn")
        assert (event.token, event.recipient, event.amount) == (token.address, office.rival, amount)
        assert token.balanceOf(office.rival) == amount
        assert token.balanceOf(office.bounties.address) == 0


def test_withdraw__token_says_no__reverts(office):
    stray = source("mocks/MockHostileToken").deploy(18)
    stray.mint(office.bounties.address, 5)
    stray.set_mode(RETURNS_FALSE)
    with boa.reverts("bounties: transfer failed"):
        office.bounties.withdraw(stray.address, office.rival, 5, sender=office.owner)


def test_withdraw__nothing_or_to_nobody__reverts(office):
    with boa.reverts("bounties: zero recipient"):
        office.bounties.withdraw(office.token.address, ZERO, 1, sender=office.owner)
    with boa.reverts("bounties: zero amount"):
        office.bounties.withdraw(office.token.address, office.rival, 0, sender=office.owner)


def test_owner__stranger__may_neither_set_nor_withdraw(office):
    with boa.reverts(NOT_OWNER):
        office.bounties.set_bounty(SETTLE, BOUNTIES[SETTLE], sender=office.rival)
    with boa.reverts(NOT_OWNER):
        office.bounties.withdraw(office.token.address, office.rival, 1, sender=office.rival)


def test_deploy__reads_the_token_of_the_vault(office):
    assert office.bounties.TOKEN() == office.token.address
    assert office.bounties.owner() == office.owner
