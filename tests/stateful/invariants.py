"""What must be true after every action, each a sentence about the chain, checked against the model."""

from fractions import Fraction

from keeper.clearing import headroom, outflow, valuation
from keeper.clearing.account import Account
from keeper.markets.instrument import Instrument, Kind
from tests.stateful import margins
from tests.stateful.deployment import LISTINGS
from tests.stateful.epochs import margin_of
from tests.stateful.protocol import Protocol
from tests.stateful.world import PRICE_UNIT, WINDOW

WAD = 10**18


def tokens_held_equal_settled_cash_fees_and_recovery_less_shortfall(p: Protocol) -> None:
    """Invariant 1, exactly: perps and futures at any marks net to zero, settled legs count their price."""
    contracts, vault, losses = p.world.contracts, p.world.vault, p.world.vault.losses()
    dated = {i for i in map(Instrument.unpack, contracts.instruments) if i.kind != Kind.PERP}
    prices = {i: p.world.settlement_price(i) for i in dated if i.expiry <= p.now}
    marks = {i.pack(): margins.payoff(i, price) for i, price in prices.items() if price}
    owed = sum(p.world.clearing.standing(n, False).liquid for n in p.ledger.accounts)  # with funding
    linear = sum(q * marks.get(i, 0) // WAD for i, q in p.ledger.net_interest().items())
    held, fees = vault.held(contracts.token.address), p.world.clearing.fees()
    assert held * 10**12 == owed + linear + fees + losses.recovery - losses.shortfall
    assert contracts.token.balanceOf(vault.address) == held + p.donated
    assert contracts.token.balanceOf(contracts.fund.address) == p.fund_assets


def collateral_held_equals_all_balances(p: Protocol) -> None:
    """Invariant 1 for the other tokens: each coin held is somebody's."""
    for listing, coin in zip(LISTINGS, p.world.contracts.coins, strict=True):
        owed = sum(p.world.vault.collateral_balance(n, coin.address) for n in p.ledger.accounts)
        held = p.world.vault.held(coin.address)
        assert owed == listing.amount(held)
        assert coin.balanceOf(p.world.vault.address) == held == p.ledger.vaults[listing.index].held


def positions_of_every_instrument_net_to_zero(p: Protocol) -> None:
    """Invariant 2; a half-settled instrument nets to what the settled side has already been paid. That the
    chain's positions are the model's is `chain_and_model_agree_to_the_wei`.
    """
    for packed, net in p.ledger.net_interest().items():
        assert net == 0 or p.world.settlement_price(Instrument.unpack(packed))


def chain_and_model_agree_to_the_wei(p: Protocol) -> None:
    """Invariant 9: trade, settlement and liquidation move exactly what the model moves."""
    for number, account in p.ledger.accounts.items():
        on_chain = p.world.clearing.account(number)
        assert on_chain.cash == account.cash
        assert on_chain.exempt == account.exempt
        assert on_chain.addedIM == account.added_im
        assert on_chain.addedMark == account.added_mark
        assert on_chain.bookHash == account.book_hash == p.changes.heads[number]
        assert on_chain.withdrawNonce == account.withdraw_nonce
        assert on_chain.frozen == account.frozen
        words = p.world.clearing.book(number, sorted(account.positions))
        assert list(words) == [i << 128 | q & 2**128 - 1 for i, q in sorted(account.positions.items())]
        for listing, coin in zip(LISTINGS, p.world.contracts.coins, strict=True):
            balance = p.world.vault.collateral_balance(number, coin.address)
            assert balance == account.collateral.get(listing.index, 0)


def totals_agree(p: Protocol) -> None:
    """Fees, holdings and losses are the model's."""
    losses, model = p.world.vault.losses(), p.ledger.losses
    assert (losses.shortfall, losses.recovery, losses.openDeficit) == (
        model.shortfall,
        model.recovery,
        model.open_deficit,
    )
    assert p.world.clearing.fees() == p.ledger.fees
    assert p.world.vault.held(p.world.token(0).address) == p.ledger.held
    assert p.ledger.imbalance(_payoffs(p), p.now) == 0


def records_agree(p: Protocol) -> None:
    """Headroom is measured from the same statement on chain as in the model."""
    for number, account in p.ledger.accounts.items():
        standing = p.world.clearing.standing(number, True)
        record, on_chain = account.record, p.world.contracts.gate.unpack(list(standing.record))
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
    share = p.ledger.token.outflow_share
    holdings = [(0, p.ledger.held, p.ledger.bucket)]
    holdings += [(i, vault.held, vault.bucket) for i, vault in p.ledger.vaults.items()]
    for index, held, bucket in holdings:
        capacity = outflow.limit(held, share)
        shown = p.world.vault.outflow(p.world.token(index).address)
        assert (shown.level, shown.limit) == (outflow.level(bucket, capacity, p.now), capacity)


def epoch_numbers_rise(p: Protocol) -> None:
    """Invariant 6: the oracle speaks of the last epoch accepted, and numbers only rise."""
    number = p.world.contracts.oracle.number()
    assert number == p.epoch.number >= p.last_number
    p.last_number = number


def accepted_marks_lie_inside_the_bracket(p: Protocol) -> None:
    """Invariant 7: the envelopes at the spot itself lie inside the gate's bracket, and so does the
    attested mark.
    """
    for account in p.ledger.accounts.values():
        bounds = p.predictor.bounds(account)
        if bounds.expired:
            continue
        low, high = envelopes(account, p.epoch.market)
        assert bounds.low <= low <= high <= bounds.high


def worst_cases_are_exact(p: Protocol) -> None:
    """The valuer's worst case equals the definition; None is unbounded."""
    for account in p.ledger.accounts.values():
        bounds = p.predictor.bounds(account)
        if not bounds.expired:
            assert bounds.worst_case == valuation.worst_case(account.positions)


def headroom_never_understates_risk(p: Protocol) -> None:
    """Invariant 11, pass bound: IM <= record.IM + m * dU and mark >= record.mark + dQ, at the record's
    epoch; exactly, but for legs that an auction cannot divide.
    """
    for number in p.exact:
        account = p.ledger.accounts[number]
        record = account.record
        in_window = record.earliest_expiry <= p.now + WINDOW
        if record.epoch == p.epoch.number and not in_window and headroom.holds(account, p.now):
            margin, slack = margin_of(account, p.epoch.market), p.indivisible.get(number, 0)
            assert margin.initial <= headroom.required_margin(account) + slack
            assert margin.mark + slack >= record.mark_base + account.added_mark


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


def _payoffs(p: Protocol) -> dict[int, int]:
    dated = {i for i in map(Instrument.unpack, p.ledger.net_interest()) if i.kind != Kind.PERP}
    prices = {i: p.world.settlement_price(i) for i in dated if i.expiry <= p.now}
    return {i.pack(): margins.payoff(i, price) for i, price in prices.items() if price}


INVARIANTS = (
    tokens_held_equal_settled_cash_fees_and_recovery_less_shortfall,
    collateral_held_equals_all_balances,
    positions_of_every_instrument_net_to_zero,
    chain_and_model_agree_to_the_wei,
    totals_agree,
    records_agree,
    the_outflow_bucket_stays_below_its_limit,
    epoch_numbers_rise,
    accepted_marks_lie_inside_the_bracket,
    worst_cases_are_exact,
    headroom_never_understates_risk,
)


def check_all(p: Protocol) -> None:
    for invariant in INVARIANTS:
        invariant(p)
