"""Funding: rates from attested marks, equal to the twin, and cash that adds up to nothing."""

from dataclasses import replace

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.clearing.funding import Funding, accrued
from keeper.markets.funding import PERIOD, Terms, premium_of, rate_of
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import FUNDING_STEP, MAX_FUNDING_GAP, PRICE_UNIT
from tests.support.clearing import BASIS, NO_CAPS, PERP, SPEC, SPOT, WAD, Deal, source
from tests.support.house import INSTRUMENTS, House, events

SPOT_WAD = SPOT * PRICE_UNIT
TERMS = (WAD // 2_000, WAD // 50, WAD * 75 // 10_000)
OTHER_PERP = Instrument(2, 0, 0, Kind.PERP).pack()
STRANGER = boa.env.generate_address("stranger")


def leaf_at(mark):
    """The perp's leaf, with another mark."""
    return replace(INSTRUMENTS[0], mark=mark)


class Desk:
    """The funding contract beside a house of accounts on the real contracts."""

    def __init__(self, house):
        self.house, self.clearing, self.owner = house, house.clearing, house.contracts.owner
        with boa.env.prank(self.owner):
            self.funding = source("markets/Funding").deploy(
                self.clearing.address, house.contracts.markets.address
            )
            self.clearing.set_funding(self.funding.address)
            self.funding.set_terms(1, TERMS)

    def post(self, mark, spot=SPOT):
        self.house.post(spot=spot, instruments=(leaf_at(mark), *INSTRUMENTS[1:]))

    def update(self, underlying=1, leaf=None, epoch=None, **options):
        leaf = leaf or self.house.epoch.instruments[PERP]
        epoch = self.house.epoch.number if epoch is None else epoch
        path = self.house.epoch.proof(self.house.epoch.instruments[PERP])
        return self.funding.update(underlying, leaf.values(), path, epoch, **options)

    def set_terms(self, *terms, underlying=1):
        self.funding.set_terms(underlying, terms, sender=self.owner)


@pytest.fixture
def desk(house):
    return Desk(house)


def expected(mark, terms=TERMS, spot=SPOT_WAD):
    return rate_of(mark, spot, Terms(*terms), BASIS)


# Rates


@pytest.mark.parametrize("percent", [-3, -2, -1, 0, 1, 2, 3])
def test_update__mark_of_the_epoch__sets_the_rate_and_logs(desk, percent):
    mark = SPOT_WAD * (100 + percent) // 100
    desk.post(mark)

    rate = desk.update(sender=STRANGER)

    assert rate == expected(mark)
    (event,) = events(desk.funding, "RateUpdated")
    premium = premium_of(mark, SPOT_WAD, BASIS)
    assert (event.underlying, event.epoch, event.premium, event.rate, event.seq) == (1, 1, premium, rate, 2)
    assert desk.funding.last_epoch(1) == 1
    boa.env.evm.patch.timestamp += 1_000
    assert desk.clearing.funding_index(1) == Funding(0, rate, 0).index_at(1_000)


def test_update__premium_of_one_percent__pays_it_less_the_dead_zone_in_eight_hours(desk):
    desk.set_terms(TERMS[0], TERMS[1], WAD // 20)
    desk.post(SPOT_WAD * 101 // 100)
    rate = desk.update()

    paid = rate * PERIOD
    assert SPOT_WAD * 95 // 10_000 - PERIOD < paid <= SPOT_WAD * 95 // 10_000


@pytest.mark.parametrize("sign", [1, -1])
def test_update__far_mark__stays_within_the_basis_and_the_cap(desk, sign):
    desk.post(SPOT_WAD + sign * SPOT_WAD // 2)
    assert desk.update() == sign * (SPOT_WAD * TERMS[2] // WAD // PERIOD)
    desk.set_terms(0, WAD // 2, WAD // 20)
    desk.post(SPOT_WAD + sign * SPOT_WAD // 2)

    assert desk.update() == sign * (SPOT_WAD * BASIS // WAD // PERIOD)


def test_rate_of__any_mark_and_terms__equals_twin(desk):
    shares = st.integers(0, WAD // 2)

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 2**56 - 1), shares, shares, st.integers(0, WAD // 20))
    def check(mark8, one, other, cap):
        terms = (min(one, other), max(one, other), cap)
        desk.set_terms(*terms)
        mark = mark8 * PRICE_UNIT
        found = desk.funding.rate_of(1, mark)
        assert found == (premium_of(mark, SPOT_WAD, min(terms[1], BASIS)), expected(mark, terms))

    desk.post(SPOT_WAD)
    check()


def test_rate_of__no_terms__pays_nothing(desk):
    with boa.env.prank(desk.owner):
        desk.house.contracts.markets.list_underlying(SPEC, NO_CAPS)
        desk.house.contracts.oracle.add_underlying(SPOT, (200, 1_500, 3_000))

    assert desk.funding.rate_of(2, 2 * SPOT_WAD) == (0, 0)


def test_update__same_epoch_again__reverts(desk):
    desk.post(SPOT_WAD)
    desk.update()
    with boa.reverts("funding: epoch used already"):
        desk.update()
    desk.post(SPOT_WAD)
    desk.update()


def test_update__another_instrument__reverts(desk):
    desk.post(SPOT_WAD)
    with boa.reverts("funding: not the perp"):
        desk.update(leaf=INSTRUMENTS[1])
    with boa.reverts("funding: not the perp"):
        desk.update(underlying=2)


def test_update__mark_that_nobody_signed__reverts(desk):
    desk.post(SPOT_WAD)
    with boa.reverts("oracle: not in the epoch"):
        desk.update(leaf=leaf_at(SPOT_WAD + 1))


def test_update__epoch_to_come__reverts(desk):
    desk.post(SPOT_WAD)
    with boa.reverts("oracle: epoch not usable"):
        desk.update(epoch=2)


def test_update__stale_oracle__reverts(desk):
    desk.post(SPOT_WAD)
    boa.env.evm.patch.timestamp += 1_000
    with boa.reverts("funding: oracle stale"):
        desk.update()


def test_rate_of__unknown_underlying__reverts(desk):
    with boa.reverts("funding: no spot"):
        desk.funding.rate_of(2, WAD)


def test_update__perp_that_ends__reverts(desk):
    now = boa.env.evm.patch.timestamp
    desk.clearing.end_perp(1, now // 300 * 300 + 3_600, sender=desk.owner)
    desk.post(SPOT_WAD)
    with boa.reverts("clearing: perp ends"):
        desk.update()


# Terms


def test_set_terms__by_owner__sets_and_logs(desk):
    desk.set_terms(1, 2, 3)

    (event,) = events(desk.funding, "TermsSet")
    assert (event.underlying, event.seq, tuple(event.terms)) == (1, 2, (1, 2, 3))
    assert tuple(desk.funding.terms(1)) == (1, 2, 3)
    desk.set_terms(WAD // 2, WAD // 2, WAD // 20)


@pytest.mark.parametrize(
    ("underlying", "terms", "reason"),
    [
        (0, (0, 0, 0), "unknown underlying"),
        (2, (0, 0, 0), "unknown underlying"),
        (1, (0, WAD // 2 + 1, 0), "premium too large"),
        (1, (2, 1, 0), "dead zone too wide"),
        (1, (0, 0, WAD // 20 + 1), "cap too high"),
    ],
)
def test_set_terms__out_of_range__reverts(desk, underlying, terms, reason):
    with boa.reverts(f"funding: {reason}"):
        desk.set_terms(*terms, underlying=underlying)


def test_set_terms__by_stranger__reverts(desk):
    with boa.reverts("ownable: caller is not the owner"):
        desk.funding.set_terms(1, TERMS, sender=STRANGER)


@pytest.mark.parametrize("position", [0, 1])
def test_constructor__zero_address__reverts(desk, position):
    addresses = [desk.clearing.address, desk.house.contracts.markets.address]
    addresses[position] = "0x" + "00" * 20
    with boa.reverts("funding: zero address"):
        source("markets/Funding").deploy(*addresses)


# Cash


def test_index__nobody_updates__stops_after_the_gap(desk):
    desk.post(SPOT_WAD * 102 // 100)
    rate = desk.update()
    boa.env.evm.patch.timestamp += MAX_FUNDING_GAP
    stopped = desk.clearing.funding_index(1)
    boa.env.evm.patch.timestamp += 86_400

    assert desk.clearing.funding_index(1) == stopped == Funding(0, rate, 0).index_at(MAX_FUNDING_GAP)
    assert stopped % FUNDING_STEP == 0


steps = st.lists(
    st.tuples(
        st.integers(-300, 300),  # basis points of the mark above the spot
        st.integers(0, 3 * MAX_FUNDING_GAP),  # seconds until the trade
        st.permutations([0, 1, 2]),  # who trades with whom
        st.integers(-(10**9), 10**9).filter(bool),  # quantity, 1e-8
    ),
    min_size=1,
    max_size=4,
)


def test_funding__any_touches_in_any_order__adds_up_to_nothing_and_equals_the_closed_form(house):
    @settings(max_examples=12, deadline=None)
    @given(steps, st.integers(0, 2 * MAX_FUNDING_GAP))
    def check(moves, rest):
        with boa.env.anchor():
            _run(Desk(House(house.contracts)), moves, rest)

    check()


def _run(desk, moves, rest):
    house, patch = desk.house, boa.env.evm.patch
    accounts = [house.open(f"trader {n}", 10_000_000) for n in range(3)]
    liquid = dict.fromkeys(accounts, 10_000_000 * WAD)
    held, entry, index = dict.fromkeys(accounts, 0), dict.fromkeys(accounts, 0), Funding()
    for points, gap, order, size in moves:
        desk.post(SPOT_WAD * (10_000 + points) // 10_000)
        index = index.with_rate(desk.update(), patch.timestamp)
        patch.timestamp += gap
        desk.post(SPOT_WAD)
        maker, taker = accounts[order[0]], accounts[order[1]]
        house.hold(maker, taker, Deal(PERP, size * PRICE_UNIT, SPOT_WAD))
        for account, quantity in ((maker, size * PRICE_UNIT), (taker, -size * PRICE_UNIT)):
            now = index.index_at(patch.timestamp)
            liquid[account] += accrued(held[account], entry[account], now) - quantity * SPOT_WAD // WAD
            held[account], entry[account] = held[account] + quantity, now
    patch.timestamp += rest
    now = index.index_at(patch.timestamp)
    found = [house.clearing.standing(account, False).liquid for account in accounts]
    assert found == [liquid[a] + accrued(held[a], entry[a], now) for a in accounts]
    assert sum(found) == 30_000_000 * WAD
