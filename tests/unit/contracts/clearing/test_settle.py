import boa
import pytest

from keeper.clearing import account as accounts
from keeper.units import constants as c
from tests.support.clearing import CALL, EXPIRY, FUTURE, GENESIS, LATER, PERP, PUT, WAD, Deal, Side, call, put
from tests.support.house import events
from tests.support.statements import statement

SETTLED = 2_040  # USD
IN_CALL, OUT_CALL, IN_PUT, OUT_PUT = call(2_000), call(2_100), put(2_100), put(2_000)


def expire(house, seconds=c.SETTLEMENT_FALLBACK + 1, price=SETTLED):
    """Silence until a day after the expiry; the last spot settles it."""
    house.post(spot=price * 10**8)
    patch = boa.env.evm.patch
    patch.timestamp, patch.block_number = EXPIRY + seconds, patch.block_number + 60_000
    if seconds > c.SETTLEMENT_FALLBACK:
        assert house.contracts.oracle.finalize_settlement(1, EXPIRY) == price * 10**8


@pytest.mark.parametrize("quantity", [WAD, -3 * WAD, 123_456_789 * 10**10])
@pytest.mark.parametrize(
    ("instrument", "payoff"),
    [(IN_CALL, 40), (OUT_CALL, 0), (IN_PUT, 60), (OUT_PUT, 0), (FUTURE, SETTLED)],
)
def test_settle__one_leg__pays_its_payoff_to_the_wei(pair, instrument, payoff, quantity):
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(instrument, quantity, 100 * WAD, counted=False))
    before = house.state(pair.maker), house.state(pair.taker)
    expire(house)

    house.clearing.settle(pair.maker, [instrument], sender=boa.env.generate_address())
    (event,) = events(house.clearing, "AccountSettled")
    assert event.seq == house.clearing.totals().seq
    house.clearing.settle(pair.taker, [instrument])

    after = house.state(pair.maker), house.state(pair.taker)
    moved = quantity * payoff
    assert after[0].cash - before[0].cash == moved
    assert after[1].cash - before[1].cash == -moved
    expected = accounts.settled(before[0], {instrument: payoff * WAD})
    assert (event.account, event.words) == (pair.maker, [instrument << 128 | payoff * WAD])
    assert (event.until, event.cash, event.bookHash) == (EXPIRY, expected.cash, expected.book_hash)
    assert (after[0].added_im, after[0].added_mark) == (before[0].added_im, before[0].added_mark)
    assert after[0].exempt == expected.exempt
    stored = house.clearing.account(pair.maker)
    assert (stored.legCount, stored.bookHash) == (0, event.bookHash)
    assert tuple(house.clearing.position(pair.maker, instrument)) == (0, 0)


def test_settle__all_of_an_expiry__leaves_perp_and_later_legs(pair):
    house, later = pair.house, call(2_000, LATER)
    held = [FUTURE, IN_CALL, OUT_CALL, IN_PUT, OUT_PUT]
    house.hold(pair.maker, pair.taker, Deal(PERP, WAD, 2_000 * WAD), Deal(later, counted=False))
    house.hold(pair.maker, pair.taker, *(Deal(i, WAD, 100 * WAD, counted=False) for i in held))
    cash = house.state(pair.maker).cash
    expire(house)

    house.clearing.settle(pair.maker, house.book(pair.maker))

    (event,) = events(house.clearing, "AccountSettled")
    assert [word >> 128 for word in event.words] == sorted(held)
    state = house.state(pair.maker)
    assert state.positions == {PERP: WAD, later: WAD}
    assert state.cash == event.cash == cash + (40 + 60 + SETTLED) * WAD
    stored = house.clearing.account(pair.maker)
    assert (stored.legCount, stored.perps) == (2, 1)


def test_settle__negative_cash__is_booked_and_not_exempt(pair):
    """A loss beyond the cash stays as a debt: conservation comes first."""
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(FUTURE, -200 * WAD, 2_000 * WAD, counted=False))
    house.post(spot=SETTLED * 10**8)
    expire(house, price=2_080)

    house.clearing.settle(pair.maker, [FUTURE])

    state = house.state(pair.maker)
    assert (state.cash, state.exempt) == ((10_000 - 200 * 80) * WAD, 0)


def test_settle__paused__passes(pair):
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(CALL))
    expire(house)
    house.clearing.pause(3_600, sender=house.contracts.guardian)

    house.clearing.settle(pair.maker, [CALL])


@pytest.mark.parametrize("seconds", [-1, 0])
def test_settle__without_a_final_price__reverts(pair, seconds):
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(CALL))
    expire(house, seconds)

    with boa.reverts("clearing: nothing to settle"):
        house.clearing.settle(pair.maker, [CALL])


def test_settle__twice__reverts(pair):
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(CALL))
    expire(house)
    house.clearing.settle(pair.maker, [CALL])

    with boa.reverts("clearing: nothing to settle"):
        house.clearing.settle(pair.maker, [])


@pytest.mark.parametrize(
    ("book", "reason"),
    [
        ([CALL], "positions: book incomplete"),
        ([PUT, CALL], "positions: book not ascending"),
        ([CALL, CALL], "positions: book not ascending"),
        ([CALL, call(2_100)], "positions: leg not held"),
    ],
)
def test_settle__wrong_book__reverts(pair, book, reason):
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(CALL), Deal(PUT))
    expire(house)

    with boa.reverts(reason):
        house.clearing.settle(pair.maker, book)


def test_settle__key_beyond_an_instrument__reverts(pair):
    """It would name a leg of another account, or one of the account's own a second time."""
    house, later = pair.house, call(2_000, LATER)
    assert pair.maker & 1  # so the bit above the instrument names the account's own leg
    house.hold(pair.maker, pair.taker, Deal(CALL), Deal(later, counted=False))
    expire(house)

    with boa.reverts("positions: no instrument"):
        house.clearing.settle(pair.maker, [CALL, later | 1 << 128])
    with boa.reverts():
        house.clearing.settle(pair.maker, [CALL, CALL | 1 << 128])
    house.clearing.settle(pair.maker, [CALL, later])


def test_withdraw__expired_leg__reverts_until_settled(pair):
    house = pair.house
    house.hold(pair.maker, pair.taker, Deal(CALL))
    expire(house)

    with boa.reverts("valuer: expired leg"):
        house.withdraw(pair.maker, 1, Side(c.WAY_WORST_CASE, [CALL]))
    house.clearing.settle(pair.maker, [CALL])
    house.withdraw(pair.maker, 1, Side(c.WAY_WORST_CASE))


def test_trade__expired_leg__headroom_and_report_revert(pair):
    house, deal = pair.house, Deal(PERP, WAD, 2_000 * WAD)
    house.post(house.margin(pair.maker))
    bought = Deal(CALL)
    house.trade(
        bought, pair.maker, pair.taker, house.leaf(pair.maker, bought), house.easy(pair.taker, bought)
    )
    boa.env.evm.patch.timestamp = EXPIRY - 15
    house.post(house.margin(pair.maker, mark_to_market=0))
    report = house.report(pair.maker, house.after(pair.maker, deal), mark_to_market=0)
    stated = house.leaf(pair.maker)

    with boa.reverts("gate: expired leg"):
        house.trade(deal, pair.maker, pair.taker, report, house.easy(pair.taker, deal))
    with boa.reverts("gate: expired leg"):
        house.clearing.refresh(pair.maker, stated.evidence(), statement(house.epoch.number))


def test_settle__long_legs__leave_the_open_interest_of_the_underlying(pair):
    house, later = pair.house, call(2_000, LATER)
    house.hold(
        pair.maker, pair.taker, Deal(CALL, 2 * WAD), Deal(PUT, -3 * WAD), Deal(later, 5 * WAD, counted=False)
    )
    assert house.clearing.open_interest(1) == 10 * WAD
    expire(house)

    house.clearing.settle(pair.maker, house.book(pair.maker))
    assert house.clearing.open_interest(1) == 8 * WAD
    house.clearing.settle(pair.taker, house.book(pair.taker))

    assert house.clearing.open_interest(1) == house.clearing.open_interest(later) == 5 * WAD


# Perps of markets that close


def test_end_perp__owner__settles_it_like_a_future(pair):
    house, owner = pair.house, pair.house.contracts.owner
    house.hold(pair.maker, pair.taker, Deal(PERP, WAD, 2_000 * WAD))
    before = house.state(pair.maker), house.state(pair.taker)

    house.clearing.end_perp(1, EXPIRY, sender=owner)

    (event,) = events(house.clearing, "PerpEnded")
    assert (event.underlying, event.at, event.seq) == (1, EXPIRY, house.clearing.totals().seq)
    assert house.clearing.perp_end(1) == EXPIRY
    with boa.reverts("clearing: nothing to settle"):
        house.clearing.settle(pair.maker, [PERP])
    expire(house)
    house.clearing.settle(pair.maker, [PERP])
    (event,) = events(house.clearing, "AccountSettled")
    assert (event.words, event.until) == ([PERP << 128 | SETTLED * WAD], EXPIRY)
    house.clearing.settle(pair.taker, [PERP])
    after = house.state(pair.maker), house.state(pair.taker)
    assert [a.cash - b.cash for a, b in zip(after, before, strict=True)] == [SETTLED * WAD, -SETTLED * WAD]
    stored = house.clearing.account(pair.maker)
    assert (stored.legCount, stored.perps, house.clearing.open_interest(1)) == (0, 0, 0)
    expected = accounts.settled(before[0], {PERP: SETTLED * WAD}, perp_ends={PERP: EXPIRY})
    assert after[0].book_hash == expected.book_hash


@pytest.mark.parametrize("at", [GENESIS, EXPIRY + 1])
def test_end_perp__past_or_off_the_grid__reverts(house, at):
    with boa.reverts("clearing: bad end"):
        house.clearing.end_perp(1, at, sender=house.contracts.owner)


def test_end_perp__announced__pays_no_more_funding(pair):
    house, owner, funding = pair.house, pair.house.contracts.owner, boa.env.generate_address()
    house.clearing.set_funding(funding, sender=owner)
    house.clearing.set_funding_rate(1, 10**12, sender=funding)
    house.hold(pair.maker, pair.taker, Deal(PERP, WAD, 2_000 * WAD))
    boa.env.evm.patch.timestamp += 100
    paid = house.clearing.funding_index(1)

    house.clearing.end_perp(1, EXPIRY, sender=owner)

    (event,) = events(house.clearing, "FundingRateSet")
    assert (event.underlying, event.rate, event.index) == (1, 0, paid)
    boa.env.evm.patch.timestamp += 100
    assert house.clearing.funding_index(1) == paid > 0
    with boa.reverts("clearing: perp ends"):
        house.clearing.set_funding_rate(1, 1, sender=funding)
    with boa.reverts("clearing: perp ends"):
        house.clearing.end_perp(1, LATER, sender=owner)
    liquid = house.clearing.standing(pair.maker, False).liquid
    assert house.clearing.account(pair.maker).cash - liquid == paid
    expire(house)
    cash = house.clearing.account(pair.maker).cash
    house.clearing.settle(pair.maker, [PERP])
    assert house.clearing.account(pair.maker).cash - cash == SETTLED * WAD - paid
