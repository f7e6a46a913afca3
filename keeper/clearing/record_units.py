"""Steps in which a record is stored, as `contracts/risk/record.vy` rounds: always against the account."""

from keeper.units.constants import PRICE_UNIT

_MARGINAL_UNIT = 10**9
_MOST = (2**88 - 1) * PRICE_UNIT  # what a field of 88 bits holds


def margin_up(amount: int) -> int:
    """A margin, WAD, in steps of 1e-8."""
    return -(-amount // PRICE_UNIT) * PRICE_UNIT


def marginal_up(multiplier: int) -> int:
    """A multiplier, WAD, in steps of 1e-9."""
    return -(-multiplier // _MARGINAL_UNIT) * _MARGINAL_UNIT


def reach_down(amount: int) -> int:
    """The largest added margin, WAD, in steps of 1e-8, cut to what fits."""
    return min(amount // PRICE_UNIT * PRICE_UNIT, _MOST)


def linear_down(amount: int) -> int:
    """A value of perps and futures, or what is added to it, WAD, in steps of 1e-8."""
    return amount // PRICE_UNIT * PRICE_UNIT
