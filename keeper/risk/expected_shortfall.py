"""Expected shortfall E: the average of the worst days of a scenario set, re-priced in full.

E is the larger of the expected shortfall of the filtered days and a share of that of the stressed days.
Losses and gains of all underlyings meet inside a scenario: the set carries their dependence, so there is no
offset rule. As an average of worst outcomes E is subadditive and homogeneous up to rounding.

Reference: C. Acerbi, D. Tasche, "On the coherence of expected shortfall", Journal of Banking & Finance 26
(2002), 1487-1503: where the tail is no whole number of scenarios the next one counts by the fraction.
"""

from dataclasses import dataclass

import numpy as np

from keeper.pricing import kernels
from keeper.pricing.kernels import Floats
from keeper.pricing.market import Market
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.risk.scan import Contracts, Integers, revalue, tenor_scale, values
from keeper.risk.volatility import clipped
from keeper.units.constants import SECONDS_PER_YEAR


@dataclass(frozen=True)
class Shortfall:
    """E with its parts, quanta, not negative.

    Attributes:
        total: max(filtered, share of stressed).
        filtered, stressed: expected shortfall of each part of the set.
        value_at_risk: of the filtered part: the loss of its worst day but `var_ppm` of them.
    """

    total: int
    filtered: int
    stressed: int
    value_at_risk: int

    @property
    def is_stressed(self) -> bool:
        """Whether the stressed part binds."""
        return self.total > self.filtered


def history_profits(c: Contracts, market: Market, methodology: Methodology) -> Floats:
    """Profit and loss of one unit long in every scenario, USD, shape (n, scenarios): one day passes."""
    parameters = methodology.expected_shortfall
    ids = [u.underlying for u in market.underlyings]
    moves = np.stack([_moves(u, market, methodology) for u in ids])
    row = np.searchsorted(np.array(ids), c.underlying)
    # (4, scenarios, n): what happens to each instrument's underlying
    spot, level, skew, curvature = np.moveaxis(moves, 0, -1)[:, :, row]
    clipped_moneyness = np.minimum(np.maximum(c.log_moneyness, -1.0), 1.0)
    change = level * tenor_scale(c, methodology.scan)
    change = change + skew * clipped_moneyness
    change = change + curvature * np.abs(clipped_moneyness)
    vol = c.vol * np.maximum(1.0 + change, parameters.vol_least_ppm / PPM)
    years = np.maximum(c.years - parameters.decay_seconds / float(SECONDS_PER_YEAR), 0.0)
    shocked = revalue(c, c.forward * spot, years, vol)
    return np.ascontiguousarray((shocked - values(c)).T)


def _moves(underlying: int, market: Market, methodology: Methodology) -> Floats:
    """Ratio of spots and relative vol moves of one underlying, shape (4, scenarios)."""
    scenarios, parameters = methodology.scenarios, methodology.expected_shortfall
    symbol = methodology.symbol(underlying)
    stretch = 1.0 if symbol in scenarios.moves else parameters.proxy_ppm / PPM
    found = scenarios.moves.get(symbol, scenarios.moves[parameters.proxy])
    scale = clipped(market.underlying(underlying).volatility_scale_ppm, parameters) / PPM
    days = np.arange(len(scenarios.labels))
    returns = np.array(found.spot, dtype=np.float64) / PPM
    returns = returns * np.where(days < scenarios.filtered, scale, 1.0) * stretch
    surface = np.array([found.level, found.skew, found.curvature], dtype=np.float64) / PPM
    return np.stack([kernels.exp(returns), *surface])


def shortfall_of(profits: Integers, methodology: Methodology) -> Shortfall:
    """E of a book.

    Args:
        profits: its profit and loss in every scenario of the set, quanta, shape (scenarios,).
    """
    parameters, count = methodology.expected_shortfall, methodology.scenarios.filtered
    ordered = np.sort(profits[:count])
    filtered = _average_loss(ordered, parameters.tail_ppm)
    stressed = expected_shortfall(profits[count:], parameters.tail_ppm)
    total = max(filtered, -(-stressed * parameters.stressed_ppm // PPM))
    return Shortfall(total, filtered, stressed, _loss_at(ordered, parameters.var_ppm))


def expected_shortfall(profits: Integers, tail_ppm: int) -> int:
    """Average loss of the worst `tail_ppm` of the scenarios, quanta, rounded up, not negative."""
    return _average_loss(np.sort(profits), tail_ppm)


def _average_loss(ordered: Integers, tail_ppm: int) -> int:
    mass = len(ordered) * tail_ppm
    whole, rest = divmod(mass, PPM)
    # whole numbers of Python: thirteen quanta of 62 bits do not fit 64
    worst = [int(x) for x in ordered[: whole + 1]]
    total = -sum(worst[:whole]) * PPM - worst[whole] * rest
    return max(0, -(-total // mass))


def tail(profits: Integers, tail_ppm: int) -> tuple[list[int], list[int]]:
    """Scenarios of the tail, worst first (the earlier of equals), and their weights, ppm of a scenario."""
    whole, rest = divmod(len(profits) * tail_ppm, PPM)
    weights = [PPM] * whole + [rest] * (rest > 0)
    # a stable sort, so that equal losses name the same days everywhere
    order = np.argsort(profits, kind="stable")[: len(weights)]
    return [int(i) for i in order], weights


def value_at_risk(profits: Integers, share_ppm: int) -> int:
    """The loss that at most `share_ppm` of the scenarios reach or exceed, quanta, not negative: with 500
    scenarios and 1 % the fifth worst.
    """
    return _loss_at(np.sort(profits), share_ppm)


def value_at_risk_day(profits: Integers, share_ppm: int) -> int:
    """The scenario whose loss the value at risk is; the earlier of equals."""
    return int(np.argsort(profits, kind="stable")[_position(len(profits), share_ppm)])


def _loss_at(ordered: Integers, share_ppm: int) -> int:
    return max(0, -int(ordered[_position(len(ordered), share_ppm)]))


def _position(count: int, share_ppm: int) -> int:
    return max(count * share_ppm // PPM, 1) - 1
