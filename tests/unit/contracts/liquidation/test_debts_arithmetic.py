"""Interest, room and lanes of debts: the twin bit for bit, and never more than is owed or allowed."""

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.liquidation import debts as twin
from keeper.liquidation.debts import Caps
from keeper.units.constants import BASIS_POINTS, SECONDS_PER_YEAR, WAD

boa.interpret.set_cache_dir(".build/boa")
FAST = settings(max_examples=60, deadline=None)
MANY = settings(max_examples=1_000, deadline=None)
AMOUNT = st.integers(0, 2**104 - 1)
RATE = st.integers(0, WAD)
ELAPSED = st.integers(0, 2**40)
UNITS = st.integers(0, 2**32 - 1)
ROOMS = st.lists(UNITS, min_size=8, max_size=8)


@pytest.fixture(scope="module")
def chain():
    return boa.load("contracts/mocks/DebtsHarness.vy")


def test_interest__any__as_the_twin(chain):
    @FAST
    @given(AMOUNT, AMOUNT, RATE, ELAPSED)
    def check(noted, present, rate, elapsed):
        assert chain.interest(noted, present, rate, elapsed) == twin.interest(noted, present, rate, elapsed)

    check()


def test_room_and_parts__any__as_the_twin(chain):
    @FAST
    @given(AMOUNT, st.tuples(st.integers(0, BASIS_POINTS), UNITS, UNITS), UNITS, ROOMS, AMOUNT)
    def check(worth, caps, others, rooms, debt):
        assert chain.room(worth, caps, others) == twin.room(worth, Caps(*caps), others)
        lanes = chain.parts(rooms, debt)
        assert tuple(chain.lane(lanes, index) for index in range(1, 9)) == twin.parts(rooms, debt)

    check()


@pytest.mark.parametrize("debt", [(0, 0, 0), (2**104 - 1, 2**104 - 1, 2**48 - 1), (0, 1, 0), (1, 1, 1)])
def test_debt__extremes__come_back(chain, debt):
    assert tuple(chain.there_and_back(debt)) == debt


@pytest.mark.parametrize("debt", [(2**104, 0, 0), (0, 2**104, 0), (0, 0, 2**48)])
def test_debt__does_not_fit__is_refused(chain, debt):
    with boa.reverts("debts: overflow"):
        chain.there_and_back(debt)


@MANY
@given(AMOUNT, AMOUNT, RATE, ELAPSED)
def test_interest__any__at_most_a_wei_above_the_exact_one(noted, present, rate, elapsed):
    charged = twin.interest(noted, present, rate, elapsed)
    year = WAD * SECONDS_PER_YEAR
    exact = min(noted, present) * rate * elapsed
    assert 0 <= charged * year - exact < year


@MANY
@given(ROOMS, AMOUNT)
def test_parts__any__add_up_to_the_debt_or_fill_every_room(rooms, debt):
    found = twin.parts(rooms, debt)
    assert all(part <= room for part, room in zip(found, rooms, strict=True))
    assert sum(found) == min(-(-debt // WAD), sum(rooms))


@MANY
@given(AMOUNT, st.tuples(st.integers(0, BASIS_POINTS), UNITS, UNITS), UNITS)
def test_room__any__others_and_it_stay_below_the_total(worth, caps, others):
    room = twin.room(worth, Caps(*caps), others)
    assert room == 0 or others + room <= caps[2]
    assert room * WAD * BASIS_POINTS <= worth * caps[0]
