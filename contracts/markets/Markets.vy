# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Markets
@license AGPL-3.0-only
@notice What may be traded: underlyings, expiries, strike grids, lots, ticks and the bands that forwards lie in. Identifiers
        count from 1 in the order of listing, the same as in the RiskOracle.
@custom:security Only the owner lists. A listed expiry's grid may be widened, never removed.
@custom:kill Nothing to switch off: an unlisted instrument does not trade, a listed one ends at its expiry.
"""

# owner: the deployer, then the Timelock
from snekmate.auth import ownable

initializes: ownable

from . import instrument as codec
from ..interfaces import IMarkets
from ..units import constants as c

implements: IMarkets

exports: (
    ownable.owner,
    ownable.transfer_ownership,
)

MAX_EXPIRIES: constant(uint256) = 256
MAX_BASIS: constant(uint256) = 5 * 10**17  # half of the spot
MAX_CARRY: constant(uint256) = 2 * 10**18  # 200 % a year
LOW_128: constant(uint256) = 2**128 - 1
LOW_64: constant(uint256) = 2**64 - 1

_count: uint16
_seq: uint64
_symbols: HashMap[uint16, String[16]]
# lot (128 high bits) | tick, WAD
_steps: HashMap[uint16, uint256]
# basis (128 high bits) | carry, WAD
_forward_bands: HashMap[uint16, uint256]
_expiries: HashMap[uint16, DynArray[uint40, MAX_EXPIRIES]]
# lowest (64) | highest (64) | step (64), 1e-8 USD; 0: not listed
_grids: HashMap[uint16, HashMap[uint40, uint256]]


@deploy
def __init__():
    ownable.__init__()


@external
def list_underlying(spec: IMarkets.Underlying) -> uint16:
    """
    @notice Lists an underlying; its perp trades from now on.
    @param spec Contract specification.
    @return Its identifier.
    """
    ownable._check_owner()
    count: uint16 = self._count + 1
    assert (convert(count, uint256) <= c.MAX_UNDERLYINGS), "markets: too many underlyings"
    self._count = count
    self._set_spec(count, spec)
    return count


@external
def set_underlying(underlying: uint16, spec: IMarkets.Underlying):
    """
    @notice Replaces the specification of a listed underlying.
    @param underlying Identifier.
    @param spec Contract specification.
    """
    ownable._check_owner()
    self._require_listed(underlying)
    self._set_spec(underlying, spec)


@external
def list_expiry(underlying: uint16, expiry: uint40, grid: IMarkets.StrikeGrid):
    """
    @notice Lists an expiry with its strikes, or widens its grid. Takes the place of an expired one where there is one.
    @param underlying Identifier.
    @param expiry Unix seconds, a multiple of 300 in the future.
    @param grid Strikes, 1e-8 USD.
    """
    ownable._check_owner()
    self._require_listed(underlying)
    assert (convert(expiry, uint256) > block.timestamp), "markets: expiry in the past"
    assert (convert(expiry, uint256) % c.SETTLEMENT_GRID == 0), "markets: expiry off grid"
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
@view
@reentrant
def underlying_count() -> uint16:
    """
    @notice Underlyings listed; identifiers run from 1 to this.
    """
    return self._count


@external
@view
@reentrant
def underlying(underlying: uint16) -> IMarkets.Underlying:
    """
    @notice Specification of an underlying.
    """
    self._require_listed(underlying)
    steps: uint256 = self._steps[underlying]
    band: uint256 = self._forward_bands[underlying]
    return IMarkets.Underlying(
        symbol=self._symbols[underlying],
        lot=steps >> 128,
        tick=steps & LOW_128,
        basis=band >> 128,
        carry=band & LOW_128,
    )


@external
@view
@reentrant
def expiries(underlying: uint16) -> DynArray[uint40, MAX_EXPIRIES]:
    """
    @notice Expiries in no order; expired ones stay until another takes their place.
    """
    return self._expiries[underlying]


@external
@view
@reentrant
def strike_grid(underlying: uint16, expiry: uint40) -> IMarkets.StrikeGrid:
    """
    @notice Strikes of an expiry, 1e-8 USD; all zero if it was never listed.
    """
    return self._unpack_grid(self._grids[underlying][expiry])


@external
@view
@reentrant
def require_tradable(instrument: uint128, quantity: int256, price: uint256) -> bool:
    """
    @notice Reverts unless the trade fits the contract specification.
    @param instrument Packed instrument.
    @param quantity Signed, WAD.
    @param price Per unit, WAD.
    @return True.
    """
    codec._require_valid(instrument)
    underlying: uint16 = convert(codec._underlying(instrument), uint16)
    steps: uint256 = self._steps[underlying]
    assert steps != 0, "markets: unknown underlying"
    lot: uint256 = steps >> 128
    size: uint256 = convert(abs(quantity), uint256)
    assert size >= lot and size % lot == 0, "markets: quantity off lot"
    assert price % (steps & LOW_128) == 0, "markets: price off tick"
    kind: uint256 = codec._kind(instrument)
    if kind == c.PERP:
        return True
    expiry: uint256 = codec._expiry(instrument)
    packed: uint256 = self._grids[underlying][convert(expiry, uint40)]
    assert packed != 0, "markets: expiry not listed"
    assert block.timestamp < expiry, "markets: expired"
    if kind == c.FUTURE:
        return True
    strike: uint256 = codec._strike(instrument)
    lowest: uint256 = packed >> 128
    assert (strike >= lowest and strike <= (packed >> 64) & LOW_64), "markets: strike off grid"
    assert (strike - lowest) % (packed & LOW_64) == 0, "markets: strike off grid"
    return True


@external
@view
@reentrant
def forward_bands(
    underlyings: DynArray[uint16, c.MAX_UNDERLYINGS],
) -> DynArray[uint256, c.MAX_UNDERLYINGS]:
    """
    @notice How far forwards may lie from spot: basis (128 high bits) | carry per year, WAD, in the order asked.
    """
    result: DynArray[uint256, c.MAX_UNDERLYINGS] = []
    for identifier: uint16 in underlyings:
        self._require_listed(identifier)
        result.append(self._forward_bands[identifier])
    return result


@internal
def _set_spec(underlying: uint16, spec: IMarkets.Underlying):
    """
    @notice Checks, stores and logs a specification.
    """
    assert len(spec.symbol) != 0, "markets: empty symbol"
    self._check_step(spec.lot)
    self._check_step(spec.tick)
    assert spec.basis <= MAX_BASIS, "markets: basis too large"
    assert spec.carry <= MAX_CARRY, "markets: carry too large"
    self._symbols[underlying] = spec.symbol
    self._steps[underlying] = (spec.lot << 128) | spec.tick
    self._forward_bands[underlying] = (spec.basis << 128) | spec.carry
    log IMarkets.UnderlyingListed(underlying=underlying, seq=self._next_seq(), spec=spec)


@internal
def _insert(underlying: uint16, expiry: uint40):
    """
    @notice Puts an expiry in the place of an expired one, else at the end.
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
    @notice Position of the next event.
    """
    self._seq += 1
    return self._seq


@internal
@view
def _require_listed(underlying: uint16):
    """
    @notice Reverts for an identifier that is not listed.
    """
    assert (underlying != 0 and underlying <= self._count), "markets: unknown underlying"


@internal
@pure
def _check_step(step: uint256):
    """
    @notice Lots and ticks are multiples of 1e-8, so quantity times price is exact.
    """
    assert (step != 0 and step % c.PRICE_UNIT == 0 and step <= c.MAX_QUANTITY), "markets: bad lot or tick"


@internal
@pure
def _check_grid(grid: IMarkets.StrikeGrid):
    """
    @notice Reverts for a grid without strikes or with one that no instrument takes.
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
    @notice Whether every strike of `narrow` is one of `wide`.
    """
    if wide.lowest > narrow.lowest or wide.highest < narrow.highest:
        return False
    return (narrow.step % wide.step == 0 and (narrow.lowest - wide.lowest) % wide.step == 0)


@internal
@pure
def _unpack_grid(packed: uint256) -> IMarkets.StrikeGrid:
    """
    @notice The grid of a storage word.
    """
    return IMarkets.StrikeGrid(
        lowest=convert(packed >> 128, uint64),
        highest=convert((packed >> 64) & LOW_64, uint64),
        step=convert(packed & LOW_64, uint64),
    )
