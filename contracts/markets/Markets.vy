# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Markets
@license AGPL-3.0-only
@notice What may be traded: underlyings, expiries, strike grids, lots, ticks, how much of it, and the bands that prices and
        forwards lie in. Identifiers count from 1 in the order of listing, the same as in the RiskOracle.
        A market is active, then close-only, then ended; there is no way back, and an identifier is never used again.
@custom:security Only the owner lists. A listed expiry's grid may be widened, never removed. New listings start with a tenth
        of their caps.
@custom:kill `wind_down` closes one market, `shut_down` all of them for good: positions only shrink, expiries settle as
        listed, perps at the time that the call names.
"""

# owner: the deployer, then the Timelock
from snekmate.auth import ownable

initializes: ownable

from . import instrument as codec
from ..interfaces import IClearinghouse
from ..interfaces import IMarkets
from ..units import constants as c

implements: IMarkets

exports: (
    ownable.owner,
    ownable.transfer_ownership,
)


# Public constants

# Coins in one contract, WAD: a lot is a part of it
MULTIPLIER: public(constant(uint256)) = 10**18
STATE_UNLISTED: public(constant(uint8)) = 0
STATE_ACTIVE: public(constant(uint8)) = 1
STATE_CLOSE_ONLY: public(constant(uint8)) = 2
STATE_ENDED: public(constant(uint8)) = 3


# Internal constants

MAX_EXPIRIES: constant(uint256) = 256
MAX_BASIS: constant(uint256) = 5 * 10**17  # half of the spot
MAX_CARRY: constant(uint256) = 2 * 10**18  # 200 % a year
MIN_MARGIN: constant(uint256) = 10**16  # a hundredfold leverage
MIN_BAND: constant(uint256) = 10**15  # a tenth of a percent of the spot
MAX_RAMP: constant(uint256) = 15_552_000  # 180 days
RAMP_START: constant(uint256) = 1_000  # basis points of the caps at listing
DAY: constant(uint256) = 86_400
LOW_9: constant(uint256) = 2**9 - 1
LOW_24: constant(uint256) = 2**24 - 1
LOW_40: constant(uint256) = 2**40 - 1
LOW_48: constant(uint256) = 2**48 - 1
LOW_64: constant(uint256) = 2**64 - 1
LOW_128: constant(uint256) = 2**128 - 1
# of a terms word
STATE_SHIFT: constant(uint256) = 254
END_SHIFT: constant(uint256) = 214
TIME_SHIFT: constant(uint256) = 205
BAND_SHIFT: constant(uint256) = 144
MINIMUM_SHIFT: constant(uint256) = 96
TICK_SHIFT: constant(uint256) = 48


# Public state

# Whose open interest holds up a delisting
clearinghouse: public(address)


# Internal state

_count: uint16
_seq: uint64
# no more listings, for ever
_is_shut: bool
_symbols: HashMap[uint16, String[16]]
# state 2 | perp end 40 | time of day / 300 9 | price band 61 (WAD) | minimum 48 | tick 48 | lot 48 (all 1e-8)
_terms: HashMap[uint16, uint256]
# position 64 | instrument 64 | underlying 64 (1e-8) | ramp 24 | listed 40
_limits: HashMap[uint16, uint256]
# margin 64 | basis 64 | carry 128, WAD: one word for the valuation of forwards
_forward_bands: HashMap[uint16, uint256]
_expiries: HashMap[uint16, DynArray[uint40, MAX_EXPIRIES]]
# lowest (64) | highest (64) | step (64), 1e-8 USD; 0: not listed
_grids: HashMap[uint16, HashMap[uint40, uint256]]


@deploy
def __init__():
    ownable.__init__()


# Owner


@external
def list_underlying(spec: IMarkets.Underlying, limits: IMarkets.Limits) -> uint16:
    """
    @notice Lists an underlying; its perp trades from now on.
    @param spec Contract specification.
    @param limits Caps, a tenth of which hold now.
    @return Its identifier.
    """
    ownable._check_owner()
    assert not self._is_shut, "markets: shut down"
    count: uint16 = self._count + 1
    assert convert(count, uint256) <= c.MAX_UNDERLYINGS, "markets: too many underlyings"
    self._count = count
    self._set_spec(count, spec, convert(STATE_ACTIVE, uint256) << STATE_SHIFT)
    self._set_limits(count, limits, block.timestamp)
    return count


@external
def set_underlying(underlying: uint16, spec: IMarkets.Underlying):
    """
    @notice Replaces the specification of an active market.
    @param underlying Identifier.
    @param spec Contract specification.
    """
    ownable._check_owner()
    self._set_spec(underlying, spec, self._active_terms(underlying))


@external
def set_limits(underlying: uint16, limits: IMarkets.Limits):
    """
    @notice Replaces the caps of an active market. The ramp still counts from listing.
    @param underlying Identifier.
    @param limits Caps.
    """
    ownable._check_owner()
    self._active_terms(underlying)
    self._set_limits(underlying, limits, self._limits[underlying] & LOW_40)


@external
def list_expiry(underlying: uint16, expiry: uint40, grid: IMarkets.StrikeGrid):
    """
    @notice Lists an expiry with its strikes, or widens its grid. Takes the place of an expired one where there is one.
    @param underlying Identifier of an active market.
    @param expiry Unix seconds, in the future, a multiple of 300 at the market's time of day.
    @param grid Strikes, 1e-8 USD.
    """
    ownable._check_owner()
    terms: uint256 = self._active_terms(underlying)
    assert convert(expiry, uint256) > block.timestamp, "markets: expiry in the past"
    assert convert(expiry, uint256) % c.SETTLEMENT_GRID == 0, "markets: expiry off grid"
    time: uint256 = (terms >> TIME_SHIFT & LOW_9) * c.SETTLEMENT_GRID
    assert time == DAY or convert(expiry, uint256) % DAY == time, "markets: wrong time of day"
    self._check_grid(grid)
    old: uint256 = self._grids[underlying][expiry]
    if old == 0:
        self._insert(underlying, expiry)
    else:
        assert self._contains(grid, self._unpack_grid(old)), "markets: grid shrinks"
    self._grids[underlying][expiry] = (
        (convert(grid.lowest, uint256) << 128) | (convert(grid.highest, uint256) << 64) | convert(grid.step, uint256)
    )
    log IMarkets.ExpiryListed(underlying=underlying, expiry=expiry, seq=self._next_seq(), grid=grid)


@external
def wind_down(underlying: uint16, perp_end: uint40):
    """
    @notice Makes a market close-only for good. The Clearinghouse must be told the same end of the perp.
    @param underlying Identifier of an active market.
    @param perp_end When its perp stops trading and settles: a multiple of 300 after a whole settlement window.
    """
    ownable._check_owner()
    self._active_terms(underlying)
    self._wind_down(underlying, perp_end)


@external
def shut_down(perp_end: uint40):
    """
    @notice Winds down every market that is active, and lists no other, for ever.
    @param perp_end When their perps stop trading and settle: as in `wind_down`.
    """
    ownable._check_owner()
    self._is_shut = True
    log IMarkets.ShutDown(seq=self._next_seq(), perpEnd=perp_end)
    for i: uint256 in range(convert(self._count, uint256), bound=c.MAX_UNDERLYINGS):
        underlying: uint16 = convert(i + 1, uint16)
        if self._state_of(self._terms[underlying]) == STATE_ACTIVE:
            self._wind_down(underlying, perp_end)


@external
def delist(underlying: uint16):
    """
    @notice Ends a market that is close-only, has nothing left to settle and no open position.
    @param underlying Identifier.
    """
    ownable._check_owner()
    terms: uint256 = self._terms[underlying]
    assert self._state_of(terms) == STATE_CLOSE_ONLY, "markets: not wound down"
    assert block.timestamp >= terms >> END_SHIFT & LOW_40, "markets: perp not ended"
    for expiry: uint40 in self._expiries[underlying]:
        assert block.timestamp >= convert(expiry, uint256), "markets: expiry to come"
    ledger: address = self.clearinghouse
    assert ledger != empty(address), "markets: no clearinghouse"
    interest: uint256 = staticcall IClearinghouse(ledger).open_interest(convert(underlying, uint128))
    assert interest == 0, "markets: positions open"
    self._terms[underlying] = terms | convert(STATE_ENDED, uint256) << STATE_SHIFT
    log IMarkets.MarketDelisted(underlying=underlying, seq=self._next_seq())


@external
def set_clearinghouse(clearinghouse: address):
    """
    @notice Names who keeps the positions, once and for all.
    @param clearinghouse Not zero.
    """
    ownable._check_owner()
    assert clearinghouse != empty(address), "markets: zero address"
    assert self.clearinghouse == empty(address), "markets: clearinghouse is set"
    self.clearinghouse = clearinghouse
    log IMarkets.ClearinghouseSet(clearinghouse=clearinghouse, seq=self._next_seq())


# Views


@external
@view
@reentrant
def underlying_count() -> uint16:
    """
    @return Underlyings listed; identifiers run from 1 to this.
    """
    return self._count


@external
@view
@reentrant
def underlying(underlying: uint16) -> IMarkets.Underlying:
    """
    @param underlying Identifier; reverts where it is not listed.
    @return Its specification.
    """
    self._require_listed(underlying)
    terms: uint256 = self._terms[underlying]
    bands: uint256 = self._forward_bands[underlying]
    return IMarkets.Underlying(
        symbol=self._symbols[underlying],
        lot=(terms & LOW_48) * c.PRICE_UNIT,
        tick=(terms >> TICK_SHIFT & LOW_48) * c.PRICE_UNIT,
        minimum=(terms >> MINIMUM_SHIFT & LOW_48) * c.PRICE_UNIT,
        basis=bands >> 128 & LOW_64,
        carry=bands & LOW_128,
        margin=bands >> 192,
        priceBand=self._price_band_in(terms),
        expiryTime=(terms >> TIME_SHIFT & LOW_9) * c.SETTLEMENT_GRID,
    )


@external
@view
@reentrant
def limits(underlying: uint16) -> IMarkets.Limits:
    """
    @param underlying Identifier.
    @return Its caps once the ramp is over, WAD; zeros where it is not listed.
    """
    word: uint256 = self._limits[underlying]
    return IMarkets.Limits(
        position=(word >> 192) * c.PRICE_UNIT,
        instrument=(word >> 128 & LOW_64) * c.PRICE_UNIT,
        underlying=(word >> 64 & LOW_64) * c.PRICE_UNIT,
        ramp=word >> 40 & LOW_24,
    )


@external
@view
@reentrant
def limits_now(underlying: uint16) -> uint256:
    """
    @param underlying Identifier.
    @return What holds now: position 64 << 128 | instrument 64 << 64 | underlying 64, 1e-8; 0 unless the market is active.
    """
    return self._limits_now(underlying, self._terms[underlying])


@external
@view
@reentrant
def status(underlying: uint16) -> IMarkets.Status:
    """
    @param underlying Identifier.
    @return Where its market stands; zeros where it is not listed.
    """
    terms: uint256 = self._terms[underlying]
    return IMarkets.Status(
        state=self._state_of(terms),
        listed=convert(self._limits[underlying] & LOW_40, uint40),
        perpEnd=convert(terms >> END_SHIFT & LOW_40, uint40),
    )


@external
@view
@reentrant
def expiries(underlying: uint16) -> DynArray[uint40, MAX_EXPIRIES]:
    """
    @param underlying Identifier.
    @return Expiries in no order; expired ones stay until another takes their place.
    """
    return self._expiries[underlying]


@external
@view
@reentrant
def strike_grid(underlying: uint16, expiry: uint40) -> IMarkets.StrikeGrid:
    """
    @param underlying Identifier.
    @param expiry Unix seconds.
    @return Its strikes, 1e-8 USD; all zero if it was never listed.
    """
    return self._unpack_grid(self._grids[underlying][expiry])


@external
@view
@reentrant
def require_tradable(instrument: uint128, quantity: int256, price: uint256) -> (uint256, uint256):
    """
    @notice Reverts unless the trade fits the contract specification. What a position and the open interest may be, and
            what the price may be, is checked by who knows them.
    @param instrument Packed instrument.
    @param quantity Signed, WAD.
    @param price Per unit, WAD.
    @return Limits as of `limits_now`; price band as a share of the spot, WAD.
    """
    codec._require_valid(instrument)
    underlying: uint16 = convert(codec._underlying(instrument), uint16)
    terms: uint256 = self._terms[underlying]
    self._require_steps(terms, convert(abs(quantity), uint256), price)
    kind: uint256 = codec._kind(instrument)
    if kind == c.PERP:
        end: uint256 = terms >> END_SHIFT & LOW_40
        assert end == 0 or block.timestamp < end, "markets: perp ended"
    else:
        self._require_listed_expiry(underlying, kind, codec._expiry(instrument), codec._strike(instrument))
    return self._limits_now(underlying, terms), self._price_band_in(terms)


@external
@view
@reentrant
def forward_bands(underlyings: DynArray[uint16, c.MAX_UNDERLYINGS]) -> DynArray[uint256, c.MAX_UNDERLYINGS]:
    """
    @notice How far forwards may lie from spot, and the least margin of perps and futures.
    @param underlyings Identifiers; reverts where one is not listed.
    @return Words in the order asked: margin 64 << 192 | basis 64 << 128 | carry per year 128, WAD.
    """
    result: DynArray[uint256, c.MAX_UNDERLYINGS] = []
    for identifier: uint16 in underlyings:
        band: uint256 = self._forward_bands[identifier]
        # only a listed one has a band: the count need not be read
        if band == 0:
            self._require_listed(identifier)
        result.append(band)
    return result


# Internal functions


@internal
def _set_spec(underlying: uint16, spec: IMarkets.Underlying, kept: uint256):
    """
    @notice Checks, stores and logs a specification.
    @param underlying Identifier.
    @param spec Contract specification.
    @param kept Terms word so far, whose state and end of the perp stay.
    """
    assert len(spec.symbol) != 0, "markets: empty symbol"
    self._check_step(spec.lot)
    self._check_step(spec.tick)
    self._check_step(spec.minimum)
    assert spec.minimum % spec.lot == 0, "markets: minimum off lot"
    assert spec.basis <= MAX_BASIS, "markets: basis too large"
    assert spec.carry <= MAX_CARRY, "markets: carry too large"
    assert MIN_MARGIN <= spec.margin and spec.margin <= c.WAD, "markets: margin out of range"
    assert MIN_BAND <= spec.priceBand and spec.priceBand <= c.WAD, "markets: price band out of range"
    assert spec.expiryTime % c.SETTLEMENT_GRID == 0 and spec.expiryTime <= DAY, "markets: bad time of day"
    self._symbols[underlying] = spec.symbol
    self._terms[underlying] = (
        kept >> END_SHIFT << END_SHIFT
        | spec.expiryTime // c.SETTLEMENT_GRID << TIME_SHIFT
        | spec.priceBand << BAND_SHIFT
        | spec.minimum // c.PRICE_UNIT << MINIMUM_SHIFT
        | spec.tick // c.PRICE_UNIT << TICK_SHIFT
        | spec.lot // c.PRICE_UNIT
    )
    self._forward_bands[underlying] = spec.margin << 192 | spec.basis << 128 | spec.carry
    log IMarkets.UnderlyingListed(underlying=underlying, seq=self._next_seq(), spec=spec)


@internal
def _set_limits(underlying: uint16, limits: IMarkets.Limits, listed: uint256):
    """
    @notice Checks, stores and logs caps.
    @param underlying Identifier.
    @param limits Caps.
    @param listed When the ramp began, unix seconds.
    """
    assert limits.ramp <= MAX_RAMP, "markets: ramp too long"
    self._limits[underlying] = (
        self._cap_units(limits.position) << 192
        | self._cap_units(limits.instrument) << 128
        | self._cap_units(limits.underlying) << 64
        | limits.ramp << 40
        | listed
    )
    log IMarkets.LimitsSet(underlying=underlying, seq=self._next_seq(), limits=limits)


@internal
def _wind_down(underlying: uint16, perp_end: uint40):
    """
    @param underlying Identifier of an active market.
    @param perp_end Unix seconds.
    """
    end: uint256 = convert(perp_end, uint256)
    assert end % c.SETTLEMENT_GRID == 0, "markets: end off grid"
    assert end >= block.timestamp + c.SETTLEMENT_WINDOW, "markets: end too soon"
    terms: uint256 = self._terms[underlying] << 42 >> 42
    self._terms[underlying] = convert(STATE_CLOSE_ONLY, uint256) << STATE_SHIFT | end << END_SHIFT | terms
    log IMarkets.MarketWoundDown(underlying=underlying, seq=self._next_seq(), perpEnd=perp_end)


@internal
def _insert(underlying: uint16, expiry: uint40):
    """
    @notice Puts an expiry in the place of an expired one, else at the end.
    @param underlying Identifier.
    @param expiry Unix seconds.
    """
    count: uint256 = len(self._expiries[underlying])
    for i: uint256 in range(count, bound=MAX_EXPIRIES):
        if convert(self._expiries[underlying][i], uint256) < block.timestamp:
            self._expiries[underlying][i] = expiry
            return
    assert count < MAX_EXPIRIES, "markets: too many expiries"
    self._expiries[underlying].append(expiry)


@internal
def _next_seq() -> uint64:
    """
    @return Number of the next event; a gap proves a missing event.
    """
    self._seq += 1
    return self._seq


@internal
@view
def _require_listed(underlying: uint16):
    """
    @param underlying Identifier; reverts where it is not listed.
    """
    assert underlying != 0 and underlying <= self._count, "markets: unknown underlying"


@internal
@view
def _active_terms(underlying: uint16) -> uint256:
    """
    @param underlying Identifier; reverts unless its market is active.
    @return Its terms word.
    """
    self._require_listed(underlying)
    terms: uint256 = self._terms[underlying]
    assert self._state_of(terms) == STATE_ACTIVE, "markets: not active"
    return terms


@internal
@view
def _limits_now(underlying: uint16, terms: uint256) -> uint256:
    """
    @notice Caps rise from a tenth at listing to the whole at the end of the ramp.
    @param underlying Identifier.
    @param terms Its terms word.
    @return Position 64 << 128 | instrument 64 << 64 | underlying 64, 1e-8, rounded down; 0 unless active.
    """
    if self._state_of(terms) != STATE_ACTIVE:
        return 0
    word: uint256 = self._limits[underlying]
    elapsed: uint256 = block.timestamp - (word & LOW_40)
    ramp: uint256 = word >> 40 & LOW_24
    if elapsed >= ramp:
        return word >> 64
    share: uint256 = RAMP_START + (c.BASIS_POINTS - RAMP_START) * elapsed // ramp
    return (
        (word >> 192) * share // c.BASIS_POINTS << 128
        | (word >> 128 & LOW_64) * share // c.BASIS_POINTS << 64
        | (word >> 64 & LOW_64) * share // c.BASIS_POINTS
    )


@internal
@view
def _require_listed_expiry(underlying: uint16, kind: uint256, expiry: uint256, strike: uint256):
    """
    @notice Reverts unless a future or option is listed and has not expired.
    @param underlying Identifier.
    @param kind FUTURE, CALL or PUT.
    @param expiry Unix seconds.
    @param strike 1e-8 USD.
    """
    grid: uint256 = self._grids[underlying][convert(expiry, uint40)]
    assert grid != 0, "markets: expiry not listed"
    assert block.timestamp < expiry, "markets: expired"
    if kind != c.FUTURE:
        lowest: uint256 = grid >> 128
        assert strike >= lowest and strike <= grid >> 64 & LOW_64, "markets: strike off grid"
        assert (strike - lowest) % (grid & LOW_64) == 0, "markets: strike off grid"


@internal
@pure
def _require_steps(terms: uint256, size: uint256, price: uint256):
    """
    @notice Reverts unless quantity and price fit lot, minimum and tick. What is being closed may be below the minimum.
    @param terms Terms word; zero: not listed.
    @param size Absolute quantity, WAD.
    @param price WAD.
    """
    state: uint8 = self._state_of(terms)
    assert state != STATE_UNLISTED, "markets: unknown underlying"
    assert state != STATE_ENDED, "markets: market ended"
    assert size != 0 and size % ((terms & LOW_48) * c.PRICE_UNIT) == 0, "markets: quantity off lot"
    if state == STATE_ACTIVE:
        assert size >= (terms >> MINIMUM_SHIFT & LOW_48) * c.PRICE_UNIT, "markets: below the minimum"
    assert price % ((terms >> TICK_SHIFT & LOW_48) * c.PRICE_UNIT) == 0, "markets: price off tick"


@internal
@pure
def _state_of(terms: uint256) -> uint8:
    """
    @param terms Terms word.
    @return STATE_*.
    """
    return convert(terms >> STATE_SHIFT, uint8)


@internal
@pure
def _price_band_in(terms: uint256) -> uint256:
    """
    @param terms Terms word.
    @return Price band, WAD.
    """
    return terms >> BAND_SHIFT & (2**61 - 1)


@internal
@pure
def _check_step(step: uint256):
    """
    @notice Lots and ticks are multiples of 1e-8, so quantity times price is exact.
    @param step WAD.
    """
    assert step != 0 and step % c.PRICE_UNIT == 0 and step <= LOW_48 * c.PRICE_UNIT, "markets: bad lot or tick"


@internal
@pure
def _cap_units(cap: uint256) -> uint256:
    """
    @param cap WAD.
    @return 1e-8.
    """
    assert cap % c.PRICE_UNIT == 0 and cap <= LOW_64 * c.PRICE_UNIT, "markets: bad cap"
    return cap // c.PRICE_UNIT


@internal
@pure
def _check_grid(grid: IMarkets.StrikeGrid):
    """
    @notice Reverts for a grid without strikes or with one that no instrument takes.
    @param grid Strikes, 1e-8 USD.
    """
    assert (
        grid.lowest != 0
        and grid.step != 0
        and grid.lowest <= grid.highest
        and convert(grid.highest, uint256) <= c.MAX_PRICE
    ), "markets: bad strike grid"
    assert (grid.highest - grid.lowest) % grid.step == 0, "markets: bad strike grid"


@internal
@pure
def _contains(wide: IMarkets.StrikeGrid, narrow: IMarkets.StrikeGrid) -> bool:
    """
    @param wide Grid.
    @param narrow Grid.
    @return Whether every strike of `narrow` is one of `wide`.
    """
    if wide.lowest > narrow.lowest or wide.highest < narrow.highest:
        return False
    return (narrow.step % wide.step == 0 and (narrow.lowest - wide.lowest) % wide.step == 0)


@internal
@pure
def _unpack_grid(packed: uint256) -> IMarkets.StrikeGrid:
    """
    @param packed Storage word.
    @return Its grid.
    """
    return IMarkets.StrikeGrid(
        lowest=convert(packed >> 128, uint64),
        highest=convert((packed >> 64) & LOW_64, uint64),
        step=convert(packed & LOW_64, uint64),
    )
