# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Clearinghouse
@license AGPL-3.0-only
@notice Keeps accounts, cash and positions, and lets an action through only if every account it touches passes a margin
        check. An account passes by the first of three ways that its caller presents evidence for: headroom over its
        record (no signature, cost independent of the book), a report of the attesters on the margin after the action, or
        the worst case (no attester, no oracle). Deposits and settlement pass always; reductions of risk pass without
        initial margin. An account in auction only receives. Holds no tokens: the Vault does.
        One contract of two halves: what is not here runs in ClearinghouseExtension.vy, at this address and over this storage.
@custom:security Modules are trusted with trades, the Vault with cash that its tokens back, the auction house with frozen
        accounts, the gate with valuations, the funding contract with rates, the risk manager with credit tiers.
@custom:kill A guardian pauses risk increases and withdrawals for at most two days; deposits, reductions, settlement,
        auctions and worst-case withdrawals cannot be paused. The owner may replace modules and gate, and the auction house
        while nothing is being auctioned; the Vault is named once.
"""

from ..attestation import typed_data
from ..governance import pausing
from ..governance import roles
from ..interfaces import IAttestation
from ..interfaces import IClearinghouse
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..interfaces import IVault
from ..markets import instrument as ins
from ..risk import record as records
from ..units import constants as c
from ..units import fixed_point as fp
from . import accounts
from . import positions
from . import state

# owner and guardian
initializes: roles
# a guardian's pause, which expires
initializes: pausing[roles := roles]
# identity, cash and counters
initializes: accounts
# legs
initializes: positions
# the rest
initializes: state
exports: (
    state.modules,
    state.gate,
    state.oracle,
    state.auction_house,
    state.vault,
    state.funding,
    state.risk_manager,
)

# Constants

MAX_TRADES: constant(uint256) = 8  # of one taker at one go
LOW_128: constant(uint256) = 2**128 - 1
LOW_64: constant(uint256) = 2**64 - 1
NEVER: constant(uint256) = 2**40 - 1  # as an expiry
ALL: constant(uint256) = 2**32 - 1  # of the underlyings
LARGEST_RESULT: constant(uint256) = 32  # bytes that a function of the other half returns

# Immutables

# The other half
EXTENSION: public(immutable(address))


# One side of a trade while it is filled: what its words say, so that each is read and written once.
struct Party:
    account: uint256
    # of the fills' quantities. 1: the maker, -1: the taker
    sign: int256
    identity: uint256
    cash: int256
    # nonce and exempt amount, see accounts.vy
    money: uint256
    counters: uint256
    bookHash: bytes32
    # not yet paid; the first leg pays it
    fee: int256


@deploy
def __init__(gate: IMarginGate, oracle: IRiskOracle, extension: address):
    """
    @param gate Stateless checks.
    @param oracle Epochs.
    @param extension The other half.
    """
    assert extension.is_contract, "clearing: not a contract"
    roles.__init__()
    accounts.__init__()
    positions.__init__()
    state.__init__()
    EXTENSION = extension
    state._set_gate(gate, oracle)


@external
@reentrant
@raw_return
def __default__() -> Bytes[LARGEST_RESULT]:
    """
    @notice Everything else is done by the other half, over this contract's storage.
    @dev Re-entrant because the other half takes the lock, which is of this contract as well, itself.
    """
    return raw_call(EXTENSION, msg.data, max_outsize=LARGEST_RESULT, is_delegate_call=True)


# Margin records


@external
def refresh(account: uint256, evidence: IAttestation.Evidence, statement: Bytes[6656]):
    """
    @notice Makes a leaf of a usable epoch the account's record. Anyone may.
    @param evidence The leaf, its proof, and the account's whole book now.
    @param statement Its epoch.
    """
    assert evidence.way == c.WAY_LEAF, "clearing: not a leaf"
    self._store_record(
        account,
        staticcall state.gate.adopt(
            self, account, accounts._book_hash[account], accounts._counters[account], evidence, statement
        ),
    )


# Trades


@external
def trade(
    trade: IClearinghouse.Trade,
    makerEvidence: IAttestation.Evidence,
    takerEvidence: IAttestation.Evidence,
    statement: Bytes[6656],
) -> uint64:
    """
    @notice Moves quantities and their prices between two accounts, if both pass. Only modules, which have the signatures
            of the signers named.
    @param trade What is traded; the module vouches that the instruments are listed.
    @param makerEvidence How the maker passes.
    @param takerEvidence How the taker passes.
    @param statement What both share. Shows it the instruments' leaves, then the price bands hold.
    @return Number of the last event.
    """
    self._require_open_to(min(makerEvidence.way, takerEvidence.way))
    units: DynArray[IMarginGate.Unit, c.MAX_ORDER_LEGS] = self._units(trade.fills, statement)
    if max(makerEvidence.way, takerEvidence.way) == c.WAY_HEADROOM:
        traded: uint256 = self._exchange(trade, units)
        settled: DynArray[int256, 2] = staticcall state.gate.require_headroom(
            traded, [self._standing(trade.maker, True), self._standing(trade.taker, True)]
        )
        self._lower_exempt(trade.maker, settled[0])
        self._lower_exempt(trade.taker, settled[1])
        return state._seq()
    maker_before: IMarginGate.Side = self._side(trade, makerEvidence.way, 1)
    taker_before: IMarginGate.Side = self._side(trade, takerEvidence.way, -1)
    underlyings: uint256 = self._exchange(trade, units)
    passed: IMarginGate.Passed[2] = staticcall state.gate.require_trade(
        self, trade.action, underlyings, maker_before, makerEvidence, taker_before, takerEvidence, statement
    )
    self._follow_pass(trade.maker, makerEvidence.way, passed[0])
    self._follow_pass(trade.taker, takerEvidence.way, passed[1])
    return state._seq()


@external
def trade_many(
    trades: DynArray[IClearinghouse.Trade, MAX_TRADES],
    takerEvidence: IAttestation.Evidence,
    statement: Bytes[6656],
) -> uint64:
    """
    @notice Several trades of one taker in the same instruments, with one margin check per account after all of them.
            Only modules. Makers pass by headroom.
    @param trades All with the same taker and instruments.
    @param takerEvidence How the taker passes: headroom, a leaf, a report that names the first trade's action, or the worst
           case.
    @param statement What belongs to it. Shows it the instruments' leaves, then the price bands hold.
    @return Number of the last event.
    """
    assert len(trades) != 0, "clearing: no trades"
    self._require_open_to(c.WAY_HEADROOM)
    taker: uint256 = trades[0].taker
    units: DynArray[IMarginGate.Unit, c.MAX_ORDER_LEGS] = self._units(trades[0].fills, statement)
    underlyings: uint256 = 0
    for trade: IClearinghouse.Trade in trades:
        assert trade.taker == taker, "clearing: takers differ"
        assert len(trade.fills) == len(trades[0].fills), "clearing: instruments differ"
        for i: uint256 in range(len(trade.fills), bound=c.MAX_ORDER_LEGS):
            assert trade.fills[i].instrument == trades[0].fills[i].instrument, "clearing: instruments differ"
        underlyings = self._exchange(trade, units)
    for trade: IClearinghouse.Trade in trades:
        self._require_headroom(trade.maker, underlyings)
    if takerEvidence.way == c.WAY_HEADROOM:
        self._require_headroom(taker, underlyings)
    else:
        passed: IMarginGate.Passed = staticcall state.gate.require_pass(
            self, trades[0].action, underlyings, taker, takerEvidence, statement
        )
        self._follow_pass(taker, takerEvidence.way, passed)
    return state._seq()


# Auctions


@external
def store_pass(account: uint256, way: uint8, passed: IMarginGate.Passed):
    """
    @notice What follows from a pass: a leaf becomes the record, losses lower the exempt amount. Only the auction house,
            after the gate let the account pass.
    """
    self._check_auction_house()
    self._follow_pass(account, way, passed)


# Cash, for the Vault


@external
def credit(account: uint256, cash: uint256, exempt: uint256) -> int256:
    """
    @notice Adds cash that tokens back. Only the Vault.
    @param cash WAD.
    @param exempt Part of the deposit that may leave again without the outflow limit, WAD.
    @return Cash afterwards, WAD.
    """
    self._check_vault()
    assert accounts._identity[account] != 0, "clearing: no such account"
    money: uint256 = accounts._money[account]
    after: int256 = accounts._signed_high(money) + convert(cash, int256)
    accounts._money[account] = accounts._with_cash(
        accounts._with_exempt(money, (money & accounts.EXEMPT_MASK) + exempt), after
    )
    return after


@external
def debit(
    account: uint256,
    actor: address,
    token: address,
    amount: uint256,
    recipient: address,
    cash: uint256,
    exempt_collateral: uint256,
    evidence: IAttestation.Evidence,
    statement: Bytes[6656],
) -> IClearinghouse.Debit:
    """
    @notice Takes cash, or only counts a withdrawal of collateral that the Vault has taken already where it is zero, if the
            account passes afterwards. Only the Vault.
    @param actor Who withdraws: the owner or an operator.
    @param token What leaves.
    @param amount In the token's decimals.
    @param recipient Who is paid.
    @param cash WAD.
    @param exempt_collateral Part of a withdrawal of collateral that the outflow limit does not count, in its decimals.
    @param evidence Headroom, leaf, report or worst case.
    @param statement Epoch and signatures of a leaf or report.
    """
    self._check_vault()
    identity: uint256 = accounts._identity[account]
    accounts._require_active(identity)
    assert accounts._may_act(account, identity, actor, c.SCOPE_WITHDRAW), "clearing: not authorised"
    assert evidence.way <= c.WAY_WORST_CASE, "clearing: not a way to withdraw"
    if evidence.way < c.WAY_WORST_CASE:
        pausing._require_not_paused(state._paused_until())
    money: uint256 = accounts._money[account]
    after: int256 = accounts._signed_high(money) - convert(cash, int256)
    had: uint256 = money & accounts.EXEMPT_MASK
    # 2**32 withdrawals of one account would carry into its cash: more gas than there is
    accounts._money[account] = accounts._with_cash(
        accounts._with_exempt(money + accounts.NONCE, had - min(had, cash)), after
    )
    nonce: uint64 = convert((money >> accounts.NONCE_SHIFT) & accounts.NONCE_MASK, uint64)
    underlyings: uint256 = 0
    if (cash != 0 and cash > had) or (cash == 0 and amount > exempt_collateral):
        underlyings = ALL
    if evidence.way == c.WAY_HEADROOM:
        self._require_headroom(account, underlyings)
    else:
        action: bytes32 = typed_data._withdrawal_hash(account, token, amount, recipient, nonce)
        passed: IMarginGate.Passed = staticcall state.gate.require_pass(
            self, action, underlyings, account, evidence, statement
        )
        self._follow_pass(account, evidence.way, passed)
    return IClearinghouse.Debit(cash=after, exempt=had, nonce=nonce)


@external
def charge(account: uint256, amount: uint256) -> int256:
    """
    @notice Moves cash of an account to the fees. Only the Vault.
    @param amount WAD.
    @return Cash afterwards, WAD.
    """
    self._check_vault()
    money: uint256 = accounts._money[account]
    exempt: uint256 = money & accounts.EXEMPT_MASK
    cash: int256 = accounts._signed_high(money) - convert(amount, int256)
    accounts._money[account] = accounts._with_cash(accounts._with_exempt(money, exempt - min(exempt, amount)), cash)
    state._change_fees(convert(amount, int256))
    return cash


@external
def note_collateral(account: uint256, index: uint256, kind: uint8, change: int256, held: bool) -> bytes32:
    """
    @notice A change of an account's collateral enters its book hash. Only the Vault.
    @param index Of the token, 1 to 8.
    @param kind CHANGE_* of constants.vy.
    @param change Signed, WAD.
    @param held Whether anything of the token is left.
    @return The book hash.
    """
    self._check_vault()
    identity: uint256 = accounts._identity[account]
    assert identity != 0, "clearing: no such account"
    bit: uint256 = 1 << (accounts.TOKENS_SHIFT + index - 1)
    changed: uint256 = identity & ~bit
    if held:
        changed = identity | bit
    if changed != identity:
        accounts._identity[account] = changed
    book_hash: bytes32 = accounts._fold(accounts._book_hash[account], kind, convert(index, uint128), change, 0)
    accounts._book_hash[account] = book_hash
    return book_hash


@external
def change_fees(change: int256):
    """
    @notice Takes fees that the Vault pays out, or adds what is left of a recovery. Only the Vault.
    @param change Signed, WAD; reverts below zero fees.
    """
    self._check_vault()
    state._change_fees(change)


@external
def set_impaired(impaired: bool):
    """
    @notice While cash is worth less than its face, no risk increase passes by attestation. Only the Vault.
    """
    self._check_vault()
    running: uint256 = state._running & ~state.IMPAIRED
    if impaired:
        running |= state.IMPAIRED
    state._running = running


# Views


@external
@view
def account(account: uint256) -> IClearinghouse.Account:
    """
    @notice The stored state of an account; zero where it does not exist.
    """
    identity: uint256 = accounts._identity[account]
    money: uint256 = accounts._money[account]
    counters: uint256 = accounts._counters[account]
    return IClearinghouse.Account(
        owner=accounts._owner_of(identity),
        legCount=(identity >> accounts.LEGS_SHIFT) & accounts.LEGS_MASK,
        withdrawNonce=convert((money >> accounts.NONCE_SHIFT) & accounts.NONCE_MASK, uint64),
        perps=accounts._perps_of(identity),
        tokens=(identity >> accounts.TOKENS_SHIFT) & accounts.TOKENS_MASK,
        frozen=identity & accounts.FROZEN != 0,
        cash=accounts._signed_high(money),
        exempt=money & accounts.EXEMPT_MASK,
        addedIM=counters >> 128,
        addedMark=accounts._signed_low(counters),
        bookHash=accounts._book_hash[account],
        creditTier=convert((identity >> accounts.TIER_SHIFT) & accounts.TIER_MASK, uint8),
        underlying=convert((identity >> accounts.SCOPE_SHIFT) & accounts.SCOPE_MASK, uint16),
        expiry=convert((identity >> accounts.EXPIRY_SHIFT) * c.SETTLEMENT_GRID, uint40),
    )


@external
@view
@reentrant
def standing(account: uint256, recorded: bool) -> IMarginGate.Standing:
    """
    @notice All that the chain knows of an account, apart from its legs.
    @param recorded With the record: words that not every way needs.
    """
    return self._standing(account, recorded)


@external
@view
@reentrant
def book(account: uint256, instruments: DynArray[uint256, 128]) -> DynArray[uint256, 128]:
    """
    @notice The account's whole book as words; reverts unless the instruments are all it holds, ascending.
    """
    return positions._book(
        account, instruments, (accounts._identity[account] >> accounts.LEGS_SHIFT) & accounts.LEGS_MASK
    )


@external
@view
@reentrant
def position(account: uint256, instrument: uint128) -> IClearinghouse.Position:
    """
    @notice Quantity and, of a perp, the funding index at the last touch.
    """
    return positions._position(account, instrument)


@external
@view
def may_act(account: uint256, actor: address, scope: uint8) -> bool:
    """
    @notice Whether an address is an account's owner, or an operator whose grant covers the scope now.
    @param scope SCOPE_* of constants.vy.
    """
    return accounts._may_act(account, accounts._identity[account], actor, scope)


@external
@view
def totals() -> IClearinghouse.Totals:
    """
    @notice Protocol-wide sums, WAD.
    """
    return IClearinghouse.Totals(
        accounts=state._account_count,
        fees=state._running & LOW_128,
        seq=state._seq(),
        pausedUntil=state._paused_until(),
    )


@external
@view
def paused_until() -> uint256:
    """
    @notice Unix seconds; in the past: not paused.
    """
    return state._paused_until()


@external
@view
def fees() -> uint256:
    """
    @notice Fees not yet paid out, WAD.
    """
    return state._running & LOW_128


@external
@view
def funding_index(underlying: uint16) -> int256:
    """
    @notice Cash that one long unit of the perp has paid since the start, WAD.
    """
    return positions._index(convert(underlying, uint256))


@external
@view
def perp_end(underlying: uint16) -> uint256:
    """
    @notice When the perp ends, unix seconds; 0: it does not.
    """
    return positions._perp_ends[convert(underlying, uint256)]


@external
@view
def open_interest(key: uint128) -> uint256:
    """
    @notice Sum of the long positions, WAD.
    @param key Instrument, or identifier of an underlying: all its instruments that have not been settled.
    """
    return positions._interest[convert(key, uint256)]


# Fills


@internal
def _exchange(trade: IClearinghouse.Trade, units: DynArray[IMarginGate.Unit, c.MAX_ORDER_LEGS]) -> uint256:
    """
    @notice Books a trade: both sides of every leg, fees, open interest.
    @param units Of each fill's instrument, or none: then the counters stay, and only a new statement passes.
    @return Bits of the underlyings traded.
    """
    assert trade.maker != trade.taker, "clearing: same account"
    assert len(trade.fills) != 0, "clearing: no fills"
    maker: Party = self._party(trade.maker, trade.makerSigner, trade.makerFee, 1)
    taker: Party = self._party(trade.taker, trade.takerSigner, trade.takerFee, -1)
    fees: int256 = trade.makerFee + trade.takerFee
    assert fees >= 0, "clearing: rebate above the fees"
    underlyings: uint256 = 0
    unit: IMarginGate.Unit = empty(IMarginGate.Unit)
    counted: bool = len(units) != 0
    for i: uint256 in range(len(trade.fills), bound=c.MAX_ORDER_LEGS):
        fill: IClearinghouse.Fill = trade.fills[i]
        assert fill.quantity != 0, "clearing: no quantity"
        if counted:
            unit = units[i]
            apart: uint256 = max(fill.price, unit.mark) - min(fill.price, unit.mark)
            assert apart <= fill.band, "clearing: price outside its band"
        grown: int256 = 0
        also: int256 = 0
        maker, grown = self._fill(maker, fill, unit, counted)
        taker, also = self._fill(taker, fill, unit, counted)
        grown += also
        underlying: uint256 = ins._underlying(fill.instrument)
        underlyings |= 1 << (underlying - 1)
        if grown != 0:
            positions._add_interest(convert(fill.instrument, uint256), grown, (fill.limits >> 64) & LOW_64)
            positions._add_interest(underlying, grown, fill.limits & LOW_64)
    self._store_party(maker)
    self._store_party(taker)
    if fees != 0:
        state._change_fees(fees)
    return underlyings


@internal
@view
def _party(account: uint256, signer: address, fee: int256, sign: int256) -> Party:
    """
    @notice One side of a trade before its fills. Reverts unless its signer may trade for it and it is not in auction.
    """
    identity: uint256 = accounts._identity[account]
    accounts._require_active(identity)
    assert accounts._may_act(account, identity, signer, c.SCOPE_TRADE), "clearing: signer may not trade"
    money: uint256 = accounts._money[account]
    return Party(
        account=account,
        sign=sign,
        identity=identity,
        cash=accounts._signed_high(money),
        money=money & LOW_128,
        counters=accounts._counters[account],
        bookHash=accounts._book_hash[account],
        fee=fee,
    )


@internal
def _store_party(party: Party):
    accounts._identity[party.account] = party.identity
    accounts._money[party.account] = accounts._pack_signed(party.cash, party.money)
    accounts._counters[party.account] = party.counters
    accounts._book_hash[party.account] = party.bookHash


@internal
def _fill(
    side: Party,
    fill: IClearinghouse.Fill,
    unit: IMarginGate.Unit,
    counted: bool,
) -> (Party, int256):
    """
    @notice One leg of one side: position, cash, counters, book hash, and the event with the state afterwards.
    @param counted Whether the unit is known.
    @return The side afterwards, and what it adds to the open interest.
    """
    party: Party = side
    quantity: int256 = fill.quantity * party.sign
    identity: uint256 = party.identity
    accrued: int256 = 0
    old: int256 = 0
    identity, old, accrued = positions._set_leg(party.account, identity, fill.instrument, quantity, fill.limits)
    party.identity = identity
    paid: int256 = positions._cash_of(quantity, fill.price)
    party.cash += accrued - paid - party.fee
    kind: uint8 = c.CHANGE_UNCOUNTED_FILL
    if counted:
        kind = c.CHANGE_FILL
        party.counters = self._count(party.account, party.counters, fill.instrument, quantity, paid, unit)
    party.bookHash = accounts._fold(party.bookHash, kind, fill.instrument, quantity, fill.price)
    log IClearinghouse.PositionChanged(
        account=party.account,
        instrument=fill.instrument,
        kind=kind,
        quantity=quantity,
        price=fill.price,
        fee=party.fee,
        cash=party.cash,
        counters=party.counters,
        seq=state._next_seq(),
    )
    party.fee = 0
    return party, positions._growth(old, old + quantity)


@internal
def _count(
    account: uint256, counters: uint256, instrument: uint128, quantity: int256, paid: int256, unit: IMarginGate.Unit
) -> uint256:
    """
    @notice U, Q and the record after a fill. Q takes the adverse of price and mark: a gain against the mark is never
            credited, a loss always charged.
    @return The counters, which the caller stores.
    """
    credited: int256 = min(paid, fp._signed_mul_down(quantity, convert(unit.mark, int256)))
    alone: uint256 = unit.imLong
    if quantity < 0:
        alone = unit.imShort
    linear: int256 = 0
    if ins._kind(instrument) <= c.FUTURE:
        linear = credited
    expiry: uint256 = ins._expiry(instrument)
    if expiry == 0:
        expiry = NEVER
    state._extend_record(account, linear, expiry)
    return accounts._pack_signed_low(
        (counters >> 128) + fp._mul_up(convert(abs(quantity), uint256), alone),
        accounts._signed_low(counters) + credited,
    )


@internal
@view
def _units(
    fills: DynArray[IClearinghouse.Fill, c.MAX_ORDER_LEGS], statement: Bytes[6656]
) -> DynArray[IMarginGate.Unit, c.MAX_ORDER_LEGS]:
    """
    @notice Marks and stand-alone margins of what is traded, if the statement shows them.
    """
    if len(statement) == 0:
        return []
    instruments: DynArray[uint128, c.MAX_ORDER_LEGS] = []
    for fill: IClearinghouse.Fill in fills:
        instruments.append(fill.instrument)
    return staticcall state.gate.units(statement, instruments)


# Passing


@internal
@view
def _require_open_to(way: uint8):
    """
    @notice Reverts unless a module calls, and trades that pass by attestation do so now.
    @param way The one of both sides that leans on attesters most.
    """
    assert state.modules[msg.sender], "clearing: not a module"
    if way < c.WAY_WORST_CASE:
        running: uint256 = state._running
        pausing._require_not_paused(state._paused_until())
        assert running & state.IMPAIRED == 0, "clearing: shortfall"


@internal
def _require_headroom(account: uint256, underlyings: uint256):
    """
    @notice Reverts unless one account passes by headroom.
    """
    settled: DynArray[int256, 2] = staticcall state.gate.require_headroom(underlyings, [self._standing(account, True)])
    self._lower_exempt(account, settled[0])


@internal
@view
def _standing(account: uint256, recorded: bool) -> IMarginGate.Standing:
    """
    @notice See `standing`.
    """
    identity: uint256 = accounts._identity[account]
    standing: IMarginGate.Standing = empty(IMarginGate.Standing)
    standing.account = account
    standing.legs = (identity >> accounts.LEGS_SHIFT) & accounts.LEGS_MASK
    standing.bookHash = accounts._book_hash[account]
    standing.counters = accounts._counters[account]
    standing.liquid = accounts._signed_high(accounts._money[account])
    standing.frozen = identity & accounts.FROZEN != 0
    perps: uint256 = accounts._perps_of(identity)
    if perps != 0:
        standing.liquid += positions._funding_of(account, perps)
    tokens: uint256 = (identity >> accounts.TOKENS_SHIFT) & accounts.TOKENS_MASK
    if tokens != 0:
        standing.collateral = staticcall IVault(state.vault).words(account, tokens)
    if recorded:
        standing.record = state._records[account]
    return standing


@internal
@view
def _side(trade: IClearinghouse.Trade, way: uint8, sign: int256) -> IMarginGate.Side:
    """
    @notice One side of a trade before its fills, with what a reduction is measured against.
    """
    side: IMarginGate.Side = empty(IMarginGate.Side)
    side.account = trade.maker
    side.fee = trade.makerFee
    if sign < 0:
        side.account = trade.taker
        side.fee = trade.takerFee
    if way == c.WAY_REDUCE_REPORT:
        side.before = staticcall state.gate.measure(self, side.account)
    elif way == c.WAY_REDUCE_AT_MARK:
        assert len(trade.fills) == 1, "clearing: not the whole book"
        side.instrument = trade.fills[0].instrument
        side.quantity = trade.fills[0].quantity * sign
        side.price = trade.fills[0].price
    return side


@internal
def _follow_pass(account: uint256, way: uint8, passed: IMarginGate.Passed):
    """
    @notice What follows from a pass: a leaf becomes the record, losses lower the exempt amount, cash that a reduction of
            risk leaves below zero is a debt, which the Vault counts.
    """
    if way == c.WAY_LEAF:
        self._store_record(account, passed.record)
    self._lower_exempt(account, passed.settled)
    if way == c.WAY_REDUCE_REPORT and passed.settled < 0:
        extcall IVault(state.vault).note_drawn(account, convert(-passed.settled, uint256))


@internal
def _lower_exempt(account: uint256, settled: int256):
    """
    @notice Realised losses leave the exempt amount.
    @param settled Lower bound of settled cash, WAD.
    """
    money: uint256 = accounts._money[account]
    exempt: uint256 = money & accounts.EXEMPT_MASK
    lowered: uint256 = accounts._ratchet(exempt, settled)
    if lowered != exempt:
        accounts._money[account] = accounts._with_exempt(money, lowered)


@internal
def _store_record(account: uint256, record: uint256[3]):
    """
    @notice Makes the margin of a leaf the account's record. A report passes its one action and leaves no record: what it
            says of a book that others have not seen yet is not worth three words of storage.
    """
    epoch: uint64 = records._epoch(record)
    assert epoch >= records._epoch(state._records[account]), "clearing: older than the record"
    state._records[account] = record
    log IClearinghouse.RecordSet(account=account, epoch=epoch, seq=state._next_seq())


# Small things


@internal
@view
def _check_vault():
    assert msg.sender == state.vault, "clearing: not the vault"


@internal
@view
def _check_auction_house():
    assert msg.sender == state.auction_house, "clearing: not the auction house"
