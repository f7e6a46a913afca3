# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the arithmetic of debts to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Stateless: nothing to switch off.
"""

from ..interfaces import ICollateralSale
from ..liquidation import debts


@external
@pure
def interest(noted: uint256, present: uint256, rate: uint256, elapsed: uint256) -> uint256:
    """
    @notice See `debts._interest`.
    """
    return debts._interest(noted, present, rate, elapsed)


@external
@pure
def room(worth: uint256, caps: ICollateralSale.DebtCaps, others: uint256) -> uint256:
    """
    @notice See `debts._room`.
    """
    return debts._room(worth, caps, others)


@external
@pure
def parts(rooms: uint256[8], debt: uint256) -> uint256:
    """
    @notice See `debts._parts`.
    """
    return debts._parts(rooms, debt)


@external
@pure
def lane(lanes: uint256, index: uint256) -> uint256:
    """
    @notice See `debts._lane`.
    """
    return debts._lane(lanes, index)


@external
@pure
def there_and_back(debt: ICollateralSale.Debt) -> ICollateralSale.Debt:
    """
    @notice See `debts._pack` and `debts._unpack`.
    """
    return debts._unpack(debts._pack(debt))
