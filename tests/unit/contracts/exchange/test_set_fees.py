import boa
import pytest

from tests.support.keys import address_for, key_of

LIMIT = 10**16


def test_set_fees__by_owner__sets_and_logs(pair):
    pair.exchange.set_fees(LIMIT, 0)

    (event,) = pair.exchange.get_logs()
    assert (event.makerRate, event.takerRate, event.seq) == (LIMIT, 0, 2)
    assert pair.exchange.fee_rates() == (LIMIT, 0)


@pytest.mark.parametrize(
    ("rates", "reason"),
    [((LIMIT + 1, 0), "exchange: maker rate too high"), ((0, LIMIT + 1), "exchange: taker rate too high")],
)
def test_set_fees__above_the_limit__reverts(pair, rates, reason):
    with boa.reverts(reason):
        pair.exchange.set_fees(*rates)


def test_set_fees__by_stranger__reverts(pair):
    with boa.env.prank(address_for(key_of("stranger"))), boa.reverts("ownable: caller is not the owner"):
        pair.exchange.set_fees(0, 0)
