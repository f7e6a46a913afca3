import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import CALL, HEADROOM, PERP, STALE_AFTER, WAD, Deal, Side
from tests.support.house import events
from tests.support.statements import statement

UNIT = c.PRICE_UNIT
DUST = Deal(CALL, WAD // 100)


def fill(pair, deal=DUST):
    """The maker by headroom, the taker covered by the attesters."""
    pair.house.trade(deal, pair.maker, pair.taker, HEADROOM, pair.house.easy(pair.taker, deal))


def test_refresh__anyone__stores_the_leaf(pair):
    house = pair.house
    stated = {"marginal": 2 * WAD, "max_added_im": 6 * UNIT}
    stated |= {"initial_margin": 4 * UNIT - 1, "maintenance_margin": 3 * UNIT - 1}  # kept in 1e-8, rounded up
    house.post(house.margin(pair.maker, **stated))

    house.refresh(pair.maker)

    (event,) = events(house.clearing, "RecordSet")
    assert (event.account, event.epoch) == (pair.maker, house.epoch.number)
    assert event.seq == house.clearing.totals().seq
    record = house.record(pair.maker)
    assert (record.epoch, record.marginal, record.maxAddedIM) == (house.epoch.number, 2 * WAD, 6 * UNIT)
    assert (record.initialMargin, record.maintenanceMargin) == (4 * UNIT, 3 * UNIT)
    assert (record.addedIM, record.markBase, record.changes, record.linear) == (0, 0, 0, 0)
    assert record.expiry == 2**40 - 1


@pytest.mark.parametrize("way", [c.WAY_HEADROOM, c.WAY_REPORT, c.WAY_REDUCE_REPORT])
def test_refresh__not_a_leaf__reverts(pair, way):
    with boa.reverts("clearing: not a leaf"):
        pair.house.clearing.refresh(pair.maker, Side(way).evidence(), statement(1))


def test_refresh__leaf_of_another_account__reverts(pair):
    house = pair.house

    with boa.reverts("gate: margin of another account"):
        house.clearing.refresh(pair.maker, house.leaf(pair.taker).evidence(), statement(1))


def test_refresh__leaf_not_in_the_epoch__reverts(pair):
    house = pair.house
    forged = Side(
        c.WAY_LEAF,
        [],
        house.margin(pair.maker, initial_margin=1),
        house.leaf(pair.maker).proof,
    )

    with boa.reverts("oracle: not in the epoch"):
        house.clearing.refresh(pair.maker, forged.evidence(), statement(1))


def test_refresh__multiplier_below_one__reverts(pair):
    house = pair.house
    house.post(house.margin(pair.maker, marginal=WAD - 1))

    with boa.reverts("gate: bad marginal multiplier"):
        house.refresh(pair.maker)


@pytest.mark.parametrize("blocks", [0, c.GRACE_BLOCKS])
def test_refresh__superseded_after_a_small_move__passes_within_grace(pair, blocks):
    house = pair.house
    old, number = house.leaf(pair.maker), house.epoch.number
    house.post(house.margin(pair.maker))
    boa.env.evm.patch.block_number += blocks

    house.clearing.refresh(pair.maker, old.evidence(), statement(number))


@pytest.mark.parametrize(
    ("moves", "blocks"), [([2_000], c.GRACE_BLOCKS + 1), ([2_011], 0), ([2_000, 2_000], 0)]
)
def test_refresh__epoch_not_usable__reverts(pair, moves, blocks):
    """After the grace, after a large move (more than 0.5 %), and two epochs later."""
    house = pair.house
    old, number = house.leaf(pair.maker), house.epoch.number
    for spot in moves:
        house.post(house.margin(pair.maker), spot=spot * 10**8)
    boa.env.evm.patch.block_number += blocks

    with boa.reverts("oracle: epoch not usable"):
        house.clearing.refresh(pair.maker, old.evidence(), statement(number))


def test_refresh__older_than_the_record__reverts(pair):
    house = pair.house
    old, number = house.leaf(pair.maker), house.epoch.number
    house.post(house.margin(pair.maker))
    house.refresh(pair.maker)

    with boa.reverts("clearing: older than the record"):
        house.clearing.refresh(pair.maker, old.evidence(), statement(number))


def test_headroom__record_two_epochs_old__reverts(pair):
    house = pair.house
    house.refresh(pair.maker)
    house.post(house.margin(pair.maker))
    house.post(house.margin(pair.maker))

    with boa.reverts("gate: epoch not usable"):
        fill(pair)


def test_headroom__beyond_the_records_reach__reverts(pair):
    house = pair.house
    house.post(house.margin(pair.maker, max_added_im=WAD))
    house.refresh(pair.maker)
    fill(pair)

    with boa.reverts("gate: beyond the record's reach"):
        fill(pair)


def test_headroom__marginal_multiplier__scales_what_was_added(pair):
    """One call adds 100 alone, 250 by the multiplier; equity 9,999.9 after the fee."""
    house, deal = pair.house, Deal(CALL, fees=(WAD // 10, 0))
    needs = 10_000 * WAD - WAD // 10 - 250 * WAD
    house.post(house.margin(pair.maker, marginal=5 * WAD // 2, initial_margin=needs + 1))
    house.refresh(pair.maker)
    with boa.reverts("gate: below initial margin"):
        fill(pair, deal)

    house.post(house.margin(pair.maker, marginal=5 * WAD // 2, initial_margin=needs))
    house.refresh(pair.maker)
    fill(pair, deal)


def test_headroom_and_leaf__sixty_four_fills__and_no_more(pair):
    house = pair.house
    house.refresh(pair.maker)
    for _ in range(c.MAX_FILLS_SINCE_LEAF):
        fill(pair)
    house.refresh(pair.maker)  # the leaf outlives them

    with boa.reverts("gate: too many fills since the leaf"):
        fill(pair)
    house.trade(
        DUST,
        pair.maker,
        pair.taker,
        house.easy(pair.maker, DUST, taker=False),
        house.easy(pair.taker, DUST),
    )
    with boa.reverts("gate: too many fills since the leaf"):
        house.refresh(pair.maker)


def test_leaf__uncounted_fill_since__reverts(pair):
    house, deal = pair.house, Deal(CALL, counted=False)
    house.hold(pair.maker, pair.taker, deal)

    with boa.reverts("gate: book changed otherwise"):
        house.refresh(pair.maker)


@pytest.mark.parametrize(("mark", "passes"), [(1_960, 1), (2_040, 1), (1_960, 0), (2_040, 0)])
def test_refresh__mark_at_the_bracket_or_a_wei_outside(pair, mark, passes):
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(PERP, WAD, 2_000 * WAD))
    outwards = 0 if passes else (1 if mark > 2_000 else -1)
    house.post(house.margin(pair.maker, mark_to_market=mark * WAD + outwards))

    if passes:
        house.refresh(pair.maker)
    else:
        with boa.reverts("gate: mark outside bracket"):
            house.refresh(pair.maker)


def test_leaf__mark_carried_below_the_bracket__passes_after_fills(pair):
    """Bought far below the mark: Q carries the price, which only a book untouched since may not show."""
    house = pair.house
    house.refresh(pair.maker)
    fill(pair, Deal(PERP, WAD, 1_500 * WAD))

    house.refresh(pair.maker)
    assert house.state(pair.maker).added_mark == 1_500 * WAD


def test_leaf__mark_carried_above_the_bracket__reverts(pair):
    """An old leaf's mark, carried forward to a book that is worth less now."""
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(CALL))
    house.post(house.margin(pair.maker, mark_to_market=2_100 * WAD))
    fill_now = Deal(CALL, -WAD // 2)
    house.trade(
        fill_now,
        pair.maker,
        pair.taker,
        house.easy(pair.maker, fill_now, taker=False),
        house.easy(pair.taker, fill_now),
    )

    with boa.reverts("gate: mark outside bracket"):
        house.refresh(pair.maker)


def test_headroom__stale__reverts_and_deposit_does_not(pair):
    house = pair.house
    house.refresh(pair.maker)
    boa.env.evm.patch.timestamp += STALE_AFTER
    fill(pair)
    boa.env.evm.patch.timestamp += 1

    with boa.reverts("gate: epoch too old"):
        house.withdraw(pair.maker, 1, HEADROOM)
    house.deposit(pair.maker, 1)
