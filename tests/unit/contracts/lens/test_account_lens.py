import boa
import pytest

from tests.support.clearing import CALL, PERP, PUT, WAD, Deal, deploy, source
from tests.support.house import House


@pytest.fixture(scope="module")
def deployed():
    with boa.env.anchor():
        contracts = deploy()
        yield contracts, source("lens/AccountLens").deploy(contracts.clearing.address)


@pytest.fixture
def scene(deployed):
    """The maker is long a perp and a call, with a record."""
    contracts, lens = deployed
    with boa.env.anchor():
        house = House(contracts)
        maker, taker = house.open("maker", 10_000), house.open("taker", 1_000_000)
        house.post()
        house.hold(maker, taker, Deal(PERP, WAD, 2_000 * WAD), Deal(CALL))
        house.post(house.margin(maker, mark_to_market=2_100 * WAD, initial_margin=7))
        house.refresh(maker)
        yield house, lens, maker


def test_view_account__whole_book__state_and_health(scene):
    house, lens, maker = scene

    view = lens.view_account(maker, [PERP, CALL])

    assert view.account == house.clearing.account(maker)
    assert view.record == house.record(maker)
    assert view.valuation == house.value(house.state(maker))
    assert (view.complete, view.usable, view.funding) == (True, True, 0)
    assert (list(view.quantities), view.mark) == ([WAD, WAD], 2_100 * WAD)
    assert view.equity == view.account.cash + 2_100 * WAD == 10_000 * WAD


@pytest.mark.parametrize("asked", [[], [PERP], [CALL, PERP], [CALL, CALL]])
def test_view_account__not_the_whole_book__is_not_valued(scene, asked):
    _, lens, maker = scene

    view = lens.view_account(maker, asked)

    assert not view.complete
    assert (view.valuation.low, view.valuation.high) == (0, 0)


def test_view_account__instrument_not_held__is_ignored(scene):
    _, lens, maker = scene

    view = lens.view_account(maker, [PERP, CALL, PUT])

    assert view.complete
    assert list(view.quantities) == [WAD, WAD, 0]


def test_view_account__unknown__is_empty(scene):
    _, lens, _ = scene

    view = lens.view_account(99, [])

    assert (view.complete, view.usable, view.equity) == (True, False, 0)


def test_summaries__accounts__in_the_order_asked(scene):
    house, lens, maker = scene

    first, second = lens.summaries([99, maker])

    stored = house.clearing.account(maker)
    assert tuple(first) == (0, 0, 0, 0, bytes(32))
    assert tuple(second) == (2, stored.cash, stored.addedIM, stored.addedMark, stored.bookHash)


def test_deploy__zero_address__reverts():
    with boa.reverts("lens: zero address"):
        source("lens/AccountLens").deploy("0x" + "00" * 20)
