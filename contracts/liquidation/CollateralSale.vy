# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title CollateralSale
@license AGPL-3.0-only
@notice Settled cash below zero is a debt to everybody else. Only losses make it, and trades that reduce risk, inside caps.
        It is noted, bears interest, and beyond a buffer the account's collateral is sold for what is missing, in a Dutch
        auction that starts above the oracle price. Anyone may note, start and buy.
          debt    see `debts.vy`: what an account owed when it was last noted
          lanes   by account and in total: how much of it counts against which token
@custom:security Holds no tokens. Settled cash is taken from the chain's own upper bound, so nobody is charged for what it
        does not owe; a sale never lowers an account's equity. Trusts the Clearinghouse, its gate, oracle and Vault.
@custom:kill The Vault's owner names another collateral sale: this one can then neither sell nor charge anything.
"""

from ethereum.ercs import IERC20Detailed

from ..interfaces import IBookValuer
from ..interfaces import IClearinghouse
from ..interfaces import ICollateralSale
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..interfaces import IVault
from ..units import constants as c

# prices, amounts and interest: stateless
from . import auction_price as prices
from . import conversion
from . import debts

# terms and caps are what an owner sets here
from snekmate.auth import ownable

implements: ICollateralSale
initializes: ownable

# `renounce_ownership` is not exported: terms would be fixed for ever by one careless call
exports: (
    ownable.owner,
    ownable.transfer_ownership,
)

# Constants

LOW_128: constant(uint256) = 2**128 - 1
MAX_EPOCH_AGE: constant(uint256) = 60  # of a price at which collateral is sold, seconds
# Bounds of the terms
MAX_START: constant(uint256) = 12 * 10**17
LEAST_FLOOR: constant(uint256) = 8 * 10**17
LEAST_DURATION: constant(uint32) = 60
MAX_DURATION: constant(uint32) = 604_800  # a week
MAX_INTEREST: constant(uint256) = 10**18  # 100 % per year

# Immutables

CLEARINGHOUSE: public(immutable(IClearinghouse))
# Keeps the tokens of its accounts
VAULT: public(immutable(IVault))
# WAD per smallest unit of the settlement token
CASH_SCALE: immutable(uint256)

# Storage

_terms: ICollateralSale.Terms
# by token
_caps: HashMap[address, ICollateralSale.DebtCaps]
# by account: when a conversion started, unix seconds
_conversions: HashMap[uint256, uint256]
# by account: see `debts.vy`
_debts: HashMap[uint256, uint256]
# by account, and their sum: whole units of cash by token
_parts: HashMap[uint256, uint256]
_total_parts: uint256
# drawn by all accounts, WAD
_total: uint256
# Number of the last event
_seq: uint64


@deploy
def __init__(clearinghouse: IClearinghouse, terms: ICollateralSale.Terms):
    """
    @param clearinghouse Whose accounts owe; has its Vault.
    @param terms Of all debts and conversions.
    """
    assert clearinghouse.address != empty(address), "sale: zero address"
    ownable.__init__()
    CLEARINGHOUSE = clearinghouse
    VAULT = IVault(staticcall clearinghouse.vault())
    token: address = staticcall VAULT.settlement_token()
    CASH_SCALE = 10**convert(18 - staticcall IERC20Detailed(token).decimals(), uint256)
    self._set_terms(terms)


# Conversions


@external
def start_conversion(account: uint256, instruments: DynArray[uint256, 128]):
    """
    @notice Puts the collateral of an account up for sale whose settled cash is below zero by more than the buffer. Anyone
            may. Notes the debt.
    @param account Account that is not in auction.
    @param instruments Its whole book, ascending.
    """
    assert self._conversions[account] == 0, "sale: conversion running"
    self._require_fresh()
    standing: IMarginGate.Standing = self._standing(account)
    assert len(standing.collateral) != 0, "sale: no collateral"
    settled: int256 = self._settled(standing, instruments)
    assert settled < -convert(self._terms.buffer, int256), "sale: settled cash within the buffer"
    settled -= convert(self._note(standing, settled), int256)
    self._conversions[account] = block.timestamp
    log ICollateralSale.ConversionStarted(account=account, settled=settled, seq=self._next_seq())


@external
def convert_collateral(
    account: uint256,
    token: address,
    amount: uint256,
    limit: uint256,
    instruments: DynArray[uint256, 128],
    recipient: address,
):
    """
    @notice Buys collateral of an account in conversion, which gets the cash. Sells no more than brings its settled cash to
            zero; where nothing is missing any more the conversion ends and nothing is sold.
    @param account Account in conversion.
    @param token Collateral token.
    @param amount Most that is wanted, in its decimals.
    @param limit Most that `amount` may cost, in the settlement token's decimals; for less, pro rata. The caller has
           approved the Vault.
    @param instruments Whole book of the account, ascending.
    @param recipient Who gets the tokens.
    """
    started: uint256 = self._conversions[account]
    assert started != 0, "sale: no conversion"
    standing: IMarginGate.Standing = self._standing(account)
    settled: int256 = self._settled(standing, instruments)
    if settled >= 0 or len(standing.collateral) == 0:
        self._end_conversion(account)
        return
    spec: IVault.Collateral = staticcall VAULT.collateral(token)
    balance: uint256 = self._balance(standing.collateral, spec.index)
    unit_price: uint256 = self._unit_price(started, spec)
    settled -= convert(self._note(standing, settled), int256)
    sold: uint256 = 0
    cost: uint256 = 0
    met: bool = False
    sold, cost, met = conversion._sale(
        amount,
        balance,
        10**convert(18 - spec.decimals, uint256),
        convert(-settled, uint256),
        staticcall VAULT.rate(),
        unit_price,
        CASH_SCALE,
    )
    assert sold != 0, "sale: nothing to sell"
    assert cost * amount <= limit * sold, "sale: cost beyond limit"
    log ICollateralSale.CollateralConverted(
        account=account,
        token=token,
        buyer=msg.sender,
        amount=sold,
        cost=cost,
        seq=self._next_seq(),
    )
    if met:
        self._end_conversion(account)
    extcall VAULT.sell_collateral(account, token, sold, cost, msg.sender, recipient)


# Debts


@external
def note_debt(account: uint256, instruments: DynArray[uint256, 128]) -> uint256:
    """
    @notice Notes what an account owes, and charges the interest since the last note. Anyone may.
    @param account Account that is not in auction.
    @param instruments Its whole book, ascending.
    @return Interest charged, WAD: to the fees.
    """
    self._require_fresh()
    standing: IMarginGate.Standing = self._standing(account)
    settled: int256 = self._settled(standing, instruments)
    assert settled < 0 or self._debts[account] != 0, "sale: no debt"
    return self._note(standing, settled)


@external
def note_drawn(account: uint256, amount: uint256):
    """
    @notice A trade that reduced risk has left settled cash below zero: that much counts towards the caps at once. Interest
            waits for a note, which proves it. Only the Vault, for the Clearinghouse.
    @param amount By the lower bound of settled cash, WAD.
    """
    assert msg.sender == VAULT.address, "sale: not the vault"
    debt: ICollateralSale.Debt = debts._unpack(self._debts[account])
    if amount > debt.drawn:
        drawn: ICollateralSale.Debt = ICollateralSale.Debt(noted=debt.noted, drawn=amount, since=debt.since)
        self._store(account, debt.drawn, drawn, (staticcall CLEARINGHOUSE.standing(account, False)).collateral, 0)


# Owner


@external
def set_terms(terms: ICollateralSale.Terms):
    """
    @notice Sets the terms of all debts and conversions, running ones included. Only the owner.
    @param terms Prices between 80 % and 120 % of the oracle's, falling, over a minute to a week; interest up to 100 % per
           year, also for the time since the last note.
    """
    ownable._check_owner()
    self._set_terms(terms)


@external
def set_debt_caps(token: address, caps: ICollateralSale.DebtCaps):
    """
    @notice How much trades that reduce risk may leave owed against a token. Lower caps do not touch what is owed. Only the
            owner.
    @param token Listed.
    """
    ownable._check_owner()
    assert convert(caps.share, uint256) <= c.BASIS_POINTS, "sale: share above 1"
    assert caps.account <= caps.total, "sale: cap of an account above the total"
    assert (staticcall VAULT.collateral(token)).index != 0, "sale: token not listed"
    self._caps[token] = caps
    log ICollateralSale.DebtCapsSet(token=token, caps=caps, seq=self._next_seq())


# Views


@external
@view
def debt_limit(account: uint256) -> uint256:
    """
    @notice How far below zero a trade that reduces risk may leave an account's settled cash: what its collateral, the caps
            of each token and the cap of all debts leave room for.
    @return WAD.
    """
    drawn: uint256 = (debts._unpack(self._debts[account])).drawn
    others: uint256 = self._total - drawn
    cap: uint256 = self._terms.debtCap
    rooms: uint256[8] = self._rooms(account, (staticcall CLEARINGHOUSE.standing(account, False)).collateral)
    room: uint256 = 0
    for one: uint256 in rooms:
        room += one
    return min(room * c.WAD, cap - min(cap, others))


@external
@view
def debt(account: uint256) -> ICollateralSale.Debt:
    """
    @notice What an account owed when it was last noted.
    """
    return debts._unpack(self._debts[account])


@external
@view
def debt_against(account: uint256, token: address) -> uint256:
    """
    @notice Part of an account's debt that counts against a token, whole units of cash.
    """
    return debts._lane(self._parts[account], convert((staticcall VAULT.collateral(token)).index, uint256))


@external
@view
def total_debt() -> uint256:
    """
    @notice What all accounts owed when they were last noted, WAD.
    """
    return self._total


@external
@view
def total_debt_against(token: address) -> uint256:
    """
    @notice Part of all debts that counts against a token, whole units of cash.
    """
    return debts._lane(self._total_parts, convert((staticcall VAULT.collateral(token)).index, uint256))


@external
@view
def debt_caps(token: address) -> ICollateralSale.DebtCaps:
    """
    @notice How much may be owed against a token; zeros: nothing.
    """
    return self._caps[token]


@external
@view
def terms() -> ICollateralSale.Terms:
    """
    @notice Of all debts and conversions.
    """
    return self._terms


@external
@view
def conversion_started(account: uint256) -> uint256:
    """
    @notice Unix seconds; 0: no conversion.
    """
    return self._conversions[account]


@external
@view
def seq() -> uint64:
    """
    @notice Number of the last event.
    """
    return self._seq


# Notes


@internal
def _note(standing: IMarginGate.Standing, settled: int256) -> uint256:
    """
    @notice Charges the interest since the last note and notes what is owed then, interest included.
    @param settled Upper bound of settled cash, WAD.
    @return Interest, WAD.
    """
    last: ICollateralSale.Debt = debts._unpack(self._debts[standing.account])
    owed: uint256 = convert(max(0, -settled), uint256)
    interest: uint256 = debts._interest(last.noted, owed, self._terms.interest, block.timestamp - last.since)
    if interest != 0:
        extcall VAULT.charge_interest(standing.account, interest)
    owed += interest
    noted: ICollateralSale.Debt = empty(ICollateralSale.Debt)
    if owed != 0:
        noted = ICollateralSale.Debt(noted=owed, drawn=owed, since=block.timestamp)
    self._store(standing.account, last.drawn, noted, standing.collateral, interest)
    return interest


@internal
def _store(
    account: uint256,
    before: uint256,
    debt: ICollateralSale.Debt,
    collateral: DynArray[uint256, 8],
    interest: uint256,
):
    """
    @notice Keeps a debt, what it counts against, and the sums.
    @param before Drawn so far, WAD.
    """
    parts: uint256 = debts._parts(self._rooms(account, collateral), debt.drawn)
    # lane by lane no sum exceeds a token's cap, so none carries into the next
    self._total_parts = self._total_parts - self._parts[account] + parts
    self._parts[account] = parts
    total: uint256 = self._total - before + debt.drawn
    self._total = total
    self._debts[account] = debts._pack(debt)
    log ICollateralSale.DebtNoted(
        account=account,
        noted=debt.noted,
        drawn=debt.drawn,
        interest=interest,
        total=total,
        seq=self._next_seq(),
    )


@internal
@view
def _rooms(account: uint256, collateral: DynArray[uint256, 8]) -> uint256[8]:
    """
    @notice What an account may owe against each token, whole units of cash, by index - 1.
    @param collateral Words of its standing.
    """
    rooms: uint256[8] = empty(uint256[8])
    if len(collateral) == 0:
        return rooms
    tokens: DynArray[address, c.MAX_COLLATERALS] = staticcall VAULT.collaterals()
    valuer: IBookValuer = self._valuer()
    others: uint256 = self._total_parts - self._parts[account]
    for word: uint256 in collateral:
        index: uint256 = word >> 240
        caps: ICollateralSale.DebtCaps = self._caps[tokens[index - 1]]
        if caps.total == 0:
            continue
        worth: uint256 = convert((staticcall valuer.collateral_value([word])).maintenance, uint256)
        rooms[index - 1] = debts._room(worth, caps, debts._lane(others, index))
    return rooms


# Conversions


@internal
@view
def _unit_price(started: uint256, spec: IVault.Collateral) -> uint256:
    """
    @notice Price of one token of collateral now, WAD: a falling share of the greater of both spots.
    """
    oracle: IRiskOracle = self._oracle()
    latest: uint256 = convert((staticcall oracle.header()).timestamp, uint256)
    assert block.timestamp - latest < MAX_EPOCH_AGE, "sale: epoch too old"
    terms: ICollateralSale.Terms = self._terms
    share: uint256 = prices._falling(
        terms.start, terms.floor, block.timestamp - started, convert(terms.duration, uint256)
    )
    spot: IRiskOracle.Spot = staticcall oracle.spot(spec.underlying)
    return conversion._unit_price(max(spot.effective, spot.posted), share, convert(spec.maintenanceHaircut, uint256))


@internal
@pure
def _balance(held: DynArray[uint256, 8], index: uint8) -> uint256:
    """
    @notice Balance of a token among the collateral held, WAD.
    """
    for word: uint256 in held:
        if word >> 240 == convert(index, uint256):
            return word & LOW_128
    raise "sale: token not held"


@internal
def _end_conversion(account: uint256):
    self._conversions[account] = 0
    log ICollateralSale.ConversionEnded(account=account, seq=self._next_seq())


# Small things


@internal
@view
def _standing(account: uint256) -> IMarginGate.Standing:
    """
    @notice Cash, funding and collateral of an account that no auction sells as a whole.
    """
    standing: IMarginGate.Standing = staticcall CLEARINGHOUSE.standing(account, False)
    assert not standing.frozen, "sale: in auction"
    return standing


@internal
@view
def _settled(standing: IMarginGate.Standing, instruments: DynArray[uint256, 128]) -> int256:
    """
    @notice Upper bound of settled cash, WAD.
    """
    valuation: IBookValuer.Valuation = staticcall self._valuer().value_of(
        CLEARINGHOUSE.address, standing.account, instruments
    )
    return standing.liquid + valuation.linearHigh


@internal
@view
def _valuer() -> IBookValuer:
    gate: IMarginGate = IMarginGate(staticcall CLEARINGHOUSE.gate())
    return IBookValuer(staticcall gate.valuer())


@internal
@view
def _oracle() -> IRiskOracle:
    return IRiskOracle(staticcall CLEARINGHOUSE.oracle())


@internal
@view
def _require_fresh():
    """
    @notice Reverts where the latest epoch is too old to say what perps and futures are worth.
    """
    assert staticcall self._oracle().is_fresh(), "sale: epoch too old"


@internal
def _set_terms(terms: ICollateralSale.Terms):
    assert (
        LEAST_FLOOR <= terms.floor and terms.floor <= terms.start and terms.start <= MAX_START
    ), "sale: bad conversion price"
    assert LEAST_DURATION <= terms.duration and terms.duration <= MAX_DURATION, "sale: bad duration"
    assert terms.interest <= MAX_INTEREST, "sale: interest too high"
    assert max(terms.buffer, terms.debtCap) <= LOW_128, "sale: amount too large"
    self._terms = terms
    log ICollateralSale.TermsSet(terms=terms, seq=self._next_seq())


@internal
def _next_seq() -> uint64:
    """
    @notice Number of the next event; a gap proves a missing event.
    """
    self._seq += 1
    return self._seq
