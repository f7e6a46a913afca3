"""Deposits by permit, batches of calls, strays, fees: what the Vault does beside holding."""

import boa
import pytest
from eth_account import Account as Signer

from keeper.units import constants as c
from tests.support.clearing import PUT, USDC, WAD, Deal, Side, source
from tests.support.coins import Coin, balance, bring, list_coin, spec
from tests.support.house import events
from tests.support.keys import address_for, key_of

WORST = Side(c.WAY_WORST_CASE)
RETURNS_FALSE, REVERTS, CALLS_BACK = 2, 4, 6
ZERO = "0x" + "00" * 20
NEVER = 2**256 - 1
PERMIT = [
    ("owner", "address"),
    ("spender", "address"),
    ("value", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
]


@pytest.fixture
def permitted(house):
    """A token with permits, listed; an account of a signer who has a unit of it and has allowed nothing."""
    token = source("mocks/MockPermitToken").deploy(18)
    listing = list_coin(house).listing  # same terms
    house.vault.list_collateral(token.address, spec(), sender=house.contracts.owner)
    owner = address_for(key_of("permit"))
    account = int(house.clearing.open_account(owner))
    house.owners[account] = owner
    token.mint(owner, WAD)
    return house, Coin(token, listing), account


def permit(house, token, amount, deadline=NEVER):
    """v, r, s of an allowance for the Vault."""
    domain = {
        "name": "Permitted",
        "version": "1",
        "chainId": boa.env.evm.patch.chain_id,
        "verifyingContract": token.address,
    }
    owner = address_for(key_of("permit"))
    message = {
        "owner": owner,
        "spender": house.vault.address,
        "value": amount,
        "nonce": token.nonces(owner),
        "deadline": deadline,
    }
    types = {"Permit": [{"name": name, "type": kind} for name, kind in PERMIT]}
    signed = Signer.sign_typed_data(key_of("permit"), domain, types, message)
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def deposit(house, coin, account, amount, signature, deadline=NEVER):
    owner = house.owners[account]
    house.vault.deposit_with_permit(account, coin.address, amount, deadline, *signature, sender=owner)


# Permits


def test_permit__signed__allows_and_deposits(permitted):
    house, coin, account = permitted

    deposit(house, coin, account, WAD, permit(house, coin.token, WAD))

    assert house.vault.held(coin.address) == balance(house, account, coin) == WAD
    assert coin.token.allowance(house.owners[account], house.vault.address) == 0


def test_permit__used_by_somebody_else_before__the_deposit_passes(permitted):
    house, coin, account = permitted
    signature = permit(house, coin.token, WAD)
    thief = boa.env.generate_address("front-runner")
    coin.token.permit(house.owners[account], house.vault.address, WAD, NEVER, *signature, sender=thief)

    deposit(house, coin, account, WAD, signature)

    assert balance(house, account, coin) == WAD


@pytest.mark.parametrize("which", ["of another amount", "expired", "forged"])
def test_permit__does_not_hold__nothing_moves(permitted, which):
    house, coin, account = permitted
    amount, deadline, signature = WAD, NEVER, permit(house, coin.token, WAD)
    if which == "of another amount":
        amount = WAD - 1
    elif which == "expired":
        deadline = boa.env.evm.patch.timestamp - 1
        signature = permit(house, coin.token, WAD, deadline)
    else:
        signature = (27, b"\x01" * 32, b"\x02" * 32)

    with boa.reverts():
        deposit(house, coin, account, amount, signature, deadline)
    assert (house.vault.held(coin.address), coin.token.balanceOf(house.owners[account])) == (0, WAD)


def test_permit__token_without_permits__the_allowance_decides(house):
    account, coin = house.open("maker"), list_coin(house)
    owner = house.owners[account]
    coin.token.mint(owner, 7)
    signature = (27, b"\x01" * 32, b"\x02" * 32)
    with boa.reverts("vault: neither permit nor allowance"):
        deposit(house, coin, account, 7, signature)

    coin.token.approve(house.vault.address, 7, sender=owner)
    deposit(house, coin, account, 7, signature)

    assert balance(house, account, coin) == 7


def test_permit__settlement_token__is_cash_for_anybody(house):
    account, token, payer = house.open("maker"), house.contracts.token, boa.env.generate_address("payer")
    token.mint(payer, 5 * USDC)
    token.approve(house.vault.address, 5 * USDC, sender=payer)

    house.vault.deposit_with_permit(
        account, token.address, 5 * USDC, NEVER, 27, b"\x01" * 32, b"\x02" * 32, sender=payer
    )

    assert house.clearing.account(account).cash == 5 * WAD


def test_permit__collateral_for_a_stranger_or_nothing__is_refused(permitted):
    house, coin, account = permitted
    signature, stranger = permit(house, coin.token, WAD), boa.env.generate_address("stranger")
    with boa.reverts("vault: neither permit nor allowance"):
        house.vault.deposit_with_permit(account, coin.address, WAD, NEVER, *signature, sender=stranger)
    coin.token.approve(house.vault.address, WAD, sender=stranger)
    with boa.reverts("vault: not authorised"):
        house.vault.deposit_with_permit(account, coin.address, WAD, NEVER, *signature, sender=stranger)
    with boa.reverts("vault: zero amount"):
        deposit(house, coin, account, 0, signature)


def test_permit__calls_back__meets_the_lock(house):
    account, coin = house.open("maker"), list_coin(house, token_name="MockHostileToken")
    inner = house.vault.deposit.prepare_calldata(account, coin.address, 1)
    coin.token.set_callback(house.vault.address, inner)
    coin.token.set_mode(CALLS_BACK)
    coin.token.mint(house.owners[account], WAD)

    deposit(house, coin, account, WAD, (27, b"\x01" * 32, b"\x02" * 32))

    assert (coin.token.permits(), coin.token.entered()) == (1, 1)
    assert balance(house, account, coin) == WAD


# Batches


def batch(house, *calls, sender):
    data = [getattr(house.vault, name).prepare_calldata(*arguments) for name, *arguments in calls]
    house.vault.multicall(data, sender=sender)


def test_multicall__deposits_of_two_tokens_and_a_withdrawal__as_one_by_one(house):
    account, coin = house.open("maker", 10), list_coin(house)
    owner, token = house.owners[account], house.contracts.token
    token.mint(owner, 5 * USDC)
    coin.token.mint(owner, WAD)
    for one, amount in ((token, 5 * USDC), (coin.token, WAD)):
        one.approve(house.vault.address, amount, sender=owner)

    batch(
        house,
        ("deposit", account, token.address, 5 * USDC),
        ("deposit", account, coin.address, WAD),
        ("withdraw", account, token.address, 12 * USDC, owner, WORST.evidence(), b""),
        sender=owner,
    )

    assert house.clearing.account(account).cash == 3 * WAD
    assert balance(house, account, coin) == WAD
    assert (token.balanceOf(owner), house.vault.held(token.address)) == (12 * USDC, 3 * USDC)


def test_multicall__one_call_reverts__none_has_happened(house):
    account = house.open("maker", 10)
    owner, token = house.owners[account], house.contracts.token
    out = ("withdraw", account, token.address, 6 * USDC, owner, WORST.evidence(), b"")

    with boa.reverts("gate: settled cash below zero"):
        batch(house, out, out, sender=owner)
    assert house.clearing.account(account).cash == 10 * WAD


def test_multicall__sender__stays_who_it_is(house):
    account, token = house.open("maker", 10), house.contracts.token
    thief = boa.env.generate_address("thief")
    out = ("withdraw", account, token.address, USDC, thief, WORST.evidence(), b"")

    with boa.reverts("clearing: not authorised"):
        batch(house, out, sender=thief)
    with boa.reverts("ownable: caller is not the owner"):
        batch(house, ("set_outflow_share", WAD), sender=thief)
    nested = house.vault.multicall.prepare_calldata([house.vault.withdraw.prepare_calldata(*out[1:])])
    with boa.reverts("clearing: not authorised"):
        house.vault.multicall([nested], sender=thief)


def test_multicall__from_a_token_that_calls_back__each_call_meets_the_lock(house):
    account, coin = house.open("maker", 10), list_coin(house, token_name="MockHostileToken")
    owner = house.owners[account]
    house.clearing.set_operator(account, coin.address, 7, 2**40 - 1, sender=owner)
    inner = house.vault.deposit.prepare_calldata(account, coin.address, 1)
    coin.token.set_callback(house.vault.address, house.vault.multicall.prepare_calldata([inner]))
    coin.token.set_mode(CALLS_BACK)

    bring(house, account, coin, WAD)

    assert coin.token.entered() == 1
    assert balance(house, account, coin) == WAD


# Strays


@pytest.mark.parametrize("which", ["settlement token", "collateral", "unknown token"])
def test_rescue__what_nobody_owns__and_no_more(house, which):
    account, coin = house.open("maker", 10), list_coin(house)
    bring(house, account, coin, 3)
    unknown = source("mocks/MockToken").deploy(18)
    token = {"settlement token": house.contracts.token, "collateral": coin.token}.get(which, unknown)
    held, finder = house.vault.held(token.address), boa.env.generate_address("finder")
    with boa.reverts("vault: nothing to rescue"):
        house.vault.rescue(token.address, finder, sender=house.contracts.owner)
    token.mint(house.vault.address, 41)

    assert house.vault.rescue(token.address, finder, sender=house.contracts.owner) == 41

    (event,) = events(house.vault, "Rescued")
    assert (event.token, event.recipient, event.amount) == (token.address, finder, 41)
    assert event.seq == house.vault.seq()
    assert (token.balanceOf(finder), token.balanceOf(house.vault.address)) == (41, held)
    assert house.vault.held(token.address) == held


def test_rescue__token_has_shrunk__nothing_is_stray(house):
    account, coin = house.open("maker"), list_coin(house, token_name="MockHostileToken")
    bring(house, account, coin, WAD)
    coin.token.rebase(house.vault.address, WAD // 2)

    with boa.reverts("vault: nothing to rescue"):
        house.vault.rescue(coin.address, house.contracts.owner, sender=house.contracts.owner)


def test_rescue__stranger_or_to_nobody__is_refused(house):
    house.contracts.token.mint(house.vault.address, 1)
    with boa.reverts("ownable: caller is not the owner"):
        house.vault.rescue(house.contracts.token.address, ZERO, sender=boa.env.generate_address())
    with boa.reverts("vault: zero recipient"):
        house.vault.rescue(house.contracts.token.address, ZERO, sender=house.contracts.owner)


# Fees


def test_collect_fees__anyone__to_the_recipient(pair):
    house, treasury = pair.house, boa.env.generate_address("treasury")
    deal = Deal(PUT, WAD, 100 * WAD, (3 * WAD, 2 * WAD + 1))
    house.trade(
        deal, pair.maker, pair.taker, house.worst(pair.maker, deal), house.worst(pair.taker, deal, taker=True)
    )
    with boa.reverts("vault: no fee recipient"):
        house.vault.collect_fees()
    house.vault.set_fee_recipient(treasury, sender=house.contracts.owner)
    (event,) = events(house.vault, "FeeRecipientSet")
    assert (event.recipient, house.vault.fee_recipient()) == (treasury, treasury)

    assert house.vault.collect_fees(sender=boa.env.generate_address("anyone")) == 5 * USDC

    assert house.contracts.token.balanceOf(treasury) == 5 * USDC
    assert house.clearing.fees() == 1
    with boa.reverts("vault: no fees"):
        house.vault.collect_fees()


def test_set_fee_recipient__stranger_or_nobody__is_refused(house):
    with boa.reverts("ownable: caller is not the owner"):
        house.vault.set_fee_recipient(house.vault.address, sender=boa.env.generate_address())
    with boa.reverts("vault: zero address"):
        house.vault.set_fee_recipient(ZERO, sender=house.contracts.owner)


@pytest.mark.parametrize("setter", ["set_insurance_fund", "set_collateral_sale"])
def test_servants__of_another_vault__are_refused(house, setter):
    owner, contracts = house.contracts.owner, house.contracts
    other = source("clearing/Vault").deploy(contracts.clearing.address, contracts.token.address, 6, WAD // 20)
    foreign = source("liquidation/InsuranceFund").deploy(other.address, WAD // 2, 86_400)
    with boa.reverts("vault: of another vault"):
        getattr(house.vault, setter)(foreign.address, sender=owner)
    with boa.reverts("vault: not a contract"):
        getattr(house.vault, setter)(boa.env.generate_address(), sender=owner)
    with boa.reverts("ownable: caller is not the owner"):
        getattr(house.vault, setter)(foreign.address, sender=boa.env.generate_address())


def test_charge__stranger__is_refused(house):
    account, stranger = house.open("maker", 10), boa.env.generate_address()
    for name, arguments, reason in (
        ("charge_interest", (account, 1), "vault: not the collateral sale"),
        ("sell_collateral", (account, ZERO, 1, 1, ZERO, ZERO), "vault: not the collateral sale"),
        ("note_drawn", (account, 1), "vault: not the clearinghouse"),
    ):
        with boa.reverts(reason):
            getattr(house.vault, name)(*arguments, sender=stranger)


def test_note_drawn__no_collateral_sale_yet__reductions_are_not_blocked(house):
    account = house.open("maker", 10)
    before = house.vault.seq()
    house.vault.note_drawn(account, WAD, sender=house.clearing.address)
    assert house.vault.seq() == before


def test_token__more_than_the_word_holds__is_refused(house):
    """2**128 units are more than any token has; one that invents them blocks nothing but itself."""
    account, coin = house.open("maker", 10), list_coin(house, 0)
    with boa.reverts():
        bring(house, account, coin, 2**128)
    house.withdraw(account, USDC, WORST)
