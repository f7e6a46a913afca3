"""A token on its way out: its haircuts rise to one, its owner may take it out any time; nothing freezes."""

import boa
import pytest

from keeper.clearing.collateral import Value, in_force, value_of
from keeper.units import constants as c
from tests.support.clearing import WAD, Side
from tests.support.coins import balance, bring, list_coin, spec, take
from tests.support.house import events

WORST = Side(c.WAY_WORST_CASE)
DAY = 86_400
OVER = 10 * DAY
SPOTS = {1: 2_000 * 10**8}


def delist(house, coin, over=OVER):
    house.vault.delist_collateral(coin.address, over, sender=house.contracts.owner)
    (event,) = events(house.vault, "CollateralDelisted")
    return event


def words(house, account):
    return house.clearing.standing(account, False).collateral


def value(house, account):
    return house.contracts.valuer.collateral_value(words(house, account))


@pytest.fixture
def holder(house):
    """An account with one ether."""
    account, coin = house.open("holder", 100), list_coin(house)
    house.post()
    bring(house, account, coin, WAD)
    return house, account, coin


@pytest.mark.parametrize("passed", [0, 1, DAY, OVER // 2, OVER - 1, OVER, 2 * OVER])
def test_delist__time_passes__haircuts_rise_on_a_line_as_the_twin(holder, passed):
    house, account, coin = holder
    event = delist(house, coin)
    now = boa.env.evm.patch.timestamp
    assert (event.since, event.until, event.seq) == (now, now + OVER, house.vault.seq())
    assert tuple(house.vault.delisting(coin.address)) == (now, now + OVER)

    boa.env.evm.patch.timestamp = now + passed

    listing = coin.listing.delisted(now, now + OVER)
    expected = value_of({1: WAD}, in_force([listing], now + passed), SPOTS)
    assert tuple(value(house, account)) == (expected.full, expected.initial, expected.maintenance)
    shown = house.vault.collateral(coin.address)
    initial, maintenance = (-(-(10_000 - h) * min(passed, OVER) // OVER) + h for h in (1_000, 500))
    assert (shown.initialHaircut, shown.maintenanceHaircut, shown.cap) == (initial, maintenance, 0)


def test_delist__over__counts_nothing_and_leaves_at_once(holder):
    house, account, coin = holder
    delist(house, coin, DAY)
    boa.env.evm.patch.timestamp += DAY

    assert words(house, account) == []
    assert house.clearing.account(account).tokens == 1
    assert balance(house, account, coin) == WAD
    take(house, account, coin, WAD, WORST)
    assert coin.token.balanceOf(house.owners[account]) == WAD
    assert house.clearing.account(account).tokens == 0


def test_delist__over__stays_with_its_owner_in_an_auction(holder):
    house, account, coin = holder
    buyer, other = house.open("buyer", 100), list_coin(house)
    bring(house, account, other, WAD)
    delist(house, coin, DAY)
    boa.env.evm.patch.timestamp += DAY

    moved = house.vault.transfer_share(account, buyer, WAD // 2, sender=house.clearing.auction_house())

    assert moved == 1_000 * WAD
    assert (balance(house, account, coin), balance(house, buyer, coin)) == (WAD, 0)
    assert (balance(house, account, other), balance(house, buyer, other)) == (WAD // 2, WAD // 2)


def test_delist__deposit__is_refused(holder):
    house, account, coin = holder
    delist(house, coin)
    house.post()
    with boa.reverts("vault: collateral above its cap"):
        bring(house, account, coin, 1)


def test_list_collateral__delisted__takes_it_back(holder):
    house, account, coin = holder
    delist(house, coin)
    boa.env.evm.patch.timestamp += 2 * OVER

    house.vault.list_collateral(coin.address, spec(), sender=house.contracts.owner)

    assert tuple(house.vault.delisting(coin.address)) == (0, 0)
    assert tuple(value(house, account)) == (2_000 * WAD, 1_800 * WAD, 1_900 * WAD)


@pytest.mark.parametrize("over", [0, DAY - 1, 90 * DAY + 1, 2**32 - 1])
def test_delist__too_fast_or_too_slow__is_refused(holder, over):
    house, _, coin = holder
    with boa.reverts("vault: bad ramp"):
        delist(house, coin, over)


def test_delist__not_listed_or_twice__is_refused(holder):
    house, _, coin = holder
    with boa.reverts("vault: token not listed"):
        house.vault.delist_collateral(boa.env.generate_address(), DAY, sender=house.contracts.owner)
    delist(house, coin, DAY)
    with boa.reverts("vault: delisted already"):
        delist(house, coin, DAY)


def test_delist__stranger__is_refused(holder):
    house, _, coin = holder
    with boa.reverts("ownable: caller is not the owner"):
        house.vault.delist_collateral(coin.address, DAY, sender=boa.env.generate_address())


def test_value__nothing_in_force__is_zero():
    assert value_of({1: WAD}, (), SPOTS) == Value()
