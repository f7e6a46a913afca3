# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the instrument module to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Stateless: nothing to switch off.
"""

from ..markets import instrument as ins


@external
@pure
def pack(underlying: uint256, expiry: uint256, strike: uint256, kind: uint256) -> uint128:
    """
    @notice See `instrument._pack`.
    """
    return ins._pack(underlying, expiry, strike, kind)


@external
@pure
def unpack(instrument: uint128) -> (uint256, uint256, uint256, uint256):
    """
    @notice Underlying, expiry, strike and kind.
    """
    return (
        ins._underlying(instrument),
        ins._expiry(instrument),
        ins._strike(instrument),
        ins._kind(instrument),
    )


@external
@pure
def word(instrument: uint128, quantity: int256) -> uint256:
    """
    @notice See `instrument._word`.
    """
    return ins._word(instrument, quantity)


@external
@pure
def leg_of(word: uint256) -> (uint128, int256):
    """
    @notice Instrument and quantity of a book word.
    """
    return ins._instrument_of(word), ins._quantity_of(word)


@external
@pure
def require_valid(instrument: uint128):
    """
    @notice See `instrument._require_valid`.
    """
    ins._require_valid(instrument)
