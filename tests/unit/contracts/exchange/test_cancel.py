import boa
import pytest

from keeper.exchange.order import nonce_of
from keeper.units.constants import SCOPE_DEPOSIT, SCOPE_TRADE, SCOPE_WITHDRAW
from tests.support.keys import address_for, key_of

from .conftest import MAKER, TAKER

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
    pair.venue.set_operator(MAKER, operator, SCOPE_TRADE)
    pair.exchange.cancel(MAKER, [nonce_of(1, 0), nonce_of(2, 0)], sender=operator)

    assert [event.slot for event in pair.exchange.get_logs()] == [1, 2]


def test_cancel__twice__changes_nothing(pair):
    pair.exchange.cancel(MAKER, [pair.maker.nonce], sender=OWNER)
    pair.exchange.cancel(MAKER, [pair.maker.nonce, nonce_of(3, 1)], sender=OWNER)

    assert pair.exchange.get_logs() == []
    assert pair.exchange.filled(MAKER, nonce_of(3, 6)) == 0


def test_cancel__highest_generation__closes_the_slot_for_ever(pair):
    last = nonce_of(3, 2**32 - 1, 2**24 - 1)
    pair.exchange.cancel(MAKER, [last], sender=OWNER)

    with boa.reverts("exchange: order dead"):
        pair.exchange.filled(MAKER, last)


def test_cancel__by_stranger__reverts(pair):
    with boa.env.prank(address_for(key_of("stranger"))), boa.reverts("exchange: not owner or operator"):
        pair.exchange.cancel(MAKER, [pair.maker.nonce])


def test_cancel__operator_for_other_things__reverts(pair):
    operator = address_for(key_of("operator"))
    pair.venue.set_operator(MAKER, operator, SCOPE_WITHDRAW | SCOPE_DEPOSIT)
    with boa.reverts("exchange: not owner or operator"):
        pair.exchange.cancel(MAKER, [pair.maker.nonce], sender=operator)


# Several slots


@pytest.mark.parametrize("bitmap", [1 << 3, 2**256 - 1, 1 << 255 | 1 << 3])
def test_cancel_slots__slot_of_the_order__kills_it(pair, bitmap):
    pair.exchange.cancel_slots(MAKER, bitmap, 5, sender=OWNER)

    events = pair.exchange.get_logs()
    assert [event.slot for event in events] == [slot for slot in range(256) if bitmap >> slot & 1]
    assert {event.generation for event in events} == {6}
    assert [event.seq for event in events] == list(range(2, 2 + len(events)))
    with boa.reverts("exchange: order dead"):
        pair.fill()
    pair.fill(maker={"nonce": nonce_of(3, 6)})


@pytest.mark.parametrize(("bitmap", "generation"), [(0, 5), (~(1 << 3) % 2**256, 5), (1 << 3, 4)])
def test_cancel_slots__other_slots_or_generations__order_lives(pair, bitmap, generation):
    pair.exchange.cancel_slots(MAKER, bitmap, generation, sender=OWNER)
    pair.fill()


def test_cancel_slots__dead_already__changes_nothing(pair):
    pair.exchange.cancel(MAKER, [pair.maker.nonce], sender=OWNER)
    pair.exchange.cancel_slots(MAKER, 1 << 3, 5, sender=OWNER)

    assert pair.exchange.get_logs() == []


def test_cancel_slots__generation_of_57_bits__reverts(pair):
    with boa.reverts("exchange: generation too large"):
        pair.exchange.cancel_slots(MAKER, 1, 2**56, sender=OWNER)


def test_cancel_slots__by_stranger__reverts(pair):
    with boa.reverts("exchange: not owner or operator"):
        pair.exchange.cancel_slots(MAKER, 1, 0, sender=address_for(key_of("stranger")))


# All


def test_cancel_all__by_owner__kills_every_order_of_the_series(pair):
    later = nonce_of(9, 2**32 - 1)
    pair.exchange.cancel_all(MAKER, sender=OWNER)

    (event,) = pair.exchange.get_logs()
    assert (event.account, event.series, event.seq) == (MAKER, 1, 2)
    assert pair.exchange.series(MAKER) == 1
    for nonce in (pair.maker.nonce, later, nonce_of(0, 0, series=2)):
        with boa.reverts("exchange: order dead"):
            pair.fill(maker={"nonce": nonce})
    pair.fill(maker={"nonce": nonce_of(3, 0, series=1)})
    assert pair.exchange.filled(MAKER, nonce_of(3, 0, series=1)) == 1


def test_cancel_all__of_one_account__leaves_the_other(pair):
    pair.exchange.cancel_all(TAKER, sender=address_for(key_of("taker")))

    assert pair.exchange.filled(MAKER, pair.maker.nonce) == 0
    with boa.reverts("exchange: order dead"):
        pair.fill()


def test_cancel_all__last_series__reverts(pair):
    pair.exchange.eval(f"self._series[{MAKER}] = {2**24 - 2}")
    pair.exchange.cancel_all(MAKER, sender=OWNER)
    with boa.reverts("exchange: no series left"):
        pair.exchange.cancel_all(MAKER, sender=OWNER)


def test_cancel_all__by_stranger__reverts(pair):
    with boa.reverts("exchange: not owner or operator"):
        pair.exchange.cancel_all(MAKER, sender=address_for(key_of("stranger")))
