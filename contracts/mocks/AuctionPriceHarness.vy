# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the auction's prices to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Stateless: nothing to switch off.
"""

from ..liquidation import auction_price as prices


@external
@pure
def falling(start: uint256, end: uint256, elapsed: uint256, duration: uint256) -> uint256:
    """
    @notice See `auction_price._falling`.
    """
    return prices._falling(start, end, elapsed, duration)


@external
@pure
def rising(top: uint256, elapsed: uint256, duration: uint256) -> uint256:
    """
    @notice See `auction_price._rising`.
    """
    return prices._rising(top, elapsed, duration)


@external
@pure
def asked(worth: int256, maintenance: uint256, discounted: uint256, bonus: uint256) -> int256:
    """
    @notice See `auction_price._asked`.
    """
    return prices._asked(worth, maintenance, discounted, bonus)


@external
@pure
def largest(worth: int256, deficit: int256, asked: int256, dust: uint256) -> uint256:
    """
    @notice See `auction_price._largest`.
    """
    return prices._largest(worth, deficit, asked, dust)


@external
@pure
def taken(wanted: uint256, largest: uint256, minimum: uint256) -> uint256:
    """
    @notice See `auction_price._taken`.
    """
    return prices._taken(wanted, largest, minimum)


@external
@pure
def cost(fraction: uint256, asked: int256) -> (uint256, uint256):
    """
    @notice See `auction_price._cost`.
    """
    return prices._cost(fraction, asked)


@external
@pure
def rest(margin: uint256, mark: int256, worth: int256, fraction: uint256) -> (uint256, int256, uint256):
    """
    @notice See `auction_price._rest_up`, `_signed_rest_down` and `_rest_of_deficit`.
    """
    return (
        prices._rest_up(margin, fraction),
        prices._signed_rest_down(mark, fraction),
        prices._rest_of_deficit(worth, fraction),
    )
