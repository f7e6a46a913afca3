import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import (
    CALL,
    EXPIRY,
    FUTURE,
    GENESIS,
    LATER,
    PERP,
    USDC,
    WAD,
    Deal,
    auction_house,
    call,
)
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


def test_open_account__cross__is_isolated_to_nothing(house):
    account = house.clearing.account(house.open("maker"))

    assert (account.underlying, account.expiry, account.creditTier) == (0, 0, 0)


# Isolated accounts


@pytest.mark.parametrize(("underlying", "expiry"), [(1, 0), (0, EXPIRY), (32, EXPIRY)])
def test_open_isolated__anyone__says_to_what(house, underlying, expiry):
    owner = boa.env.generate_address()

    account = house.clearing.open_isolated(owner, underlying, expiry)

    (event,) = events(house.clearing, "AccountOpened")
    assert (event.account, event.owner, event.underlying, event.expiry) == (
        account,
        owner,
        underlying,
        expiry,
    )
    stored = house.clearing.account(account)
    assert (stored.owner, stored.underlying, stored.expiry, stored.legCount) == (owner, underlying, expiry, 0)


@pytest.mark.parametrize(
    ("underlying", "expiry", "reason"),
    [
        (0, 0, "accounts: isolated to nothing"),
        (33, 0, "accounts: unknown underlying"),
        (1, EXPIRY + 1, "accounts: bad expiry"),
    ],
)
def test_open_isolated__bad_scope__reverts(house, underlying, expiry, reason):
    with boa.reverts(reason):
        house.clearing.open_isolated(boa.env.generate_address(), underlying, expiry)


@pytest.mark.parametrize(
    ("scope", "held", "refused", "reason"),
    [
        ((1, 0), (PERP, CALL), call(2_000, LATER) + (1 << 112), "accounts: isolated to another underlying"),
        ((0, EXPIRY), (CALL, FUTURE), PERP, "accounts: isolated to another expiry"),
        ((1, EXPIRY), (CALL, FUTURE), call(2_000, LATER), "accounts: isolated to another expiry"),
    ],
)
def test_trade__isolated__holds_only_what_it_is_for(pair, scope, held, refused, reason):
    house = pair.house
    account = isolated(house, *scope)

    for instrument in held:
        house.hold(account, pair.taker, Deal(instrument, WAD, 10 * WAD, counted=False))

    assert house.book(account) == sorted(held)
    deal = Deal(refused, WAD, 10 * WAD, counted=False)
    with boa.reverts(reason):
        house.trade(deal, account, pair.taker, house.worst(account), house.worst(pair.taker))


def isolated(house, underlying, expiry):
    """An isolated account with cash."""
    owner = boa.env.generate_address("isolated")
    account = house.clearing.open_isolated(owner, underlying, expiry)
    house.owners[account] = owner
    house.deposit(account, 10_000 * USDC)
    return account


# Operators


@pytest.mark.parametrize("scopes", [0, 1, 2, 4, 5, 7])
def test_set_operator__owner__is_recorded(house, scopes):
    account, operator = house.open("maker"), boa.env.generate_address()
    owner, expiry = house.owners[account], GENESIS + 100

    house.clearing.set_operator(account, operator, scopes, expiry, sender=owner)

    (event,) = events(house.clearing, "OperatorSet")
    assert (event.account, event.operator, event.scopes, event.expiry) == (account, operator, scopes, expiry)
    assert event.seq == house.clearing.totals().seq
    for scope in (c.SCOPE_TRADE, c.SCOPE_WITHDRAW, c.SCOPE_DEPOSIT):
        assert house.clearing.may_act(account, operator, scope) == bool(scopes & scope)
        assert house.clearing.may_act(account, owner, scope)
    boa.env.evm.patch.timestamp = expiry
    assert house.clearing.may_act(account, operator, c.SCOPE_TRADE) == bool(scopes & 1)
    boa.env.evm.patch.timestamp = expiry + 1
    assert not house.clearing.may_act(account, operator, c.SCOPE_TRADE)
    assert house.clearing.may_act(account, owner, c.SCOPE_TRADE)


@pytest.mark.parametrize(
    ("operator", "scopes", "reason"),
    [(NOBODY, 1, "accounts: zero operator"), ("0x" + "11" * 20, 8, "accounts: unknown scope")],
)
def test_set_operator__bad_grant__reverts(house, operator, scopes, reason):
    account = house.open("maker")

    with boa.reverts(reason):
        house.clearing.set_operator(account, operator, scopes, GENESIS, sender=house.owners[account])


def test_set_operator__operator__may_not_appoint(house):
    account, operator = house.open("maker"), boa.env.generate_address()
    house.clearing.set_operator(account, operator, 7, LATER, sender=house.owners[account])

    with boa.reverts("clearing: not the owner"):
        house.clearing.set_operator(account, boa.env.generate_address(), 7, LATER, sender=operator)


def test_may_act__unknown_account__nobody(house):
    assert not house.clearing.may_act(99, NOBODY, c.SCOPE_TRADE)


# Transfers


def test_transfer_account__owner__hands_everything_over(house):
    account, operator, owner = house.open("maker", 5), boa.env.generate_address(), boa.env.generate_address()
    seller = house.owners[account]
    house.clearing.set_operator(account, operator, 7, LATER, sender=seller)
    before = house.clearing.account(account)

    house.clearing.transfer_account(account, owner, sender=seller)

    (event,) = events(house.clearing, "AccountTransferred")
    assert (event.account, event.previousOwner, event.owner) == (account, seller, owner)
    assert event.seq == house.clearing.totals().seq
    after = house.clearing.account(account)
    assert (after.owner, after.cash, after.exempt) == (owner, before.cash, before.exempt)
    assert not house.clearing.may_act(account, operator, 1)
    assert not house.clearing.may_act(account, seller, 1)
    house.clearing.transfer_account(account, seller, sender=owner)
    assert not house.clearing.may_act(account, operator, 1)  # a grant does not come back with the owner


def test_transfer_account__not_the_owner_or_to_nobody__reverts(house):
    account = house.open("maker")
    owner, operator = house.owners[account], boa.env.generate_address()
    house.clearing.set_operator(account, operator, 7, LATER, sender=owner)

    with boa.reverts("clearing: not the owner"):
        house.clearing.transfer_account(account, operator, sender=operator)
    with boa.reverts("clearing: zero owner"):
        house.clearing.transfer_account(account, NOBODY, sender=owner)


def test_transfer_account__in_auction__reverts(house):
    account, auctions = house.open("maker"), auction_house()
    house.clearing.set_auction_house(auctions, sender=house.contracts.owner)
    house.clearing.set_frozen(account, True, sender=auctions)

    with boa.reverts("clearing: in auction"):
        house.clearing.transfer_account(account, auctions, sender=house.owners[account])


# Credit tiers


def test_set_credit_tier__risk_manager__is_recorded(house):
    account, manager = isolated(house, 1, EXPIRY), boa.env.generate_address()
    house.clearing.set_risk_manager(manager, sender=house.contracts.owner)
    (event,) = events(house.clearing, "RiskManagerSet")
    assert (event.riskManager, house.clearing.risk_manager()) == (manager, manager)

    for tier in (15, 3):
        house.clearing.set_credit_tier(account, tier, sender=manager)

        (event,) = events(house.clearing, "CreditTierSet")
        assert (event.account, event.tier, event.seq) == (account, tier, house.clearing.totals().seq)
        stored = house.clearing.account(account)
        assert (stored.creditTier, stored.underlying, stored.expiry) == (tier, 1, EXPIRY)
        assert stored.owner == house.owners[account]


def test_set_credit_tier__unknown_tier_or_account__reverts(house):
    account, manager = house.open("maker"), boa.env.generate_address()
    house.clearing.set_risk_manager(manager, sender=house.contracts.owner)

    with boa.reverts("clearing: unknown tier"):
        house.clearing.set_credit_tier(account, 16, sender=manager)
    with boa.reverts("clearing: no such account"):
        house.clearing.set_credit_tier(99, 1, sender=manager)
    with boa.reverts("clearing: not the risk manager"):
        house.clearing.set_credit_tier(account, 1, sender=house.contracts.owner)
