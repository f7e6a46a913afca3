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
from ..interfaces import IAuctionHouse
from ..interfaces import IClearinghouse
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..interfaces import IVault
from ..markets import instrument as ins
from ..risk import payoff
from ..risk import record as records
from ..units import constants as c
from ..units import fixed_point as fp
from . import accounts
from . import positions

# owner and guardian
initializes: roles
exports: (roles.owner, roles.guardian, roles.transfer_ownership, roles.set_guardian)
# a guardian's pause, which expires
initializes: pausing[roles := roles]
exports: pausing.guardian_may_pause_from
# identity, cash and counters
initializes: accounts
# legs
initializes: positions

implements: IClearinghouse

# Constants

SIGNED_WAD: constant(int256) = 10**18
MAX_LEGS: constant(uint256) = c.MAX_LEGS
MAX_TRADES: constant(uint256) = 8  # of one taker at one go
LOW_128: constant(uint256) = 2**128 - 1
LOW_64: constant(uint256) = 2**64 - 1
LOW_40: constant(uint256) = 2**40 - 1
NEVER: constant(uint256) = 2**40 - 1  # as an expiry
ALL: constant(uint256) = 2**32 - 1  # of the underlyings
# of the running word
SEQ: constant(uint256) = 1 << 128
IMPAIRED: constant(uint256) = 1 << 192
PAUSE_SHIFT: constant(uint256) = 193

# Storage

# Number of accounts; identifiers start at 1
_account_count: uint256
# paused until (40) << 193 | cash is worth less than its face (1) << 192 | seq (64) << 128 | fees (128, WAD)
_running: uint256
# Packed by the gate, see risk/record.vy
_records: HashMap[uint256, uint256[3]]
# Contracts that may trade for accounts, by their owners' signed orders
modules: public(HashMap[address, bool])
# Stateless checks, and the oracle they speak of
gate: public(IMarginGate)
oracle: public(IRiskOracle)
# May freeze accounts and sell what they hold
auction_house: public(address)
# Keeps the tokens behind cash, and collateral
vault: public(address)
# Sets funding rates
funding: public(address)
# Sets credit tiers
risk_manager: public(address)


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
def __init__(gate: IMarginGate, oracle: IRiskOracle):
    """
    @param gate Stateless checks.
    @param oracle Epochs.
    """
    roles.__init__()
    accounts.__init__()
    positions.__init__()
    self._set_gate(gate, oracle)


# Accounts


@external
def open_account(owner: address) -> uint256:
    """
    @notice Opens an account that may hold anything. Anyone may, for any owner.
    @param owner Who signs orders and withdraws.
    @return Its identifier.
    """
    return self._open(owner, 0)


@external
def open_isolated(owner: address, underlying: uint16, expiry: uint40) -> uint256:
    """
    @notice Opens an account that may only ever hold instruments of one underlying, one expiry or both. Its cash and
            collateral stand behind these alone. Anyone may, for any owner.
    @param owner Who signs orders and withdraws.
    @param underlying Identifier; 0: any.
    @param expiry Unix seconds; 0: any.
    @return Its identifier.
    """
    return self._open(owner, accounts._scope(convert(underlying, uint256), convert(expiry, uint256)))


@external
def transfer_account(account: uint256, owner: address):
    """
    @notice Hands an account over with all it holds. Only the owner, and not while it is in auction. Operators of the old
            owner lose their grants, its signed orders their force.
    @param owner New owner.
    """
    identity: uint256 = accounts._identity[account]
    self._check_owner_of(identity)
    assert owner != empty(address), "clearing: zero owner"
    assert identity & accounts.FROZEN == 0, "clearing: in auction"
    accounts._identity[account] = (identity & ~accounts.ADDRESS_MASK) | convert(owner, uint256)
    accounts._tenures[account] += 1
    log IClearinghouse.AccountTransferred(account=account, previousOwner=msg.sender, owner=owner, seq=self._next_seq())


@external
def set_operator(account: uint256, operator: address, scopes: uint8, expiry: uint40):
    """
    @notice Lets another address act for the account, or stops it. Only the owner.
    @param scopes Sum of SCOPE_* of constants.vy; 0: nothing any more.
    @param expiry Last moment of the grant, unix seconds.
    """
    self._check_owner_of(accounts._identity[account])
    accounts._set_grant(account, operator, scopes, expiry)
    log IClearinghouse.OperatorSet(
        account=account,
        operator=operator,
        scopes=scopes,
        expiry=expiry,
        seq=self._next_seq(),
    )


@external
def set_credit_tier(account: uint256, tier: uint8):
    """
    @notice Says how much credit the attesters' methodology gives an account. Only the risk manager.
    @param tier 0 to 15; 0 is what an account starts with.
    """
    assert msg.sender == self.risk_manager, "clearing: not the risk manager"
    assert convert(tier, uint256) <= accounts.TIER_MASK, "clearing: unknown tier"
    identity: uint256 = accounts._identity[account]
    assert identity != 0, "clearing: no such account"
    cleared: uint256 = identity & ~(accounts.TIER_MASK << accounts.TIER_SHIFT)
    accounts._identity[account] = cleared | (convert(tier, uint256) << accounts.TIER_SHIFT)
    log IClearinghouse.CreditTierSet(account=account, tier=tier, seq=self._next_seq())


# Margin records


@external
def refresh(account: uint256, evidence: IAttestation.Evidence, statement: Bytes[6656]):
    """
    @notice Makes a leaf of a usable epoch the account's record. Anyone may.
    @param evidence The leaf, its proof, and the account's whole book now.
    @param statement Its epoch.
    """
    assert evidence.way == c.WAY_LEAF, "clearing: not a leaf"
    self._store_record(account, staticcall self.gate.adopt(self, account, evidence, statement))


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
    maker_before: IMarginGate.Side = self._side(trade, makerEvidence.way, 1)
    taker_before: IMarginGate.Side = self._side(trade, takerEvidence.way, -1)
    underlyings: uint256 = self._exchange(trade, self._units(trade.fills, statement))
    if max(makerEvidence.way, takerEvidence.way) == c.WAY_HEADROOM:
        settled: DynArray[int256, 2] = staticcall self.gate.require_headroom(
            underlyings, [self._standing(trade.maker, True), self._standing(trade.taker, True)]
        )
        self._lower_exempt(trade.maker, settled[0])
        self._lower_exempt(trade.taker, settled[1])
    else:
        passed: IMarginGate.Passed[2] = staticcall self.gate.require_trade(
            self, trade.action, underlyings, maker_before, makerEvidence, taker_before, takerEvidence, statement
        )
        self._follow_pass(trade.maker, makerEvidence.way, passed[0])
        self._follow_pass(trade.taker, takerEvidence.way, passed[1])
    return self._seq()


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
        passed: IMarginGate.Passed = staticcall self.gate.require_pass(
            self, trades[0].action, underlyings, taker, takerEvidence, statement
        )
        self._follow_pass(taker, takerEvidence.way, passed)
    return self._seq()


@external
def settle(account: uint256, instruments: DynArray[uint256, 128]):
    """
    @notice Turns every expired leg with a final settlement price into cash, and every perp whose market has ended. Anyone
            may. The book hash takes all of it as one change: a unit that pays the sum, of the latest expiry.
    @param instruments The account's whole book, ascending.
    """
    identity: uint256 = accounts._identity[account]
    book: DynArray[uint256, MAX_LEGS] = positions._book(
        account, instruments, (identity >> accounts.LEGS_SHIFT) & accounts.LEGS_MASK
    )
    received: int256 = 0
    linear_left: bool = False
    group: uint256 = max_value(uint256)
    price: uint256 = 0
    expiry: uint256 = 0
    until: uint256 = 0
    growth: int256 = 0
    settled: DynArray[uint256, MAX_LEGS] = []
    for word: uint256 in book:
        instrument: uint128 = ins._instrument_of(word)
        # words of one underlying and expiry lie together
        if word >> 200 != group:
            if word >> 240 != group >> 40 and growth != 0:
                positions._add_interest(group >> 40, growth, 0)
                growth = 0
            group = word >> 200
            expiry, price = self._final(ins._underlying(instrument), ins._expiry(instrument))
        if price == 0:
            linear_left = linear_left or ins._kind(instrument) <= c.FUTURE
            continue
        quantity: int256 = ins._quantity_of(word)
        key: uint256 = positions._key(account, instrument)
        if ins._kind(instrument) == c.PERP:
            received += positions._accrued(positions._positions[key], positions._index(ins._underlying(instrument)))
            identity ^= 1 << (accounts.PERPS_SHIFT + ins._underlying(instrument) - 1)
        unit: uint256 = convert(payoff._payoff(instrument, price), uint256)
        received += self._exact(quantity, unit)
        growth += positions._growth(quantity, 0)
        until = max(until, expiry)
        positions._positions[key] = 0
        settled.append((convert(instrument, uint256) << 128) | unit)
    assert len(settled) != 0, "clearing: nothing to settle"
    if growth != 0:
        positions._add_interest(group >> 40, growth, 0)
    accounts._identity[account] = identity - (len(settled) << accounts.LEGS_SHIFT)
    money: uint256 = accounts._money[account]
    cash: int256 = accounts._signed_high(money) + received
    exempt: uint256 = money & accounts.EXEMPT_MASK
    # with perps or futures left, cash says little about settled cash: then only what it lost counts
    if linear_left:
        exempt -= min(exempt, convert(max(0, -received), uint256))
    else:
        exempt = self._ratchet(exempt, cash)
    accounts._money[account] = accounts._with_cash(accounts._with_exempt(money, exempt), cash)
    book_hash: bytes32 = accounts._fold(
        accounts._book_hash[account], c.CHANGE_SETTLEMENT, convert(until << ins.EXPIRY_SHIFT, uint128), -received, c.WAD
    )
    accounts._book_hash[account] = book_hash
    log IClearinghouse.AccountSettled(
        account=account,
        words=settled,
        until=convert(until, uint40),
        cash=cash,
        bookHash=book_hash,
        seq=self._next_seq(),
    )


# Auctions


@external
def set_frozen(account: uint256, frozen: bool):
    """
    @notice Stops an account from trading and withdrawing, or lets it again. Only the auction house.
    """
    self._check_auction_house()
    identity: uint256 = accounts._identity[account] & ~accounts.FROZEN
    if frozen:
        identity |= accounts.FROZEN
    accounts._identity[account] = identity
    log IClearinghouse.AccountFrozen(account=account, frozen=frozen, seq=self._next_seq())


@external
def transfer_share(share: IClearinghouse.Share, instruments: DynArray[uint256, 128]):
    """
    @notice Moves a fraction of the legs and the cash of an account in auction to a buyer. Only the auction house, which
            has had the Vault move the collateral and cover the payout, and which makes the buyer pass afterwards.
            Position limits and caps do not bind a buyer. Open interest of underlyings and perps follows exactly; that
            of an option or future that both sides held stays an upper bound until it expires.
    @param share What is moved at which price. Quantities are rounded towards zero to multiples of 1e10, cash down: what
           is rounded off stays with the seller.
    @param instruments The seller's whole book, ascending.
    """
    self._check_auction_house()
    bought: IClearinghouse.Share = share
    assert bought.seller != bought.buyer, "clearing: same account"
    assert accounts._identity[bought.seller] & accounts.FROZEN != 0, "clearing: not in auction"
    self._require_active(accounts._identity[bought.buyer])
    self._move_cash(bought, self._move_legs(bought, instruments))


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
    self._require_active(identity)
    assert accounts._may_act(account, identity, actor, c.SCOPE_WITHDRAW), "clearing: not authorised"
    assert evidence.way <= c.WAY_WORST_CASE, "clearing: not a way to withdraw"
    if evidence.way < c.WAY_WORST_CASE:
        pausing._require_not_paused(self._running >> PAUSE_SHIFT)
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
        passed: IMarginGate.Passed = staticcall self.gate.require_pass(
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
    self._change_fees(convert(amount, int256))
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
    self._change_fees(change)


@external
def set_impaired(impaired: bool):
    """
    @notice While cash is worth less than its face, no risk increase passes by attestation. Only the Vault.
    """
    self._check_vault()
    running: uint256 = self._running & ~IMPAIRED
    if impaired:
        running |= IMPAIRED
    self._running = running


# Perps


@external
def set_funding_rate(underlying: uint16, rate: int256):
    """
    @notice What a long unit of a perp pays from now on. Only the funding contract.
    @param rate WAD a second; below zero: shorts pay.
    """
    assert msg.sender == self.funding, "clearing: not the funding contract"
    assert positions._perp_ends[convert(underlying, uint256)] == 0, "clearing: perp ends"
    self._set_rate(underlying, rate)


@external
def end_perp(underlying: uint16, at: uint40):
    """
    @notice Lets the perp of a market that closes settle like a future, at the oracle's settlement price. From now on it
            pays no funding: nothing but its end moves it away from the spot. Only the owner, once.
    @param at A time at which the oracle settles, unix seconds.
    """
    roles._check_owner()
    end: uint256 = convert(at, uint256)
    assert end > block.timestamp and end % c.SETTLEMENT_GRID == 0, "clearing: bad end"
    assert positions._perp_ends[convert(underlying, uint256)] == 0, "clearing: perp ends"
    positions._perp_ends[convert(underlying, uint256)] = end
    self._set_rate(underlying, 0)
    log IClearinghouse.PerpEnded(underlying=underlying, at=at, seq=self._next_seq())


# Administration


@external
def pause(duration: uint256):
    """
    @notice Stops risk increases and withdrawals by attestation from now on. Only the owner or the guardian.
    @param duration Seconds, at most two days.
    """
    until: uint256 = pausing._pause(duration, self._running >> PAUSE_SHIFT)
    self._set_paused_until(until)


@external
def unpause():
    """
    @notice Ends a pause early. Only the owner.
    """
    until: uint256 = pausing._unpause()
    self._set_paused_until(until)


@external
def set_module(module: address, allowed: bool):
    """
    @notice Lets a contract trade for accounts, or stops it. Only the owner.
    """
    roles._check_owner()
    assert module.is_contract or not allowed, "clearing: not a contract"
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
def set_auction_house(auction_house: address):
    """
    @notice Names who liquidates. Only the owner, and not while the house so far auctions anything: nobody else could end
            that.
    """
    roles._check_owner()
    if self.auction_house != empty(address):
        assert staticcall IAuctionHouse(self.auction_house).open_auctions() == 0, "clearing: open auctions"
    self.auction_house = auction_house
    log IClearinghouse.AuctionHouseSet(auctionHouse=auction_house, seq=self._next_seq())


@external
def set_vault(vault: address):
    """
    @notice Names who keeps the tokens. Only the owner, once: another vault would not have the tokens that cash is of.
    """
    roles._check_owner()
    assert self.vault == empty(address), "clearing: vault is set"
    self.vault = vault
    log IClearinghouse.VaultSet(vault=vault, seq=self._next_seq())


@external
def set_funding(funding: address):
    """
    @notice Names who sets funding rates. Only the owner.
    """
    roles._check_owner()
    self.funding = funding
    log IClearinghouse.FundingSet(funding=funding, seq=self._next_seq())


@external
def set_risk_manager(risk_manager: address):
    """
    @notice Names who sets credit tiers. Only the owner.
    """
    roles._check_owner()
    self.risk_manager = risk_manager
    log IClearinghouse.RiskManagerSet(riskManager=risk_manager, seq=self._next_seq())


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
        accounts=self._account_count,
        fees=self._running & LOW_128,
        seq=self._seq(),
        pausedUntil=self._running >> PAUSE_SHIFT,
    )


@external
@view
def paused_until() -> uint256:
    """
    @notice Unix seconds; in the past: not paused.
    """
    return self._running >> PAUSE_SHIFT


@external
@view
def fees() -> uint256:
    """
    @notice Fees not yet paid out, WAD.
    """
    return self._running & LOW_128


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
def _exchange(
    trade: IClearinghouse.Trade, units: DynArray[IMarginGate.Unit, c.MAX_ORDER_LEGS]
) -> uint256:
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
        self._change_fees(fees)
    return underlyings


@internal
@view
def _party(account: uint256, signer: address, fee: int256, sign: int256) -> Party:
    """
    @notice One side of a trade before its fills. Reverts unless its signer may trade for it and it is not in auction.
    """
    identity: uint256 = accounts._identity[account]
    self._require_active(identity)
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
    identity, old, accrued = self._set_leg(party.account, identity, fill.instrument, quantity, fill.limits)
    party.identity = identity
    paid: int256 = self._exact(quantity, fill.price)
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
        seq=self._next_seq(),
    )
    party.fee = 0
    return party, positions._growth(old, old + quantity)


@internal
def _set_leg(
    account: uint256, identity: uint256, instrument: uint128, change: int256, limits: uint256
) -> (uint256, int256, int256):
    """
    @notice Changes a position. A perp's entry index becomes the index now.
    @param limits Of the position, see `positions._require_within`.
    @return The identity with the number of legs and the perps held afterwards, which the caller stores; the position
            before; funding that becomes cash.
    """
    key: uint256 = positions._key(account, instrument)
    word: uint256 = positions._positions[key]
    old: int256 = accounts._signed_low(word)
    new: int256 = old + change
    assert abs(new) <= convert(c.MAX_QUANTITY, int256), "clearing: position too large"
    positions._require_within(limits, old, new)
    index: int256 = 0
    accrued: int256 = 0
    is_perp: bool = ins._kind(instrument) == c.PERP
    if is_perp:
        index = positions._index(ins._underlying(instrument))
        accrued = positions._accrued(word, index)
    positions._positions[key] = positions._pack(new, index)
    if (old == 0) == (new == 0):
        return identity, old, accrued
    changed: uint256 = identity
    if old == 0:
        assert (identity >> accounts.LEGS_SHIFT) & accounts.LEGS_MASK < MAX_LEGS, "clearing: too many legs"
        accounts._require_in_scope(identity, instrument)
        changed += 1 << accounts.LEGS_SHIFT
    else:
        changed -= 1 << accounts.LEGS_SHIFT
    if is_perp:
        changed ^= 1 << (accounts.PERPS_SHIFT + ins._underlying(instrument) - 1)
    return changed, old, accrued


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
    self._extend_record(account, linear, expiry)
    return accounts._pack_signed_low(
        (counters >> 128) + fp._mul_up(convert(abs(quantity), uint256), alone),
        accounts._signed_low(counters) + credited,
    )


@internal
def _extend_record(account: uint256, linear: int256, expiry: uint256):
    """
    @notice What an addition to the book does to the record.
    @param linear To the lower bound of perps and futures, WAD.
    @param expiry Earliest of what was added, unix seconds; 2**40 - 1: none.
    """
    word: uint256 = self._records[account][2]
    changed: uint256 = records._extended(word, linear, expiry)
    if changed != word:
        self._records[account][2] = changed


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
    return staticcall self.gate.units(statement, instruments)


# Settlement


@internal
@view
def _final(underlying: uint256, expiry: uint256) -> (uint256, uint256):
    """
    @notice When an instrument ends, and its final settlement price.
    @param expiry Unix seconds; 0 of a perp, which ends with its market.
    @return Unix seconds, and 1e-8 USD: 0 while there is none.
    """
    end: uint256 = expiry
    if expiry == 0:
        end = positions._perp_ends[underlying]
    if end == 0 or end > block.timestamp:
        return 0, 0
    return end, staticcall self.oracle.settlement_price(convert(underlying, uint16), convert(end, uint40))


# Shares of accounts in auction


@internal
def _move_legs(share: IClearinghouse.Share, instruments: DynArray[uint256, MAX_LEGS]) -> DynArray[uint256, MAX_LEGS]:
    """
    @notice The fraction of every leg. Funding becomes cash on both sides first.
    @return Words: instrument | quantity moved.
    """
    self._realise_funding(share.seller)
    self._realise_funding(share.buyer)
    seller: uint256 = accounts._identity[share.seller]
    buyer: uint256 = accounts._identity[share.buyer]
    book: DynArray[uint256, MAX_LEGS] = positions._book(
        share.seller, instruments, (seller >> accounts.LEGS_SHIFT) & accounts.LEGS_MASK
    )
    unit: int256 = convert(c.PRICE_UNIT, int256)
    grown: int256 = 0
    underlying: uint256 = 0
    moved: DynArray[uint256, MAX_LEGS] = []
    for word: uint256 in book:
        instrument: uint128 = ins._instrument_of(word)
        held: int256 = ins._quantity_of(word)
        quantity: int256 = held
        if share.fraction != c.WAD:
            quantity = held * convert(share.fraction, int256) // SIGNED_WAD // unit * unit
        if quantity == 0:
            continue
        if ins._underlying(instrument) != underlying:
            if grown != 0:
                positions._add_interest(underlying, grown, positions.UNLIMITED)
                grown = 0
            underlying = ins._underlying(instrument)
        old: int256 = 0
        accrued: int256 = 0
        seller, old, accrued = self._set_leg(share.seller, seller, instrument, -quantity, max_value(uint256))
        growth: int256 = positions._growth(held, held - quantity)
        buyer, old, accrued = self._set_leg(share.buyer, buyer, instrument, quantity, max_value(uint256))
        growth += positions._growth(old, old + quantity)
        if growth != 0 and ins._kind(instrument) == c.PERP:
            positions._add_interest(convert(instrument, uint256), growth, positions.UNLIMITED)
        grown += growth
        moved.append(ins._word(instrument, quantity))
    if grown != 0:
        positions._add_interest(underlying, grown, positions.UNLIMITED)
    accounts._identity[share.seller] = seller
    accounts._identity[share.buyer] = buyer
    return moved


@internal
def _move_cash(share: IClearinghouse.Share, words: DynArray[uint256, MAX_LEGS]):
    """
    @notice Cash, price and payout; the counters of the buyer; both book hashes and the event.
    """
    money: uint256 = accounts._money[share.seller]
    cash: int256 = accounts._signed_high(money)
    moved: int256 = fp._signed_mul_down(cash, convert(share.fraction, int256))
    price: int256 = convert(share.price, int256)
    cash += price - moved
    # a share of the deposits leaves with the cash, and losses leave for good
    exempt: uint256 = self._ratchet(fp._mul_down(money & accounts.EXEMPT_MASK, c.WAD - share.fraction), cash)
    accounts._money[share.seller] = accounts._with_cash(accounts._with_exempt(money, exempt), cash)
    money = accounts._money[share.buyer]
    own: int256 = accounts._signed_high(money) + moved - price + convert(share.payout, int256)
    # paying cash for legs is no gain to take out later
    exempt = money & accounts.EXEMPT_MASK
    exempt -= min(exempt, convert(max(0, price - moved), uint256))
    accounts._money[share.buyer] = accounts._with_cash(accounts._with_exempt(money, exempt), own)
    # what the buyer gains against the marks is not credited
    counters: uint256 = accounts._counters[share.buyer]
    counters = accounts._pack_signed_low(
        (counters >> 128) + share.initialMargin,
        accounts._signed_low(counters) + min(share.mark, price - moved - share.collateral),
    )
    accounts._counters[share.buyer] = counters
    self._extend_record(share.buyer, share.linear, share.earliest)
    fraction: int256 = convert(share.fraction, int256)
    seller_hash: bytes32 = accounts._fold(accounts._book_hash[share.seller], c.CHANGE_AUCTION, 0, -fraction, 0)
    buyer_hash: bytes32 = accounts._fold(accounts._book_hash[share.buyer], c.CHANGE_PURCHASE, 0, fraction, share.seller)
    accounts._book_hash[share.seller] = seller_hash
    accounts._book_hash[share.buyer] = buyer_hash
    log IClearinghouse.ShareTransferred(
        seller=share.seller,
        buyer=share.buyer,
        fraction=share.fraction,
        price=share.price,
        payout=share.payout,
        words=words,
        sellerCash=cash,
        buyerCash=own,
        buyerAddedIM=counters >> 128,
        buyerAddedMark=accounts._signed_low(counters),
        sellerHash=seller_hash,
        buyerHash=buyer_hash,
        seq=self._next_seq(),
    )


@internal
def _realise_funding(account: uint256):
    """
    @notice Funding accrued on all perps becomes cash.
    """
    perps: uint256 = accounts._perps_of(accounts._identity[account])
    if perps == 0:
        return
    accrued: int256 = positions._touch(account, perps)
    if accrued != 0:
        money: uint256 = accounts._money[account]
        accounts._money[account] = accounts._with_cash(money, accounts._signed_high(money) + accrued)


# Passing


@internal
@pure
def _require_active(identity: uint256):
    """
    @notice Reverts if the account does not exist or is in auction.
    """
    assert identity != 0, "clearing: no such account"
    assert identity & accounts.FROZEN == 0, "clearing: in auction"


@internal
@view
def _require_open_to(way: uint8):
    """
    @notice Reverts unless a module calls, and trades that pass by attestation do so now.
    @param way The one of both sides that leans on attesters most.
    """
    assert self.modules[msg.sender], "clearing: not a module"
    if way < c.WAY_WORST_CASE:
        running: uint256 = self._running
        pausing._require_not_paused(running >> PAUSE_SHIFT)
        assert running & IMPAIRED == 0, "clearing: shortfall"


@internal
def _require_headroom(account: uint256, underlyings: uint256):
    """
    @notice Reverts unless one account passes by headroom.
    """
    settled: DynArray[int256, 2] = staticcall self.gate.require_headroom(
        underlyings, [self._standing(account, True)]
    )
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
        standing.collateral = staticcall IVault(self.vault).words(account, tokens)
    if recorded:
        standing.record = self._records[account]
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
        side.before = staticcall self.gate.measure(self, side.account)
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
        extcall IVault(self.vault).note_drawn(account, convert(-passed.settled, uint256))


@internal
def _lower_exempt(account: uint256, settled: int256):
    """
    @notice Realised losses leave the exempt amount.
    @param settled Lower bound of settled cash, WAD.
    """
    money: uint256 = accounts._money[account]
    exempt: uint256 = money & accounts.EXEMPT_MASK
    lowered: uint256 = self._ratchet(exempt, settled)
    if lowered != exempt:
        accounts._money[account] = accounts._with_exempt(money, lowered)


@internal
def _store_record(account: uint256, record: uint256[3]):
    """
    @notice Makes the margin of a leaf the account's record. A report passes its one action and leaves no record: what it
            says of a book that others have not seen yet is not worth three words of storage.
    """
    epoch: uint64 = records._epoch(record)
    assert epoch >= records._epoch(self._records[account]), "clearing: older than the record"
    self._records[account] = record
    log IClearinghouse.RecordSet(account=account, epoch=epoch, seq=self._next_seq())


# Small things


@internal
def _open(owner: address, scope: uint256) -> uint256:
    """
    @param scope Of an isolated account, see `accounts._scope`; 0: may hold anything.
    """
    assert owner != empty(address), "clearing: zero owner"
    account: uint256 = self._account_count + 1
    self._account_count = account
    accounts._identity[account] = scope | convert(owner, uint256)
    log IClearinghouse.AccountOpened(
        account=account,
        owner=owner,
        underlying=convert((scope >> accounts.SCOPE_SHIFT) & accounts.SCOPE_MASK, uint16),
        expiry=convert((scope >> accounts.EXPIRY_SHIFT) * c.SETTLEMENT_GRID, uint40),
        seq=self._next_seq(),
    )
    return account


@internal
@view
def _check_owner_of(identity: uint256):
    assert msg.sender == accounts._owner_of(identity), "clearing: not the owner"


@internal
@view
def _check_vault():
    assert msg.sender == self.vault, "clearing: not the vault"


@internal
@view
def _check_auction_house():
    assert msg.sender == self.auction_house, "clearing: not the auction house"


@internal
def _change_fees(change: int256):
    """
    @notice Adds to the fees, or takes from them; reverts below zero.
    """
    running: uint256 = self._running
    fees: uint256 = convert(convert(running & LOW_128, int256) + change, uint256)
    self._running = (running & ~LOW_128) | convert(convert(fees, uint128), uint256)


@internal
def _set_paused_until(until: uint256):
    self._running = (self._running & (2**PAUSE_SHIFT - 1)) | (until << PAUSE_SHIFT)


@internal
def _set_rate(underlying: uint16, rate: int256):
    index: int256 = positions._set_rate(convert(underlying, uint256), rate)
    log IClearinghouse.FundingRateSet(underlying=underlying, rate=rate, index=index, seq=self._next_seq())


@internal
def _set_gate(gate: IMarginGate, oracle: IRiskOracle):
    assert staticcall gate.require_succeeds(oracle.address, self.oracle.address)
    self.gate = gate
    self.oracle = oracle
    log IClearinghouse.GateSet(gate=gate.address, oracle=oracle.address, seq=self._next_seq())


@internal
def _next_seq() -> uint64:
    running: uint256 = self._running + SEQ
    self._running = running
    return convert((running >> 128) & LOW_64, uint64)


@internal
@view
def _seq() -> uint64:
    return convert((self._running >> 128) & LOW_64, uint64)


@internal
@pure
def _ratchet(exempt: uint256, settled: int256) -> uint256:
    """
    @notice Realised losses leave the exempt amount for good: realised gains never re-enter it.
    """
    return min(exempt, convert(max(0, settled), uint256))


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
