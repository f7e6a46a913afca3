"""How much collateral is sold for a negative cash balance, and for what, bit for bit as
`contracts/liquidation/conversion.vy`.
"""

from keeper.units.constants import BASIS_POINTS, PRICE_UNIT, WAD
from keeper.units.fixed_point import mul_up


def unit_price(spot: int, share: int, haircut: int) -> int:
    """Price of one token, WAD, rounded up.

    Args:
        spot: 1e-8 USD.
        share: of the oracle price asked for, WAD.
        haircut: of maintenance margin, basis points: the price never falls below what counts.
    """
    return mul_up(spot * PRICE_UNIT, max(share, (BASIS_POINTS - haircut) * (WAD // BASIS_POINTS)))


def sale(
    wanted: int, balance: int, scale: int, need: int, rate: int, price: int, cash_scale: int
) -> tuple[int, int, bool]:
    """Amount that a buyer gets, its cost rounded up, and whether it meets the need.

    Args:
        wanted: in the token's decimals.
        balance: of the account, WAD.
        scale, cash_scale: WAD per smallest unit of the token and of the settlement token.
        need: cash that is missing, WAD.
        rate: tokens that one unit of cash is worth, WAD: a payment is credited over it.
        price: of one token, WAD.
    """
    most = _up(_up(mul_up(need, rate) * WAD, price), scale)
    amount = min(wanted, most, balance // scale)
    return amount, _up(mul_up(amount * scale, price), cash_scale), amount == most


def _up(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)
