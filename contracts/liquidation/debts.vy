# pragma version 0.4.3
"""
@title What may be owed against collateral, and what it costs
@license AGPL-3.0-only
@notice Settled cash below zero is a debt to all who are owed cash. Against the caps it is counted in whole units of cash,
        rounded up, by token: eight lanes of 32 bits in one word, by the token's index. The caps round down.
        Without storage. The Python twin is `keeper/liquidation/debts.py`, bit for bit.
"""

from ..interfaces import ICollateralSale
from ..units import constants as c

WAD: constant(uint256) = c.WAD
LANE_BITS: constant(uint256) = 32
LANE: constant(uint256) = 2**32 - 1
# debt word: noted (104) << 152 | drawn (104) << 48 | since (48)
NOTED_SHIFT: constant(uint256) = 152
DRAWN_SHIFT: constant(uint256) = 48
AMOUNT: constant(uint256) = 2**104 - 1
SINCE: constant(uint256) = 2**48 - 1


@internal
@pure
def _interest(noted: uint256, present: uint256, rate: uint256, elapsed: uint256) -> uint256:
    """
    @notice For the time since a debt was noted, on the smaller of what it was then and is now: that much was owed all the
            time, unless it was paid back and drawn again in between.
    @param noted Debt at the last note, WAD.
    @param present Debt now, WAD.
    @param rate WAD per year.
    @param elapsed Seconds.
    @return WAD, rounded up: a note charges at most one wei too much.
    """
    year: uint256 = WAD * c.SECONDS_PER_YEAR
    return (min(noted, present) * rate * elapsed + year - 1) // year


@internal
@pure
def _room(worth: uint256, caps: ICollateralSale.DebtCaps, others: uint256) -> uint256:
    """
    @notice What an account may owe against one token, whole units of cash, rounded down.
    @param worth Of what it holds of the token, after the maintenance haircut, WAD.
    @param caps Of the token.
    @param others What all other accounts owe against it, whole units.
    """
    share: uint256 = worth * convert(caps.share, uint256) // c.BASIS_POINTS // WAD
    total: uint256 = convert(caps.total, uint256)
    return min(min(share, convert(caps.account, uint256)), total - min(total, others))


@internal
@pure
def _parts(rooms: uint256[8], debt: uint256) -> uint256:
    """
    @notice A debt laid against the tokens, in the order of their indices, each up to its room; what exceeds them all
            (losses may) is against none.
    @param rooms Whole units of cash, by index - 1.
    @param debt WAD; rounded up to whole units.
    @return Lanes.
    """
    left: uint256 = (debt + WAD - 1) // WAD
    lanes: uint256 = 0
    for i: uint256 in range(8):
        part: uint256 = min(left, rooms[i])
        lanes |= part << (i * LANE_BITS)
        left -= part
    return lanes


@internal
@pure
def _lane(lanes: uint256, index: uint256) -> uint256:
    """
    @notice Whole units of cash against the token of an index, 1 to 8.
    """
    return (lanes >> ((index - 1) * LANE_BITS)) & LANE


@internal
@pure
def _pack(debt: ICollateralSale.Debt) -> uint256:
    """
    @notice One word; reverts where a number does not fit.
    """
    assert max(debt.noted, debt.drawn) <= AMOUNT and debt.since <= SINCE, "debts: overflow"
    return (debt.noted << NOTED_SHIFT) | (debt.drawn << DRAWN_SHIFT) | debt.since


@internal
@pure
def _unpack(word: uint256) -> ICollateralSale.Debt:
    """
    @notice The debt of a word.
    """
    return ICollateralSale.Debt(noted=word >> NOTED_SHIFT, drawn=(word >> DRAWN_SHIFT) & AMOUNT, since=word & SINCE)
