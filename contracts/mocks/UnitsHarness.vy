# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the fixed-point module to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Stateless: nothing to switch off.
"""

from ..units import fixed_point as fp


@external
@pure
def mul_down(a: uint256, b: uint256) -> uint256:
    """
    @notice See `fixed_point._mul_down`.
    """
    return fp._mul_down(a, b)


@external
@pure
def mul_up(a: uint256, b: uint256) -> uint256:
    """
    @notice See `fixed_point._mul_up`.
    """
    return fp._mul_up(a, b)


@external
@pure
def signed_mul_down(a: int256, b: int256) -> int256:
    """
    @notice See `fixed_point._signed_mul_down`.
    """
    return fp._signed_mul_down(a, b)


@external
@pure
def signed_mul_up(a: int256, b: int256) -> int256:
    """
    @notice See `fixed_point._signed_mul_up`.
    """
    return fp._signed_mul_up(a, b)


@external
@pure
def divide(a: int256, b: int256) -> int256:
    """
    @notice The EVM's signed division, for the twin `div_trunc`.
    """
    return a // b


@external
@pure
def modulo(a: int256, b: int256) -> int256:
    """
    @notice The EVM's signed remainder, for the twin `mod_trunc`.
    """
    return a % b
