"""A settlement token that begins to misbehave: it reaches nothing but the cash that it backs.

It is chosen at deployment and trusted to keep its value; these are the ways in which it may still fail.
"""

from dataclasses import dataclass

import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import PUT, USDC, WAD, Deal, Side, deploy
from tests.support.coins import Coin, balance, bring, list_coin, take
from tests.support.house import House

HONEST, FEE, RETURNS_FALSE, MOVES_NOTHING, REVERTS, GIVES_MORE = range(6)
CALLS_BACK, RETURNS_NOTHING, FEE_ON_TOP, BLACKLISTS, LIES = range(6, 11)
STOPPED = {
    RETURNS_FALSE: "custody: transfer failed",
    REVERTS: "hostile: refused",
    BLACKLISTS: "hostile: blacklisted",
}
WORST = Side(c.WAY_WORST_CASE)


@dataclass
class Stage:
    """Two holders of 1,000 USD and of a coin each."""

    house: House
    coin: Coin
    holder: int
    other: int

    @property
    def token(self):
        return self.house.contracts.token

    def stop(self, mode: int) -> None:
        """No transfer of the token to or from the vault goes through."""
        self.token.blacklist(self.house.vault.address)
        self.token.set_mode(mode)

    def cash(self, account: int) -> int:
        """In the token's units."""
        return int(self.house.clearing.account(account).cash) * USDC // WAD

    def withdraw(self, account: int, amount: int, recipient: str = "") -> int:
        """By worst case; what the recipient got."""
        recipient = recipient or self.house.owners[account]
        before = self.token.balanceOf(recipient)
        self.house.withdraw(account, amount, WORST, recipient=recipient)
        return int(self.token.balanceOf(recipient) - before)

    def require_coins_leave(self) -> None:
        """Other tokens go out as ever."""
        for account in (self.holder, self.other):
            before = self.coin.token.balanceOf(self.house.owners[account])
            take(self.house, account, self.coin, WAD, WORST)
            assert self.coin.token.balanceOf(self.house.owners[account]) == before + WAD


@pytest.fixture(scope="module")
def deployed():
    with boa.env.anchor():
        yield deploy(token_name="MockHostileToken")


@pytest.fixture
def stage(deployed):
    with boa.env.anchor():
        house = House(deployed)
        house.post()
        holder, other = house.open("holder", 1_000), house.open("other", 1_000)
        coin = list_coin(house)
        for account in (holder, other):
            bring(house, account, coin, 5 * WAD)
        house.post()
        yield Stage(house, coin, holder, other)
        held = deployed.vault.held(coin.address)
        assert held == coin.token.balanceOf(deployed.vault.address)
        assert held == balance(house, holder, coin) + balance(house, other, coin)


@pytest.mark.parametrize(("mode", "reason"), STOPPED.items())
def test_stopped__cash_is_kept_and_everything_else_goes_on(stage, mode, reason):
    house = stage.house
    stage.stop(mode)

    with boa.reverts(reason):
        stage.withdraw(stage.holder, 1_000 * USDC)
    with boa.reverts(reason):
        house.deposit(stage.holder, USDC)
    assert stage.cash(stage.holder) == 1_000 * USDC
    deal = Deal(PUT, WAD // 10, WAD, counted=False)
    house.trade(
        deal,
        stage.holder,
        stage.other,
        house.worst(stage.holder, deal),
        house.worst(stage.other, deal, taker=True),
    )
    assert house.clearing.position(stage.holder, PUT).quantity == WAD // 10

    stage.token.set_mode(HONEST)
    house.withdraw(stage.holder, 100 * USDC, house.worst(stage.holder))
    assert stage.token.balanceOf(house.owners[stage.holder]) >= 100 * USDC


@pytest.mark.parametrize("mode", STOPPED)
def test_stopped__collateral_leaves(stage, mode):
    stage.stop(mode)
    stage.require_coins_leave()


def test_blacklist__of_one_holder__another_recipient_is_paid_and_others_are_not_touched(stage):
    owner, fresh = stage.house.owners[stage.holder], boa.env.generate_address("recipient")
    stage.token.blacklist(owner)
    stage.token.set_mode(BLACKLISTS)

    with boa.reverts("hostile: blacklisted"):
        stage.withdraw(stage.holder, 1_000 * USDC)
    assert stage.withdraw(stage.other, 1_000 * USDC) == 1_000 * USDC
    assert stage.withdraw(stage.holder, 1_000 * USDC, fresh) == 1_000 * USDC


def test_returns_nothing__comes_and_goes(stage):
    stage.token.set_mode(RETURNS_NOTHING)
    stage.house.deposit(stage.holder, 7 * USDC)
    assert stage.withdraw(stage.holder, 1_007 * USDC) == 1_007 * USDC


def test_fee_on_transfer__is_paid_by_who_withdraws(stage):
    stage.token.set_mode(FEE)
    with boa.reverts("custody: amount differs"):
        stage.house.deposit(stage.holder, 100 * USDC)

    assert stage.withdraw(stage.holder, 1_000 * USDC) == 990 * USDC
    assert stage.house.vault.held(stage.token.address) == 1_000 * USDC == stage.cash(stage.other)
    assert stage.token.balanceOf(stage.house.vault.address) == 1_000 * USDC


def test_transfer_that_moves_nothing__others_cash_stays_and_the_rest_can_be_rescued(stage):
    """The books say that it was paid: what was not moved is nobody's, and the owner's to give back."""
    house, owner = stage.house, stage.house.contracts.owner
    stage.token.set_mode(MOVES_NOTHING)
    with boa.reverts("custody: amount differs"):
        house.deposit(stage.holder, USDC)
    assert stage.withdraw(stage.holder, 300 * USDC) == 0

    stage.token.set_mode(HONEST)
    assert house.vault.rescue(stage.token.address, house.owners[stage.holder], sender=owner) == 300 * USDC
    with boa.reverts("vault: nothing to rescue"):
        house.vault.rescue(stage.token.address, owner, sender=owner)
    assert stage.withdraw(stage.holder, 700 * USDC) == 700 * USDC
    assert stage.withdraw(stage.other, 1_000 * USDC) == 1_000 * USDC


@pytest.mark.parametrize("how", ["rebase", "fee on top"])
def test_shrunk__nobody_new_pays_for_what_is_gone(stage, how):
    house, vault = stage.house, stage.house.vault
    if how == "rebase":
        stage.token.rebase(vault.address, 1_995 * USDC)
    else:
        stage.token.set_mode(FEE_ON_TOP)
        assert stage.withdraw(stage.holder, 500 * USDC) == 500 * USDC
        stage.token.set_mode(HONEST)
    missing = vault.held(stage.token.address) - stage.token.balanceOf(vault.address)
    assert missing == 5 * USDC

    newcomer = house.open("newcomer")
    with boa.reverts("custody: token has shrunk"):
        house.deposit(newcomer, 100 * USDC)
    with boa.reverts("custody: token has shrunk"):
        vault.recover_shortfall(USDC, sender=house.owners[stage.holder])
    stage.require_coins_leave()

    stage.token.mint(vault.address, missing)  # whoever makes it good
    house.deposit(newcomer, 100 * USDC)
    for account in (stage.holder, stage.other, newcomer):
        assert stage.withdraw(account, stage.cash(account)) > 0
    assert vault.held(stage.token.address) == stage.token.balanceOf(vault.address) == 0


def test_shrunk_collateral__nobody_new_pays_for_what_is_gone(deployed):
    with boa.env.anchor():
        house = House(deployed)
        coin = list_coin(house, token_name="MockHostileToken")
        first, second = house.open("first"), house.open("second")
        bring(house, first, coin, 10 * WAD)
        coin.token.rebase(house.vault.address, 9 * WAD)

        with boa.reverts("custody: token has shrunk"):
            bring(house, second, coin, 10 * WAD)
        take(house, first, coin, 10 * WAD, WORST)
        assert coin.token.balanceOf(house.owners[first]) == 9 * WAD
        bring(house, second, coin, 10 * WAD)  # all who lost are gone
        house.post()
        take(house, second, coin, 10 * WAD, WORST)
        assert coin.token.balanceOf(house.owners[second]) >= 10 * WAD


def test_rebase_up__is_nobodys_and_the_owners_to_rescue(stage):
    house, owner = stage.house, stage.house.contracts.owner
    stage.token.rebase(house.vault.address, 2_100 * USDC)

    assert stage.cash(stage.holder) == 1_000 * USDC
    assert house.vault.rescue(stage.token.address, owner, sender=owner) == 100 * USDC
    for account in (stage.holder, stage.other):
        assert stage.withdraw(account, 1_000 * USDC) == 1_000 * USDC


def test_lies__shows_more_than_there_is__rescue_takes_nothing_of_anybodys_other_token(stage):
    """Nothing but transfers of the token itself can follow from what it says."""
    owner, vault = stage.house.contracts.owner, stage.house.vault
    stage.token.show(vault.address, 10**6 * USDC)

    with boa.reverts():  # it says that a million is nobody's, and has not got it
        vault.rescue(stage.token.address, owner, sender=owner)
    assert stage.withdraw(stage.holder, 1_000 * USDC) == 1_000 * USDC
    stage.require_coins_leave()


def test_lies__shows_less__deposits_stop_and_withdrawals_go_on(stage):
    stage.token.show(stage.house.vault.address, -1)

    with boa.reverts("custody: token has shrunk"):
        stage.house.deposit(stage.holder, USDC)
    assert stage.withdraw(stage.holder, 1_000 * USDC) == 1_000 * USDC
    stage.require_coins_leave()


def test_lies__collateral_that_never_came__counts_up_to_its_cap_and_takes_no_other_token(deployed):
    """Only the owner lists tokens; the cap of one that shows what it has not made is the most it lends."""
    with boa.env.anchor():
        house = House(deployed)
        house.post()
        coin = list_coin(house, token_name="MockHostileToken", cap=10 * WAD)
        honest, liar = house.open("honest", 1_000), house.open("liar")
        bring(house, honest, coin, 4 * WAD)
        coin.token.set_mode(LIES)
        with boa.reverts("vault: collateral above its cap"):
            bring(house, liar, coin, 7 * WAD)
        bring(house, liar, coin, 6 * WAD)
        house.post()

        coin.token.set_mode(HONEST)
        with boa.reverts():  # more than all that is there
            take(house, liar, coin, 5 * WAD, WORST)
        with boa.reverts():  # collateral is no cash
            house.withdraw(liar, USDC, WORST)
        house.withdraw(honest, 1_000 * USDC, WORST)
        assert house.contracts.token.balanceOf(house.owners[honest]) == 1_000 * USDC
        take(house, honest, coin, 4 * WAD, WORST)
        assert coin.token.balanceOf(house.owners[honest]) == 4 * WAD


@pytest.mark.parametrize("outer", ["deposit", "withdraw", "collect_fees", "rescue", "multicall"])
@pytest.mark.parametrize("inner", ["deposit", "withdraw", "collect_fees", "recover_shortfall", "multicall"])
def test_reentry__at_every_transfer__is_refused(stage, outer, inner):
    """The token acts with a holder's rights: only the lock is in its way."""
    house, vault, token = stage.house, stage.house.vault, stage.token
    owner, side = house.owners[stage.holder], WORST.evidence()
    house.clearing.set_operator(stage.holder, token.address, 7, 2**40 - 1, sender=owner)
    vault.set_fee_recipient(owner, sender=house.contracts.owner)
    house.clearing.eval(f"state._running = state._running + {50 * WAD}")
    house.clearing.eval(
        f"accounts._money[{stage.other}] = accounts._money[{stage.other}] - ({50 * WAD} << 128)"
    )
    token.mint(token.address, 10 * USDC)
    token.mint(vault.address, 3)
    withdraw = vault.withdraw.prepare_calldata(stage.holder, token.address, USDC, token.address, side, b"")
    data = {
        "deposit": vault.deposit.prepare_calldata(stage.holder, token.address, USDC),
        "withdraw": withdraw,
        "collect_fees": vault.collect_fees.prepare_calldata(),
        "recover_shortfall": vault.recover_shortfall.prepare_calldata(USDC),
        "multicall": vault.multicall.prepare_calldata([withdraw]),
    }[inner]
    token.set_callback(vault.address, data)
    token.set_mode(CALLS_BACK)
    before = stage.cash(stage.holder)

    if outer == "deposit":
        house.deposit(stage.holder, USDC)
    elif outer == "withdraw":
        stage.withdraw(stage.holder, USDC)
    elif outer == "collect_fees":
        vault.collect_fees()
    elif outer == "rescue":
        vault.rescue(token.address, owner, sender=house.contracts.owner)
    else:
        vault.multicall(
            [vault.deposit.prepare_calldata(stage.holder, token.address, USDC)], sender=token.address
        )

    assert token.entered() == 1
    moved = {"deposit": USDC, "multicall": USDC, "withdraw": -USDC}.get(outer, 0)
    assert stage.cash(stage.holder) == before + moved
