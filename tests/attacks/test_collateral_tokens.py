"""A listed token that begins to misbehave: it reaches nothing but withdrawals and sales of itself.

Every test ends with what the Vault holds of well-behaved tokens being there, to the unit.
"""

from dataclasses import dataclass
from typing import Any

import boa
import pytest

from keeper.clearing import outflow
from keeper.units import constants as c
from tests.support.auctions import USDC, WAD, Hall, deploy, events, source
from tests.support.statements import evidence

HONEST, FEE, RETURNS_FALSE, MOVES_NOTHING, REVERTS, GIVES_MORE = range(6)
CALLS_BACK, RETURNS_NOTHING, FEE_ON_TOP, BLACKLISTS = range(6, 10)
STOPPED = (RETURNS_FALSE, REVERTS, BLACKLISTS)
WORST = evidence(c.WAY_WORST_CASE)
SIGNATURE = (27, b"\x01" * 32, b"\x02" * 32)


@dataclass
class Stage:
    """Two holders of ten units of a hostile token, ten ether and 1,000 USD each."""

    hall: Hall
    token: Any
    holder: int
    other: int

    def withdraw(self, account: int, token: Any, amount: int, recipient: str = "") -> int:
        """By worst case; what the recipient got."""
        on, owner = self.hall.on, self.hall.owners[account]
        recipient = recipient or owner
        before = token.balanceOf(recipient)
        on.vault.withdraw(account, token.address, amount, recipient, WORST, b"", sender=owner)
        return int(token.balanceOf(recipient) - before)

    def deposit(self, account: int, amount: int) -> None:
        """Of the hostile token, freshly minted, in a new epoch."""
        owner = self.hall.owners[account]
        self.hall.post()
        self.token.mint(owner, amount)
        self.hall.on.vault.deposit(account, self.token.address, amount, sender=owner)

    def balance(self, account: int) -> int:
        return int(self.hall.on.vault.collateral_balance(account, self.token.address))

    def check(self) -> None:
        """Others' tokens are there."""
        on = self.hall.on
        for token in (on.token, on.ether):
            assert on.vault.held(token.address) == token.balanceOf(on.vault.address)


@pytest.fixture(scope="module")
def deployed():
    with boa.env.anchor():
        yield deploy()


@pytest.fixture
def stage(deployed):
    with boa.env.anchor():
        hall = Hall(deployed)
        token = source("mocks/MockHostileToken").deploy(18)
        deployed.vault.list_collateral(token.address, (0, 18, 1, 1_000, 500, 10**24), sender=deployed.owner)
        found = Stage(hall, token, hall.open("holder", 1_000), hall.open("other", 1_000))
        for account in (found.holder, found.other):
            hall.deposit_ether(account, 10 * WAD)
            found.deposit(account, 10 * WAD)
        token.blacklist(deployed.vault.address)
        yield found
        found.check()


# Contained


@pytest.mark.parametrize("mode", STOPPED)
def test_withdraw__token_has_stopped__keeps_the_balance_and_other_tokens_leave(stage, mode):
    stage.token.set_mode(mode)

    with boa.reverts():
        stage.withdraw(stage.holder, stage.token, WAD)
    assert stage.balance(stage.holder) == 10 * WAD
    assert stage.withdraw(stage.holder, stage.hall.on.ether, 10 * WAD) == 10 * WAD
    assert stage.withdraw(stage.holder, stage.hall.on.token, 1_000 * USDC) == 1_000 * USDC

    stage.token.set_mode(HONEST)
    assert stage.withdraw(stage.holder, stage.token, 10 * WAD) == 10 * WAD


@pytest.mark.parametrize("mode", [FEE, MOVES_NOTHING, CALLS_BACK, FEE_ON_TOP, *STOPPED])
def test_auction__token_misbehaves__shares_move_in_the_books(stage, mode):
    """No token is asked while an account is sold, so none can stop it."""
    on = stage.hall.on
    stage.token.set_mode(mode)

    value = on.vault.transfer_share(stage.holder, stage.other, WAD // 2, sender=on.house.address)

    assert value == 2 * 5 * 2_000 * WAD
    assert (stage.balance(stage.holder), stage.balance(stage.other)) == (5 * WAD, 15 * WAD)
    assert on.vault.collateral_balance(stage.other, on.ether.address) == 15 * WAD
    assert stage.token.entered() == 0


@pytest.mark.parametrize("mode", STOPPED)
def test_conversion__token_has_stopped__another_is_sold(stage, mode):
    on, payer = stage.hall.on, stage.hall.owners[stage.other]
    on.token.mint(payer, 100 * USDC)
    on.token.approve(on.vault.address, 100 * USDC, sender=payer)
    stage.token.set_mode(mode)

    sale = (50 * USDC, payer, payer)
    with boa.reverts():
        on.vault.sell_collateral(stage.holder, stage.token.address, WAD, *sale, sender=on.sale.address)
    on.vault.sell_collateral(stage.holder, on.ether.address, WAD, *sale, sender=on.sale.address)

    assert on.vault.collateral_balance(stage.holder, on.ether.address) == 9 * WAD
    assert stage.balance(stage.holder) == 10 * WAD
    assert stage.hall.cash(stage.holder) == 1_050 * WAD


def test_blacklist__of_a_recipient__another_is_paid(stage):
    owner, friend = stage.hall.owners[stage.holder], boa.env.generate_address("friend")
    fresh = source("mocks/MockHostileToken").deploy(18)
    stage.hall.on.vault.list_collateral(
        fresh.address, (0, 18, 1, 1_000, 500, 10**24), sender=stage.hall.on.owner
    )
    stage.token = fresh
    stage.deposit(stage.holder, WAD)
    fresh.blacklist(owner)
    fresh.set_mode(BLACKLISTS)

    with boa.reverts("hostile: blacklisted"):
        stage.withdraw(stage.holder, fresh, WAD)
    assert stage.withdraw(stage.holder, fresh, WAD, friend) == WAD


def test_returns_nothing__comes_and_goes(stage):
    """As some old tokens do: no answer is a yes, and what arrives is measured."""
    stage.token.set_mode(RETURNS_NOTHING)
    stage.deposit(stage.holder, WAD)
    assert stage.balance(stage.holder) == 11 * WAD
    assert stage.withdraw(stage.holder, stage.token, 11 * WAD) == 11 * WAD


# Shared by its owners


def test_rebase_down__every_owner_gets_the_same_share(stage):
    vault = stage.hall.on.vault
    stage.token.rebase(vault.address, 15 * WAD)

    assert stage.withdraw(stage.holder, stage.token, 4 * WAD) == 3 * WAD
    assert stage.withdraw(stage.other, stage.token, 10 * WAD) == 75 * WAD // 10
    assert stage.withdraw(stage.holder, stage.token, 6 * WAD) == 45 * WAD // 10

    assert vault.held(stage.token.address) == stage.token.balanceOf(vault.address) == 0


def test_rebase_down__odd_units__rounds_for_those_who_stay(stage):
    vault, left, held = stage.hall.on.vault, 7 * WAD + 3, 20 * WAD
    stage.token.rebase(vault.address, left)
    for account, amount in ((stage.holder, 3), (stage.other, WAD + 1), (stage.holder, 10 * WAD - 3)):
        paid = stage.withdraw(account, stage.token, amount)
        assert paid == outflow.backed(amount, held, left)
        assert paid * held <= amount * left
        held, left = held - amount, left - paid
    assert stage.token.balanceOf(vault.address) == left
    assert left * 20 * WAD >= held * (7 * WAD + 3)


def test_rebase_down__sale__is_refused_as_the_buyer_would_get_less(stage):
    on, payer = stage.hall.on, stage.hall.owners[stage.other]
    stage.token.rebase(on.vault.address, 15 * WAD)
    with boa.reverts("vault: token has shrunk"):
        on.vault.sell_collateral(
            stage.holder, stage.token.address, WAD, USDC, payer, payer, sender=on.sale.address
        )


def test_rebase_up__nobody_withdraws_it_and_the_owner_rescues_it(stage):
    on = stage.hall.on
    stage.token.rebase(on.vault.address, 26 * WAD)

    assert stage.withdraw(stage.holder, stage.token, 10 * WAD) == 10 * WAD
    assert on.vault.rescue(stage.token.address, on.owner, sender=on.owner) == 6 * WAD
    assert stage.withdraw(stage.other, stage.token, 10 * WAD) == 10 * WAD


def test_fee_on_top_of_a_transfer__is_borne_by_owners_of_the_token_alone(stage):
    vault = stage.hall.on.vault
    stage.token.set_mode(FEE_ON_TOP)

    assert stage.withdraw(stage.holder, stage.token, 5 * WAD) == 5 * WAD
    left = stage.token.balanceOf(vault.address)
    assert left == 20 * WAD - 5 * WAD * 101 // 100
    expected = outflow.backed(5 * WAD, 15 * WAD, left)
    assert stage.withdraw(stage.other, stage.token, 5 * WAD) == expected < 5 * WAD


def test_fee_on_transfer__deposits_are_refused_and_owners_pay_it_on_the_way_out(stage):
    stage.token.set_mode(FEE)
    with boa.reverts("custody: amount differs"):
        stage.deposit(stage.holder, WAD)
    assert stage.withdraw(stage.holder, stage.token, 10 * WAD) == 99 * WAD // 10
    assert stage.balance(stage.other) == 10 * WAD


# Calling back


def callbacks(stage):
    """Everything that a token may try, with the rights of a holder's operator."""
    on, token = stage.hall.on, stage.token.address
    vault = on.vault
    calls = {
        "deposit": vault.deposit.prepare_calldata(stage.holder, token, 1),
        "deposit_with_permit": vault.deposit_with_permit.prepare_calldata(
            stage.holder, token, 1, 0, *SIGNATURE
        ),
        "withdraw": vault.withdraw.prepare_calldata(stage.holder, on.ether.address, 1, token, WORST, b""),
        "recover_shortfall": vault.recover_shortfall.prepare_calldata(1),
        "collect_fees": vault.collect_fees.prepare_calldata(),
        "rate": vault.rate.prepare_calldata(),
    }
    calls["multicall"] = vault.multicall.prepare_calldata([calls["withdraw"]])
    return calls


@pytest.mark.parametrize("outer", ["deposit", "withdraw", "permit", "sale", "rescue"])
@pytest.mark.parametrize(
    "inner",
    [
        "deposit",
        "deposit_with_permit",
        "withdraw",
        "recover_shortfall",
        "collect_fees",
        "multicall",
        "rate",
    ],
)
def test_reentry__at_every_call_of_a_token__is_refused(stage, outer, inner):
    on, owner = stage.hall.on, stage.hall.owners[stage.holder]
    on.clearing.set_operator(stage.holder, stage.token.address, 7, 2**40 - 1, sender=owner)
    on.token.mint(owner, 100 * USDC)
    on.token.approve(on.vault.address, 100 * USDC, sender=owner)
    on.token.mint(stage.token.address, USDC)
    on.token.approve(on.vault.address, USDC, sender=stage.token.address)
    on.vault.set_fee_recipient(on.owner, sender=on.owner)
    on.vault.charge_interest(stage.holder, WAD, sender=on.sale.address)
    data = callbacks(stage)[inner]
    stage.token.set_callback(on.vault.address, data)
    for receiver in (on.vault.address, stage.token.address):
        stage.token.mint(receiver, 5)
    stage.token.set_mode(CALLS_BACK)
    before = on.vault.collateral_balance(stage.holder, on.ether.address)

    if outer == "deposit":
        stage.deposit(stage.holder, WAD)
    elif outer == "withdraw":
        stage.withdraw(stage.holder, stage.token, WAD)
    elif outer == "permit":
        stage.hall.post()
        stage.token.mint(owner, WAD)
        on.vault.deposit_with_permit(stage.holder, stage.token.address, WAD, 0, *SIGNATURE, sender=owner)
    elif outer == "sale":
        on.vault.sell_collateral(
            stage.holder, stage.token.address, WAD, USDC, owner, owner, sender=on.sale.address
        )
    else:
        on.vault.rescue(stage.token.address, on.owner, sender=on.owner)

    assert stage.token.entered() == 1
    assert on.vault.collateral_balance(stage.holder, on.ether.address) == before
    # only the lock was in its way
    stage.token.set_mode(HONEST)
    stage.hall.post()
    assert not boa.env.execute_code(on.vault.address, sender=stage.token.address, data=data).is_error


# Lies


@pytest.mark.parametrize("mode", [FEE, RETURNS_FALSE, MOVES_NOTHING, GIVES_MORE])
def test_permit__token_lies__nothing_is_credited(stage, mode):
    owner = stage.hall.owners[stage.holder]
    stage.hall.post()
    stage.token.mint(owner, WAD)
    stage.token.set_mode(mode)

    with boa.reverts():
        stage.hall.on.vault.deposit_with_permit(
            stage.holder, stage.token.address, WAD, 0, *SIGNATURE, sender=owner
        )
    assert stage.balance(stage.holder) == 10 * WAD


def test_permit__of_a_stranger_contract__moves_nothing(stage):
    """The Vault asks any address for a permit before it knows the token: all of it is undone."""
    other = source("mocks/MockHostileToken").deploy(18)
    with boa.reverts("vault: token not listed"):
        stage.hall.on.vault.deposit_with_permit(
            stage.holder, other.address, WAD, 0, *SIGNATURE, sender=stage.hall.owners[stage.holder]
        )
    assert other.permits() == 0


@pytest.mark.parametrize("decimals", [19, 77, 255])
def test_decimals__huge__are_not_listed(stage, decimals):
    on, token = stage.hall.on, source("mocks/MockHostileToken").deploy(decimals)
    with boa.reverts("vault: more than 18 decimals"):
        on.vault.list_collateral(token.address, (0, decimals, 1, 1_000, 500, 10**24), sender=on.owner)


def test_delisting__token_has_died__owners_get_rid_of_it_and_auctions_do_not_count_it(stage):
    """It counts nothing once the ramp is over: the rest of its owner's account is sold for what it is."""
    on = stage.hall.on
    stage.token.set_mode(REVERTS)
    on.vault.delist_collateral(stage.token.address, 86_400, sender=on.owner)
    assert len(events(on.vault, "CollateralDelisted")) == 1
    stage.hall.wait(86_400)

    assert len(on.clearing.standing(stage.holder, False).collateral) == 1
    value = on.vault.transfer_share(stage.holder, stage.other, WAD // 2, sender=on.house.address)

    assert value == 5 * 2_000 * WAD
    assert (stage.balance(stage.holder), stage.balance(stage.other)) == (10 * WAD, 10 * WAD)
