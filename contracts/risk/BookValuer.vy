# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title BookValuer
@license AGPL-3.0-only
@notice What a book and its collateral are worth, at least and at most, without any model. Without storage. The worst case
        needs nothing, the no-arbitrage bracket a spot price and the carry band.
@custom:security Trusts the RiskOracle for spots, settlement prices and windows, and Markets for the carry band. Holds nothing.
@custom:kill Replaced together with the MarginGate, by the Clearinghouse's owner, behind the timelock.
"""

from ..interfaces import IBookValuer
from ..interfaces import IClearinghouse
from ..interfaces import IMarkets
from ..interfaces import IRiskOracle
from ..markets import instrument as ins
from ..units import constants as c
from . import payoff

implements: IBookValuer

WAD: constant(uint256) = c.WAD
SIGNED_WAD: constant(int256) = 10**18
PRICE_UNIT: constant(int256) = 10**10
NO_BOUND: constant(int256) = min_value(int256)
LOW_128: constant(uint256) = 2**128 - 1
LOW_64: constant(uint256) = 2**64 - 1
LOW_16: constant(uint256) = 2**16 - 1
WINDOW: constant(uint256) = c.SETTLEMENT_WINDOW
NEVER: constant(uint256) = 2**40 - 1
# of a forward band, see Markets.vy
MARGIN_SHIFT: constant(uint256) = 192
BASIS_SHIFT: constant(uint256) = 128
# of a collateral word, see Vault.vy
UNDERLYING_SHIFT: constant(uint256) = 224
INITIAL_SHIFT: constant(uint256) = 208
MAINTENANCE_SHIFT: constant(uint256) = 192

# Spots, prices and windows
ORACLE: public(immutable(IRiskOracle))
# Carry bands
MARKETS: public(immutable(IMarkets))


# One underlying while a book is walked.
struct Band:
    underlying: uint256
    # 1e-8 USD
    spot: uint256
    # WAD
    basis: uint256
    # WAD per year
    carry: uint256
    # least stand-alone initial margin of perps and futures, a share of the price, WAD
    margin: uint256


@deploy
def __init__(oracle: IRiskOracle, markets: IMarkets):
    """
    @param oracle Spots, settlement windows.
    @param markets Carry bands.
    """
    assert oracle.address != empty(address) and markets.address != empty(address), "valuer: zero address"
    ORACLE = oracle
    MARKETS = markets


@external
@view
@reentrant
def worst_case(book: DynArray[uint256, 128]) -> int256:
    """
    @notice The least that the book can ever pay, cash aside: the sum over expiries of min(0, least payoff). A sure
            gain of one expiry is not lent against. Reads no oracle.
    @param book Words, ascending.
    @return WAD, rounded down; reverts where a perp is held, a profile falls without end or a leg has expired.
    """
    return self._worst_case(book)


@external
@view
@reentrant
def worst_case_of(ledger: address, account: uint256, instruments: DynArray[uint256, 128]) -> int256:
    """
    @notice The least that an account's book can ever pay: see `worst_case`.
    @param ledger Clearinghouse that keeps the account.
    @param account Account.
    @param instruments All that it holds, ascending.
    """
    return self._worst_case(staticcall IClearinghouse(ledger).book(account, instruments))


@external
@view
@reentrant
def value(book: DynArray[uint256, 128]) -> IBookValuer.Valuation:
    """
    @notice Bounds of a book without its cash, at the effective spots, worst over the carry band.
    @param book Words, ascending.
    @return See IBookValuer; WAD, rounded against the account.
    """
    return self._value(book)


@external
@view
@reentrant
def value_of(ledger: address, account: uint256, instruments: DynArray[uint256, 128]) -> IBookValuer.Valuation:
    """
    @notice Bounds of an account's book: see `value`.
    @param ledger Clearinghouse that keeps the account.
    @param account Account.
    @param instruments All that it holds, ascending.
    """
    return self._value(staticcall IClearinghouse(ledger).book(account, instruments))


@external
@view
@reentrant
def collateral_value(collateral: DynArray[uint256, 8]) -> IBookValuer.CollateralValue:
    """
    @notice What collateral counts at the effective spots.
    @param collateral Words of a standing.
    """
    return self._collateral_value(collateral, False)


@external
@view
@reentrant
def posted_value(collateral: DynArray[uint256, 8]) -> IBookValuer.CollateralValue:
    """
    @notice What collateral counts at the posted spots.
    @param collateral Words of a standing.
    """
    return self._collateral_value(collateral, True)


@external
@view
@reentrant
def linear_band(instrument: uint128) -> (uint256, uint256, uint256):
    """
    @notice Least and largest price of a perp or future, WAD; the least stand-alone initial margin, a share of the price.
    """
    low: uint256 = 0
    high: uint256 = 0
    band: Band = self._band(ins._underlying(instrument))
    if ins._kind(instrument) == c.PERP:
        low, high = self._widen(band.spot, band.basis)
    else:
        low, high = self._forwards(band, ins._expiry(instrument))
    return low * c.PRICE_UNIT, high * c.PRICE_UNIT, band.margin


@internal
@view
def _worst_case(book: DynArray[uint256, 128]) -> int256:
    """
    @notice See `worst_case`.
    """
    total: int256 = 0
    index: uint256 = 0
    for _: uint256 in range(c.MAX_LEGS):
        if index == len(book):
            break
        expiry: uint256 = ins._expiry(ins._instrument_of(book[index]))
        assert expiry != 0, "valuer: a perp has no worst case"
        assert block.timestamp < expiry, "valuer: expired leg"
        bounds: payoff.Bounds = payoff._expiry_bounds(book, index, 0, 0)
        assert bounds.finite, "valuer: no worst case"
        total += min(0, bounds.worst)
        index = bounds.next_index
    return total


@internal
@view
def _collateral_value(collateral: DynArray[uint256, 8], posted: bool) -> IBookValuer.CollateralValue:
    """
    @notice See `collateral_value` and `posted_value`: each token rounded down.
    """
    total: IBookValuer.CollateralValue = empty(IBookValuer.CollateralValue)
    for word: uint256 in collateral:
        spot: IRiskOracle.Spot = staticcall ORACLE.spot(convert((word >> UNDERLYING_SHIFT) & LOW_16, uint16))
        price: uint256 = spot.effective
        if posted:
            price = spot.posted
        full: uint256 = (word & LOW_128) * price * c.PRICE_UNIT // WAD
        initial: uint256 = full * (c.BASIS_POINTS - ((word >> INITIAL_SHIFT) & LOW_16)) // c.BASIS_POINTS
        maintenance: uint256 = full * (c.BASIS_POINTS - ((word >> MAINTENANCE_SHIFT) & LOW_16)) // c.BASIS_POINTS
        total.full += convert(full, int256)
        total.initial += convert(initial, int256)
        total.maintenance += convert(maintenance, int256)
    return total


@internal
@view
def _value(book: DynArray[uint256, 128]) -> IBookValuer.Valuation:
    """
    @notice See `value`.
    """
    result: IBookValuer.Valuation = empty(IBookValuer.Valuation)
    result.earliest = NEVER
    band: Band = empty(Band)
    index: uint256 = 0
    for _: uint256 in range(c.MAX_LEGS):
        if index == len(book):
            break
        first: uint128 = ins._instrument_of(book[index])
        underlying: uint256 = ins._underlying(first)
        if underlying != band.underlying:
            band = self._band(underlying)
        expiry: uint256 = ins._expiry(first)
        if expiry == 0:
            perp: int256 = ins._quantity_of(book[index])
            low: uint256 = 0
            high: uint256 = 0
            low, high = self._widen(band.spot, band.basis)
            result.low += self._linear_low(perp, low, high)
            result.high -= self._linear_low(-perp, low, high)
            result.linear += self._linear_low(perp, low, high)
            result.linearHigh -= self._linear_low(-perp, low, high)
            result.worstCase = NO_BOUND
            result.floor = NO_BOUND
            index += 1
            continue
        result.earliest = min(result.earliest, expiry)
        if expiry <= block.timestamp:
            result.expired = True
        low: uint256 = 0
        high: uint256 = 0
        low, high = self._forwards(band, expiry)
        bounds: payoff.Bounds = payoff._expiry_bounds(book, index, low, high)
        result.low += bounds.low
        result.high += bounds.high
        if not bounds.finite:
            result.worstCase = NO_BOUND
            result.floor = NO_BOUND
        if result.worstCase != NO_BOUND:
            result.worstCase += min(0, bounds.worst)
        if result.floor != NO_BOUND:
            result.floor += bounds.worst
        # a future sorts before the options of its expiry
        if ins._kind(first) == c.FUTURE:
            future: int256 = ins._quantity_of(book[index])
            result.linear += self._linear_low(future, low, high)
            result.linearHigh -= self._linear_low(-future, low, high)
        index = bounds.next_index
    return result


@internal
@view
def _band(underlying: uint256) -> Band:
    """
    @notice Effective spot and carry band of one underlying.
    """
    ids: DynArray[uint16, 32] = [convert(underlying, uint16)]
    spots: DynArray[uint256, 32] = staticcall ORACLE.effective_spots(ids)
    packed: DynArray[uint256, 32] = staticcall MARKETS.forward_bands(ids)
    assert spots[0] != 0, "valuer: no spot"
    return Band(
        underlying=underlying,
        spot=spots[0],
        basis=(packed[0] >> BASIS_SHIFT) & LOW_64,
        carry=packed[0] & LOW_128,
        margin=packed[0] >> MARGIN_SHIFT,
    )


@internal
@view
def _forwards(band: Band, expiry: uint256) -> (uint256, uint256):
    """
    @notice Least and largest forward of an expiry, 1e-8 USD. Inside the settlement window the part already averaged
            is fixed, and spot and its band act on the remaining share; after expiry the settlement price is exact.
    """
    if expiry <= block.timestamp:
        settled: uint256 = staticcall ORACLE.settlement_price(convert(band.underlying, uint16), convert(expiry, uint40))
        if settled != 0:
            return settled, settled
        return self._widen(band.spot, band.basis)
    left: uint256 = expiry - block.timestamp
    width: uint256 = band.basis + band.carry * left // c.SECONDS_PER_YEAR
    low: uint256 = 0
    high: uint256 = 0
    low, high = self._widen(band.spot, width)
    if left >= WINDOW:
        return low, high
    doubled: uint256 = 0
    covered: uint256 = 0
    doubled, covered = staticcall ORACLE.settlement_window(convert(band.underlying, uint16), convert(expiry, uint40))
    if covered == 0:
        return low, high
    covered = min(covered, WINDOW)
    rest: uint256 = WINDOW - covered
    return (
        (doubled // 2 + low * rest) // WINDOW,
        ((doubled + 1) // 2 + high * rest + WINDOW - 1) // WINDOW,
    )


@internal
@pure
def _widen(spot: uint256, width: uint256) -> (uint256, uint256):
    """
    @notice spot * (1 -+ width), rounded outwards, not below zero.
    """
    low: uint256 = 0
    if width < WAD:
        low = spot * (WAD - width) // WAD
    return low, (spot * (WAD + width) + WAD - 1) // WAD


@internal
@pure
def _linear_low(quantity: int256, low: uint256, high: uint256) -> int256:
    """
    @notice Least value of a linear position, WAD, rounded down.
    """
    price: uint256 = low
    if quantity < 0:
        price = high
    product: int256 = quantity * convert(price, int256) * PRICE_UNIT
    result: int256 = product // SIGNED_WAD
    if product % SIGNED_WAD < 0:
        result -= 1
    return result
