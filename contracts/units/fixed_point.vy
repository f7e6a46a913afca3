# pragma version 0.4.3
"""
@title Fixed-point products of WAD numbers
@license AGPL-3.0-only
@notice The rounding direction is in the name. Products beyond 256 bits revert. The Python twin is
        `keeper/units/fixed_point.py`.
"""

from . import constants as c

WAD: constant(uint256) = c.WAD
SIGNED_WAD: constant(int256) = (10**18)  # WAD: the compiler does not fold conversions


@internal
@pure
def _mul_down(a: uint256, b: uint256) -> uint256:
    """
    @notice a * b, rounded down.
    @param a WAD.
    @param b WAD.
    @return WAD.
    """
    return a * b // WAD


@internal
@pure
def _mul_up(a: uint256, b: uint256) -> uint256:
    """
    @notice a * b, rounded up.
    @param a WAD.
    @param b WAD.
    @return WAD.
    """
    product: uint256 = a * b
    quotient: uint256 = product // WAD
    if product % WAD != 0:
        quotient = unsafe_add(quotient, 1)  # quotient <= 2**256 / WAD
    return quotient


@internal
@pure
def _signed_mul_down(a: int256, b: int256) -> int256:
    """
    @notice a * b, rounded towards minus infinity.
    @dev Signed division of the EVM truncates towards zero; its remainder has the sign of the dividend.
    @param a WAD.
    @param b WAD.
    @return WAD.
    """
    product: int256 = a * b
    quotient: int256 = product // SIGNED_WAD
    if product % SIGNED_WAD < 0:
        quotient = unsafe_sub(quotient, 1)  # |quotient| <= 2**255 / WAD
    return quotient


@internal
@pure
def _signed_mul_up(a: int256, b: int256) -> int256:
    """
    @notice a * b, rounded towards plus infinity.
    @param a WAD.
    @param b WAD.
    @return WAD.
    """
    product: int256 = a * b
    quotient: int256 = product // SIGNED_WAD
    if product % SIGNED_WAD > 0:
        quotient = unsafe_add(quotient, 1)  # |quotient| <= 2**255 / WAD
    return quotient
