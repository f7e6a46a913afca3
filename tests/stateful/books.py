"""Random books, markets and changes of the methodology of the tests."""

from dataclasses import replace

from hypothesis import strategies as st

from keeper.clearing import account as accounts
from keeper.clearing.account import Account, Fill, InstrumentMargin, Record
from keeper.liquidation.claim import Change
from keeper.markets.instrument import Instrument, Kind
from keeper.units import constants as c
from tests.stateful import margins
from tests.stateful.epochs import instrument_leaf, margin_of
from tests.stateful.margins import Market

WAD = 10**18
USD = 10**8
EXPIRIES = (1_743_552_000, 1_746_144_000)
INSTRUMENTS = sorted(
    [Instrument(u, 0, 0, Kind.PERP).pack() for u in (1, 2)]
    + [Instrument(u, e, 0, Kind.FUTURE).pack() for u in (1, 2) for e in EXPIRIES]
    + [
        Instrument(u, e, k * USD, kind).pack()
        for u in (1, 2)
        for e in EXPIRIES
        for k in (1_200, 2_000, 2_800)
        for kind in (Kind.CALL, Kind.PUT)
    ]
)
OVER = frozenset((u, EXPIRIES[0]) for u in (1, 2))

spots = st.integers(100 * USD, 5_000 * USD)
markets = st.builds(lambda a, b: Market({1: a, 2: b}, {}), spots, spots)
markets_after_an_expiry = st.builds(lambda a, b: Market({1: a, 2: b}, {}, OVER), spots, spots)
quantities = st.integers(-(10**10), 10**10).filter(bool).map(lambda n: n * 10**10)
books = st.dictionaries(st.sampled_from(INSTRUMENTS), quantities, max_size=6)
coins = st.dictionaries(st.sampled_from((1, 2)), st.integers(1, 10**10).map(lambda n: n * 10**10), max_size=2)
trades = st.tuples(st.sampled_from(INSTRUMENTS), quantities, st.integers(0, 6_000 * USD))
fills = st.lists(trades, min_size=1, max_size=12)


def recorded(positions, market, collateral=None):
    """An account whose record was just taken."""
    account = Account("maker", positions=positions, collateral=dict(collateral or {}))
    margin = margin_of(account, market)
    record = Record(
        epoch=1,
        marginal=WAD,
        initial_margin=margin.initial,
        maintenance_margin=margin.maintenance,
        mark_base=margin.mark,
        max_added_im=2**127,
    )
    return replace(account, record=record)


def unit_of(packed, market):
    """Mark and stand-alone margins of an instrument."""
    leaf = instrument_leaf(packed, market)
    return InstrumentMargin(leaf["mark"], leaf["imLong"], leaf["imShort"])


def filled(account, market, sequence):
    """After fills at any price, counted."""
    for packed, quantity, price8 in sequence:
        fill = Fill(packed, quantity, price8 * 10**10, 0, unit_of(packed, market))
        account = accounts.filled(account, fill)
    return account


def changed(account, market, change):
    """After one change, and the links that the events tell."""
    if isinstance(change, tuple):
        packed, quantity, price8 = change
        kind = c.CHANGE_FILL
        return filled(account, market, [change]), [Change(kind, packed, quantity, price8 * 10**10)]
    if change == "settle":
        return _settled(account, market)
    token, amount = change % 2 + 1, abs(change) * 10**10
    if change > 0:
        after = accounts.collateral_deposited(account, token, amount)
        return after, [Change(c.CHANGE_COLLATERAL, token, amount, 0)]
    taken = min(amount, account.collateral.get(token, 0))
    if taken == 0:
        return account, []
    after = accounts.collateral_withdrawn(account, token, taken)
    return after, [Change(c.CHANGE_WITHDRAWAL, token, -taken, 0)]


def _settled(account, market):
    """Every leg of an expiry that is over, as one change: a unit of the latest expiry that pays it all."""
    legs = {i: Instrument.unpack(i) for i in account.positions}
    done = {i: leg for i, leg in legs.items() if market.is_over(leg)}
    payoffs = {i: margins.payoff(leg, market.forward(leg)) for i, leg in done.items()}
    if not done:
        return account, []
    latest = Instrument(0, max(leg.expiry for leg in done.values()), 0, Kind.PERP).pack()
    paid = sum(accounts.value_at(account.positions[i], payoffs[i]) for i in done)
    return accounts.settled(account, payoffs), [Change(c.CHANGE_SETTLEMENT, latest, -paid, WAD)]
