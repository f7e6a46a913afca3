"""Static arbitrage of raw SVI slices and of surfaces made of them.

References: J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14
(2014), 59-71; R. Lee, "The moment formula for implied volatility at extreme strikes", Mathematical Finance
14 (2004), 469-480.
"""

from collections.abc import Sequence

import numpy as np

from keeper.pricing.svi_slice import Svi, density, nodes, shape

LEE_BOUND = 2.0
BUTTERFLY_TOLERANCE = 1e-9
CALENDAR_TOLERANCE = 1e-10


def slice_arbitrage(parameters: Svi) -> list[str]:
    """Violations of one slice: domain, non-negative variance, Lee's wing bound, butterfly on 201 nodes."""
    a, b, rho, _, sigma = parameters
    if not (np.all(np.isfinite(parameters)) and b >= 0.0 and abs(rho) < 1.0 and sigma > 0.0):
        return ["svi: parameters outside their domain"]
    problems = []
    if a + b * sigma * np.sqrt(1.0 - rho * rho) < 0.0:
        problems.append("svi: negative variance")
    if b * (1.0 + abs(rho)) > LEE_BOUND:
        problems.append("svi: wing steeper than Lee's bound")
    g = density(parameters=parameters, log_moneyness=nodes(parameters))
    if np.any(g < -BUTTERFLY_TOLERANCE):
        problems.append("svi: butterfly arbitrage")
    return problems


def falls(near: Svi, far: Svi) -> bool:
    """Whether total variance falls from one expiry to a later one, on the later slice's 201 nodes."""
    k = nodes(far)
    return bool(np.any(shape(far, k).variance < shape(near, k).variance - CALENDAR_TOLERANCE))


def arbitrage(
    slices: Sequence[Sequence[float]] = (), *, parameters: Sequence[float] | None = None
) -> list[str]:
    """Violations of a surface, nearest expiry first; empty when free of arbitrage.

    Calendar: total variance must not fall with time at fixed forward moneyness, on the later slice's 201
    nodes.

    Args:
        slices: raw SVI of each expiry, (a, b, rho, m, sigma).
        parameters: one slice more, by itself or after the others.
    """
    surface = [Svi(*x) for x in (*slices, *([] if parameters is None else [parameters]))]
    problems = [f"{text} (slice {i})" for i, x in enumerate(surface) for text in slice_arbitrage(x)]
    for i, (near, far) in enumerate(zip(surface, surface[1:], strict=False)):
        if falls(near, far):
            problems.append(f"svi: calendar arbitrage (slices {i} and {i + 1})")
    return problems
