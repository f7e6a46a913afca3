"""The size add-on: marginal tiers on the core margin, as the largest books take longest to close.

T is convex and piecewise linear in the core margin, so for additions that raise it by at most `room`

    T(Core(A + B)) - T(Core(A)) <= slope(Core(A) + room) * (Core(A + B) - Core(A)),

and the same bound with the slope at Core(A) holds for removals of any size. T(f * x) <= f * T(x).
"""

from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.units.constants import WAD


def size_charge(core: int, methodology: Methodology) -> int:
    """T of a core margin, WAD, rounded up."""
    total, before = 0, 0
    for start, share in methodology.sizes.tiers:
        total += max(0, core - start * WAD) * (share - before)
        before = share
    return -(-total // PPM)


def size_slope(core: int, methodology: Methodology) -> int:
    """Slope of T just below a core margin, ppm."""
    return max((share for start, share in methodology.sizes.tiers if start * WAD < core), default=0)


def size_room(core: int, methodology: Methodology) -> int:
    """How much the core margin may grow on one leaf, WAD: to the next tier, or the reach if that is more."""
    starts = [start * WAD for start, _ in methodology.sizes.tiers]
    if not starts:
        return methodology.max_added_im
    following = min((start for start in starts if start > core), default=None)
    reach = max(core, starts[0]) * methodology.sizes.reach_ppm // PPM
    if following is None:
        return methodology.max_added_im
    return max(following - core, reach)
