"""Initial and maintenance margin of a core margin, and how far they bound those of a larger account.

    IM = kappa * (1 + depeg) * Core + L + T,    MM = max(.80 * (Core + T) + .5 * L, .75 * IM)

with kappa the credit tier's multiplier, L the liquidity and T the size add-on. What is added is a unit or
another account's book B, of a kappa of its own that is at least k, and states L as `keeper.risk.liquidity`
says. With g the growth of the core margin that concentration allows, t the slope of T within reach, and h and
c those of the liquidity add-on,

    IM(A + B) - IM(A) <= g * (kappa * (1 + depeg) + t) * Core(B) + (1 + 3/2 c) * h(B) <= m * IM(B),
    m = max(g * (max(kappa, 1) + t) / k, 1 + 3/2 c),

and the same for MM term by term, as each term of MM is bounded by m times the same term of B's.
"""

from dataclasses import dataclass
from typing import Any

from keeper.pricing.market import Market
from keeper.risk.addons import Addons
from keeper.risk.concentration import Reach
from keeper.risk.liquidity import liquidity_charge, liquidity_detail, steepest_charge, steepest_ppm
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.risk.sizes import size_charge, size_room, size_slope
from keeper.units.constants import PRICE_UNIT, WAD

# the leaf has 64 bits for the marginal multiplier
MOST_MARGINAL = 2**64 - 1
_PAR = 10**8


@dataclass(frozen=True)
class Levels:
    """What turns a core margin into margins.

    Attributes:
        multiplier_ppm: kappa; depeg_ppm: rise of the factor of the initial margin.
        liquidity: L, WAD.
    """

    methodology: Methodology
    multiplier_ppm: int
    depeg_ppm: int
    liquidity: int

    def initial(self, core: int) -> int:
        """IM of a core margin, WAD, rounded up."""
        factor = self.multiplier_ppm * (PPM + self.depeg_ppm)
        return -(-core * factor // PPM**2) + self.liquidity + size_charge(core, self.methodology)

    def maintenance(self, core: int) -> int:
        """MM of a core margin, WAD, rounded up."""
        m = self.methodology
        sized = -(-(core + size_charge(core, m)) * m.maintenance.of_core_ppm // PPM)
        liquid = -(-self.liquidity * m.liquidity.of_maintenance_ppm // PPM)
        return max(sized + liquid, -(-self.initial(core) * m.maintenance.of_initial_ppm // PPM))

    def detail(self, core: int, addons: Addons) -> dict[str, Any]:
        """Factors and size add-ons; JSON-ready, integers as text."""
        return {
            "multiplier_ppm": self.multiplier_ppm,
            "depeg_ppm": self.depeg_ppm,
            "liquidity": liquidity_detail(addons.spreads, self.methodology),
            "size": str(size_charge(core, self.methodology)),
        }


def levels_of(addons: Addons, multiplier_ppm: int, market: Market, methodology: Methodology) -> Levels:
    """Levels of an account's legs."""
    charge = liquidity_charge(addons.spreads, methodology)
    return _levels(charge, multiplier_ppm, market, methodology)


def unit_levels(addons: Addons, market: Market, methodology: Methodology) -> Levels:
    """Levels of a stand-alone unit: the anonymous tier, liquidity at its largest slope."""
    return _levels(steepest_charge(addons.spreads, methodology), PPM, market, methodology)


def _levels(charge: int, multiplier_ppm: int, market: Market, methodology: Methodology) -> Levels:
    liquidity = charge * methodology.quantum_e8 * PRICE_UNIT
    return Levels(methodology, multiplier_ppm, depeg(market.settlement_price, methodology), liquidity)


def depeg(settlement_price: int, methodology: Methodology) -> int:
    """Rise of the factor of the initial margin at a price8 of the settlement coin, ppm, rounded up."""
    addons = methodology.addons
    missing = max(0, addons.depeg_from_ppm * (_PAR // PPM) - settlement_price)
    return -(-missing * addons.depeg_factor_ppm // _PAR)


def bound_of(growth: Reach, cores: list[int], multiplier_ppm: int, methodology: Methodology) -> Reach:
    """m and the reach it holds for.

    Args:
        growth: of the core margin.
        cores: core margins of the account in the states that its margins were taken in.
    """
    least = min(*methodology.tiers_ppm, PPM)
    added, slope = growth.max_added * least // PPM, 0
    for core in cores:
        room = size_room(core, methodology)
        added = min(added, room * WAD * least // (growth.marginal * PPM))
        slope = max(slope, size_slope(core + room, methodology))
    marginal = -(-growth.marginal * (max(multiplier_ppm, PPM) + slope) // least)
    marginal = max(marginal, steepest_ppm(methodology) * (WAD // PPM))
    return Reach(marginal, added) if marginal <= MOST_MARGINAL else Reach(MOST_MARGINAL, 0)
