"""Option surfaces for years of which only prices are recorded: a documented model, not history.

Forward variance at time t ahead falls from a fast to a slow to a long average of squared returns,

    v(t) = long + (slow - long) * exp(-t / slow_days) + (fast - slow) * exp(-t / fast_days),

times a risk premium and a seeded noise that stands for moves of vols without a move of the price. The smile
is SSVI with constant wings in standard deviations, phi = psi / sqrt(theta), whose correlation follows recent
returns: steeper puts after falls. Raw SVI holds it exactly, without butterfly or calendar arbitrage for the
parameters in use. Futures carry a yield that follows the month's price move.

References: J. Gatheral, A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14
(2014), 59-71; J. P. Morgan, RiskMetrics technical document (1996), for the averages.
"""

import json
from dataclasses import dataclass
from importlib import resources
from math import exp, sqrt
from typing import Any

import numpy as np

from keeper.analysis.history import PriceHistory
from keeper.pricing.kernels import Floats
from keeper.pricing.svi import Svi

DAYS_PER_YEAR = 365.0
_SEED_DAYS = 30


@dataclass(frozen=True)
class SurfacePath:
    """Daily state of one underlying's surface, one entry a day of the history; NaN before its record.

    Attributes:
        fast, slow, long: annual variances at the three terms, premium and noise in them.
        rho: correlation of the smile; wings: psi, its slope in standard deviations.
        carry: yield of futures per year.
    """

    fast: Floats
    slow: Floats
    long: Floats
    rho: Floats
    carry: Floats
    wings: float
    fast_days: float
    slow_days: float

    def total_variance(self, index: int, years: float) -> float:
        """At-the-money total variance: the integral of the forward variance."""
        slow, fast = self.slow_days / DAYS_PER_YEAR, self.fast_days / DAYS_PER_YEAR
        return float(
            self.long[index] * years
            + (self.slow[index] - self.long[index]) * slow * (1.0 - exp(-years / slow))
            + (self.fast[index] - self.slow[index]) * fast * (1.0 - exp(-years / fast))
        )

    def smile(self, index: int, years: float) -> Svi:
        """Raw SVI of a term."""
        theta, rho = self.total_variance(index, years), float(self.rho[index])
        phi, root = self.wings / sqrt(theta), sqrt(1.0 - rho * rho)
        return Svi(0.5 * theta * (1.0 - rho * rho), 0.5 * theta * phi, rho, -rho / phi, root / phi)


def parameters() -> dict[str, Any]:
    """The committed table."""
    text = resources.files("keeper.analysis").joinpath("data/surface_model.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def surface_paths(history: PriceHistory, table: dict[str, Any] | None = None) -> dict[str, SurfacePath]:
    """States of every underlying's surface.

    Args:
        table: parameters to use instead of the committed ones.
    """
    chosen = parameters() if table is None else table
    source = np.random.Generator(np.random.PCG64(chosen["seed"]))
    draws = source.standard_normal((2, len(history), 1 + len(history.symbols)))
    common = chosen["noise_common"]
    # one shock for all and one of each underlying's own
    shocks = sqrt(common) * draws[:, :, :1] + sqrt(1.0 - common) * draws[:, :, 1:]
    return {
        symbol: _path(history.closes[:, column], shocks[:, :, column], chosen)
        for column, symbol in enumerate(history.symbols)
    }


def _path(closes: Floats, shocks: Floats, table: dict[str, Any]) -> SurfacePath:
    known = np.isfinite(closes)
    returns = np.diff(np.log(closes[known]), prepend=np.nan)
    returns[0] = 0.0
    noise = _autoregression(table["noise_per_day"] * shocks[0][known], table["noise_decay"])
    squared = _capped(returns, table["slow_decay"], table["return_cap"]) ** 2 * DAYS_PER_YEAR
    slow, long = (_average(squared, table[f"{term}_decay"]) for term in ("slow", "long"))
    fast = np.maximum(_average(squared, table["fast_decay"]), table["fast_floor"] * slow)
    level = (table["premium"] * np.exp(noise)) ** 2
    tilt = _autoregression(table["skew_noise_per_day"] * shocks[1][known], table["noise_decay"])
    drift = _average(returns, table["fast_decay"], start=0.0)
    rho = np.clip(table["skew"] + table["skew_response"] * drift + tilt, *table["skew_limits"])
    carry = _carry(closes[known], table)

    def full(values: Floats) -> Floats:
        result = np.full(closes.shape, np.nan)
        result[known] = values
        return result

    return SurfacePath(
        fast=full(level * fast),
        slow=full(level * slow),
        long=full(level * long),
        rho=full(rho),
        carry=full(carry),
        wings=table["wings"],
        fast_days=table["fast_days"],
        slow_days=table["slow_days"],
    )


def _capped(returns: Floats, decay: float, cap: float) -> Floats:
    """Returns held within `cap` volatilities of the day before: option markets do not believe that a crash
    repeats every day.
    """
    volatility = np.sqrt(_average(returns**2, decay))
    most = cap * np.concatenate([volatility[:1], volatility[:-1]])
    return np.clip(returns, -most, most)


def _average(values: Floats, decay: float, start: float | None = None) -> Floats:
    """Exponentially weighted average after each value, started from the mean of the first month."""
    state = float(np.mean(values[1 : 1 + _SEED_DAYS])) if start is None else start
    result = np.empty_like(values)
    for i, value in enumerate(values):
        state = decay * state + (1.0 - decay) * value
        result[i] = state
    return result


def _autoregression(shocks: Floats, decay: float) -> Floats:
    result, state = np.empty_like(shocks), 0.0
    for i, shock in enumerate(shocks):
        state = decay * state + shock
        result[i] = state
    return result


def _carry(closes: Floats, table: dict[str, Any]) -> Floats:
    days = table["carry_days"]
    before = np.concatenate([np.repeat(closes[0], days), closes])[: len(closes)]
    low, high = table["carry_limits"]
    return np.asarray(np.clip(table["carry"] + table["carry_momentum"] * np.log(closes / before), low, high))
