"""Black-76 by its textbook formulas at sixty digits: the reference of the pricing tests."""

from dataclasses import dataclass

import mpmath as mp
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
DIGITS = 60


@dataclass(frozen=True)
class Options:
    """Arguments of `black76.greeks`, one array each."""

    is_call: npt.NDArray[np.bool_]
    forward: Floats
    strike: Floats
    years: Floats
    vol: Floats
    discount: Floats


def draw(
    random: np.random.Generator,
    count: int,
    years: tuple[float, float],
    deviations: float,
    vol_to: float = 1.5,
) -> Options:
    """Random options: years log-uniform, strikes within some standard deviations of the forward."""
    t = np.exp(random.uniform(np.log(years[0]), np.log(years[1]), count))
    vol = np.exp(random.uniform(np.log(0.1), np.log(vol_to), count))
    forward = np.exp(random.uniform(0, 12, count))
    strike = forward * np.exp(random.uniform(-deviations, deviations, count) * vol * np.sqrt(t))
    call = random.random(count) < 0.5
    return Options(call, forward, strike, t, vol, random.uniform(0.8, 1.0, count))


def exact(o: Options, i: int) -> dict[str, mp.mpf]:
    """Price and Greeks of one option, and the total vol, d1 and d2. Call inside `mp.workdps(DIGITS)`."""
    f, k, t, v, d = (mp.mpf(float(a[i])) for a in (o.forward, o.strike, o.years, o.vol, o.discount))
    root = mp.sqrt(t)
    s = v * root
    d1 = mp.log(f / k) / s + s / 2
    d2 = d1 - s
    w = 1 if o.is_call[i] else -1
    density = mp.npdf(d1)
    price = d * w * (f * mp.ncdf(w * d1) - k * mp.ncdf(w * d2))
    vega = d * f * density * root
    return {
        "price": price,
        "delta": d * w * mp.ncdf(w * d1),
        "gamma": d * density / (f * s),
        "vega": vega,
        "theta": -d * f * density * v / (2 * root),
        "rho": -t * price,
        "vanna": -d * density * d2 / v,
        "volga": vega * d1 * d2 / v,
        "s": s,
        "d1": d1,
        "d2": d2,
    }
