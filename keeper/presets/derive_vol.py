"""Vols as Derive's feed gives them.

Source: derivexyz/v2-core at 7736900d with its library lyra-utils, contracts LyraVolFeed and SVI.
"""

from math import log, sqrt

from keeper.portfolio.market_state import Expiry

_REACH = 4.0
_MAX_VARIANCE = 144.0


def vol(expiry: Expiry, strike: float, years: float) -> float:
    """Quoted vol; else the curve's, whose log-moneyness is held within 4 sqrt(a + b sigma) and whose total
    variance is at most 144. Forward and time are those stored with the curve, so that the vol of a strike
    stays between two updates.

    Raises:
        LookupError: the expiry has neither quotes nor a smile.
        ValueError: the curve's variance is negative.
    """
    smile = expiry.smile
    if smile is None or strike in dict(expiry.vols):
        return expiry.vol(strike, years)
    reach = _REACH * sqrt(smile.a + smile.b * smile.sigma)
    k = max(-reach, min(reach, log(strike / (expiry.smile_forward or expiry.forward))))
    x = k - smile.m
    variance = smile.a + smile.b * (smile.rho * x + sqrt(x * x + smile.sigma**2))
    if variance < 0.0:
        raise ValueError(f"derive: negative variance at strike {strike} of expiry {expiry.expiry}")
    return sqrt(min(variance, _MAX_VARIANCE) / (expiry.smile_years or years))
