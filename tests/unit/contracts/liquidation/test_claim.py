"""Replays and bounds on-chain and in the twin, bit for bit; and what a replay refuses."""

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.attestation.typed_data import InstrumentLeaf, MarginLeaf
from keeper.clearing import book_hash as hashes
from keeper.clearing.collateral import Value
from keeper.liquidation import claim as twin
from keeper.liquidation.claim import Change
from keeper.units import constants as c
from keeper.units.constants import WAD
from tests.support.clearing import CALL, EXPIRY, FUTURE, PERP, PUT

boa.interpret.set_cache_dir(".build/boa")
FAST = settings(max_examples=40, deadline=None)
NO_BOUND = -(2**255)
BOOK = sorted((CALL, FUTURE, PERP, PUT))
CASH = 10**10 * WAD
MARGIN = st.integers(0, CASH)
VALUE = st.integers(-CASH, CASH)
TICKS = st.integers(-(10**12), 10**12)
UNIT = st.integers(0, 10**6 * WAD)
KINDS = st.sampled_from([c.CHANGE_FILL, c.CHANGE_UNCOUNTED_FILL, c.CHANGE_SETTLEMENT])


@st.composite
def changes(draw):
    """Of legs and collateral, in any order."""
    legs = st.builds(
        lambda kind, i, q, p: Change(kind, i, q * c.PRICE_UNIT, p * c.PRICE_UNIT),
        KINDS,
        st.sampled_from(BOOK),
        TICKS,
        st.integers(0, 10**13),
    )
    tokens = st.builds(
        lambda kind, i, q: Change(kind, i, q, 0),
        st.sampled_from(sorted(twin.COLLATERAL)),
        st.integers(1, 8),
        TICKS,
    )
    return draw(st.lists(st.one_of(legs, tokens), max_size=12))


UNITS = st.tuples(*[st.builds(InstrumentLeaf, st.just(i), UNIT, UNIT, UNIT, UNIT, UNIT) for i in BOOK])
LEAF = st.builds(
    MarginLeaf,
    account=st.just(1),
    added_im=st.just(0),
    added_mark=st.just(0),
    book_hash=st.binary(min_size=32, max_size=32),
    mark_to_market=VALUE,
    initial_margin=MARGIN,
    maintenance_margin=MARGIN,
    mark_posted=VALUE,
    maintenance_posted=MARGIN,
    marginal=st.integers(WAD, 10 * WAD),
    max_added_im=st.just(2**128 - 1),
    breakdown_hash=st.just(bytes(32)),
)
COLLATERAL = st.builds(
    lambda full, a, b: Value(full, full * min(a, b) // 100, full * max(a, b) // 100),
    MARGIN,
    st.integers(0, 100),
    st.integers(0, 100),
)


@pytest.fixture(scope="module")
def chain():
    return boa.load("contracts/mocks/ClaimHarness.vy")


def folded(then, listed):
    """Book hash after changes."""
    for change in listed:
        then = hashes.fold(then, change.kind, change.instrument, change.quantity, change.price)
    return then


def as_tuple(change):
    return change.kind, change.instrument, change.quantity, change.price


def replayed(chain, then, now, listed, units):
    """The chain's effect."""
    return chain.replay(then, now, [as_tuple(one) for one in listed], [unit.values() for unit in units])


def test_replay_and_bounds__any_changes__as_the_twin(chain):
    @FAST
    @given(LEAF, changes(), UNITS, MARGIN, MARGIN)
    def check(leaf, listed, units, slack, moved):
        now = folded(leaf.book_hash, listed)
        expected = twin.replay(leaf.book_hash, now, listed)
        effect = replayed(chain, leaf.book_hash, now, listed, units)
        assert list(effect.nets) == [expected.nets.get(i, 0) for i in BOOK]
        assert list(effect.collateral) == [expected.collateral.get(i + 1, 0) for i in range(8)]
        assert (effect.settled, effect.settledUntil) == (expected.settled, expected.settled_until)
        bound = twin.bounds(leaf, {u.instrument: u for u in units}, expected, slack, moved)
        raw = (list(effect.nets), list(effect.collateral), effect.settled, effect.settledUntil)
        stated = chain.bounds(leaf.values(), [u.values() for u in units], raw, slack, moved)
        assert tuple(stated) == (
            bound.mark,
            bound.mark_posted,
            bound.maintenance,
            bound.maintenance_posted,
            bound.initial,
            bound.added,
        )

    check()


def test_judge__any_bounds__as_the_twin(chain):
    @FAST
    @given(
        st.builds(twin.Bounds, VALUE, VALUE, MARGIN, MARGIN, MARGIN, MARGIN),
        VALUE,
        COLLATERAL,
        MARGIN,
        st.integers(WAD // 100, WAD),
        st.one_of(st.none(), VALUE),
    )
    def check(bound, liquid, collateral, posted, rate, least):
        expected = twin.judge(bound, liquid, collateral, posted, rate, least)
        stated = chain.judge(
            (
                bound.mark,
                bound.mark_posted,
                bound.maintenance,
                bound.maintenance_posted,
                bound.initial,
                bound.added,
            ),
            liquid,
            (collateral.full, collateral.initial, collateral.maintenance),
            posted,
            rate,
            NO_BOUND if least is None else least,
        )
        assert tuple(stated) == (
            expected.worth,
            expected.deficit,
            expected.initial,
            expected.maintenance,
            expected.below,
        )
        if expected.below:
            assert expected.deficit > 0
        if least is not None and least <= bound.mark and liquid + least >= 0:
            assert not expected.below

    check()


UNIT_LEAVES = [InstrumentLeaf(i, 100 * WAD, 10 * WAD, 8 * WAD, 30 * WAD, 20 * WAD) for i in BOOK]
BOUGHT = Change(c.CHANGE_FILL, CALL, 2 * WAD, 90 * WAD)
SOLD = Change(c.CHANGE_UNCOUNTED_FILL, PUT, -WAD, 80 * WAD)
PLAIN = MarginLeaf(1, 0, 0, bytes(32), 0, 100 * WAD, 80 * WAD, 0, 80 * WAD, 2 * WAD, 60 * WAD, bytes(32))


def test_bounds__net_bought_and_sold__undoing_costs_the_other_side_times_the_multiplier():
    effect = twin.replay(bytes(32), folded(bytes(32), [BOUGHT, SOLD]), [BOUGHT, SOLD])
    leaf = PLAIN
    units = {u.instrument: u for u in UNIT_LEAVES}
    with pytest.raises(twin.ClaimError, match="reach"):
        twin.bounds(leaf, units, effect)  # two shorts and a long: 70 of the 60 that m holds for
    half = Change(c.CHANGE_FILL, CALL, -WAD, 90 * WAD)
    effect = twin.replay(bytes(32), folded(bytes(32), [BOUGHT, SOLD, half]), [BOUGHT, SOLD, half])
    bound = twin.bounds(leaf, units, effect)
    assert bound.mark == 0  # one bought, one sold, both at 100
    assert bound.maintenance == (80 - 2 * (20 + 8)) * WAD
    assert bound.initial == (100 - 2 * (30 + 10)) * WAD
    assert bound.added == (100 + 2 * (10 + 30)) * WAD


def test_bounds__a_dust_trade__moves_the_margin_by_dust():
    dust = Change(c.CHANGE_FILL, CALL, c.PRICE_UNIT, 90 * WAD)
    effect = twin.replay(bytes(32), folded(bytes(32), [dust]), [dust])
    bound = twin.bounds(PLAIN, {u.instrument: u for u in UNIT_LEAVES}, effect)
    assert PLAIN.maintenance_margin - bound.maintenance == 2 * 20 * c.PRICE_UNIT


def test_replay__settlement__turns_mark_into_cash_exactly(chain):
    settled = Change(c.CHANGE_SETTLEMENT, CALL, 3 * WAD, 70 * WAD)  # closes a short of three
    now = folded(bytes(32), [settled])
    effect = replayed(chain, bytes(32), now, [settled], [])
    assert (effect.settled, effect.settledUntil) == (210 * WAD, EXPIRY)


LISTED = [BOUGHT, SOLD]


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (LISTED[:1], "claim: changes do not lead to the book"),
        (LISTED[1:], "claim: changes do not lead to the book"),
        (LISTED[::-1], "claim: changes do not lead to the book"),
        ([*LISTED, SOLD], "claim: changes do not lead to the book"),
        ([BOUGHT, Change(c.CHANGE_FILL, PUT, -WAD, 80 * WAD)], "claim: changes do not lead to the book"),
        ([*LISTED, Change(c.CHANGE_AUCTION, 0, -WAD, 0)], "claim: needs a newer leaf"),
        ([*LISTED, Change(c.CHANGE_PURCHASE, 0, WAD, 1)], "claim: needs a newer leaf"),
    ],
)
def test_replay__missing_reordered_or_foreign_changes__refused(chain, listed, reason):
    now = folded(bytes(32), LISTED)
    with boa.reverts(reason):
        replayed(chain, bytes(32), now, listed, UNIT_LEAVES)
    with pytest.raises(twin.ClaimError, match=reason):
        twin.replay(bytes(32), now, listed)


def test_replay__instrument_without_its_leaf__refused(chain):
    now = folded(bytes(32), LISTED)
    others = [unit for unit in UNIT_LEAVES if unit.instrument != PUT]
    with boa.reverts("claim: instrument without a leaf"):
        replayed(chain, bytes(32), now, LISTED, others)
    with boa.reverts("claim: instruments not ascending"):
        replayed(chain, bytes(32), now, LISTED, UNIT_LEAVES[::-1])


def test_bounds__multiplier_below_one__refused(chain):
    leaf = MarginLeaf(*PLAIN.values()[:9], WAD - 1, 0, bytes(32))
    with boa.reverts("claim: bad marginal multiplier"):
        chain.bounds(leaf.values(), [], ([], [0] * 8, 0, 0), 0, 0)
