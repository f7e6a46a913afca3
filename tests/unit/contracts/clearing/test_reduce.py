import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import CALL, PERP, STALE_AFTER, WAD, Deal, Side

CLOSE = Deal(PERP, -WAD // 2, 2_000 * WAD, (3, 0))
AT_MARK = Side(c.WAY_REDUCE_AT_MARK)


@pytest.fixture
def under_water(pair):
    """Long one perp with a maintenance margin of 20,000 by its record: no margin is met."""
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(PERP, WAD, 2_000 * WAD))
    house.post(house.margin(pair.maker, mark_to_market=2_000 * WAD, maintenance_margin=20_000 * WAD))
    house.refresh(pair.maker)
    return pair


def reduce(pair, deal=CLOSE, mark=1_000 * WAD, maintenance=10_000 * WAD):
    """Half closed by report, for the maker."""
    house = pair.house
    state = house.after(pair.maker, deal)
    stated = {"mark_to_market": mark, "initial_margin": 2 * maintenance, "maintenance_margin": maintenance}
    side = house.report(pair.maker, state, c.WAY_REDUCE_REPORT, **stated)
    house.trade(deal, pair.maker, pair.taker, side, house.easy(pair.taker, deal))


@pytest.mark.parametrize("maintenance", [10_000 * WAD, 20_000 * WAD - 3])
def test_reduce_by_report__buffer_does_not_fall__passes(under_water, maintenance):
    reduce(under_water, maintenance=maintenance)

    assert under_water.house.state(under_water.maker).positions == {PERP: WAD // 2}


def test_reduce_by_report__buffer_falls_by_a_wei__reverts(under_water):
    with boa.reverts("gate: risk not reduced"):
        reduce(under_water, maintenance=20_000 * WAD - 2)


def test_reduce_by_report__equity_falls_beyond_the_fee__reverts(under_water):
    with boa.reverts("gate: equity falls"):
        reduce(under_water, mark=1_000 * WAD - 1)


def test_reduce_by_report__record_of_another_book__reverts(under_water):
    reduce(under_water)

    with boa.reverts("gate: record of another book"):
        reduce(under_water)


def test_reduce_by_report__record_of_another_epoch__reverts(under_water):
    house = under_water.house
    house.post()
    house.post()

    with boa.reverts("gate: record of another epoch"):
        reduce(under_water)


def test_reduce_by_report__settled_cash_falls_below_zero__reverts(pair):
    """Cash spent on options is not a reduction, however calm the attesters."""
    house, deal = pair.house, Deal(CALL, 5 * WAD, 2_001 * WAD)
    house.post(house.margin(pair.maker, maintenance_margin=WAD))
    house.refresh(pair.maker)
    side = house.report(
        pair.maker, house.after(pair.maker, deal), c.WAY_REDUCE_REPORT, mark_to_market=10_005 * WAD
    )

    with boa.reverts("gate: settled cash below zero"):
        house.trade(deal, pair.maker, pair.taker, side, house.easy(pair.taker, deal))


@pytest.mark.parametrize("why", ["stale", "paused"])
def test_reduce__stale_or_paused__passes(under_water, why):
    house = under_water.house
    taker_worst = house.report(
        under_water.taker,
        house.after(under_water.taker, CLOSE, taker=True),
        c.WAY_REDUCE_REPORT,
        mark_to_market=-1_000 * WAD,
    )
    house.post(
        house.margin(under_water.maker, mark_to_market=2_000 * WAD, maintenance_margin=20_000 * WAD),
        house.margin(under_water.taker, mark_to_market=-2_000 * WAD),
    )
    house.refresh(under_water.maker)
    house.refresh(under_water.taker)
    if why == "stale":
        boa.env.evm.patch.timestamp += STALE_AFTER + 1
    else:
        house.clearing.pause(3_600, sender=house.contracts.guardian)
    state = house.after(under_water.maker, CLOSE)
    side = house.report(under_water.maker, state, c.WAY_REDUCE_REPORT, mark_to_market=1_000 * WAD)

    house.trade(CLOSE, under_water.maker, under_water.taker, side, taker_worst)


def at_mark(pair, deal, **changes):
    house = pair.house
    house.trade(deal, pair.maker, pair.taker, AT_MARK, changes.get("taker") or house.easy(pair.taker, deal))


@pytest.mark.parametrize("quantity", [-WAD // 16, -WAD // 2, -WAD])
def test_reduce_at_mark__the_whole_book_shrinks__passes(under_water, quantity):
    at_mark(under_water, Deal(PERP, quantity, 2_000 * WAD))

    assert under_water.house.state(under_water.maker).positions.get(PERP, 0) == WAD + quantity


def test_reduce_at_mark__stale_and_paused__passes(under_water):
    house = under_water.house
    boa.env.evm.patch.timestamp += 100 * STALE_AFTER
    house.clearing.pause(3_600, sender=house.contracts.guardian)

    at_mark(under_water, Deal(PERP, -WAD, 2_000 * WAD), taker=AT_MARK)

    assert house.state(under_water.maker).positions == house.state(under_water.taker).positions == {}


@pytest.mark.parametrize(
    ("deal", "reason"),
    [
        (Deal(PERP, -WAD, 2_000 * WAD + 10**10), "gate: not at the mark"),
        (Deal(PERP, -WAD, 2_000 * WAD, counted=False), "gate: no instrument leaf"),
        (Deal(PERP, -WAD - 10**10, 2_000 * WAD), "gate: does not shrink"),
        (Deal(PERP, WAD, 2_000 * WAD), "gate: does not shrink"),
        (Deal(PERP, -(WAD // 16) + 10**10, 2_000 * WAD), "gate: reduces too little"),
        (Deal(PERP, -WAD, 2_000 * WAD, (10_000 * WAD + 1, 0)), "gate: equity below zero"),
    ],
)
def test_reduce_at_mark__otherwise__reverts(under_water, deal, reason):
    with boa.reverts(reason):
        at_mark(under_water, deal)


def test_reduce_at_mark__equity_of_zero__passes(under_water):
    at_mark(under_water, Deal(PERP, -WAD, 2_000 * WAD, (10_000 * WAD, 0)))


def test_reduce_at_mark__another_leg__reverts(under_water):
    under_water.house.hold(under_water.maker, under_water.taker, Deal(CALL))

    with boa.reverts("gate: not the whole book"):
        at_mark(under_water, Deal(PERP, -WAD, 2_000 * WAD))
