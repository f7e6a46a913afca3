import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import USDC, WAD, Side, deploy
from tests.support.house import House, events

FEE, RETURNS_FALSE, MOVES_NOTHING, REVERTS, GIVES_MORE = 1, 2, 3, 4, 5


@pytest.fixture
def hostile():
    with boa.env.anchor():
        yield House(deploy(token_name="MockHostileToken"))


def test_deposit__anyone_for_anyone__credits_cash_and_exempt(house):
    account, stranger = house.open("maker"), boa.env.generate_address()
    token = house.contracts.token
    token.mint(stranger, 5 * USDC + 1)
    token.approve(house.vault.address, 5 * USDC + 1, sender=stranger)

    house.vault.deposit(account, token.address, 5 * USDC + 1, sender=stranger)

    (event,) = events(house.vault, "Deposited")
    assert (event.account, event.token, event.amount) == (account, token.address, 5 * USDC + 1)
    assert event.cash == 5 * WAD + 10**12
    assert event.seq == house.vault.seq()
    state = house.clearing.account(account)
    assert state.cash == state.exempt == 5 * WAD + 10**12
    assert house.vault.held(token.address) == token.balanceOf(house.vault.address) == 5 * USDC + 1
    assert token.balanceOf(stranger) == 0


def test_deposit__twice__adds_up(house):
    account = house.open("maker", 5)
    house.deposit(account, 7 * USDC)

    assert house.clearing.account(account).cash == house.clearing.account(account).exempt == 12 * WAD


@pytest.mark.parametrize("decimals", [0, 18])
def test_deposit__other_decimals__are_scaled(decimals):
    with boa.env.anchor():
        house = House(deploy(decimals))
        account = house.open("maker")
        house.deposit(account, 3)

        assert house.clearing.account(account).cash == 3 * 10 ** (18 - decimals)


def test_deposit__donation__is_not_held(house):
    house.open("maker", 5)
    house.contracts.token.mint(house.vault.address, 9 * USDC)

    assert house.vault.held(house.contracts.token.address) == 5 * USDC


def test_deposit__without_epoch_and_paused__passes(house):
    house.clearing.pause(3_600, sender=house.contracts.guardian)

    assert house.clearing.account(house.open("maker", 5)).cash == 5 * WAD


def test_deposit__unknown_account__reverts(house):
    with boa.reverts("clearing: no such account"):
        house.vault.deposit(1, house.contracts.token.address, 1)


def test_deposit__another_token__reverts(house):
    account = house.open("maker")

    with boa.reverts("vault: token not listed"):
        house.vault.deposit(account, boa.env.generate_address(), 1, sender=house.owners[account])


def test_deposit__nothing__reverts(house):
    account = house.open("maker")

    with boa.reverts("vault: zero amount"):
        house.vault.deposit(account, house.contracts.token.address, 0)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (FEE, "custody: amount differs"),
        (MOVES_NOTHING, "custody: amount differs"),
        (GIVES_MORE, "custody: amount differs"),
        (RETURNS_FALSE, "custody: transfer failed"),
        (REVERTS, "hostile: refused"),
    ],
)
def test_deposit__token_misbehaves__reverts(hostile, mode, reason):
    account = hostile.open("maker")
    hostile.contracts.token.set_mode(mode)

    with boa.reverts(reason):
        hostile.deposit(account, 100 * USDC)


def test_withdraw__token_refuses__leaves_everything(hostile):
    account = hostile.open("maker", 100)
    hostile.contracts.token.set_mode(RETURNS_FALSE)

    with boa.reverts("custody: transfer failed"):
        hostile.withdraw(account, USDC, Side(c.WAY_WORST_CASE))
    assert hostile.clearing.account(account).cash == 100 * WAD
    assert hostile.vault.held(hostile.contracts.token.address) == 100 * USDC
