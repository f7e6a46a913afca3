"""What must be true after every action, each a sentence about the chain, checked against the model."""

from fractions import Fraction

from keeper.clearing import headroom, outflow, valuation
from keeper.clearing.account import Account
from keeper.markets.instrument import Instrument, Kind
from tests.stateful import margins
from tests.stateful.protocol import Protocol
from tests.stateful.world import PRICE_UNIT

WAD = 10**18
SETTLEMENT_WINDOW = 1_800  # forwards move within it between an epoch and a report


def tokens_held_equal_settled_cash_plus_fees(p: Protocol) -> None:
    """Invariant 1, exactly: with perps and futures at marks that net to zero, and settled legs at their
    price.
    """
    oracle, contracts = p.world.contracts.oracle, p.world.contracts
    dated = [i for i in map(Instrument.unpack, contracts.instruments) if i.kind != Kind.PERP]
    prices = {i: oracle.settlement_price(i.underlying, i.expiry) for i in dated}
    marks = {i.pack(): margins.payoff(i, price) for i, price in prices.items() if price}
    assert p.ledger.imbalance(marks) == 0
    assert contracts.token.balanceOf(p.world.clearing.address) == p.ledger.held + p.donated
    totals = p.world.clearing.totals()
    assert (totals.fees, totals.shortfall, totals.insurance) == (p.ledger.fees, 0, 0)


def positions_of_every_instrument_net_to_zero(p: Protocol) -> None:
    """Invariant 2, on chain; a half-settled instrument nets to what the settled side has already been
    paid.
    """
    for packed in p.world.contracts.instruments:
        instrument = Instrument.unpack(packed)
        settled = instrument.expiry and p.world.contracts.oracle.settlement_price(
            instrument.underlying, instrument.expiry
        )
        held = sum(p.world.clearing.position(n, packed).quantity for n in p.ledger.accounts)
        assert held == p.ledger.open_interest().get(packed, 0)
        assert settled or held == 0


def chain_and_model_agree_to_the_wei(p: Protocol) -> None:
    """Invariant 9: trade and settlement move exactly what the model moves."""
    for number, account in p.ledger.accounts.items():
        on_chain = p.world.clearing.account(number)
        assert on_chain.cash == account.cash
        assert on_chain.exempt == account.exempt
        assert on_chain.addedIM == account.added_im
        assert on_chain.addedMark == account.added_mark
        assert on_chain.bookHash == account.book_hash
        assert on_chain.withdrawNonce == account.withdraw_nonce
        assert on_chain.legCount == len(account.positions)
        for packed in p.world.contracts.instruments:
            held = p.world.clearing.position(number, packed).quantity
            assert held == account.positions.get(packed, 0)


def records_agree(p: Protocol) -> None:
    """Headroom is measured from the same statement on chain as in the model."""
    for number, account in p.ledger.accounts.items():
        record, on_chain = account.record, p.world.contracts.gate.unpack(p.world.clearing.record(number))
        assert on_chain.epoch == record.epoch
        if record.epoch == 0:
            continue
        assert on_chain.initialMargin == record.initial_margin
        assert on_chain.maintenanceMargin == record.maintenance_margin
        assert on_chain.markBase == record.mark_base
        assert on_chain.addedIM == record.added_im
        assert on_chain.maxAddedIM == record.max_added_im
        assert on_chain.marginal == record.marginal
        assert on_chain.linear == record.linear
        assert on_chain.changes == record.changes
        assert on_chain.expiry == record.earliest_expiry


def the_outflow_bucket_stays_below_its_limit(p: Protocol) -> None:
    """Invariant 3, last part: what left beyond own deposits drains before more may leave."""
    now, share = p.world.chain.timestamp, p.ledger.token.outflow_share
    capacity = outflow.limit(p.ledger.held, share)
    shown = p.world.clearing.outflow(p.world.contracts.token.address)
    assert (shown.level, shown.limit) == (outflow.level(p.ledger.bucket, capacity, now), capacity)


def accepted_marks_lie_inside_the_bracket(p: Protocol) -> None:
    """Invariant 7: the envelopes at the spot itself lie inside the gate's bracket, and so does the
    attested mark.
    """
    market = p.predictor.epoch().market
    for account in p.ledger.accounts.values():
        bounds = p.predictor.bounds(account)
        if bounds.expired:
            continue
        low, high = envelopes(account, market)
        assert bounds.low <= low <= high <= bounds.high


def worst_cases_are_exact(p: Protocol) -> None:
    """The gate's worst case and floor equal the definition; None is unbounded."""
    for account in p.ledger.accounts.values():
        bounds = p.predictor.bounds(account)
        if not bounds.expired:
            assert bounds.worst_case == valuation.worst_case(account.positions)


def headroom_never_understates_risk(p: Protocol) -> None:
    """Invariant 11, pass bound: IM <= record.IM + m * dU and mark >= record.mark + dQ, exactly, at the
    record's epoch.
    """
    epoch = p.predictor.epoch()
    for number in p.exact:
        account = p.ledger.accounts[number]
        record = account.record
        in_window = record.earliest_expiry <= p.world.chain.timestamp + SETTLEMENT_WINDOW
        if (
            record.epoch == epoch.number
            and not in_window
            and headroom.holds(account, p.world.chain.timestamp)
        ):
            margin = margins.book_margin(account.positions, epoch.market)
            assert margin.initial <= headroom.required_margin(account)
            assert margin.mark >= record.mark_base + account.added_mark


def envelopes(account: Account, market: margins.Market) -> tuple[Fraction, Fraction]:
    """Least and greatest arbitrage-free value of a book with every forward at the market's, perps at the
    spot.
    """
    low = high = Fraction(0)
    for (underlying, expiry), profile in valuation.profiles(account.positions).items():
        forward = market.forwards[underlying, expiry]
        low += valuation.convex_envelope(profile, forward)
        high += valuation.concave_envelope(profile, forward)
    perps = [(Instrument.unpack(i), q) for i, q in account.positions.items()]
    value = sum(q * market.spots[i.underlying] * PRICE_UNIT for i, q in perps if i.kind == Kind.PERP)
    return low + Fraction(value, WAD), high + Fraction(value, WAD)


INVARIANTS = (
    tokens_held_equal_settled_cash_plus_fees,
    positions_of_every_instrument_net_to_zero,
    chain_and_model_agree_to_the_wei,
    records_agree,
    the_outflow_bucket_stays_below_its_limit,
    accepted_marks_lie_inside_the_bracket,
    worst_cases_are_exact,
    headroom_never_understates_risk,
)


def check_all(p: Protocol) -> None:
    for invariant in INVARIANTS:
        invariant(p)
