"""Auctions and terms survive three words; what does not fit or is out of bounds is refused."""

import boa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keeper.units.constants import WAD

boa.interpret.set_cache_dir(".build/boa")
FAST = settings(max_examples=60, deadline=None)
SIGNED = st.integers(-(2**127), 2**127 - 1)
UINT128 = st.integers(0, 2**128 - 1)
AUCTION = st.tuples(
    st.integers(0, 2**40 - 1),  # epoch
    st.integers(0, 2**32 - 1),  # elapsed
    st.integers(0, 2**40 - 1),  # touched
    st.booleans(),
    UINT128,  # initial margin
    UINT128,  # maintenance margin
    SIGNED,  # mark
    SIGNED,  # linear
    st.integers(0, 2**40 - 1),  # earliest
    st.integers(0, 2**96 - 1),  # added
)
TERMS = (
    98 * WAD // 100,
    80 * WAD // 100,
    900,
    WAD // 2,
    3_600,
    WAD // 10,
    100 * WAD,
    600,
)
FIELDS = (
    "start",
    "floor",
    "duration",
    "bonus",
    "bonusDuration",
    "minimumBid",
    "dust",
    "grace",
)


def terms(**changes):
    """The usual terms with some fields changed."""
    return tuple(changes.get(name, value) for name, value in zip(FIELDS, TERMS, strict=True))


@pytest.fixture(scope="module")
def chain():
    return boa.load("contracts/mocks/AuctionWordsHarness.vy")


def test_auction__any__comes_back(chain):
    @FAST
    @given(AUCTION)
    @example((0, 0, 0, False, 0, 0, -1, -1, 0, 0))
    @example((1, 1, 1, True, 1, 1, -(2**127), 2**127 - 1, 2**40 - 1, 2**96 - 1))
    def check(auction):
        assert tuple(chain.there_and_back(auction)) == auction

    check()


@pytest.mark.parametrize(
    ("place", "value"), [(8, 2**40), (9, 2**96), (4, 2**128), (6, 2**127), (7, -(2**127) - 1)]
)
def test_auction__field_too_large__refused(chain, place, value):
    auction = [1, 0, 0, False, 0, 0, 0, 0, 0, 0]
    auction[place] = value
    with boa.reverts():
        chain.there_and_back(tuple(auction))


def test_terms__usual_and_extreme__come_back(chain):
    extremes = terms(floor=WAD // 2, start=WAD, bonus=WAD, minimumBid=WAD // 2, grace=900)
    for one in (TERMS, extremes, terms(grace=0, dust=0, bonus=0)):
        assert tuple(chain.terms_there_and_back(one)) == one


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"floor": WAD // 2 - 1}, "auction: bad discount"),
        ({"start": 79 * WAD // 100}, "auction: bad discount"),
        ({"start": WAD + 1}, "auction: bad discount"),
        ({"bonus": WAD + 1}, "auction: bonus too high"),
        ({"minimumBid": WAD // 2 + 1}, "auction: least bid too high"),
        ({"dust": 10_000 * WAD + 1}, "auction: dust too high"),
        ({"duration": 59}, "auction: bad duration"),
        ({"bonusDuration": 604_801}, "auction: bad duration"),
        ({"grace": 901}, "auction: grace too long"),
    ],
)
def test_terms__out_of_bounds__refused(chain, changes, reason):
    with boa.reverts(reason):
        chain.terms_there_and_back(terms(**changes))
