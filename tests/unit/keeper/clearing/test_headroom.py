"""Headroom: the record bounds margin from above and mark from below, only while nothing but small fills
happened.
"""

from dataclasses import replace

import pytest

from keeper.clearing import account as accounts
from keeper.clearing import headroom
from keeper.clearing.account import Account, Fill, InstrumentMargin, Record
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import WAD

NOW = 1_743_500_000
EXPIRY = 1_743_552_000
CALL = Instrument(1, EXPIRY, 3_000 * 10**8, Kind.CALL).pack()
MARGIN = InstrumentMargin(mark=100 * WAD, im_long=100 * WAD, im_short=400 * WAD)
RECORD = Record(
    epoch=7, marginal=2 * WAD, initial_margin=50 * WAD, max_added_im=1_000 * WAD, earliest_expiry=EXPIRY
)


def buyer(**changes):
    return accounts.filled(
        replace(Account("maker", cash=400 * WAD, record=RECORD), **changes),
        Fill(CALL, WAD, 100 * WAD, 0, MARGIN),
    )


def test_required_margin__after_a_fill__adds_the_multiplied_stand_alone_margin():
    assert headroom.required_margin(buyer()) == 250 * WAD


def test_equity__fill_at_the_mark__is_unchanged():
    assert headroom.equity(buyer()) == 400 * WAD


def test_passes__enough_equity__holds():
    assert headroom.passes(buyer(), NOW)


def test_passes__one_wei_short__does_not():
    assert not headroom.passes(buyer(cash=250 * WAD - 1), NOW)


def test_passes__collateral__backs_margin_but_is_no_settled_cash():
    short = buyer(cash=250 * WAD - 1)

    assert headroom.passes(short, NOW, collateral=1)
    assert headroom.settled_cash(short) == short.cash


def test_holds__no_record__does_not():
    assert not headroom.holds(Account("new"), NOW)


def test_holds__at_expiry__does_not():
    assert headroom.holds(buyer(), EXPIRY - 1)
    assert not headroom.holds(buyer(), EXPIRY)


def test_holds__more_than_the_multiplier_covers__does_not():
    assert not headroom.holds(buyer(record=replace(RECORD, max_added_im=100 * WAD - 1)), NOW)


@pytest.mark.parametrize(("fills", "expected"), [(64, True), (65, False)])
def test_holds__number_of_fills__is_limited(fills, expected):
    maker = Account("maker", cash=400 * WAD, record=RECORD)
    for _ in range(fills):
        maker = accounts.filled(maker, Fill(CALL, 10**10, 100 * WAD, 0, MARGIN))

    assert headroom.holds(maker, NOW) == expected


def test_holds__uncounted_fill_between__does_not():
    maker = accounts.filled(Account("maker", record=RECORD), Fill(CALL, 10**10, 100 * WAD, 0, None))

    assert not headroom.holds(maker, NOW)


def test_required_margin__sold_back__is_not_given_back():
    there = accounts.filled(Account("maker", record=RECORD), Fill(CALL, WAD, 100 * WAD, 0, MARGIN))
    back = accounts.filled(there, Fill(CALL, -WAD, 100 * WAD, 0, MARGIN))

    assert headroom.required_margin(back) == headroom.required_margin(there) + 800 * WAD
