import boa

from keeper.exchange.order import nonce_of
from tests.support.keys import address_for, key_of

from .conftest import MAKER

OWNER = address_for(key_of("maker"))


def test_cancel__by_owner__kills_generations_up_to_it(pair):
    pair.exchange.cancel(MAKER, [pair.maker.nonce], sender=OWNER)

    (event,) = pair.exchange.get_logs()
    assert (event.account, event.slot, event.generation, event.seq) == (MAKER, 3, 6, 2)
    with boa.reverts("exchange: order dead"):
        pair.fill()
    with boa.reverts("exchange: order dead"):
        pair.exchange.filled(MAKER, nonce_of(3, 0))
    pair.fill(maker={"nonce": nonce_of(3, 6)})
    assert pair.exchange.filled(MAKER, nonce_of(3, 6)) == 1


def test_cancel__by_operator__kills(pair):
    operator = address_for(key_of("operator"))
    pair.venue.set_operator(MAKER, operator, True)
    pair.exchange.cancel(MAKER, [nonce_of(1, 0), nonce_of(2, 0)], sender=operator)

    assert [event.slot for event in pair.exchange.get_logs()] == [1, 2]


def test_cancel__twice__changes_nothing(pair):
    pair.exchange.cancel(MAKER, [pair.maker.nonce], sender=OWNER)
    pair.exchange.cancel(MAKER, [pair.maker.nonce, nonce_of(3, 1)], sender=OWNER)

    assert pair.exchange.get_logs() == []
    assert pair.exchange.filled(MAKER, nonce_of(3, 6)) == 0


def test_cancel__highest_generation__closes_the_slot_for_ever(pair):
    last = nonce_of(3, 2**56 - 1)
    pair.exchange.cancel(MAKER, [last], sender=OWNER)

    with boa.reverts("exchange: order dead"):
        pair.exchange.filled(MAKER, last)


def test_cancel__by_stranger__reverts(pair):
    with boa.env.prank(address_for(key_of("stranger"))), boa.reverts("exchange: not owner or operator"):
        pair.exchange.cancel(MAKER, [pair.maker.nonce])
