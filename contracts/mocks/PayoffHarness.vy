# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the payoff module to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Stateless: nothing to switch off.
"""

from ..units import constants as c
from ..risk import payoff


@external
@pure
def payoff_of(instrument: uint128, price8: uint256) -> int256:
    """
    @notice See `payoff._payoff`.
    """
    return payoff._payoff(instrument, price8)


@external
@pure
def expiry_bounds(
    book: DynArray[uint256, c.MAX_LEGS],
    start: uint256,
    forward_low: uint256,
    forward_high: uint256,
) -> payoff.Bounds:
    """
    @notice See `payoff._expiry_bounds`.
    """
    return payoff._expiry_bounds(book, start, forward_low, forward_high)


@external
@view
def gas_of_walk(
    book: DynArray[uint256, c.MAX_LEGS],
    forward_low: uint256,
    forward_high: uint256,
) -> uint256:
    """
    @notice Gas of walking the whole book, all expiries.
    """
    before: uint256 = msg.gas
    start: uint256 = 0
    for _: uint256 in range(c.MAX_LEGS):
        if start == len(book):
            break
        bounds: payoff.Bounds = payoff._expiry_bounds(book, start, forward_low, forward_high)
        start = bounds.next_index
    return before - msg.gas
