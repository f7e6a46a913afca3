import boa
import pytest

from keeper.clearing import account as accounts
from keeper.units import constants as c
from tests.support.clearing import (
    ACTION,
    CALL,
    EXPIRY,
    FUTURE,
    HEADROOM,
    NO_LIMITS,
    PERP,
    PUT,
    STALE_AFTER,
    WAD,
    Deal,
    Side,
)
from tests.support.house import events

UNIT = c.PRICE_UNIT  # margins are kept in 1e-8
LONG_PERP = Deal(PERP, WAD, 2_000 * WAD, (UNIT, 0))
EQUITY = 10_000 * WAD - UNIT  # a fair perp costs the fee alone


def buy(pair, way, margin, deal=LONG_PERP, mark=2_000 * WAD):
    """The maker buys by a way whose initial margin comes to `margin`."""
    house, before = pair.house, margin - 200 * WAD  # one long perp adds 200 to the counter U
    house.post(house.margin(pair.maker, initial_margin=max(0, before)))
    if way == c.WAY_HEADROOM:
        house.refresh(pair.maker)
        side = HEADROOM
    elif way == c.WAY_LEAF:
        side = house.leaf(pair.maker, deal)
    else:
        state = house.after(pair.maker, deal)
        side = house.report(pair.maker, state, mark_to_market=mark, initial_margin=margin)
    house.trade(deal, pair.maker, pair.taker, side, house.easy(pair.taker, deal))


@pytest.mark.parametrize("way", [c.WAY_HEADROOM, c.WAY_LEAF, c.WAY_REPORT])
@pytest.mark.parametrize("slack", [0, UNIT])
def test_trade__at_initial_margin_or_above__passes(pair, way, slack):
    buy(pair, way, EQUITY - slack)

    assert pair.house.state(pair.maker).positions == {PERP: WAD}


@pytest.mark.parametrize("way", [c.WAY_HEADROOM, c.WAY_LEAF, c.WAY_REPORT])
def test_trade__a_unit_below_initial_margin__reverts(pair, way):
    with boa.reverts("gate: below initial margin"):
        buy(pair, way, EQUITY + 1)


@pytest.mark.parametrize("fee", [99, 100])
def test_trade__worst_case__at_zero_or_above__passes(pair, fee):
    """Five short puts can cost 10,000; the fee eats the premium but for what is left."""
    deal = Deal(PUT, -5 * WAD, 10**10, (5 * 10**10 - 100 + fee, 0))
    house = pair.house

    house.trade(deal, pair.maker, pair.taker, house.worst(pair.maker, deal), house.easy(pair.taker, deal))

    assert house.state(pair.maker).cash == 10_000 * WAD + 100 - fee


def test_trade__worst_case__one_wei_below__reverts(pair):
    deal = Deal(PUT, -5 * WAD, 10**10, (5 * 10**10 + 1, 0))
    house = pair.house

    with boa.reverts("gate: not fully collateralised"):
        house.trade(deal, pair.maker, pair.taker, house.worst(pair.maker, deal), house.easy(pair.taker, deal))


def test_trade__counted__events_and_state_of_both_sides(pair):
    house, deal = pair.house, Deal(CALL, 2 * WAD, 110 * WAD, (3 * WAD, 5 * WAD))
    expected = [house.after(pair.maker, deal), house.after(pair.taker, deal, taker=True)]
    first = house.clearing.totals().seq

    house.trade(deal, pair.maker, pair.taker, house.worst(pair.maker, deal), house.easy(pair.taker, deal))

    changes = events(house.clearing, "PositionChanged")
    for event, state, number, sign, fee in zip(
        changes, expected, (pair.maker, pair.taker), (1, -1), deal.fees, strict=True
    ):
        assert (event.account, event.instrument, event.kind) == (number, CALL, c.CHANGE_FILL)
        assert (event.quantity, event.price, event.fee) == (sign * deal.quantity, deal.price, fee)
        assert event.cash == state.cash
        assert event.counters == state.added_im << 128 | state.added_mark & 2**128 - 1
        stored = house.clearing.account(number)
        assert (stored.cash, stored.addedIM, stored.addedMark) == (
            event.cash,
            state.added_im,
            state.added_mark,
        )
        assert (stored.bookHash, stored.legCount, stored.perps) == (state.book_hash, 1, 0)
        assert tuple(house.clearing.position(number, CALL)) == (sign * deal.quantity, 0)
    assert [event.seq for event in changes] == [first + 1, first + 2]
    # 110 paid for a mark of 100: bought, 200 of mark are credited; sold, -220
    assert (expected[0].added_mark, expected[1].added_mark) == (200 * WAD, -220 * WAD)
    assert (expected[0].added_im, expected[1].added_im) == (200 * WAD, 600 * WAD)
    assert house.clearing.totals().fees == 8 * WAD
    assert expected[0].cash + expected[1].cash == 1_010_000 * WAD - 8 * WAD


def test_trade__uncounted__leaves_counters_and_says_so(pair):
    house, deal = pair.house, Deal(CALL, counted=False)

    house.trade(deal, pair.maker, pair.taker, house.worst(pair.maker, deal), house.easy(pair.taker, deal))

    event = events(house.clearing, "PositionChanged")[0]
    assert (event.kind, event.counters) == (c.CHANGE_UNCOUNTED_FILL, 0)


def test_trade__perp__sets_its_bit_until_closed(pair):
    house = pair.house
    house.hold(pair.maker, pair.taker, LONG_PERP)

    assert house.clearing.account(pair.maker).perps == 1
    assert tuple(house.clearing.position(pair.maker, PERP)) == (WAD, 0)
    assert house.clearing.funding_index(1) == 0
    assert house.clearing.standing(pair.maker, False).liquid == house.state(pair.maker).cash

    house.hold(pair.maker, pair.taker, Deal(PERP, -WAD, 2_000 * WAD))
    stored = house.clearing.account(pair.maker)
    assert (stored.perps, stored.legCount) == (0, 0)


def test_trade__realised_loss__leaves_the_exempt_amount_for_good(pair):
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(CALL, WAD, 600 * WAD), Deal(CALL, -WAD, 100 * WAD))
    assert house.state(pair.maker).exempt <= 9_500 * WAD
    exempt = house.state(pair.maker).exempt

    house.hold(pair.maker, pair.taker, Deal(CALL, WAD, 100 * WAD), Deal(CALL, -WAD, 700 * WAD))
    assert house.state(pair.maker).exempt <= exempt


def plain(pair, **changes):
    """A trade that would pass but for one change of its arguments."""
    house, deal = pair.house, Deal(CALL)
    sides = house.worst(pair.maker, deal), house.easy(pair.taker, deal)
    shared = house.statement(*sides, instrument=changes.get("leaf", CALL))
    band, limits = changes.get("band", WAD * 10**9), changes.get("limits", NO_LIMITS)
    fill = (CALL, changes.get("quantity", WAD), changes.get("price", 100 * WAD), band, limits)
    fields = {"maker": pair.maker, "taker": pair.taker, "fills": [fill]} | {
        "makerFee": 0,
        "takerFee": 0,
        "makerSigner": house.owners[pair.maker],
        "takerSigner": house.owners[pair.taker],
        "action": ACTION,
    }
    values = tuple((fields | {k: v for k, v in changes.items() if k in fields}).values())
    shown = [side.evidence() for side in sides]
    house.clearing.trade(values, *shown, shared, sender=changes.get("sender", house.contracts.module))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"taker": 1}, "clearing: same account"),
        ({"quantity": 0}, "clearing: no quantity"),
        ({"maker": 99}, "clearing: no such account"),
        ({"taker": 99}, "clearing: no such account"),
        ({"leaf": PUT}, "gate: leaf of another instrument"),
        ({"quantity": 2**96 + 1}, "clearing: position too large"),
        ({"price": 10**10 + 1, "quantity": 1}, "clearing: inexact amount"),
        ({"action": bytes(32)}, "quorum: wrong signer"),
    ],
)
def test_trade__bad_argument__reverts(pair, changes, reason):
    with boa.reverts(reason):
        plain(pair, **changes)


def test_trade__not_a_module__reverts(pair):
    with boa.reverts("clearing: not a module"):
        plain(pair, sender=boa.env.generate_address())


def test_trade__no_fills__reverts(pair):
    """Else the fees would be booked, and nobody would pay them."""
    house = pair.house
    owners = house.owners[pair.maker], house.owners[pair.taker]
    values = (pair.maker, pair.taker, [], WAD, WAD, *owners, ACTION)
    worst = Side(c.WAY_WORST_CASE).evidence()

    with boa.reverts("clearing: no fills"):
        house.clearing.trade(values, worst, worst, b"", sender=house.contracts.module)


def test_trade__unknown_way__reverts(pair):
    deal = Deal(CALL)

    with boa.reverts("gate: unknown way"):
        pair.house.trade(deal, pair.maker, pair.taker, Side(6), pair.house.easy(pair.taker, deal))


def test_trade__spot_outside_its_band__only_by_worst_case(pair):
    house = pair.house
    house.post(house.margin(pair.maker), spot=3_000 * 10**8, effective=2_040 * 10**8)
    deal = Deal(CALL)

    with boa.reverts("gate: spot outside its band"):
        house.trade(deal, pair.maker, pair.taker, house.leaf(pair.maker, deal), house.easy(pair.taker, deal))
    other = house.open("covered", 100_000)
    put_deal = Deal(PUT)
    house.trade(put_deal, pair.maker, other, house.worst(pair.maker, put_deal), covered(house, other))


def covered(house, seller):
    return Side(c.WAY_WORST_CASE, sorted({*house.book(seller), PUT}))


@pytest.mark.parametrize("why", ["stale", "paused"])
@pytest.mark.parametrize("way", [c.WAY_HEADROOM, c.WAY_LEAF, c.WAY_REPORT])
def test_trade__stale_or_paused__increases_nothing(pair, why, way):
    house, deal = pair.house, Deal(PUT)
    house.refresh(pair.maker)
    if why == "stale":
        boa.env.evm.patch.timestamp += STALE_AFTER + 1
    else:
        house.clearing.pause(3_600, sender=house.contracts.guardian)
    side = {c.WAY_HEADROOM: HEADROOM, c.WAY_LEAF: house.leaf(pair.maker, deal)}.get(way)
    side = side or house.easy(pair.maker, deal, taker=False)

    with boa.reverts("gate: epoch too old" if why == "stale" else "pausing: paused"):
        house.trade(deal, pair.maker, pair.taker, side, house.worst(pair.taker, deal, taker=True))


@pytest.mark.parametrize("why", ["stale", "paused"])
def test_trade__stale_or_paused__worst_case_passes(pair, why):
    house, deal = pair.house, Deal(PUT)
    if why == "stale":
        boa.env.evm.patch.timestamp += 10 * STALE_AFTER
    else:
        house.clearing.pause(3_600, sender=house.contracts.guardian)
    worst = house.worst(pair.maker, deal), house.worst(pair.taker, deal, taker=True)

    house.trade(deal, pair.maker, pair.taker, *worst)

    moved = accounts.value_at(WAD, deal.price)
    assert house.state(pair.taker).cash == 1_000_000 * WAD + moved
    assert house.state(pair.maker).positions == {PUT: WAD}


def test_trade__future__moves_the_record_of_a_leaf(pair):
    house, deal = pair.house, Deal(FUTURE, WAD, 2_000 * WAD)

    house.trade(deal, pair.maker, pair.taker, house.leaf(pair.maker, deal), house.easy(pair.taker, deal))

    record, value = house.record(pair.maker), house.value(house.state(pair.maker))
    assert record.linear == value.linear < 2_000 * WAD
    assert record.expiry == EXPIRY


def test_trade__future_by_headroom__moves_the_record(pair):
    """What is bought after the leaf counts at the adverse of price and mark."""
    house, deal = pair.house, Deal(FUTURE, WAD, 1_999 * WAD)
    house.refresh(pair.maker)

    house.trade(deal, pair.maker, pair.taker, HEADROOM, house.easy(pair.taker, deal))

    assert house.record(pair.maker).linear == 1_999 * WAD
    assert house.record(pair.maker).expiry == EXPIRY
