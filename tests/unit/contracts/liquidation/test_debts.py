"""Settled cash below zero: noted by anyone, capped, and charged no more than is owed."""

import boa
import pytest

from keeper.liquidation import debts as twin
from keeper.liquidation.debts import Caps, Debt
from keeper.units import constants as c
from scripts._protocol import DebtTerms
from tests.support.auctions import USD8, WAD, events, source, unit
from tests.unit.contracts.liquidation.conftest import LATER, SPOT

OWED = 2_000 * WAD
RATE = WAD // 10
ETHER = 3_277 * WAD + WAD // 2  # 1.5 of it after the maintenance haircut


@pytest.fixture
def debtor(indebted):
    """Owes 2,000 USD against 1.5 ether; 10 % a year, nothing may be drawn yet."""
    set_terms(indebted.hall, interest=RATE)
    return indebted


def set_terms(hall, **changes):
    hall.on.sale.set_terms(DebtTerms(**changes).values(), sender=hall.on.owner)


def set_caps(hall, *caps):
    hall.on.sale.set_debt_caps(hall.on.ether.address, caps, sender=hall.on.owner)
    return Caps(*caps)


def note(debtor, account=None):
    """Interest charged, and the event."""
    hall, number = debtor.hall, account or debtor.debtor
    charged = hall.on.sale.note_debt(number, hall.book(number), sender=boa.env.generate_address("anyone"))
    (event,) = events(hall.on.sale, "DebtNoted")
    return charged, event


def debt(debtor):
    return Debt(*debtor.hall.on.sale.debt(debtor.debtor))


def unbooked(hall):
    """Tokens held less the cash of all and the fees: what invariant 1 says never changes, and here is the
    call that the other account has not settled yet.
    """
    on = hall.on
    cash = sum(hall.cash(account) for account in hall.owners)
    return on.vault.held(on.token.address) * 10**12 - cash - on.clearing.fees()


# Notes


def test_note__first__charges_nothing_and_is_told(debtor):
    charged, event = note(debtor)
    now = boa.env.evm.patch.timestamp
    assert (charged, debt(debtor)) == (0, Debt(OWED, OWED, now))
    assert (event.account, event.noted, event.drawn) == (debtor.debtor, OWED, OWED)
    assert (event.interest, event.total, event.seq) == (0, OWED, debtor.hall.on.sale.seq())
    assert debtor.hall.on.sale.total_debt() == OWED
    assert debtor.hall.cash(debtor.debtor) == -OWED


@pytest.mark.parametrize("seconds", [1, 3_600, 86_400, c.SECONDS_PER_YEAR])
def test_note__time_passes__interest_goes_to_the_fees(debtor, seconds):
    hall = debtor.hall
    note(debtor)
    fees, before = hall.on.clearing.fees(), unbooked(hall)
    debtor.later(seconds)

    charged, event = note(debtor)

    now = boa.env.evm.patch.timestamp
    expected, interest = twin.noted(Debt(OWED, OWED, now - seconds), -OWED, RATE, now)
    assert charged == event.interest == interest == -(-OWED * seconds // (10 * c.SECONDS_PER_YEAR))
    assert debt(debtor) == expected
    assert hall.cash(debtor.debtor) == -OWED - charged
    assert hall.on.clearing.fees() - fees == charged
    assert unbooked(hall) == before == 3_000 * WAD


def test_note__interest_charged__is_an_event_of_the_vault(debtor):
    hall = debtor.hall
    note(debtor)
    debtor.later(86_400)
    hall.on.sale.note_debt(debtor.debtor, hall.book(debtor.debtor))
    (event,) = [e for e in hall.on.sale.get_logs() if type(e).__name__ == "InterestCharged"]
    assert (event.account, event.cash) == (debtor.debtor, hall.cash(debtor.debtor))
    assert event.amount == -OWED - event.cash
    assert event.seq == hall.on.vault.seq()


def test_note__partly_paid_back__interest_on_the_rest(debtor):
    hall = debtor.hall
    note(debtor)
    hall.deposit(debtor.debtor, 1_500)
    debtor.later(86_400)

    charged, _ = note(debtor)

    assert charged == -(-500 * WAD * 86_400 // (10 * c.SECONDS_PER_YEAR))
    assert debt(debtor).noted == 500 * WAD + charged


def test_note__paid_back__clears_and_charges_nothing(debtor):
    hall = debtor.hall
    note(debtor)
    hall.deposit(debtor.debtor, 2_000)
    debtor.later(86_400)

    assert note(debtor)[0] == 0

    assert debt(debtor) == Debt()
    assert hall.on.sale.total_debt() == 0
    with boa.reverts("sale: no debt"):
        note(debtor)


def test_note__again_in_the_same_second__charges_nothing(debtor):
    note(debtor)
    debtor.later(60)
    assert note(debtor)[0] > 0
    assert note(debtor)[0] == 0


def test_note__no_debt_or_stale_epoch__is_refused(debtor):
    with boa.reverts("sale: no debt"):
        note(debtor, debtor.other)
    debtor.hall.wait(181)
    with boa.reverts("sale: epoch too old"):
        note(debtor)


def test_conversion__notes_first__the_buyer_pays_for_the_interest_too(debtor):
    hall = debtor.hall
    debtor.start()
    assert debt(debtor).noted == OWED
    debtor.later(600)
    debtor.convert(10 * WAD)
    (noted,) = [e for e in hall.on.sale.get_logs() if type(e).__name__ == "DebtNoted"]
    assert noted.interest == -(-OWED * 600 // (10 * c.SECONDS_PER_YEAR))
    assert 0 <= hall.cash(debtor.debtor) <= 2 * 10**12
    assert unbooked(hall) == 3_000 * WAD


# Caps


def test_limit__no_caps__is_nothing(debtor):
    assert debtor.hall.on.sale.debt_limit(debtor.debtor) == 0


@pytest.mark.parametrize(
    ("caps", "limit"),
    [
        ((5_000, 10_000, 10_000), 1_638),  # half of 3,277.5
        ((10_000, 10_000, 10_000), 3_277),
        ((10_000, 700, 10_000), 700),
        ((10_000, 700, 700), 700),
        ((0, 700, 700), 0),
        ((10_000, 0, 700), 0),
    ],
)
def test_limit__one_account__least_of_share_and_caps(debtor, caps, limit):
    assert twin.room(ETHER, set_caps(debtor.hall, *caps), 0) == limit
    assert debtor.hall.on.sale.debt_limit(debtor.debtor) == limit * WAD


def test_limit__all_debts__is_capped_with_the_others_counted(debtor):
    hall = debtor.hall
    set_caps(hall, 10_000, 3_000, 9_000)
    hall.deposit_ether(debtor.other, 10 * WAD)
    set_terms(hall, debt_cap=2_500 * WAD)
    assert hall.on.sale.debt_limit(debtor.other) == 2_500 * WAD
    note(debtor)
    assert hall.on.sale.debt_limit(debtor.other) == 500 * WAD
    assert hall.on.sale.debt_limit(debtor.debtor) == 2_500 * WAD
    set_terms(hall, debt_cap=1_999 * WAD)
    assert hall.on.sale.debt_limit(debtor.other) == 0


def test_limit__one_token__what_others_owe_against_it_is_gone(debtor):
    hall = debtor.hall
    set_caps(hall, 10_000, 1_500, 1_800)
    hall.deposit_ether(debtor.other, 10 * WAD)
    note(debtor)
    assert hall.on.sale.debt_against(debtor.debtor, hall.on.ether.address) == 1_500
    assert hall.on.sale.total_debt_against(hall.on.ether.address) == 1_500
    assert hall.on.sale.debt_limit(debtor.other) == 300 * WAD

    hall.deposit(debtor.debtor, 2_000)
    note(debtor)
    assert hall.on.sale.total_debt_against(hall.on.ether.address) == 0
    assert hall.on.sale.debt_limit(debtor.other) == 1_500 * WAD


def test_limit__price_falls__room_shrinks(debtor):
    hall = debtor.hall
    set_caps(hall, 10_000, 10_000, 10_000)
    hall.post(units=[unit(LATER)], spot=SPOT * USD8 * 99 // 100)
    assert hall.on.sale.debt_limit(debtor.debtor) == 3_244 * WAD


def drawn(debtor, amount):
    on = debtor.hall.on
    on.vault.note_drawn(debtor.debtor, amount, sender=on.clearing.address)


def test_drawn__by_a_trade__counts_at_once_and_bears_no_interest(debtor):
    hall = debtor.hall
    set_caps(hall, 10_000, 3_000, 3_000)
    drawn(debtor, 100 * WAD + 1)
    assert debt(debtor) == twin.drawn(Debt(), 100 * WAD + 1)
    assert hall.on.sale.total_debt() == 100 * WAD + 1
    assert hall.on.sale.debt_against(debtor.debtor, hall.on.ether.address) == 101
    drawn(debtor, 50 * WAD)
    assert debt(debtor).drawn == 100 * WAD + 1
    debtor.later(86_400)
    assert note(debtor)[0] == 0
    assert debt(debtor).noted == hall.on.sale.total_debt() == OWED


def test_drawn__after_a_note__interest_stays_on_what_was_noted(debtor):
    note(debtor)
    drawn(debtor, 2_100 * WAD)
    assert (debt(debtor).noted, debt(debtor).drawn) == (OWED, 2_100 * WAD)
    debtor.later(86_400)
    assert note(debtor)[0] == -(-OWED * 86_400 // (10 * c.SECONDS_PER_YEAR))


# Refused


def test_note__account_in_auction__is_refused(hall):
    account, other = hall.open("debtor"), hall.open("other", 100_000)
    hall.deposit_ether(account, WAD)
    hall.hold(account, other, {LATER: -10 * WAD})
    stated = hall.margin(account, initial_margin=2_500 * WAD, maintenance_margin=2_000 * WAD)
    hall.post(stated, units=[unit(LATER)])
    hall.flag(account)
    with boa.reverts("sale: in auction"):
        hall.on.sale.note_debt(account, [LATER])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"floor": 79 * WAD // 100}, "sale: bad conversion price"),
        ({"start": 94 * WAD // 100}, "sale: bad conversion price"),
        ({"start": 121 * WAD // 100}, "sale: bad conversion price"),
        ({"duration": 59}, "sale: bad duration"),
        ({"duration": 604_801}, "sale: bad duration"),
        ({"interest": WAD + 1}, "sale: interest too high"),
        ({"buffer": 2**128}, "sale: amount too large"),
        ({"debt_cap": 2**128}, "sale: amount too large"),
    ],
)
def test_set_terms__out_of_bounds__is_refused(hall, changes, reason):
    with boa.reverts(reason):
        set_terms(hall, **changes)


def test_set_terms__owner__is_told_and_kept(hall):
    terms = DebtTerms(interest=WAD, buffer=2**128 - 1, duration=60).values()
    hall.on.sale.set_terms(terms, sender=hall.on.owner)
    (event,) = events(hall.on.sale, "TermsSet")
    assert tuple(event.terms) == tuple(hall.on.sale.terms()) == terms


@pytest.mark.parametrize(
    ("caps", "reason"),
    [((10_001, 1, 1), "sale: share above 1"), ((1, 2, 1), "sale: cap of an account above the total")],
)
def test_set_debt_caps__out_of_bounds__is_refused(hall, caps, reason):
    with boa.reverts(reason):
        set_caps(hall, *caps)


def test_set_debt_caps__owner__is_told_and_kept(hall):
    set_caps(hall, 2_500, 7, 2**32 - 1)
    (event,) = events(hall.on.sale, "DebtCapsSet")
    assert (event.token, tuple(event.caps)) == (hall.on.ether.address, (2_500, 7, 2**32 - 1))
    assert tuple(hall.on.sale.debt_caps(hall.on.ether.address)) == (2_500, 7, 2**32 - 1)
    with boa.reverts("sale: token not listed"):
        hall.on.sale.set_debt_caps(hall.on.token.address, (1, 1, 1), sender=hall.on.owner)


def test_owner_and_vault__strangers__are_refused(hall):
    stranger = boa.env.generate_address("stranger")
    for name, arguments, reason in (
        ("set_terms", (DebtTerms().values(),), "ownable: caller is not the owner"),
        ("set_debt_caps", (hall.on.ether.address, (1, 1, 1)), "ownable: caller is not the owner"),
        ("note_drawn", (1, 1), "sale: not the vault"),
    ):
        with boa.reverts(reason):
            getattr(hall.on.sale, name)(*arguments, sender=stranger)


def test_constructor__zero_address__is_refused():
    with boa.reverts("sale: zero address"):
        source("liquidation/CollateralSale").deploy("0x" + "00" * 20, DebtTerms().values())
