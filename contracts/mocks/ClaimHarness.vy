# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the replay of claims to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Stateless: nothing to switch off.
"""

from ..interfaces import IAttestation
from ..interfaces import IAuctionHouse
from ..interfaces import IBookValuer
from ..liquidation import claim as claims


@external
@pure
def replay(
    then: bytes32,
    now: bytes32,
    changes: DynArray[IAuctionHouse.Change, 64],
    units: DynArray[IAttestation.InstrumentLeaf, 8],
) -> claims.Effect:
    """
    @notice See `claim._replay`.
    """
    return claims._replay(then, now, changes, units)


@external
@pure
def bounds(
    leaf: IAttestation.MarginLeaf,
    units: DynArray[IAttestation.InstrumentLeaf, 8],
    effect: claims.Effect,
    slack: uint256,
    moved: uint256,
) -> claims.Bounds:
    """
    @notice See `claim._bounds`.
    """
    return claims._bounds(leaf, units, effect, slack, moved)


@external
@pure
def judge(
    bounds: claims.Bounds,
    liquid: int256,
    collateral: IBookValuer.CollateralValue,
    posted: int256,
    rate: uint256,
    least: int256,
) -> claims.Verdict:
    """
    @notice See `claim._judge`.
    """
    return claims._judge(bounds, liquid, collateral, posted, rate, least)
