import boa
import pytest

from tests.support.house import events

NOBODY = "0x" + "00" * 20


def test_open_account__anyone__opens_the_next_number(house):
    owner, stranger = boa.env.generate_address(), boa.env.generate_address()

    account = house.clearing.open_account(owner, sender=stranger)

    (event,) = events(house.clearing, "AccountOpened")
    assert (event.account, event.owner) == (account, owner)
    assert event.seq == house.clearing.totals().seq
    assert account == house.clearing.totals().accounts == 1
    assert house.clearing.account(account).owner == owner
    assert house.clearing.open_account(owner) == 2


def test_open_account__new__holds_nothing(house):
    account = house.clearing.account(house.open("maker"))

    assert (account.legCount, account.withdrawNonce, account.perps) == (0, 0, 0)
    assert (account.cash, account.exempt, account.addedIM, account.addedMark) == (0, 0, 0, 0)
    assert account.bookHash == bytes(32)


def test_open_account__zero_owner__reverts(house):
    with boa.reverts("clearing: zero owner"):
        house.clearing.open_account(NOBODY)


@pytest.mark.parametrize("allowed", [True, False])
def test_set_operator__owner__is_recorded(house, allowed):
    account, operator = house.open("maker"), boa.env.generate_address()
    owner = house.owners[account]

    house.clearing.set_operator(account, operator, allowed, sender=owner)

    (event,) = events(house.clearing, "OperatorSet")
    assert (event.account, event.operator, event.allowed) == (account, operator, allowed)
    assert event.seq == house.clearing.totals().seq
    assert house.clearing.may_act(account, operator) == allowed
    assert house.clearing.may_act(account, owner)


def test_set_operator__operator__may_not_appoint(house):
    account, operator = house.open("maker"), boa.env.generate_address()
    house.clearing.set_operator(account, operator, True, sender=house.owners[account])

    with boa.reverts("clearing: not the owner"):
        house.clearing.set_operator(account, boa.env.generate_address(), True, sender=operator)


def test_may_act__unknown_account__nobody(house):
    assert not house.clearing.may_act(99, NOBODY)
