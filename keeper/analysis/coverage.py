"""Does a margin cover what it says? Tests of a sequence of daily losses against a requirement.

References: P. Kupiec, "Techniques for verifying the accuracy of risk measurement models", Journal of
Derivatives 3 (1995), 73-84; P. Christoffersen, "Evaluating interval forecasts", International Economic Review
39 (1998), 841-862; Basel Committee on Banking Supervision, "Supervisory framework for the use of backtesting
in conjunction with the internal models approach to market risk capital requirements" (1996); C. Acerbi,
B. Szekely, "Backtesting expected shortfall", Risk Magazine (December 2014).
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np
import numpy.typing as npt

from keeper.pricing.kernels import Floats

Flags = npt.NDArray[np.bool_]

# Basel, 1996: cumulative binomial probabilities at which the yellow and the red zone begin
_YELLOW, _RED = 0.95, 0.9999


@dataclass(frozen=True)
class Test:
    """A likelihood-ratio test: the statistic, and how likely it is under the hypothesis."""

    statistic: float
    p_value: float


@dataclass(frozen=True)
class Coverage:
    """Exceedances of one book under one model.

    Attributes:
        days: observed; exceedances: days with a larger loss than the requirement.
        level: rate that is tolerated.
        kupiec: the rate is `level`; independence: one day says nothing of the next; conditional: both.
        zone: of Basel, with the tolerated rate: green, yellow or red.
        worst_excess: largest loss beyond the requirement, as a multiple of it; 0 without any.
    """

    days: int
    exceedances: int
    level: float
    kupiec: Test
    independence: Test
    conditional: Test
    zone: str
    worst_excess: float

    @property
    def rate(self) -> float:
        """Share of days with an exceedance."""
        return self.exceedances / self.days if self.days else 0.0


def coverage(losses: Floats, requirement: Floats, level: float, tolerance: float = 0.01) -> Coverage:
    """Everything about one sequence of days.

    Args:
        losses: USD, positive for a loss.
        requirement: USD, of the day before.
        level: tolerated share of exceedances.
        tolerance: USD that a loss may lie above the requirement, for rounding.
    """
    hits = losses > requirement + tolerance
    proportion, independent = kupiec(int(hits.sum()), hits.size, level), independence(hits)
    both = proportion.statistic + independent.statistic
    excess = (losses - requirement)[hits] / np.maximum(requirement[hits], 1.0)
    return Coverage(
        days=hits.size,
        exceedances=int(hits.sum()),
        level=level,
        kupiec=proportion,
        independence=independent,
        conditional=Test(both, exp(-both / 2.0)),
        zone=zone(int(hits.sum()), hits.size, level),
        worst_excess=float(excess.max(initial=0.0)),
    )


def kupiec(exceedances: int, days: int, level: float) -> Test:
    """Proportion of failures: -2 ln of the likelihood at `level` over that at the observed rate; one degree
    of freedom.
    """
    rate = exceedances / days if days else 0.0
    statistic = 2.0 * (_likelihood(exceedances, days, rate) - _likelihood(exceedances, days, level))
    return Test(max(statistic, 0.0), _chi_square_1(statistic))


def independence(hits: Flags) -> Test:
    """Christoffersen's first-order Markov test; one degree of freedom."""
    before, after = hits[:-1], hits[1:]
    counts = [[int(np.sum((before == i) & (after == j))) for j in (False, True)] for i in (False, True)]
    (n00, n01), (n10, n11) = counts
    pooled = (n01 + n11) / max(n00 + n01 + n10 + n11, 1)
    free = sum(
        _likelihood(ones, zeros + ones, ones / (zeros + ones) if ones else 0.0) for zeros, ones in counts
    )
    statistic = 2.0 * (free - _likelihood(n01 + n11, n00 + n01 + n10 + n11, pooled))
    return Test(max(statistic, 0.0), _chi_square_1(statistic))


def zone(exceedances: int, days: int, level: float) -> str:
    """Basel's traffic light: green while the binomial probability of at most as many exceedances is below
    95 %, red from 99.99 % on. At 250 days and 1 %: green to four, red from ten. None is always green.
    """
    from scipy.stats import binom

    if exceedances == 0:
        return "green"
    at_most = float(binom.cdf(exceedances, days, level))
    if at_most < _YELLOW:
        return "green"
    return "yellow" if at_most < _RED else "red"


def acerbi_szekely(losses: Floats, value_at_risk: Floats, shortfall: Floats, tail: float) -> float:
    """Second statistic of Acerbi and Szekely: sum of L * 1{L > VaR} / (T * tail * ES) - 1, here positive for
    an expected shortfall that is too small; about 0 when it is right. At a tail of 2.5 % a value of .70 is
    rejected at 5 %, 1.8 at .01 % (their table for a wide range of fat tails).
    """
    hits = losses > value_at_risk
    terms = np.where(hits, losses / np.maximum(shortfall, 1e-9), 0.0)
    return float(terms.sum() / (losses.size * tail) - 1.0)


def _likelihood(ones: int, total: int, rate: float) -> float:
    """Log-likelihood of independent draws; 0 ln 0 is 0."""
    zeros = total - ones
    return (ones * log(rate) if ones else 0.0) + (zeros * log(1.0 - rate) if zeros and rate < 1.0 else 0.0)


def _chi_square_1(statistic: float) -> float:
    from scipy.stats import chi2

    return float(chi2.sf(max(statistic, 0.0), 1))
