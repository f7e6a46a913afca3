"""Margins move the right way: an uncovered short never lowers them, and a defined risk caps them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.liquidation.claim import capped
from keeper.markets.instrument import Instrument, Kind, Leg, word
from keeper.risk.margin import account_margin, build_table
from keeper.risk.methodology import Methodology
from keeper.risk.payoff import expiry_bounds
from keeper.units.constants import WAD
from tests.support.flat_market import DAY, NOW, flat_market, option, perp

METHODOLOGY = Methodology.default()
QUANTUM = METHODOLOGY.quantum_e8 * 10**10
STRIKES = (1_400, 1_800, 2_000, 2_200, 3_000)
CALLS = [option(2, days, k, Kind.CALL) for days in (1, 30) for k in STRIKES]
PUTS = [option(2, days, k, Kind.PUT) for days in (1, 30) for k in STRIKES]
TABLE = build_table(flat_market(), METHODOLOGY, [*CALLS, *PUTS])

sizes = st.integers(1, 5_000)


def short(instruments: list[int], linear: int) -> st.SearchStrategy[dict[int, int]]:
    """Books that lose when spot moves one way: short options of one kind, and perpetuals that lose with
    them.
    """
    options = st.dictionaries(st.sampled_from(instruments), sizes.map(lambda q: -q), min_size=1)
    return st.tuples(options, st.integers(0, 5_000)).map(
        lambda parts: {**parts[0], **({perp(2): linear * parts[1]} if parts[1] else {})}
    )


def legs_of(book: dict[int, int]) -> list[Leg]:
    return [Leg(i, q * 10**15) for i, q in sorted(book.items())]


def grows(book: dict[int, int], instrument: int, size: int) -> None:
    before = account_margin(legs_of(book), TABLE)
    after = account_margin(legs_of({**book, instrument: book.get(instrument, 0) - size}), TABLE)
    slack = 4 * QUANTUM * (len(book) + 9)
    assert after.initial >= before.initial - slack
    assert after.maintenance >= before.maintenance - slack


@settings(max_examples=100, deadline=None)
@given(short(CALLS, -1), st.sampled_from(CALLS), sizes)
def test_margin__short_call_added_to_short_calls__never_lower(
    book: dict[int, int], instrument: int, size: int
) -> None:
    grows(book, instrument, size)


@settings(max_examples=100, deadline=None)
@given(short(PUTS, 1), st.sampled_from(PUTS), sizes)
def test_margin__short_put_added_to_short_puts__never_lower(
    book: dict[int, int], instrument: int, size: int
) -> None:
    grows(book, instrument, size)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from([*CALLS[5:], *PUTS[5:]]), st.integers(-3, 3).filter(bool), min_size=1))
def test_margin__defined_risk_capped_as_on_chain__never_above_the_worst_loss(book: dict[int, int]) -> None:
    legs = [Leg(i, q * WAD) for i, q in sorted(book.items())]
    words = [word(leg.instrument, leg.quantity) for leg in legs]
    bounds = expiry_bounds(words, 0, 2_000 * 10**8, 2_000 * 10**8)
    assert Instrument.unpack(legs[0].instrument).expiry == NOW + 30 * DAY
    margin = account_margin(legs, TABLE)
    least = bounds.worst if bounds.finite else None
    if least is not None:
        worst_loss = max(0, margin.mark - least)
        assert capped(margin.initial, margin.mark, least) <= worst_loss
        assert capped(margin.maintenance, margin.mark, least) <= capped(margin.initial, margin.mark, least)
