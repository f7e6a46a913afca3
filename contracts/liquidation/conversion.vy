# pragma version 0.4.3
"""
@title How much collateral is sold for a negative cash balance, and for what
@license AGPL-3.0-only
@notice The buyer pays a share of the oracle price that never falls below what the token counts towards maintenance
        margin, rounded up: no sale lowers the account's equity. No more is sold than brings settled cash to zero.
        Without storage. The Python twin is `keeper/liquidation/conversion.py`, bit for bit.
"""

from ..units import constants as c
from ..units import fixed_point as fp

WAD: constant(uint256) = c.WAD


@internal
@pure
def _unit_price(spot: uint256, share: uint256, haircut: uint256) -> uint256:
    """
    @notice Price of one token, WAD, rounded up.
    @param spot 1e-8 USD.
    @param share Of the oracle price asked for, WAD.
    @param haircut Of maintenance margin, basis points, at most 10,000.
    """
    least: uint256 = (c.BASIS_POINTS - haircut) * (WAD // c.BASIS_POINTS)
    return fp._mul_up(spot * c.PRICE_UNIT, max(share, least))


@internal
@pure
def _sale(
    wanted: uint256,
    balance: uint256,
    scale: uint256,
    need: uint256,
    rate: uint256,
    unit_price: uint256,
    cash_scale: uint256,
) -> (uint256, uint256, bool):
    """
    @notice What a buyer gets.
    @param wanted In the token's decimals.
    @param balance Of the account, WAD.
    @param scale WAD per smallest unit of the token.
    @param need Cash that is missing, WAD.
    @param rate Tokens that one unit of cash is worth, WAD: a payment is credited over it.
    @param unit_price Of one token, WAD, > 0.
    @param cash_scale WAD per smallest unit of the settlement token.
    @return Amount in the token's decimals; its cost in the settlement token's, rounded up; whether the need is met.
    """
    missing: uint256 = fp._mul_up(need, rate)
    most: uint256 = (missing * WAD + unit_price - 1) // unit_price
    most = (most + scale - 1) // scale
    amount: uint256 = min(min(wanted, most), balance // scale)
    paid: uint256 = fp._mul_up(amount * scale, unit_price)
    return amount, (paid + cash_scale - 1) // cash_scale, amount == most
