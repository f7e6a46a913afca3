# pragma version 0.4.3
"""
@title What a share of an account in auction costs, and how much of it is on offer
@license AGPL-3.0-only
@notice V: what the account is worth, its collateral at full value. D: initial margin less the equity that counts
        towards it. x: share of V asked for. All WAD.
          solvent, V > 0:  f = D / (D + x V) of everything, for f x V. It brings in f x V and takes away f of D, so the
                           rest stands at initial margin exactly: no more is on offer than that, unless it is dust.
          insolvent:       everything, and the buyer is paid the deficit and a rising bonus.
        Seen as a price of the whole account the second continues the first, below zero. Amounts are below 2**128, so no
        product overflows. The Python twin is `keeper/liquidation/auction_price.py`, bit for bit.
"""

from ..units import constants as c
from ..units import fixed_point as fp

WAD: constant(uint256) = c.WAD


@internal
@pure
def _falling(start: uint256, end: uint256, elapsed: uint256, duration: uint256) -> uint256:
    """
    @notice From `start` down to `end` on a straight line, then flat; rounded up.
    @param elapsed Seconds.
    @param duration Seconds, > 0.
    """
    return start - (start - end) * min(elapsed, duration) // duration


@internal
@pure
def _rising(top: uint256, elapsed: uint256, duration: uint256) -> uint256:
    """
    @notice From zero up to `top` on a straight line, then flat; rounded down.
    @param elapsed Seconds.
    @param duration Seconds, > 0.
    """
    return top * min(elapsed, duration) // duration


@internal
@pure
def _asked(worth: int256, maintenance: uint256, discounted: uint256, bonus: uint256) -> int256:
    """
    @notice Price of the whole account, rounded against the buyer; below zero: what the buyer is paid.
    @param worth V, WAD.
    @param maintenance Maintenance margin, WAD.
    @param discounted x, of a solvent auction.
    @param bonus Share of the maintenance margin paid on top of the deficit, of an insolvent one.
    @return WAD.
    """
    if worth > 0:
        return convert(fp._mul_up(convert(worth, uint256), discounted), int256)
    return worth - convert(fp._mul_down(maintenance, bonus), int256)


@internal
@pure
def _largest(worth: int256, deficit: int256, asked: int256, dust: uint256) -> uint256:
    """
    @notice Largest fraction on offer.
    @param worth V, WAD.
    @param deficit D, WAD. Not above zero: nothing is on offer.
    @param asked Price of the whole, WAD.
    @param dust An account, or a rest of one, worth less than this is sold whole, WAD.
    @return WAD, rounded up, at most 1.
    """
    if deficit <= 0:
        return 0
    if worth <= 0 or worth < convert(dust, int256):
        return WAD
    needed: uint256 = convert(deficit, uint256)
    whole: uint256 = needed + convert(asked, uint256)
    fraction: uint256 = (needed * WAD + whole - 1) // whole
    if fp._mul_down(convert(worth, uint256), WAD - fraction) < dust:
        return WAD
    return fraction


@internal
@pure
def _taken(wanted: uint256, largest: uint256, minimum: uint256) -> uint256:
    """
    @notice Fraction that a bid gets; zero where it asks for too little.
    @param wanted Fraction asked for, WAD.
    @param largest Fraction on offer, WAD.
    @param minimum Least share of the largest fraction, WAD, at most 1.
    @return WAD.
    """
    taken: uint256 = min(wanted, largest)
    if taken < fp._mul_up(largest, minimum):
        return 0
    return taken


@internal
@pure
def _cost(fraction: uint256, asked: int256) -> (uint256, uint256):
    """
    @notice Cash that the buyer pays, rounded up, and is paid, rounded down: one of them is zero.
    """
    if asked > 0:
        return fp._mul_up(convert(asked, uint256), fraction), 0
    return 0, fp._mul_down(convert(-asked, uint256), fraction)


@internal
@pure
def _rest_up(amount: uint256, fraction: uint256) -> uint256:
    """
    @notice What a sale of `fraction` leaves of a margin, rounded up.
    """
    return fp._mul_up(amount, WAD - fraction)


@internal
@pure
def _signed_rest_down(amount: int256, fraction: uint256) -> int256:
    """
    @notice What a sale of `fraction` leaves of a value, rounded down.
    """
    return fp._signed_mul_down(amount, convert(WAD - fraction, int256))


@internal
@pure
def _rest_of_deficit(worth: int256, fraction: uint256) -> uint256:
    """
    @notice What a sale of `fraction` leaves of the deficit of an account worth less than nothing, rounded up.
    """
    return fp._mul_up(convert(max(0, -worth), uint256), WAD - fraction)
