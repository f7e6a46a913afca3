"""Greeks of single instruments as the Greeks charge takes them, per unit long.

Only basic IEEE operations (see `keeper.pricing.kernels`).
"""

from typing import NamedTuple

import numpy as np

from keeper.pricing import black76, kernels
from keeper.pricing.kernels import Floats
from keeper.risk.parameters import PPM, GreeksParameters
from keeper.risk.scan import Contracts, Integers
from keeper.units.constants import SECONDS_PER_YEAR

PUT_WING, BODY, CALL_WING = range(3)
_SECONDS_PER_DAY = 86_400.0


class UnitGreeks(NamedTuple):
    """Arrays of shape (n,), USD per unit long.

    Attributes:
        delta: change in value for a proportional move of the forward of 1.00.
        bucket: moneyness bucket of the vega.
        vega: loss of a short for the weighted relative vol move of its tenor.
        curvature: -1/2 gamma F**2 sigma**2 h with the expiry's at-the-money vol, times the linear weight;
            negative for a long option.
        theta: change in value over the horizon; negative for a long option.
        dollar_vega: change in value for a relative vol move of 1.00, unweighted.
    """

    delta: Floats
    bucket: Integers
    vega: Floats
    curvature: Floats
    theta: Floats
    dollar_vega: Floats


def unit_greeks(c: Contracts, parameters: GreeksParameters) -> UnitGreeks:
    """Greeks of every instrument.

    Gamma, vega and theta are taken at a tenor of at least the horizon: at its own tenor the gamma of an
    at-the-money option grows without bound towards expiry, though the loss over the horizon does not.
    """
    horizon = parameters.horizon_seconds / float(SECONDS_PER_YEAR)
    # a strike of 1 stands in for linear instruments, whose vol of 0 leaves them without these Greeks
    terms = {"is_call": c.is_call, "forward": c.forward, "strike": np.where(c.option, c.strike, 1.0)}
    now = black76.greeks(**terms, years=c.years, vol=c.vol)
    floored = black76.greeks(**terms, years=np.maximum(c.years, horizon), vol=c.vol)
    live = np.where(c.option, c.live, 0.0)
    variance = c.at_money_vol * c.at_money_vol * horizon
    dollar_vega = live * floored.vega * c.vol
    gamma = live * floored.gamma * c.forward * c.forward
    return UnitGreeks(
        delta=np.asarray(c.live * c.forward * np.where(c.option, now.delta, 1.0)),
        bucket=_buckets(np.where(c.is_call, floored.delta, floored.delta + 1.0), parameters.wing_ppm / PPM),
        vega=np.asarray(dollar_vega * _vega_weight(c, parameters)),
        curvature=np.asarray((-0.5 * parameters.curvature_linear_ppm / PPM) * gamma * variance),
        theta=np.asarray(live * floored.theta * horizon),
        dollar_vega=np.asarray(dollar_vega),
    )


def _buckets(call_delta: Floats, wing: float) -> Integers:
    """Moneyness bucket by the delta of the call at the strike."""
    high = np.where(call_delta < wing, CALL_WING, BODY)
    return np.asarray(np.where(1.0 - call_delta < wing, PUT_WING, high), dtype=np.int64)


def _vega_weight(c: Contracts, parameters: GreeksParameters) -> Floats:
    """Relative vol move by tenor."""
    days = np.maximum(c.years * float(SECONDS_PER_YEAR) / _SECONDS_PER_DAY, float(parameters.vega_min_days))
    ratio = parameters.vega_reference_days / days
    exponent = np.where(ratio >= 1.0, parameters.short_power_ppm / PPM, parameters.long_power_ppm / PPM)
    return np.asarray((parameters.vega_weight_ppm / PPM) * kernels.power(ratio, exponent))
