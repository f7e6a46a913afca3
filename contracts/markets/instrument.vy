# pragma version 0.4.3
"""
@title Instruments and book words
@license AGPL-3.0-only
@notice An instrument is one uint128, a leg of a book one uint256:

            instrument = underlying (16) | expiry (40) | strike (64) | kind (8)
            word       = instrument (128) | quantity (128, two's complement)

        Expiries are unix seconds, strikes 1e-8 USD, quantities WAD and positive for a long position. Ascending order
        groups a book by underlying, expiry and strike. The Python twin is `keeper/markets/instrument.py`.
"""

from ..units import constants as c

UNDERLYING_SHIFT: constant(uint256) = 112
EXPIRY_SHIFT: constant(uint256) = 72
STRIKE_SHIFT: constant(uint256) = 8
INSTRUMENT_SHIFT: constant(uint256) = 128
EXPIRY_MASK: constant(uint256) = 2**40 - 1
STRIKE_MASK: constant(uint256) = 2**64 - 1
KIND_MASK: constant(uint256) = 2**8 - 1
QUANTITY_MASK: constant(uint256) = 2**128 - 1


@internal
@pure
def _pack(underlying: uint256, expiry: uint256, strike: uint256, kind: uint256) -> uint128:
    """
    @notice The instrument of four fields. Says nothing about whether they make sense together.
    @param underlying Identifier, below 2**16.
    @param expiry Unix seconds, below 2**40; 0 for a perp.
    @param strike 1e-8 USD, below 2**64; 0 for perps and futures.
    @param kind PERP, FUTURE, CALL or PUT.
    @return The packed instrument.
    """
    assert underlying < 2**16, "instrument: underlying too large"
    assert expiry <= EXPIRY_MASK, "instrument: expiry too large"
    assert strike <= STRIKE_MASK, "instrument: strike too large"
    assert kind <= KIND_MASK, "instrument: kind too large"
    return convert(
        (underlying << UNDERLYING_SHIFT) | (expiry << EXPIRY_SHIFT) | (strike << STRIKE_SHIFT) | kind,
        uint128,
    )


@internal
@pure
def _underlying(instrument: uint128) -> uint256:
    """
    @notice Identifier of the instrument's underlying.
    """
    return convert(instrument, uint256) >> UNDERLYING_SHIFT


@internal
@pure
def _expiry(instrument: uint128) -> uint256:
    """
    @notice Unix seconds; 0 for a perp.
    """
    return (convert(instrument, uint256) >> EXPIRY_SHIFT) & EXPIRY_MASK


@internal
@pure
def _strike(instrument: uint128) -> uint256:
    """
    @notice 1e-8 USD; 0 for perps and futures.
    """
    return (convert(instrument, uint256) >> STRIKE_SHIFT) & STRIKE_MASK


@internal
@pure
def _kind(instrument: uint128) -> uint256:
    """
    @notice PERP, FUTURE, CALL or PUT.
    """
    return convert(instrument, uint256) & KIND_MASK


@internal
@pure
def _word(instrument: uint128, quantity: int256) -> uint256:
    """
    @notice One leg of a book.
    @param instrument Packed instrument.
    @param quantity WAD, fits int128.
    @return The book word.
    """
    narrow: int128 = convert(quantity, int128)
    low: uint256 = (convert(convert(convert(narrow, int256), bytes32), uint256) & QUANTITY_MASK)
    return (convert(instrument, uint256) << INSTRUMENT_SHIFT) | low


@internal
@pure
def _instrument_of(word: uint256) -> uint128:
    """
    @notice The instrument of a book word.
    """
    return convert(word >> INSTRUMENT_SHIFT, uint128)


@internal
@pure
def _quantity_of(word: uint256) -> int256:
    """
    @notice The signed quantity of a book word, WAD.
    @dev Moves the sign bit to the top, then shifts back arithmetically.
    """
    return (convert(convert(word << INSTRUMENT_SHIFT, bytes32), int256) >> INSTRUMENT_SHIFT)


@internal
@pure
def _require_valid(instrument: uint128):
    """
    @notice Reverts unless the fields make sense together, whether listed or not.
    @param instrument Packed instrument.
    """
    kind: uint256 = self._kind(instrument)
    strike: uint256 = self._strike(instrument)
    underlying: uint256 = self._underlying(instrument)
    assert (0 < underlying and underlying <= c.MAX_UNDERLYINGS), "instrument: unknown underlying"
    assert kind <= c.PUT, "instrument: unknown kind"
    assert (self._expiry(instrument) == 0) == (kind == c.PERP), "instrument: bad expiry"
    if kind <= c.FUTURE:
        assert strike == 0, "instrument: linear with a strike"
    else:
        assert 0 < strike and strike <= c.MAX_PRICE, "instrument: bad strike"
