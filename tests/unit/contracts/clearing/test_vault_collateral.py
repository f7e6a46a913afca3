"""Collateral put in and taken out, and what it counts."""

import boa
import pytest

from keeper.clearing import account as accounts
from keeper.units import constants as c
from scripts._protocol import DebtTerms
from tests.support.clearing import (
    CALL,
    HEADROOM,
    PERP,
    PUT,
    STALE_AFTER,
    USDC,
    WAD,
    Deal,
    Side,
    auction_house,
    source,
)
from tests.support.coins import balance, bring, list_coin, state_of, take, taken
from tests.support.house import events

WORST = Side(c.WAY_WORST_CASE)
FEE, RETURNS_FALSE, MOVES_NOTHING, REVERTS, GIVES_MORE, CALLS_BACK = range(1, 7)
ETHER = 2_000 * WAD  # its value; 1,800 towards initial, 1,900 towards maintenance margin


@pytest.fixture
def seller(house):
    """Stands for the auction house."""
    address = auction_house()
    house.clearing.set_auction_house(address, sender=house.contracts.owner)
    return address


@pytest.fixture
def sale(house):
    """The collateral sale's address: who sells for missing cash."""
    terms = DebtTerms().values()
    found = source("liquidation/CollateralSale").deploy(house.clearing.address, terms)
    house.vault.set_collateral_sale(found.address, sender=house.contracts.owner)
    return found.address


# In and out


@pytest.mark.parametrize("decimals", [0, 8, 18])
def test_deposit__owner__is_held_and_enters_the_book_hash(pair, decimals):
    house, account = pair.house, pair.maker
    coin, amount = list_coin(pair.house, decimals), 3 * 10**decimals + 7
    expected = accounts.collateral_deposited(house.state(account), 1, coin.listing.amount(amount))

    bring(house, account, coin, amount)

    (event,) = events(house.vault, "CollateralChanged")
    wad = amount * 10 ** (18 - decimals)
    assert (event.account, event.token, event.kind) == (account, coin.address, c.CHANGE_COLLATERAL)
    assert (event.change, event.balance, event.bookHash) == (wad, wad, expected.book_hash)
    assert event.seq == house.vault.seq()
    stored = house.clearing.account(account)
    assert (stored.bookHash, stored.tokens, stored.cash) == (expected.book_hash, 1, 10_000 * WAD)
    assert balance(house, account, coin) == wad
    assert house.vault.held(coin.address) == coin.token.balanceOf(house.vault.address) == amount
    (word,) = house.clearing.standing(account, False).collateral
    assert word & 2**128 - 1 == wad


def test_withdraw__everything__leaves_no_trace_but_the_hash(pair):
    house, coin = pair.house, list_coin(pair.house, 8)
    bring(house, pair.maker, coin, 5)
    expected = accounts.collateral_withdrawn(state_of(house, pair.maker, coin), 1, 5 * 10**10)

    take(house, pair.maker, coin, 5, WORST)

    (event,) = events(house.vault, "Withdrawn")
    assert (event.token, event.recipient, event.amount) == (coin.address, house.owners[pair.maker], 5)
    assert event.cash == 10_000 * WAD
    stored = house.clearing.account(pair.maker)
    assert (stored.bookHash, stored.tokens, stored.withdrawNonce) == (expected.book_hash, 0, 1)
    assert (stored.cash, stored.exempt) == (10_000 * WAD, 10_000 * WAD)
    assert balance(house, pair.maker, coin) == house.vault.held(coin.address) == 0
    assert coin.token.balanceOf(house.owners[pair.maker]) == 5


def test_book_hash__deposits_withdrawals_and_a_conversion__fold_as_the_keeper_folds(pair, sale):
    house, payer = pair.house, boa.env.generate_address("payer")
    first, second = list_coin(house), list_coin(house, 8, haircuts=(3_000, 3_000))
    state = house.state(pair.maker)

    bring(house, pair.maker, first, 2 * WAD)
    state = accounts.collateral_deposited(state, 1, 2 * WAD)
    bring(house, pair.maker, second, 7)
    state = accounts.collateral_deposited(state, 2, 7 * 10**10)
    take(house, pair.maker, first, WAD, WORST)
    state = accounts.collateral_withdrawn(state, 1, WAD)
    house.contracts.token.mint(payer, 50)
    house.contracts.token.approve(house.vault.address, 50, sender=payer)
    house.vault.sell_collateral(pair.maker, second.address, 3, 50, payer, payer, sender=sale)
    state = accounts.deposited(accounts.collateral_converted(state, 2, 3 * 10**10), 50 * 10**12)

    now = state_of(house, pair.maker, first, second)
    assert (now.book_hash, now.collateral) == (state.book_hash, state.collateral)
    assert (now.cash, now.exempt, now.withdraw_nonce) == (state.cash, state.exempt, state.withdraw_nonce)
    assert house.clearing.account(pair.maker).tokens == 0b11


def test_sell_collateral__payer_pays_and_recipient_gets(pair, sale):
    house, coin = pair.house, list_coin(pair.house)
    payer, recipient = boa.env.generate_address("payer"), boa.env.generate_address("recipient")
    bring(house, pair.maker, coin, WAD)
    house.contracts.token.mint(payer, 500 * USDC)
    house.contracts.token.approve(house.vault.address, 500 * USDC, sender=payer)

    house.vault.sell_collateral(pair.maker, coin.address, WAD // 4, 500 * USDC, payer, recipient, sender=sale)

    changed, deposited = events(house.vault, "CollateralChanged") + events(house.vault, "Deposited")
    assert (changed.kind, changed.change, changed.balance) == (
        c.CHANGE_CONVERSION,
        -WAD // 4,
        3 * WAD // 4,
    )
    assert (deposited.amount, deposited.cash) == (500 * USDC, 10_500 * WAD)
    assert house.vault.held(coin.address) == coin.token.balanceOf(house.vault.address) == 3 * WAD // 4
    assert coin.token.balanceOf(recipient) == WAD // 4
    with boa.reverts("vault: not that much collateral"):
        house.vault.sell_collateral(pair.maker, coin.address, WAD, 500 * USDC, payer, recipient, sender=sale)


def test_deposit__operator__may(pair):
    house, operator, coin = pair.house, boa.env.generate_address(), list_coin(pair.house)
    house.clearing.set_operator(
        pair.maker, operator, c.SCOPE_DEPOSIT, 2**40 - 1, sender=house.owners[pair.maker]
    )

    bring(house, pair.maker, coin, 1, operator)
    assert balance(house, pair.maker, coin) == 1


def test_deposit__stranger__reverts(pair):
    """Else anybody could change what a signed margin is of."""
    coin = list_coin(pair.house)

    with boa.reverts("vault: not authorised"):
        bring(pair.house, pair.maker, coin, 1, boa.env.generate_address())


def test_deposit__paused_and_without_an_epoch__passes(house):
    account, coin = house.open("maker"), list_coin(house)
    house.clearing.pause(3_600, sender=house.contracts.guardian)

    bring(house, account, coin, 1)
    assert balance(house, account, coin) == 1


def test_deposit__cap__is_of_all_accounts_and_in_the_tokens_decimals(pair):
    house, coin = pair.house, list_coin(pair.house, 8, cap=10)
    bring(house, pair.maker, coin, 4)

    with boa.reverts("vault: collateral above its cap"):
        bring(house, pair.taker, coin, 7)
    bring(house, pair.taker, coin, 6)
    take(house, pair.maker, coin, 1, WORST)
    house.post()
    bring(house, pair.taker, coin, 1)
    house.post()
    with boa.reverts("vault: collateral above its cap"):
        bring(house, pair.taker, coin, 1)


def test_deposit__second_of_an_epoch__is_refused_while_accounts_can_be_flagged(pair):
    """Each changes the book hash: in dust, they would outrun what a flag can replay."""
    house, coin, other = pair.house, list_coin(pair.house), list_coin(pair.house)
    bring(house, pair.maker, coin, WAD)

    with boa.reverts("vault: one deposit of a collateral token an epoch"):
        bring(house, pair.maker, coin, 1)
    bring(house, pair.maker, other, 1)
    bring(house, pair.taker, coin, 1)
    house.post()
    bring(house, pair.maker, coin, 1)
    boa.env.evm.patch.timestamp += STALE_AFTER + 1
    bring(house, pair.maker, coin, 1)
    bring(house, pair.maker, coin, 1)
    assert balance(house, pair.maker, coin) == WAD + 3


def test_withdraw__more_than_the_balance__reverts(pair):
    house, coin = pair.house, list_coin(pair.house)
    bring(house, pair.maker, coin, 5)
    bring(house, pair.taker, coin, 5)

    with boa.reverts("vault: not that much collateral"):
        take(house, pair.maker, coin, 6, WORST)


def test_withdraw__token_not_listed__reverts(pair):
    house = pair.house
    stranger = house.contracts.valuer.address

    with boa.reverts("vault: token not listed"):
        house.vault.withdraw(
            pair.maker, stranger, 1, stranger, WORST.evidence(), b"", sender=house.owners[pair.maker]
        )
    with boa.reverts("vault: token not listed"):
        house.vault.collateral_balance(pair.maker, stranger)


# Margins


def test_headroom__outlives_a_deposit_but_not_a_withdrawal(pair):
    """What was put in counts at once; what was taken out asks for a new statement."""
    house, coin, deal = pair.house, list_coin(pair.house), Deal(PERP, WAD, 2_000 * WAD)
    house.post(house.margin(pair.maker, initial_margin=10_000 * WAD), house.margin(pair.taker))
    house.refresh(pair.maker)
    with boa.reverts("gate: below initial margin"):
        house.trade(deal, pair.maker, pair.taker, HEADROOM, house.easy(pair.taker, deal))

    bring(house, pair.maker, coin, WAD)
    house.trade(deal, pair.maker, pair.taker, HEADROOM, house.easy(pair.taker, deal))
    house.refresh(pair.maker)  # the leaf outlives it as well
    reported, statement = taken(house, pair.maker, coin, 1, mark_to_market=2_000 * WAD)
    take(house, pair.maker, coin, 1, reported, statement)

    with boa.reverts("gate: book changed otherwise"):
        house.trade(deal, pair.maker, pair.taker, HEADROOM, house.easy(pair.taker, deal))
    with boa.reverts("gate: book changed otherwise"):
        house.refresh(pair.maker)


@pytest.mark.parametrize("extra", [0, 1])
def test_headroom__initial_haircut__to_the_wei(pair, extra):
    house, coin = pair.house, list_coin(pair.house)
    bring(house, pair.maker, coin, WAD)
    house.post(house.margin(pair.maker, initial_margin=10_000 * WAD + 9 * ETHER // 10 + extra))
    house.refresh(pair.maker)
    gate, ledger = house.contracts.gate, house.clearing.address

    if extra:
        with boa.reverts("gate: below initial margin"):
            gate.require_pass(ledger, bytes(32), 0, pair.maker, HEADROOM.evidence(), b"")
    else:
        passed = gate.require_pass(ledger, bytes(32), 0, pair.maker, HEADROOM.evidence(), b"")
        assert passed.settled == 10_000 * WAD  # collateral is no settled cash


def test_measure__maintenance_haircut__at_the_effective_spot(pair):
    house, coin = pair.house, list_coin(pair.house)
    bring(house, pair.maker, coin, WAD)
    house.post(
        house.margin(pair.maker, maintenance_margin=10**10), spot=3_000 * 10**8, effective=2_040 * 10**8
    )
    house.refresh(pair.maker)

    health = house.contracts.gate.measure(house.clearing.address, pair.maker)

    assert tuple(health) == (10_000 * WAD + 1_938 * WAD, 10**10, 10_000 * WAD)


def test_trade__collateral_pays_no_premium(house):
    """It covers a margin; what an option costs is cash."""
    maker, taker, coin = house.open("maker", 50), house.open("taker", 10_000), list_coin(house)
    bring(house, maker, coin, WAD)
    house.post(house.margin(maker), house.margin(taker))
    house.refresh(maker)
    deal = Deal(CALL)

    with boa.reverts("gate: settled cash below zero"):
        house.trade(deal, maker, taker, HEADROOM, house.easy(taker, deal))
    house.trade(Deal(CALL, WAD // 2), maker, taker, HEADROOM, house.easy(taker, Deal(CALL, WAD // 2)))


@pytest.mark.parametrize("extra", [0, 1])
def test_withdraw__report__at_initial_margin_or_a_wei_below(pair, extra):
    """Of one ether half stays: 900 of the 10,900 of equity."""
    house, coin = pair.house, list_coin(pair.house)
    bring(house, pair.maker, coin, WAD)
    house.hold(pair.maker, pair.taker, Deal(PERP, WAD, 2_000 * WAD))
    stated = {"mark_to_market": 2_000 * WAD, "initial_margin": 10_900 * WAD + extra}
    side, statement = taken(house, pair.maker, coin, WAD // 2, **stated)

    if extra:
        with boa.reverts("gate: below initial margin"):
            take(house, pair.maker, coin, WAD // 2, side, statement)
    else:
        take(house, pair.maker, coin, WAD // 2, side, statement)
        assert balance(house, pair.maker, coin) == WAD // 2


@pytest.mark.parametrize("way", [c.WAY_HEADROOM, c.WAY_LEAF])
def test_withdraw__collateral_by_headroom_or_leaf__reverts(pair, way):
    house, coin = pair.house, list_coin(pair.house)
    bring(house, pair.maker, coin, WAD)
    house.post(house.margin(pair.maker))
    house.refresh(pair.maker)
    side = house.leaf(pair.maker) if way == c.WAY_LEAF else HEADROOM

    with boa.reverts("gate: book changed otherwise"):
        take(house, pair.maker, coin, 1, side, house.statement(side))


def test_withdraw__report_of_another_token__reverts(pair):
    house, coin, other = pair.house, list_coin(pair.house), list_coin(pair.house)
    bring(house, pair.maker, coin, WAD)
    bring(house, pair.maker, other, WAD)
    side, statement = taken(house, pair.maker, coin, WAD)

    with boa.reverts():  # the action, and the book hash
        take(house, pair.maker, other, WAD, side, statement)
    take(house, pair.maker, coin, WAD, side, statement)


def test_withdraw__worst_case__counts_cash_alone(pair):
    """What stays as collateral may be worth nothing at expiry: it covers no short put."""
    house, coin = pair.house, list_coin(pair.house)
    bring(house, pair.maker, coin, WAD)
    house.hold(pair.maker, pair.taker, Deal(PUT, -5 * WAD))

    take(house, pair.maker, coin, WAD, house.worst(pair.maker))
    house.post()
    bring(house, pair.maker, coin, 10 * WAD)
    with boa.reverts("gate: not fully collateralised"):
        house.withdraw(pair.maker, 501 * USDC, house.worst(pair.maker))
    house.withdraw(pair.maker, 500 * USDC, house.worst(pair.maker))


@pytest.mark.parametrize("way", ["report", "worst case"])
def test_withdraw__spot_outside_its_band__only_what_was_brought(pair, seller, way):
    """A bought token leaves by attestation only at a spot that the chain believes."""
    house, coin = pair.house, list_coin(pair.house)
    bring(house, pair.maker, coin, WAD)
    bring(house, pair.taker, coin, 100 * WAD)
    house.vault.transfer_share(pair.taker, pair.maker, WAD // 100, sender=seller)
    house.post(spot=3_000 * 10**8, effective=2_040 * 10**8)

    if way == "report":
        with boa.reverts("gate: spot outside its band"):
            take(house, pair.maker, coin, WAD + 1, *taken(house, pair.maker, coin, WAD + 1))
        take(house, pair.maker, coin, WAD, *taken(house, pair.maker, coin, WAD))
    else:
        take(house, pair.maker, coin, WAD + 1, WORST)


# Outflow limit


def test_outflow__per_token__brought_is_exempt_and_bought_is_not(pair, seller):
    """The buyer of a tenth of ten ether takes out 5 % of all ether in an hour; the seller what it brought."""
    house, coin, other = pair.house, list_coin(pair.house), list_coin(pair.house)
    bring(house, pair.taker, coin, 10 * WAD)
    bring(house, pair.maker, other, WAD)
    house.vault.transfer_share(pair.taker, pair.maker, WAD // 10, sender=seller)
    assert balance(house, pair.maker, coin) == WAD
    limit = WAD // 2
    assert tuple(house.vault.outflow(coin.address)) == (WAD // 20, 0, limit)

    with boa.reverts("custody: outflow limit"):
        take(house, pair.maker, coin, limit + 1, WORST)
    take(house, pair.maker, coin, limit, WORST)
    with boa.reverts("custody: outflow limit"):
        take(house, pair.maker, coin, 1, WORST)
    assert house.vault.outflow(other.address).level == 0
    assert house.vault.outflow(house.contracts.token.address).level == 0
    take(house, pair.maker, other, WAD, WORST)
    take(house, pair.taker, coin, 5 * WAD, WORST)
    assert house.vault.outflow(coin.address).level == limit

    # it drains by what is held now, half of what was held then
    boa.env.evm.patch.timestamp += 3_600
    assert house.vault.outflow(coin.address).level == limit - 9 * WAD // 40
    boa.env.evm.patch.timestamp += 2 * 3_600
    take(house, pair.maker, coin, house.vault.outflow(coin.address).limit, WORST)


def test_outflow__deposited_after_buying__leaves_again(pair, seller):
    house, coin = pair.house, list_coin(pair.house)
    bring(house, pair.taker, coin, 10 * WAD)
    house.vault.transfer_share(pair.taker, pair.maker, WAD // 10, sender=seller)

    bring(house, pair.maker, coin, 3 * WAD)

    take(house, pair.maker, coin, 3 * WAD, WORST)
    assert house.vault.outflow(coin.address).level == 0
    take(house, pair.maker, coin, 1, WORST)
    assert house.vault.outflow(coin.address).level == 1


# Hostile tokens


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
def test_deposit__collateral_misbehaves__reverts(pair, mode, reason):
    house, coin = pair.house, list_coin(pair.house, token_name="MockHostileToken")
    coin.token.set_mode(mode)

    with boa.reverts(reason):
        bring(house, pair.maker, coin, WAD)
    assert house.clearing.account(pair.maker).bookHash == bytes(32)


@pytest.mark.parametrize("mode", [RETURNS_FALSE, REVERTS])
def test_withdraw__collateral_refuses__keeps_the_balance_and_harms_no_cash(pair, mode):
    house, coin = pair.house, list_coin(pair.house, token_name="MockHostileToken")
    bring(house, pair.maker, coin, WAD)
    coin.token.set_mode(mode)

    with boa.reverts():
        take(house, pair.maker, coin, WAD, WORST)
    assert balance(house, pair.maker, coin) == house.vault.held(coin.address) == WAD
    house.withdraw(pair.maker, USDC, WORST)


@pytest.mark.parametrize("inner", ["deposit", "withdraw"])
@pytest.mark.parametrize("outer", ["deposit", "withdraw"])
def test_reentry__from_a_collateral_token__is_refused(pair, outer, inner):
    house, coin = pair.house, list_coin(pair.house, token_name="MockHostileToken")
    bring(house, pair.maker, coin, 2 * WAD)
    house.clearing.set_operator(pair.maker, coin.address, 7, 2**40 - 1, sender=house.owners[pair.maker])
    arguments = (pair.maker, coin.address, 1)
    if inner == "withdraw":
        arguments = (*arguments, coin.address, WORST.evidence(), b"")
    coin.token.set_callback(house.vault.address, getattr(house.vault, inner).prepare_calldata(*arguments))
    coin.token.set_mode(CALLS_BACK)
    house.post()

    if outer == "deposit":
        bring(house, pair.maker, coin, WAD)
    else:
        take(house, pair.maker, coin, WAD, WORST)

    assert coin.token.entered() == 1
    assert balance(house, pair.maker, coin) == (3 * WAD if outer == "deposit" else WAD)
