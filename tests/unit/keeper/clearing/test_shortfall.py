"""The shortfall: conserved to the wei, fair to those who come, stay and go, and gone when it is repaid."""

from dataclasses import dataclass, field, replace
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keeper.clearing import shortfall as sf
from keeper.clearing.shortfall import RELEASE_SECONDS, Losses
from keeper.units.constants import WAD

UNIT = 10**12  # of a token with six decimals
NOW = 1_700_000_000
DOLLARS = st.integers(1, 10**9)
MANY = settings(max_examples=300, deadline=None)


@dataclass
class House:
    """Tokens, fees and the cash of a few accounts, moved as the module says."""

    held: int = 0
    fees: int = 0
    cash: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(3), 0))
    losses: Losses = field(default_factory=Losses)
    now: int = NOW

    def pool(self):
        return sf.pool(self.losses, self.held, self.fees)

    def rate(self):
        return Fraction(self.pool(), self.pool() + self.losses.shortfall)

    def wait(self, seconds):
        self.now += seconds
        self.losses, surplus = sf.release(self.losses, self.now)
        self.fees += surplus

    def deposit(self, account, tokens):
        self.losses, credited = sf.credit(self.losses, tokens, self.pool())
        self.held += tokens
        self.cash[account] += credited
        return credited

    def withdraw(self, account, cash, fund=0):
        missing = sf.uncovered(self.losses, fund)
        self.losses, paid = sf.pay(self.losses, cash, self.pool(), missing, UNIT, self.now)
        self.cash[account] -= cash
        self.held -= paid
        return paid

    def charge(self, account, cash):
        self.losses, paid = sf.pay(self.losses, cash, self.pool(), 0, 1, self.now)
        self.cash[account] -= cash
        self.fees += paid

    def lose(self, account, loss):
        self.losses = sf.add(self.losses, loss)
        self.cash[account] += loss

    def give(self, amount):
        self.held += amount
        self.losses = sf.give(self.losses, amount, self.now)

    def balances(self):
        return sum(self.cash.values()) == self.pool() + self.losses.shortfall


@st.composite
def houses(draw):
    """A house with a shortfall, and perhaps a recovery under way."""
    house = House()
    house.deposit(0, draw(DOLLARS) * UNIT)
    house.deposit(1, draw(DOLLARS) * UNIT)
    house.lose(0, draw(st.integers(1, 10**27)))
    house.give(draw(st.sampled_from([0, 1, 10**6, 10**24])))
    house.wait(draw(st.integers(0, RELEASE_SECONDS)))
    return house


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["deposit", "withdraw", "charge", "lose", "give", "wait", "deficit"]),
        st.integers(0, 2),
        st.integers(1, 10**24),
    ),
    max_size=25,
)


@MANY
@given(ACTIONS)
def test_any_sequence__cash_is_pool_and_shortfall_and_the_rate_is_at_most_one(actions):
    house = House()
    for name, account, size in actions:
        house.wait(size % 100_000 if name == "wait" else 0)
        before = house.pool()
        if name == "deposit" and (before or not house.losses.shortfall):
            house.deposit(account, size - size % UNIT + UNIT)
        elif name == "withdraw" and 0 < house.cash[account] <= before:
            house.withdraw(account, min(size, house.cash[account]), fund=size // 3)
        elif name == "charge" and 0 < house.cash[account] <= before:
            house.charge(account, min(size, house.cash[account]))
        elif name == "lose":
            house.lose(account, size)
        elif name == "give":
            house.give(size)
        elif name == "deficit":
            house.losses = sf.set_open_deficit(house.losses, size % 3 * size)
        assert house.balances()
        assert house.losses.recovery >= 0 and house.pool() >= 0
        assert 0 <= sf.rate(house.losses, house.pool()) <= WAD
        if house.pool():
            assert sf.withdrawal_rate(house.losses, house.pool(), 0) <= sf.rate(house.losses, house.pool())


@MANY
@given(houses(), DOLLARS)
def test_credit_and_pay__round_trip__never_profits_nor_lowers_the_rate(house, dollars):
    rate = house.rate()
    credited = house.deposit(2, dollars * UNIT)
    assert house.rate() >= rate
    between = house.rate()

    paid = house.withdraw(2, credited)

    assert paid <= dollars * UNIT
    assert house.rate() >= between
    assert house.balances()


@MANY
@given(houses(), DOLLARS, st.integers(1, 10**27))
def test_give__a_deposit_around_it_in_one_block__gains_nothing(house, dollars, gift):
    credited = house.deposit(2, dollars * UNIT)
    house.give(gift)

    assert house.withdraw(2, credited) <= dollars * UNIT


@MANY
@given(houses(), st.integers(1, 10**24), st.integers(0, 2 * 10**24))
def test_pay__with_an_open_deficit__pays_no_more_than_without(house, deficit, fund):
    calm, worried = house, replace(house, cash=dict(house.cash))
    worried.losses = sf.set_open_deficit(house.losses, deficit)
    cash = min(house.cash[1], house.pool())

    assert worried.withdraw(1, cash, fund) <= calm.withdraw(1, cash)
    assert worried.balances()


@MANY
@given(houses(), DOLLARS, st.integers(1, 10**24))
def test_pay__a_deposit_around_anothers_withdrawal__gains_no_more_than_dust(house, dollars, deficit):
    house.losses = sf.set_open_deficit(house.losses, deficit)
    credited = house.deposit(2, dollars * UNIT)
    house.withdraw(1, min(house.cash[1], house.pool()))
    house.losses = sf.set_open_deficit(house.losses, 0)

    assert house.withdraw(2, credited) <= (dollars + 2) * UNIT


def test_pay__open_deficit_and_shortfall__the_shortfall_falls_by_the_share_that_leaves():
    house = House()
    house.deposit(0, 80 * WAD)
    house.lose(0, 20 * WAD)
    house.deposit(1, 80 * WAD)
    house.losses = sf.set_open_deficit(house.losses, 50 * WAD)
    rate = house.rate()

    paid = house.withdraw(1, 100 * WAD, fund=0)

    assert paid == 64 * WAD  # 100 * 160 / 250
    assert house.losses.shortfall == 20 * WAD
    assert house.losses.recovery == 16 * WAD  # 80 at the rate, less 64
    assert house.rate() == rate


def test_pay__open_deficit_and_no_shortfall__leaves_a_recovery_for_those_who_stay():
    house = House()
    house.deposit(0, 100 * WAD)
    house.deposit(1, 100 * WAD)
    house.losses = sf.set_open_deficit(house.losses, 50 * WAD)

    paid = house.withdraw(0, 100 * WAD, fund=0)

    assert paid == 80 * WAD  # 100 * 200 / 250
    assert house.losses.shortfall == 0
    assert house.losses.recovery == 20 * WAD
    assert house.balances()


def test_uncovered__fund_covers_the_deficit__withdrawals_are_paid_in_full():
    house = House()
    house.deposit(0, 100 * WAD)
    house.losses = sf.set_open_deficit(house.losses, 50 * WAD)

    assert house.withdraw(0, 100 * WAD, fund=50 * WAD) == 100 * WAD
    assert house.losses.recovery == 0


@MANY
@given(houses())
@example(House())
def test_release__after_full_recovery__rate_is_exactly_one(house):
    house.give(house.losses.shortfall)
    house.wait(RELEASE_SECONDS + 1)

    assert house.losses.shortfall == 0
    assert house.losses.recovery == 0
    assert sf.is_whole(house.losses)
    assert sf.rate(house.losses, house.pool()) == WAD
    assert house.deposit(2, UNIT) == UNIT
    assert house.withdraw(2, UNIT) == UNIT
    assert house.balances()


def test_release__half_of_the_time__releases_half_whatever_the_steps():
    for step in (1, 7, 3_600, RELEASE_SECONDS // 2):
        losses, now = sf.give(Losses(shortfall=WAD), WAD, NOW), NOW
        while now < NOW + RELEASE_SECONDS // 2:
            now = min(now + step, NOW + RELEASE_SECONDS // 2)
            losses, surplus = sf.release(losses, now)
            assert surplus == 0
        half = WAD // 2
        assert half - RELEASE_SECONDS <= WAD - losses.recovery <= half
        assert losses.shortfall == losses.recovery


def test_release__beyond_the_shortfall__is_surplus():
    losses = sf.give(Losses(shortfall=WAD), 3 * WAD, NOW)

    losses, surplus = sf.release(losses, NOW + RELEASE_SECONDS)

    assert surplus == 2 * WAD
    assert losses.shortfall == losses.recovery == 0


def test_give__dust_again_and_again__neither_delays_nor_hastens_the_release():
    plain = sf.give(Losses(shortfall=WAD), WAD, NOW)
    dusted = plain
    for _ in range(1_000):
        dusted = sf.give(dusted, 1, NOW)

    one_second = 2**32
    assert abs(dusted.ends_at - plain.ends_at) <= 1_000 < one_second


def test_give__half_way__ends_at_the_weighted_mean():
    half = NOW + RELEASE_SECONDS // 2
    losses, _ = sf.release(sf.give(Losses(shortfall=10 * WAD), 2 * WAD, NOW), half)

    losses = sf.give(losses, WAD, half)

    assert losses.recovery == 2 * WAD
    assert losses.ends_at >> 32 == half + RELEASE_SECONDS * 3 // 4


def test_give__before_the_release_of_this_block__is_refused():
    losses = sf.give(Losses(), WAD, NOW)
    with pytest.raises(ValueError, match="not released"):
        sf.give(losses, WAD, NOW + 1)


def test_credit__empty_pool__is_refused():
    with pytest.raises(ValueError, match="empty pool"):
        sf.credit(Losses(shortfall=1), WAD, 0)


def test_pay__more_than_the_pool__is_refused():
    with pytest.raises(ValueError, match="more than the pool"):
        sf.pay(Losses(), WAD + UNIT, WAD, 0, UNIT, NOW)


@pytest.mark.parametrize(
    "change",
    [
        lambda losses: sf.add(losses, 2**128),
        lambda losses: sf.give(losses, 2**127, NOW),
        lambda losses: sf.set_open_deficit(losses, 2**128),
    ],
)
def test_changes__beyond_their_field__are_refused(change):
    with pytest.raises(ValueError, match="overflow"):
        change(Losses())
