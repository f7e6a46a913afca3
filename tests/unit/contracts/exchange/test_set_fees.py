import boa
import pytest

from keeper.units.constants import WAD
from tests.support.keys import address_for, key_of

from .conftest import CALL, LEG, SPOT8, Leg

LIMIT = 10**16


@pytest.mark.parametrize("rates", [(LIMIT, 0), (0, LIMIT), (-LIMIT, LIMIT), (-1, 1), (0, 0)])
def test_set_fees__by_owner__sets_and_logs(pair, rates):
    pair.exchange.set_fees(*rates)

    (event,) = pair.exchange.get_logs()
    assert (event.makerRate, event.takerRate, event.seq) == (*rates, 2)
    assert pair.exchange.fee_rates() == rates
    assert pair.exchange.seq() == 2


@pytest.mark.parametrize(
    ("rates", "reason"),
    [
        ((LIMIT + 1, 0), "exchange: maker rate too high"),
        ((0, LIMIT + 1), "exchange: taker rate too high"),
        ((-1, 0), "exchange: rebate above the taker rate"),
        ((-LIMIT - 1, LIMIT), "exchange: rebate above the taker rate"),
        ((-(2**255), LIMIT), "exchange: rebate above the taker rate"),
    ],
)
def test_set_fees__out_of_range__reverts(pair, rates, reason):
    with boa.reverts(reason):
        pair.exchange.set_fees(*rates)


@pytest.mark.parametrize("missing", range(3), ids=["clearinghouse", "markets", "oracle"])
def test_deployment__zero_address__reverts(missing):
    wired = [address_for(key_of(name)) for name in ("clearinghouse", "markets", "oracle")]
    wired[missing] = "0x" + "00" * 20
    with boa.reverts("exchange: zero address"):
        boa.load("contracts/exchange/Exchange.vy", *wired, 0, 0)


@pytest.mark.parametrize(
    ("rates", "reason"), [((0, LIMIT + 1), "taker rate too high"), ((LIMIT + 1, 0), "maker rate too high")]
)
def test_deployment__fees_out_of_range__reverts(rates, reason):
    wired = [address_for(key_of(name)) for name in ("clearinghouse", "markets", "oracle")]
    with boa.reverts(f"exchange: {reason}"):
        boa.load("contracts/exchange/Exchange.vy", *wired, *rates)


def test_set_fees__by_stranger__reverts(pair):
    with boa.env.prank(address_for(key_of("stranger"))), boa.reverts("ownable: caller is not the owner"):
        pair.exchange.set_fees(0, 0)


def test_set_fees__rebate__is_paid_to_the_maker_within_any_fee_limit(pair):
    rebate, rate = -2 * WAD // 10_000, 5 * WAD // 10_000
    pair.exchange.set_fees(rebate, rate)
    pair.fill(units=2, maker={"max_fee": 0})

    notional = 2 * LEG * SPOT8 // 10**8
    last = pair.venue.last()
    assert (last.makerFee, last.takerFee) == (notional * rebate // WAD, notional * rate // WAD)


def test_set_fees__whole_taker_fee_as_rebate__never_pays_out_more_than_comes_in(pair):
    """An odd notional: the rebate is rounded towards zero, the fee up."""
    dust = 10**10
    legs = {"maker": {"legs": (Leg(CALL, dust),)}, "taker": {"legs": (Leg(CALL, -dust),), "limit": 0}}
    pair.exchange.set_fees(-1, 1)
    pair.fill(price=0, prices=[0], **legs)

    last = pair.venue.last()
    assert (last.makerFee, last.takerFee) == (0, 1)
