# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title AccountLens
@license AGPL-3.0-only
@notice The whole state and health of an account in one call. Reads only.
@custom:security Holds nothing and is trusted by nothing.
@custom:kill None needed: deploy another.
"""

from ..interfaces import IAuctionHouse
from ..interfaces import IBookValuer
from ..interfaces import IClearinghouse
from ..interfaces import ICollateralSale
from ..interfaces import IExchange
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..interfaces import IVault
from ..units import constants as c
from ..units import fixed_point as fp

MAX_ACCOUNTS: constant(uint256) = 256
MAX_OPERATORS: constant(uint256) = 16
MAX_NONCES: constant(uint256) = 32
DEAD: public(constant(uint256)) = max_value(uint256)  # units filled of an order that cannot be filled any more
LOW_128: constant(uint256) = 2**128 - 1
# the two counters in a book hash, as the gate reads them
COUNT_BITS: constant(uint256) = 24
COUNT_MASK: constant(uint256) = 2**COUNT_BITS - 1

CLEARINGHOUSE: public(immutable(IClearinghouse))
EXCHANGE: public(immutable(IExchange))


# What the record and the fills since say, WAD: what a trade without evidence is checked by.
struct Health:
    # whether the record stands: its epoch passes, no leg has expired, and nothing came since but fills within its reach
    stands: bool
    # mark-to-market of the book
    mark: int256
    # cash, funding and mark, without collateral
    equity: int256
    # upper bound, with the fills since
    initial: uint256
    # of the book at the record
    maintenance: uint256
    # equity and collateral after its haircuts, less the initial margin
    headroom: int256
    # stand-alone initial margin that fills may still add within the record's reach
    reach: uint256


# One collateral token.
struct Holding:
    token: address
    # WAD of the token
    balance: uint256
    # without and after its haircuts; zeros once it is delisted for good
    value: IBookValuer.CollateralValue


# What an account holds and what the chain makes of it, WAD.
struct View:
    account: IClearinghouse.Account
    # of each instrument asked for
    quantities: DynArray[int256, 128]
    # accrued to now, and not in the cash yet
    funding: int256
    # whether the instruments asked for are the whole book; else the next three are zero
    complete: bool
    # bounds of the book at the latest effective spots
    valuation: IBookValuer.Valuation
    # bounds of settled cash: cash, funding, perps and futures
    settledLow: int256
    settledHigh: int256
    record: IMarginGate.Record
    health: Health
    collateral: IBookValuer.CollateralValue
    # of each token held
    holdings: DynArray[Holding, c.MAX_COLLATERALS]
    # settled cash below zero that is noted and drawn; how far trades that reduce risk may go
    debt: ICollateralSale.Debt
    debtLimit: uint256
    # unix seconds; zero: no conversion of collateral
    conversionStarted: uint256
    # zeros: none
    auction: IAuctionHouse.Auction
    # bits SCOPE_* of each operator asked for; an owner has all
    scopes: DynArray[uint8, MAX_OPERATORS]
    # of orders that are alive
    series: uint64
    # units filled of each nonce asked for, or DEAD
    filled: DynArray[uint256, MAX_NONCES]


# What an index checks its own books against.
struct Summary:
    legCount: uint256
    cash: int256
    addedIM: uint256
    addedMark: int256
    bookHash: bytes32


@deploy
def __init__(clearinghouse: IClearinghouse, exchange: IExchange):
    """
    @param clearinghouse What it reads; vault, auction house and gate are those that it names at the time.
    @param exchange Where orders are filled.
    """
    assert clearinghouse.address != empty(address), "lens: zero address"
    assert exchange.address != empty(address), "lens: zero address"
    CLEARINGHOUSE = clearinghouse
    EXCHANGE = exchange


@external
@view
def view_account(
    account: uint256,
    instruments: DynArray[uint128, 128],
    operators: DynArray[address, MAX_OPERATORS],
    nonces: DynArray[uint64, MAX_NONCES],
) -> View:
    """
    @notice State and health of an account.
    @param account Account; zeros where it does not exist.
    @param instruments What it holds, ascending.
    @param operators Whose grants are asked for.
    @param nonces Of orders whose fills are asked for.
    """
    gate: IMarginGate = IMarginGate(staticcall CLEARINGHOUSE.gate())
    valuer: IBookValuer = IBookValuer(staticcall gate.valuer())
    standing: IMarginGate.Standing = staticcall CLEARINGHOUSE.standing(account, True)
    result: View = empty(View)
    result.account = staticcall CLEARINGHOUSE.account(account)
    result.funding = standing.liquid - result.account.cash
    book: DynArray[uint256, 128] = []
    for instrument: uint128 in instruments:
        quantity: int256 = (staticcall CLEARINGHOUSE.position(account, instrument)).quantity
        result.quantities.append(quantity)
        if quantity != 0:
            book.append(
                (convert(instrument, uint256) << 128) | (convert(convert(quantity, bytes32), uint256) & LOW_128)
            )
    result.complete = self._is_book(book, standing.legs)
    if result.complete:
        result.valuation = staticcall valuer.value(book)
        result.settledLow = standing.liquid + result.valuation.linear
        result.settledHigh = standing.liquid + result.valuation.linearHigh
    result.record = staticcall gate.unpack(standing.record)
    if len(standing.collateral) != 0:
        result.collateral = staticcall valuer.collateral_value(standing.collateral)
    result.health = self._health(standing, result.record, result.collateral)
    vault: IVault = IVault(staticcall CLEARINGHOUSE.vault())
    result.holdings = self._holdings(account, vault, valuer, result.account.tokens)
    sale: ICollateralSale = ICollateralSale(staticcall vault.collateral_sale())
    if sale.address != empty(address):
        result.debt = staticcall sale.debt(account)
        result.debtLimit = staticcall sale.debt_limit(account)
        result.conversionStarted = staticcall sale.conversion_started(account)
    house: IAuctionHouse = IAuctionHouse(staticcall CLEARINGHOUSE.auction_house())
    if house.address != empty(address):
        result.auction = staticcall house.auction(account)
    result.scopes = self._scopes(account, operators)
    result.series = staticcall EXCHANGE.series(account)
    result.filled = self._filled(account, nonces)
    return result


@external
@view
def summaries(accounts: DynArray[uint256, MAX_ACCOUNTS]) -> DynArray[Summary, MAX_ACCOUNTS]:
    """
    @notice What an index needs to know that its books are the chain's.
    """
    result: DynArray[Summary, MAX_ACCOUNTS] = []
    for id: uint256 in accounts:
        account: IClearinghouse.Account = staticcall CLEARINGHOUSE.account(id)
        result.append(
            Summary(
                legCount=account.legCount,
                cash=account.cash,
                addedIM=account.addedIM,
                addedMark=account.addedMark,
                bookHash=account.bookHash,
            )
        )
    return result


@internal
@pure
def _is_book(book: DynArray[uint256, 128], legs: uint256) -> bool:
    """
    @return Whether these words ascend and are as many as the account's legs: its whole book.
    """
    if len(book) != legs:
        return False
    last: uint256 = 0
    for word: uint256 in book:
        if word >> 128 <= last:
            return False
        last = word >> 128
    return True


@internal
@view
def _health(
    standing: IMarginGate.Standing, record: IMarginGate.Record, collateral: IBookValuer.CollateralValue
) -> Health:
    """
    @notice The numbers of the gate's check by headroom, without its verdict.
    """
    changes: uint256 = convert(standing.bookHash, uint256)
    fills: uint256 = unsafe_sub(changes, record.changes) & COUNT_MASK
    untouched: bool = (changes >> COUNT_BITS) & COUNT_MASK == record.changes >> COUNT_BITS
    added: uint256 = (standing.counters >> 128) - record.addedIM
    oracle: IRiskOracle = IRiskOracle(staticcall CLEARINGHOUSE.oracle())
    signed: int256 = convert(convert((standing.counters & LOW_128) << 128, bytes32), int256) >> 128
    health: Health = empty(Health)
    health.mark = record.markBase + signed
    health.equity = standing.liquid + health.mark
    health.initial = record.initialMargin + fp._mul_up(added, record.marginal)
    health.maintenance = record.maintenanceMargin
    health.headroom = health.equity + collateral.initial - convert(health.initial, int256)
    health.reach = record.maxAddedIM - min(added, record.maxAddedIM)
    health.stands = (
        untouched
        and fills <= c.MAX_FILLS_SINCE_LEAF
        and added <= record.maxAddedIM
        and block.timestamp < record.expiry
        and staticcall oracle.is_usable(record.epoch)
    )
    return health


@internal
@view
def _holdings(
    account: uint256, vault: IVault, valuer: IBookValuer, tokens: uint256
) -> DynArray[Holding, c.MAX_COLLATERALS]:
    """
    @param tokens Bit index - 1: the account holds the token.
    """
    found: DynArray[Holding, c.MAX_COLLATERALS] = []
    if tokens == 0:
        return found
    listed: DynArray[address, c.MAX_COLLATERALS] = staticcall vault.collaterals()
    for i: uint256 in range(len(listed), bound=c.MAX_COLLATERALS):
        if (tokens >> i) & 1 != 0:
            words: DynArray[uint256, c.MAX_COLLATERALS] = staticcall vault.words(account, 1 << i)
            found.append(
                Holding(
                    token=listed[i],
                    balance=staticcall vault.collateral_balance(account, listed[i]),
                    value=staticcall valuer.collateral_value(words),
                )
            )
    return found


@internal
@view
def _scopes(account: uint256, operators: DynArray[address, MAX_OPERATORS]) -> DynArray[uint8, MAX_OPERATORS]:
    """
    @return Bits SCOPE_* of each.
    """
    found: DynArray[uint8, MAX_OPERATORS] = []
    for operator: address in operators:
        scopes: uint8 = 0
        for scope: uint8 in [c.SCOPE_TRADE, c.SCOPE_WITHDRAW, c.SCOPE_DEPOSIT]:
            if staticcall CLEARINGHOUSE.may_act(account, operator, scope):
                scopes |= scope
        found.append(scopes)
    return found


@internal
@view
def _filled(account: uint256, nonces: DynArray[uint64, MAX_NONCES]) -> DynArray[uint256, MAX_NONCES]:
    """
    @return Units filled of each, or DEAD: the Exchange reverts for these.
    """
    found: DynArray[uint256, MAX_NONCES] = []
    for nonce: uint64 in nonces:
        success: bool = False
        answer: Bytes[32] = b""
        success, answer = raw_call(
            EXCHANGE.address,
            abi_encode(account, nonce, method_id=method_id("filled(uint256,uint64)")),
            max_outsize=32,
            is_static_call=True,
            revert_on_failure=False,
        )
        found.append(convert(answer, uint256) if success else DEAD)
    return found
