# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the prices of conversions to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Stateless: nothing to switch off.
"""

from ..liquidation import conversion


@external
@pure
def unit_price(spot: uint256, share: uint256, haircut: uint256) -> uint256:
    """
    @notice See `conversion._unit_price`.
    """
    return conversion._unit_price(spot, share, haircut)


@external
@pure
def sale(
    wanted: uint256,
    balance: uint256,
    scale: uint256,
    need: uint256,
    rate: uint256,
    unit_price: uint256,
    cash_scale: uint256,
) -> (uint256, uint256, bool):
    """
    @notice See `conversion._sale`.
    """
    return conversion._sale(wanted, balance, scale, need, rate, unit_price, cash_scale)
