import boa
import pytest

from keeper.units import constants as c
from keeper.units.constants import WAD
from tests.support.clearing import CALL, EXPIRY, PERP, PUT, Deal, deploy, source
from tests.support.coins import bring, list_coin
from tests.support.house import House

ZERO = "0x" + "00" * 20
DEAD = 2**256 - 1


@pytest.fixture(scope="module")
def deployed():
    with boa.env.anchor():
        contracts = deploy()
        exchange = source("exchange/Exchange").deploy(
            contracts.clearing.address, contracts.markets.address, contracts.oracle.address, 0, 0
        )
        yield (
            contracts,
            exchange,
            source("lens/AccountLens").deploy(contracts.clearing.address, exchange.address),
        )


@pytest.fixture
def scene(deployed):
    """The maker is long a perp and a call, with a record."""
    contracts, _, lens = deployed
    with boa.env.anchor():
        house = House(contracts)
        maker, taker = house.open("maker", 10_000), house.open("taker", 1_000_000)
        house.post()
        house.hold(maker, taker, Deal(PERP, WAD, 2_000 * WAD), Deal(CALL))
        house.post(house.margin(maker, mark_to_market=2_100 * WAD, initial_margin=700 * WAD))
        house.refresh(maker)
        yield house, lens, maker


def view(scene, instruments=(PERP, CALL), operators=(), nonces=()):
    _, lens, account = scene
    return lens.view_account(account, instruments, operators, nonces)


# Books


def test_view_account__whole_book__state_and_bounds(scene):
    house, _, maker = scene

    found = view(scene)

    stored, bounds = house.clearing.account(maker), house.value(house.state(maker))
    assert found.account == stored
    assert found.record == house.record(maker)
    assert found.valuation == bounds
    assert (found.complete, found.funding) == (True, 0)
    assert list(found.quantities) == [WAD, WAD]
    assert found.settledLow == stored.cash + bounds.linear
    assert found.settledHigh == stored.cash + bounds.linearHigh > found.settledLow
    assert (found.auction.epoch, found.conversionStarted, found.debtLimit) == (0, 0, 0)
    assert list(found.holdings) == []


@pytest.mark.parametrize("asked", [[], [PERP], [CALL, PERP], [CALL, CALL]])
def test_view_account__not_the_whole_book__is_not_valued(scene, asked):
    found = view(scene, asked)

    assert not found.complete
    assert (found.valuation.low, found.valuation.high, found.settledLow, found.settledHigh) == (0, 0, 0, 0)


def test_view_account__instrument_not_held__is_ignored(scene):
    found = view(scene, [PERP, CALL, PUT])

    assert found.complete
    assert list(found.quantities) == [WAD, WAD, 0]


def test_view_account__unknown__is_empty(scene):
    _, lens, _ = scene

    found = lens.view_account(99, [], [], [])

    assert (found.complete, found.health.stands, found.health.equity) == (True, False, 0)


# Health


def test_view_account__record__health_is_what_the_gate_checks(scene):
    health = view(scene).health

    assert health.stands
    assert (health.mark, health.equity) == (2_100 * WAD, 10_000 * WAD)
    assert (health.initial, health.maintenance, health.headroom) == (700 * WAD, 0, 9_300 * WAD)
    assert health.reach == 10**9 * WAD


def test_view_account__fill_since__margin_is_added_and_reach_used(scene):
    house, _, maker = scene
    taker = house.open("another", 1_000_000)
    house.post(
        house.margin(maker, mark_to_market=2_100 * WAD, initial_margin=700 * WAD, marginal=2 * WAD),
        house.margin(taker),
    )
    house.refresh(maker)
    house.refresh(taker)
    house.clearing.trade(
        Deal(CALL).values(maker, taker, house.owners),
        (c.WAY_HEADROOM, b""),
        (c.WAY_HEADROOM, b""),
        house.statement(instrument=CALL),
        sender=house.contracts.module,
    )

    health = view(scene).health

    assert health.stands
    assert (health.mark, health.equity) == (2_200 * WAD, 10_000 * WAD)
    assert (health.initial, health.reach) == (900 * WAD, (10**9 - 100) * WAD)
    assert health.headroom == 9_100 * WAD


def test_view_account__record_of_an_old_epoch__does_not_stand(scene):
    house, _, _ = scene
    house.post()
    house.post()

    assert not view(scene).health.stands


def test_view_account__book_changed_otherwise__does_not_stand(scene):
    house, _, maker = scene
    taker = house.open("another", 1_000_000)
    house.hold(maker, taker, Deal(CALL, counted=False))

    assert not view(scene).health.stands


def test_view_account__expired_leg__does_not_stand(scene):
    boa.env.evm.patch.timestamp = EXPIRY

    assert not view(scene).health.stands


# Collateral, grants and orders


def test_view_account__collateral__each_token_with_its_haircuts(scene):
    house, _, maker = scene
    first, second = list_coin(house, 18, haircuts=(1_000, 500)), list_coin(house, 8, haircuts=(0, 0))
    list_coin(house, 0)
    bring(house, maker, second, 3 * 10**8)
    house.post(house.margin(maker))
    bring(house, maker, first, WAD)

    found = view(scene)

    assert [holding.token for holding in found.holdings] == [first.address, second.address]
    assert [holding.balance for holding in found.holdings] == [WAD, 3 * WAD]
    assert tuple(found.holdings[0].value) == (2_000 * WAD, 1_800 * WAD, 1_900 * WAD)
    assert tuple(found.collateral) == (8_000 * WAD, 7_800 * WAD, 7_900 * WAD)
    assert found.health.headroom == found.health.equity + 7_800 * WAD - found.health.initial


def test_view_account__operators__scopes_of_each(scene):
    house, _, maker = scene
    trader, nobody = boa.env.generate_address(), boa.env.generate_address()
    scopes = c.SCOPE_TRADE | c.SCOPE_DEPOSIT
    house.clearing.set_operator(maker, trader, scopes, EXPIRY, sender=house.owners[maker])

    found = view(scene, operators=[trader, nobody, house.owners[maker]])

    assert list(found.scopes) == [scopes, 0, 7]


def test_view_account__nonces__units_filled_or_dead(scene, deployed):
    house, _, maker = scene
    _, exchange, _ = deployed
    exchange.cancel(maker, [3], sender=house.owners[maker])

    found = view(scene, nonces=[3, 4])

    assert list(found.filled) == [DEAD, 0]
    assert found.series == exchange.series(maker)


# Summaries


def test_summaries__accounts__in_the_order_asked(scene):
    house, lens, maker = scene

    first, second = lens.summaries([99, maker])

    stored = house.clearing.account(maker)
    assert tuple(first) == (0, 0, 0, 0, bytes(32))
    assert tuple(second) == (2, stored.cash, stored.addedIM, stored.addedMark, stored.bookHash)


@pytest.mark.parametrize("position", [0, 1])
def test_deploy__zero_address__reverts(position):
    addresses = [boa.env.generate_address(), boa.env.generate_address()]
    addresses[position] = ZERO
    with boa.reverts("lens: zero address"):
        source("lens/AccountLens").deploy(*addresses)
