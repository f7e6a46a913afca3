# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Clearinghouse
@license AGPL-3.0-only
@notice Keeps accounts, custody, cash and positions, and lets an action through only if every account it touches passes
        a margin check. An account passes by the first of three ways that its caller presents evidence for: headroom
        over its record (no signature, cost independent of the book), a report of the attesters on the margin after the
        action, or the worst case (no attester, no oracle). Deposits and settlement pass always; reductions of risk pass
        without initial margin.
@custom:security Every balance change of the protocol passes through here, so this contract's re-entrancy lock is the
        lock of all contracts. Tokens move last. Modules are trusted with trades, the gate with valuations.
@custom:kill A guardian pauses risk increases and withdrawals for at most seven days; deposits, reductions, settlement
        and worst-case withdrawals cannot be paused. The owner may replace modules and gate.
"""

from ethereum.ercs import IERC20

from ..attestation import typed_data
from ..governance import pausing
from ..governance import roles
from ..interfaces import IAttestation
from ..interfaces import IClearinghouse
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..markets import instrument as ins
from ..risk import payoff
from ..units import constants as c
from ..units import fixed_point as fp
from . import accounts
from . import custody
from . import positions

# owner and guardian
initializes: roles
exports: (roles.owner, roles.guardian, roles.transfer_ownership, roles.set_guardian)
# a guardian's pause, which expires
initializes: pausing[roles := roles]
exports: (
    pausing.pause,
    pausing.unpause,
    pausing.paused_until,
    pausing.guardian_may_pause_from,
)
# identity, cash and counters
initializes: accounts
# legs
initializes: positions
# tokens
initializes: custody

implements: IClearinghouse

# Constants

SIGNED_WAD: constant(int256) = 10**18
MAX_LEGS: constant(uint256) = c.MAX_LEGS
LOW_128: constant(uint256) = 2**128 - 1
LOW_64: constant(uint256) = 2**64 - 1
NO_BOUND: constant(int256) = min_value(int256)

# Storage

# Number of accounts; identifiers start at 1
_account_count: uint256
# seq (64) << 128 | fees (128, WAD)
_running: uint256
# WAD. Losses beyond the insurance, and the insurance: nothing writes them before liquidation exists
_shortfall: uint256
_insurance: uint256
# Packed by the gate, see risk/record.vy
_records: HashMap[uint256, uint256[4]]
# Contracts that may trade for accounts, by their owners' signed orders
modules: public(HashMap[address, bool])
# Stateless checks, and the oracle they speak of
gate: public(IMarginGate)
oracle: public(IRiskOracle)


# One side of a trade.
struct Side:
    account: uint256
    quantity: int256
    fee: uint256
    # what a reduction is measured against
    before: IMarginGate.Health


@deploy
def __init__(
    token: IERC20,
    decimals: uint8,
    outflow_share: uint256,
    gate: IMarginGate,
    oracle: IRiskOracle,
):
    """
    @param token Settlement token.
    @param decimals Its decimals, 0 to 18.
    @param outflow_share Share of the tokens held that may leave in an hour beyond exempt withdrawals, WAD.
    @param gate Stateless checks.
    @param oracle Epochs.
    """
    roles.__init__()
    accounts.__init__()
    positions.__init__()
    custody.__init__(token, decimals, outflow_share)
    self._set_gate(gate, oracle)
    self._log_token(token.address, decimals, outflow_share)


# Accounts


@external
def open_account(owner: address) -> uint256:
    """
    @notice Opens an account. Anyone may, for any owner.
    @param owner Who signs orders and withdraws.
    @return Its identifier.
    """
    assert owner != empty(address), "clearing: zero owner"
    account: uint256 = self._account_count + 1
    self._account_count = account
    accounts._identity[account] = convert(owner, uint256)
    log IClearinghouse.AccountOpened(account=account, owner=owner, seq=self._next_seq())
    return account


@external
def set_operator(account: uint256, operator: address, allowed: bool):
    """
    @notice Lets another address sign orders and withdraw, or stops it. Only the owner.
    """
    assert msg.sender == accounts._owner(account), "clearing: not the owner"
    accounts._operators[account][msg.sender][operator] = allowed
    log IClearinghouse.OperatorSet(
        account=account,
        operator=operator,
        allowed=allowed,
        seq=self._next_seq(),
    )


# Money


@external
def deposit(account: uint256, token: address, amount: uint256):
    """
    @notice Credits the settlement token to an account. Anyone may, for any account, at any time.
    @param amount In the token's decimals.
    """
    self._require_account(account)
    self._require_token(token, amount)
    cash: int256 = 0
    exempt: uint256 = 0
    cash, exempt = self._money(account)
    added: uint256 = amount * custody.SCALE
    cash += convert(added, int256)
    accounts._money[account] = accounts._pack_signed(cash, exempt + added)
    custody._receive(amount)
    log IClearinghouse.Deposited(
        account=account,
        token=token,
        amount=amount,
        cash=cash,
        seq=self._next_seq(),
    )


@external
def withdraw(
    account: uint256,
    token: address,
    amount: uint256,
    recipient: address,
    evidence: IAttestation.Evidence,
    statement: IAttestation.Statement,
):
    """
    @notice Pays cash out. Leaves equity at initial margin or above and settled cash at zero or above.
    @param amount In the token's decimals.
    @param recipient Who is paid.
    @param evidence Headroom, leaf, report or worst case.
    @param statement Epoch and signatures of a leaf or report.
    """
    assert accounts._may_act(account, msg.sender), "clearing: not authorised"
    assert recipient != empty(address), "clearing: zero recipient"
    self._require_token(token, amount)
    shown: IAttestation.Evidence = evidence
    shared: IAttestation.Statement = statement
    assert shown.way <= c.WAY_WORST_CASE, "clearing: not a way to withdraw"
    if shown.way == c.WAY_LEAF:
        self._adopt(account, shown, shared.epoch)
    identity: uint256 = accounts._identity[account]
    nonce: uint256 = (identity >> accounts.NONCE_SHIFT) & (2**32 - 1)
    accounts._identity[account] = identity + (1 << accounts.NONCE_SHIFT)
    cash: int256 = 0
    exempt: uint256 = 0
    cash, exempt = self._money(account)
    taken: uint256 = amount * custody.SCALE
    cash -= convert(taken, int256)
    accounts._money[account] = accounts._pack_signed(cash, exempt - min(exempt, taken))
    if shown.way == c.WAY_REPORT:
        self._require_signed(
            typed_data._withdrawal_hash(account, token, amount, recipient, convert(nonce, uint64)),
            [shown.leaf],
            shared,
        )
    settled: int256 = self._pass_increase(account, shown, shared.epoch)
    assert settled >= 0, "clearing: settled cash below zero"
    if shown.way != c.WAY_WORST_CASE and taken > exempt:
        assert (staticcall self.oracle.header()).outside == 0, "clearing: spot outside its band"
    custody._release(amount, exempt // custody.SCALE)
    log IClearinghouse.Withdrawn(
        account=account,
        token=token,
        recipient=recipient,
        amount=amount,
        cash=cash,
        seq=self._next_seq(),
    )
    custody._send(recipient, amount)


# Margin records


@external
def refresh(account: uint256, evidence: IAttestation.Evidence, epoch: uint64):
    """
    @notice Makes a leaf of a usable epoch the account's record. Anyone may.
    @param evidence The leaf, its proof, and the account's whole book now.
    @param epoch Number of the epoch.
    """
    assert evidence.way == c.WAY_LEAF, "clearing: not a leaf"
    self._adopt(account, evidence, epoch)


# Trades


@external
def trade(
    trade: IClearinghouse.Trade,
    evidence: DynArray[IAttestation.Evidence, 2],
    statement: IAttestation.Statement,
):
    """
    @notice Moves a quantity and its price between two accounts, if both pass. Only modules, which have the owners'
            signatures.
    @param trade What is traded; the module vouches that the instrument is listed. Quantity and price are multiples of 1e10, so that their product is exact.
    @param evidence How the maker and the taker pass, in this order.
    @param statement What both share.
    """
    assert self.modules[msg.sender], "clearing: not a module"
    assert trade.maker != trade.taker, "clearing: same account"
    assert trade.quantity != 0, "clearing: no quantity"
    self._require_account(trade.maker)
    self._require_account(trade.taker)
    # one decoding each: every later use of call data would decode it again
    shared: IAttestation.Statement = statement
    shown: DynArray[IAttestation.Evidence, 2] = evidence
    counted: bool = shared.instrument.instrument != 0
    if counted:
        assert (shared.instrument.instrument == trade.instrument), "clearing: leaf of another instrument"
        assert staticcall self.gate.require_instrument(shared.epoch, shared.instrument, shared.instrumentProof)
    sides: Side[2] = [
        Side(
            account=trade.maker,
            quantity=trade.quantity,
            fee=trade.makerFee,
            before=empty(IMarginGate.Health),
        ),
        Side(
            account=trade.taker,
            quantity=-trade.quantity,
            fee=trade.takerFee,
            before=empty(IMarginGate.Health),
        ),
    ]
    for i: uint256 in range(2):
        sides[i].before = self._prepare(sides[i], trade.price, shown[i], shared.epoch, shared.instrument)
        self._fill(sides[i], trade.instrument, trade.price, counted, shared.instrument)
    self._require_reports(trade.action, shown, shared)
    for i: uint256 in range(2):
        self._pass(sides[i], trade.instrument, shown[i], shared.epoch)


@external
def settle(account: uint256, instruments: DynArray[uint128, 128]):
    """
    @notice Turns every expired leg with a final settlement price into cash, all of one expiry in one step. Anyone may.
    @param instruments The account's whole book, ascending.
    """
    legs: uint256 = self._legs(account)
    book: DynArray[uint256, MAX_LEGS] = positions._book(account, instruments, legs)
    cash: int256 = 0
    exempt: uint256 = 0
    cash, exempt = self._money(account)
    linear_left: bool = False
    group: uint256 = 0
    price: uint256 = 0
    closed: uint256 = 0
    for word: uint256 in book:
        instrument: uint128 = ins._instrument_of(word)
        expiry: uint256 = ins._expiry(instrument)
        if expiry == 0 or expiry > block.timestamp:
            linear_left = linear_left or ins._kind(instrument) <= c.FUTURE
            continue
        if convert(instrument, uint256) >> 72 != group:
            group = convert(instrument, uint256) >> 72
            price = staticcall self.oracle.settlement_price(
                convert(ins._underlying(instrument), uint16),
                convert(expiry, uint40),
            )
        if price == 0:
            linear_left = linear_left or ins._kind(instrument) <= c.FUTURE
            continue
        quantity: int256 = ins._quantity_of(word)
        unit: int256 = payoff._payoff(instrument, price)
        cash += self._exact(quantity, convert(unit, uint256))
        positions._positions[positions._key(account, instrument)] = 0
        closed += 1
        self._record_change(
            account,
            instrument,
            c.CHANGE_SETTLEMENT, -quantity,
            convert(unit, uint256),
            0,
            0,
            cash,
        )
    assert closed != 0, "clearing: nothing to settle"
    accounts._identity[account] -= closed << accounts.LEGS_SHIFT
    # with perps or futures left, cash says little about settled cash: then only what it lost counts
    if linear_left:
        lost: uint256 = convert(max(0, accounts._signed_high(accounts._money[account]) - cash), uint256)
        exempt -= min(exempt, lost)
    else:
        exempt = self._ratchet(exempt, cash)
    accounts._money[account] = accounts._pack_signed(cash, exempt)


# Administration


@external
def set_module(module: address, allowed: bool):
    """
    @notice Lets a contract trade for accounts, or stops it. Only the owner.
    """
    roles._check_owner()
    self.modules[module] = allowed
    log IClearinghouse.ModuleSet(module=module, allowed=allowed, seq=self._next_seq())


@external
def set_gate(gate: IMarginGate, oracle: IRiskOracle):
    """
    @notice Replaces the checks and the oracle. Only the owner.
    """
    roles._check_owner()
    self._set_gate(gate, oracle)


@external
def set_outflow_share(share: uint256):
    """
    @notice Share of the tokens held that may leave in an hour beyond exempt withdrawals. Only the owner.
    @param share WAD, above 0, at most 1.
    """
    roles._check_owner()
    custody._set_share(share)
    self._log_token(custody.TOKEN.address, custody.DECIMALS, share)


@external
def collect_fees(recipient: address) -> uint256:
    """
    @notice Pays out the fees, in whole units of the token; what is less stays. Only the owner.
    @return In the token's decimals.
    """
    roles._check_owner()
    assert recipient != empty(address), "clearing: zero recipient"
    running: uint256 = self._running
    amount: uint256 = (running & LOW_128) // custody.SCALE
    assert amount != 0, "clearing: no fees"
    self._running = running - amount * custody.SCALE
    custody._held -= amount
    log IClearinghouse.FeesCollected(recipient=recipient, amount=amount, seq=self._next_seq())
    custody._send(recipient, amount)
    return amount


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
        owner=accounts._owner(account),
        legCount=(identity >> accounts.LEGS_SHIFT) & 255,
        withdrawNonce=convert((identity >> accounts.NONCE_SHIFT) & (2**32 - 1), uint64),
        perps=identity >> accounts.PERPS_SHIFT,
        cash=accounts._signed_high(money),
        exempt=money & LOW_128,
        addedIM=counters >> 128,
        addedMark=accounts._signed_low(counters),
        bookHash=accounts._book_hash[account],
    )


@external
@view
def record(account: uint256) -> uint256[4]:
    """
    @notice What headroom is measured from, as stored; zero where there is none. `AccountLens` unpacks it.
    """
    return self._records[account]


@external
@view
def position(account: uint256, instrument: uint128) -> IClearinghouse.Position:
    """
    @notice Quantity and, of a perp, the funding index at the last touch.
    """
    return positions._position(account, instrument)


@external
@view
def funding(account: uint256) -> int256:
    """
    @notice Funding accrued to now: what the account receives, WAD.
    """
    return positions._funding(account, accounts._identity[account] >> accounts.PERPS_SHIFT)


@external
@view
def may_act(account: uint256, actor: address) -> bool:
    """
    @notice Whether an address may sign for an account: its owner or an operator.
    """
    return accounts._may_act(account, actor)


@external
@view
def totals() -> IClearinghouse.Totals:
    """
    @notice Protocol-wide sums, WAD.
    """
    return IClearinghouse.Totals(
        accounts=self._account_count,
        fees=self._running & LOW_128,
        shortfall=self._shortfall,
        insurance=self._insurance,
        seq=convert(self._running >> 128, uint64),
        pausedUntil=pausing.paused_until,
    )


@external
@view
def outflow(token: address) -> IClearinghouse.Outflow:
    """
    @notice The outflow limit of a token, in its decimals.
    """
    assert token == custody.TOKEN.address, "clearing: token not listed"
    return custody._outflow()


@external
@view
def held() -> uint256:
    """
    @notice Settlement tokens in custody, in their decimals. Donations do not count.
    """
    return custody._held


@external
@view
def settlement_token() -> address:
    """
    @notice The token that cash is paid in.
    """
    return custody.TOKEN.address


@external
@view
def funding_index(underlying: uint16) -> int256:
    """
    @notice Cash that one long unit of the perp has paid since the start, WAD. Stays 0 until funding rates exist.
    """
    return positions._funding_index[convert(underlying, uint256)]


# Before a trade


@internal
def _prepare(
    side: Side,
    price: uint256,
    evidence: IAttestation.Evidence,
    epoch: uint64,
    leaf: IAttestation.InstrumentLeaf,
) -> IMarginGate.Health:
    """
    @notice What has to be looked at before the book changes: a leaf becomes the record; a reduction is measured.
    """
    before: IMarginGate.Health = empty(IMarginGate.Health)
    if evidence.way == c.WAY_LEAF:
        self._adopt(side.account, evidence, epoch)
    elif evidence.way == c.WAY_REDUCE_REPORT:
        before = self._measure(side.account, self._records[side.account])
    elif evidence.way == c.WAY_REDUCE_AT_MARK:
        assert staticcall self.gate.require_shrinks_at_mark(
            leaf,
            self._legs(side.account),
            positions._quantity(side.account, leaf.instrument),
            side.quantity,
            price,
            self._liquid(side.account) - convert(side.fee, int256),
        )
    return before


@internal
@view
def _measure(account: uint256, record: uint256[4]) -> IMarginGate.Health:
    """
    @notice Equity, maintenance margin and settled cash by a record that is of the present book.
    """
    return staticcall self.gate.measure(
        record,
        accounts._book_hash[account],
        accounts._counters[account],
        self._liquid(account),
    )


# The change itself


@internal
def _fill(
    side: Side,
    instrument: uint128,
    price: uint256,
    counted: bool,
    leaf: IAttestation.InstrumentLeaf,
):
    """
    @notice One side of a trade: position, cash, counters, book hash.
    """
    account: uint256 = side.account
    quantity: int256 = side.quantity
    fee: uint256 = side.fee
    underlying: uint256 = ins._underlying(instrument)
    is_perp: bool = ins._kind(instrument) == c.PERP
    cash: int256 = 0
    exempt: uint256 = 0
    cash, exempt = self._money(account)
    if is_perp:
        cash += positions._accrued(account, underlying, instrument)

    old: int256 = positions._quantity(account, instrument)
    new: int256 = old + quantity
    assert abs(new) <= convert(c.MAX_QUANTITY, int256), "clearing: position too large"
    positions._set(account, instrument, underlying, new, is_perp)
    self._count_leg(account, old, new, underlying, is_perp)

    paid: int256 = self._exact(quantity, price)
    cash -= paid + convert(fee, int256)
    accounts._money[account] = accounts._pack_signed(cash, exempt)
    if fee != 0:
        self._running += fee

    kind: uint8 = c.CHANGE_UNCOUNTED_FILL
    if counted:
        kind = c.CHANGE_FILL
        # the adverse of price and mark: a gain against the mark is never credited, a loss always charged
        credited: int256 = min(paid, fp._signed_mul_down(quantity, convert(leaf.mark, int256)))
        accounts._counters[account] = self._counted(accounts._counters[account], quantity, credited, leaf)
        self._extend_record(account, instrument, credited)
    self._record_change(account, instrument, kind, quantity, price, fee, new, cash)


@internal
def _record_change(
    account: uint256,
    instrument: uint128,
    kind: uint8,
    quantity: int256,
    price: uint256,
    fee: uint256,
    position: int256,
    cash: int256,
):
    """
    @notice One more link of the book hash, and the event that carries the state afterwards.
    """
    book_hash: bytes32 = accounts._fold(accounts._book_hash[account], kind, instrument, quantity, price)
    accounts._book_hash[account] = book_hash
    counters: uint256 = accounts._counters[account]
    log IClearinghouse.PositionChanged(
        account=account,
        instrument=instrument,
        kind=kind,
        quantity=quantity,
        price=price,
        fee=fee,
        position=position,
        cash=cash,
        addedIM=counters >> 128,
        addedMark=accounts._signed_low(counters),
        bookHash=book_hash,
        seq=self._next_seq(),
    )


@internal
@pure
def _counted(
    counters: uint256,
    quantity: int256,
    credited: int256,
    leaf: IAttestation.InstrumentLeaf,
) -> uint256:
    """
    @notice U and Q after a fill.
    """
    alone: uint256 = convert(leaf.imLong, uint256)
    if quantity < 0:
        alone = convert(leaf.imShort, uint256)
    added: uint256 = fp._mul_up(convert(abs(quantity), uint256), alone)
    return accounts._pack_signed_low((counters >> 128) + added, accounts._signed_low(counters) + credited)


@internal
def _count_leg(
    account: uint256,
    old: int256,
    new: int256,
    underlying: uint256,
    is_perp: bool,
):
    """
    @notice Keeps the number of legs and the perps held.
    """
    if (old == 0) == (new == 0):
        return
    identity: uint256 = accounts._identity[account]
    if old == 0:
        assert (identity >> accounts.LEGS_SHIFT) & 255 < MAX_LEGS, "clearing: too many legs"
        identity += 1 << accounts.LEGS_SHIFT
    else:
        identity -= 1 << accounts.LEGS_SHIFT
    if is_perp:
        identity ^= 1 << (accounts.PERPS_SHIFT + underlying - 1)
    accounts._identity[account] = identity


# Passing


@internal
@view
def _require_reports(
    action: bytes32,
    evidence: DynArray[IAttestation.Evidence, 2],
    statement: IAttestation.Statement,
):
    """
    @notice One signature set covers the reports of both sides.
    """
    leaves: DynArray[IAttestation.MarginLeaf, 2] = []
    for i: uint256 in range(2):
        if evidence[i].way == c.WAY_REPORT or evidence[i].way == c.WAY_REDUCE_REPORT:
            leaves.append(evidence[i].leaf)
    if len(leaves) != 0:
        self._require_signed(action, leaves, statement)


@internal
@view
def _require_signed(
    action: bytes32,
    leaves: DynArray[IAttestation.MarginLeaf, 2],
    statement: IAttestation.Statement,
):
    assert staticcall self.gate.require_reports(
        statement.epoch,
        action,
        statement.deadline,
        leaves,
        statement.signatures,
    )


@internal
def _pass(
    side: Side,
    instrument: uint128,
    evidence: IAttestation.Evidence,
    epoch: uint64,
):
    """
    @notice Reverts unless the account passes after the trade.
    """
    account: uint256 = side.account
    if evidence.way == c.WAY_REDUCE_AT_MARK:
        self._lower_exempt(account, accounts._signed_high(accounts._money[account]))
        return
    if evidence.way == c.WAY_REDUCE_REPORT:
        self._pass_reduction(side, evidence, epoch)
        return
    assert evidence.way <= c.WAY_WORST_CASE, "clearing: unknown way"
    if evidence.way != c.WAY_WORST_CASE:
        outside: uint256 = convert((staticcall self.oracle.header()).outside, uint256)
        assert (outside >> (ins._underlying(instrument) - 1)) & 1 == 0, "clearing: spot outside its band"
    settled: int256 = self._pass_increase(account, evidence, epoch)
    assert settled >= 0, "clearing: settled cash below zero"
    self._lower_exempt(account, settled)


@internal
def _pass_increase(account: uint256, evidence: IAttestation.Evidence, epoch: uint64) -> int256:
    """
    @notice Reverts unless equity covers the initial margin by the way presented.
    @return Lower bound of settled cash, WAD.
    """
    if evidence.way == c.WAY_WORST_CASE:
        return self._pass_worst_case(account, evidence.instruments)
    pausing._require_not_paused()
    if evidence.way == c.WAY_REPORT:
        report: IMarginGate.Adoption = self._assess(account, evidence, epoch)
        return self._pass_headroom(account, report.words, report.floor)
    return self._pass_headroom(account, self._records[account], NO_BOUND)


@internal
@view
def _pass_headroom(account: uint256, record: uint256[4], least: int256) -> int256:
    """
    @notice Equity covers the initial margin of a record, or of a report in its place, and what fills have added since.
    @param least Least payoff of the book now, where known, else min_value(int256).
    @return Lower bound of settled cash, WAD.
    """
    return staticcall self.gate.require_headroom(
        record,
        accounts._book_hash[account],
        accounts._counters[account],
        self._liquid(account),
        least,
    )


@internal
@view
def _pass_worst_case(account: uint256, instruments: DynArray[uint128, MAX_LEGS]) -> int256:
    """
    @notice Fully collateralised: cash and the least that the book can ever pay are not negative. Asks no oracle.
    """
    cash: int256 = accounts._signed_high(accounts._money[account])
    legs: uint256 = self._legs(account)
    least: int256 = 0
    if legs != 0:
        least = staticcall self.gate.worst_case(positions._book(account, instruments, legs))
    assert cash + least >= 0, "clearing: not fully collateralised"
    return cash


@internal
def _pass_reduction(side: Side, evidence: IAttestation.Evidence, epoch: uint64):
    """
    @notice By report: the buffer above maintenance margin does not fall, and equity by no more than the fee.
    """
    report: IMarginGate.Adoption = self._assess(side.account, evidence, epoch)
    after: IMarginGate.Health = self._measure(side.account, report.words)
    assert staticcall self.gate.require_reduced(
        side.before.equity,
        side.before.maintenance,
        after.equity,
        after.maintenance,
        side.fee,
    )
    assert after.settled >= min(0, side.before.settled), "clearing: settled cash below zero"
    self._lower_exempt(side.account, after.settled)


@internal
def _adopt(account: uint256, evidence: IAttestation.Evidence, epoch: uint64):
    """
    @notice Makes the margin of a leaf the account's record. A report passes its one action and leaves no record: what it
            says of a book that others have not seen yet is not worth four words of storage.
    """
    adopted: IMarginGate.Adoption = self._assess(account, evidence, epoch)
    assert convert(epoch, uint256) >= self._records[account][0] >> 192, "clearing: older than the record"
    self._records[account] = adopted.words
    log IClearinghouse.RecordSet(account=account, epoch=epoch, seq=self._next_seq())


@internal
@view
def _assess(account: uint256, evidence: IAttestation.Evidence, epoch: uint64) -> IMarginGate.Adoption:
    """
    @notice The margin of a leaf or report, held by the gate against the account's book as it is now.
    """
    return staticcall self.gate.assess(
        account,
        epoch,
        evidence,
        positions._book(account, evidence.instruments, self._legs(account)),
        accounts._book_hash[account],
        accounts._signed_low(accounts._counters[account]),
    )


# Records


@internal
def _extend_record(account: uint256, instrument: uint128, credited: int256):
    """
    @notice A counted fill moves the linear value and may bring the earliest expiry forward.
    """
    word: uint256 = self._records[account][3]
    expiry: uint256 = (word >> 128) & (2**40 - 1)
    linear: int256 = accounts._signed_low(word)
    own: uint256 = ins._expiry(instrument)
    if own != 0 and own < expiry:
        expiry = own
    if ins._kind(instrument) <= c.FUTURE:
        linear += credited
    changed: uint256 = accounts._pack_signed_low(((word >> 168) << 40) | expiry, linear)
    if changed != word:
        self._records[account][3] = changed


# Small things


@internal
def _set_gate(gate: IMarginGate, oracle: IRiskOracle):
    assert staticcall gate.require_succeeds(oracle.address, self.oracle.address)
    self.gate = gate
    self.oracle = oracle
    log IClearinghouse.GateSet(gate=gate.address, oracle=oracle.address, seq=self._next_seq())


@internal
def _log_token(token: address, decimals: uint8, share: uint256):
    log IClearinghouse.TokenListed(token=token, decimals=decimals, outflowShare=share, seq=self._next_seq())


@internal
def _next_seq() -> uint64:
    running: uint256 = self._running + (1 << 128)
    self._running = running
    return convert(running >> 128, uint64)


@internal
@view
def _legs(account: uint256) -> uint256:
    return (accounts._identity[account] >> accounts.LEGS_SHIFT) & 255


@internal
@view
def _money(account: uint256) -> (int256, uint256):
    """
    @notice Cash and the exempt amount, WAD.
    """
    word: uint256 = accounts._money[account]
    return accounts._signed_high(word), word & LOW_128


@internal
@view
def _liquid(account: uint256) -> int256:
    """
    @notice Cash and funding accrued to now, WAD.
    """
    return accounts._signed_high(accounts._money[account]) + positions._funding(
        account, accounts._identity[account] >> accounts.PERPS_SHIFT
    )


@internal
@pure
def _ratchet(exempt: uint256, settled: int256) -> uint256:
    """
    @notice Realised losses leave the exempt amount for good: realised gains never re-enter it.
    """
    return min(exempt, convert(max(0, settled), uint256))


@internal
def _lower_exempt(account: uint256, settled: int256):
    cash: int256 = 0
    exempt: uint256 = 0
    cash, exempt = self._money(account)
    lowered: uint256 = self._ratchet(exempt, settled)
    if lowered != exempt:
        accounts._money[account] = accounts._pack_signed(cash, lowered)


@internal
@pure
def _exact(quantity: int256, price: uint256) -> int256:
    """
    @notice quantity * price where both are multiples of 1e10: nothing is rounded.
    """
    product: int256 = quantity * convert(price, int256)
    result: int256 = product // SIGNED_WAD
    assert result * SIGNED_WAD == product, "clearing: inexact amount"
    return result


@internal
@view
def _require_account(account: uint256):
    assert accounts._identity[account] != 0, "clearing: no such account"


@internal
@view
def _require_token(token: address, amount: uint256):
    assert token == custody.TOKEN.address, "clearing: token not listed"
    assert amount != 0, "clearing: zero amount"
