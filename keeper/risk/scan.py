"""The scan: every listed instrument re-priced in every scenario, once per market.

Scenarios of one offset group share an index. Each is a spot move, a state of the vols and one day of decay:
- grid: j / steps of the underlying's range, with vols up, flat and down;
- strike: the move that takes a forward to a strike inside the range, so that no short gamma hides between
  grid nodes.
  The strikes are those of the whole universe, not of one book: all accounts then share one scenario set,
      which makes the
  charge exactly subadditive;
- tail: extreme moves with vols up, profit and loss weighted by a share of range / |move|;
- twist and skew: the term structure turns, the smile tilts or bends, at half the range down, at zero and up.

Vols belong to strikes: the spot move does not move the smile. Only basic IEEE operations (see
    `keeper.pricing.kernels`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.markets.instrument import Instrument, Kind
from keeper.pricing import black76, kernels, svi
from keeper.pricing.kernels import Floats
from keeper.pricing.market import Market
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM, ScanParameters
from keeper.units.constants import SECONDS_PER_YEAR, SETTLEMENT_WINDOW

Integers = npt.NDArray[np.int64]

PRICE_SCALE = 1e8
_SECONDS_PER_DAY = 86_400.0
_FLAT, _UP, _DOWN, _TWIST_UP, _TWIST_DOWN, _TILT_UP, _TILT_DOWN, _BEND_UP, _BEND_DOWN = range(9)
_GRID_STATES = ((_UP, "up"), (_FLAT, "flat"), (_DOWN, "down"))
_SMILE_STATES = (
    (_TWIST_UP, "twist-up"),
    (_TWIST_DOWN, "twist-down"),
    (_TILT_UP, "tilt-up"),
    (_TILT_DOWN, "tilt-down"),
    (_BEND_UP, "bend-up"),
    (_BEND_DOWN, "bend-down"),
)


class Scenario(NamedTuple):
    """One scenario. `move` is a fraction of the underlying's range, or of spot itself for tails."""

    name: str
    move: float
    state: int
    is_tail: bool


@dataclass(frozen=True)
class Contracts:
    """Instruments of one group as arrays of shape (n,), USD and years; `live` is the share still exposed to
    spot.

    Inside the settlement window an option pays on the average A * f + X * (1 - f) with A, f already known,
    which is
    (1 - f) options on X struck at (K - A * f) / (1 - f): `strike` is that strike, `live` is 1 - f, `fixed`
    is A * f.
    """

    underlying: Integers
    option: npt.NDArray[np.bool_]
    is_call: npt.NDArray[np.bool_]
    forward: Floats
    strike: Floats
    years: Floats
    vol: Floats
    at_money_vol: Floats
    log_moneyness: Floats
    live: Floats
    fixed: Floats


def contracts(market: Market, instruments: Sequence[Instrument]) -> Contracts:
    """Contract terms and vols of instruments in a market.

    Raises:
        LookupError: an underlying or expiry is not in the market.
    """
    rows = [_terms(market, instrument) for instrument in instruments]
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), 12).T
    underlying, kind, forward, strike, seconds, live, fixed = columns[:7]
    years = seconds / float(SECONDS_PER_YEAR)
    option = kind >= float(Kind.CALL)
    uncertain = option & (years > 0.0) & (strike > 0.0) & (live > 0.0)
    moneyness = kernels.log(np.where(uncertain, strike, 1.0) / np.where(uncertain, forward, 1.0))
    vol, at_money = (
        np.where(uncertain, np.sqrt(variance / np.where(uncertain, years, 1.0)), 0.0)
        for variance in (
            svi.total_variance(parameters=tuple(columns[7:]), log_moneyness=k) for k in (moneyness, 0.0)
        )
    )
    is_call = kind == float(Kind.CALL)
    ids = underlying.astype(np.int64)
    return Contracts(ids, option, is_call, forward, strike, years, vol, at_money, moneyness, live, fixed)


def _terms(market: Market, instrument: Instrument) -> tuple[float, ...]:
    listed = market.underlying(instrument.underlying)
    head = (float(instrument.underlying), float(instrument.kind))
    if instrument.kind == Kind.PERP:
        return (*head, listed.effective / PRICE_SCALE, 0.0, 0.0, 1.0, 0.0, *(0.0,) * 5)
    expiry = listed.expiry(instrument.expiry)
    live = (SETTLEMENT_WINDOW - expiry.covered) / SETTLEMENT_WINDOW
    fixed = expiry.fixed_average * expiry.covered / SETTLEMENT_WINDOW / PRICE_SCALE
    strike = instrument.strike / PRICE_SCALE
    remaining = (strike - fixed) / live if live > 0.0 else strike - fixed
    seconds = float(max(expiry.expiry - market.timestamp, 0))
    return (
        *head,
        expiry.forward / PRICE_SCALE,
        remaining,
        seconds,
        live,
        fixed,
        *svi.from_integers(expiry.svi),
    )


def values(c: Contracts) -> Floats:
    """Value of one unit of each instrument, USD, shape (n,)."""
    return revalue(c, c.forward, c.years, c.vol)


def revalue(c: Contracts, forward: Floats, years: Floats, vol: Floats) -> Floats:
    """Value at other forwards, times and vols; the last axis is the instrument's, leading axes broadcast."""
    # once everything is fixed the payoff is known: strike - fixed carries it
    known = np.where(c.is_call, np.maximum(-c.strike, 0.0), np.maximum(c.strike, 0.0))
    # black76 treats a strike of zero or below as certain; a put there is worth nothing
    price = black76.price(
        is_call=c.is_call, forward=forward, strike=np.where(c.option, c.strike, 1.0), years=years, vol=vol
    )
    option = np.where(c.live > 0.0, c.live * price, known)
    return np.asarray(np.where(c.option, option, c.fixed + c.live * forward))


def scenarios(c: Contracts, methodology: Methodology) -> tuple[Scenario, ...]:
    """The scenario set of one offset group, the same for every account."""
    steps = methodology.scan.grid_steps
    moves = {j / steps: f"grid {j:+d}/{steps}" for j in range(-steps, steps + 1)}
    for row in np.nonzero(c.option & (c.live > 0.0) & (c.strike > 0.0))[0]:
        spot_range = methodology.spot(int(c.underlying[row])).range_ppm / PPM
        move = (float(c.strike[row]) / float(c.forward[row]) - 1.0) / spot_range
        if -1.0 < move < 1.0:
            moves.setdefault(move, f"strike {c.underlying[row]} {move:+.6f}")
    result = [
        Scenario(f"{moves[m]} vol {name}", m, s, False) for m in sorted(moves) for s, name in _GRID_STATES
    ]
    result += [Scenario(f"tail {t:+d}ppm vol up", t / PPM, _UP, True) for t in methodology.scan.tails_ppm]
    result += [
        Scenario(f"{name} at {m:+.1f}", m, s, False) for s, name in _SMILE_STATES for m in (-0.5, 0.0, 0.5)
    ]
    return tuple(result)


def _tenor_ratio(c: Contracts, scan: ScanParameters) -> Floats:
    """Reference tenor over the tenor of each instrument."""
    days = np.maximum(c.years * float(SECONDS_PER_YEAR) / _SECONDS_PER_DAY, float(scan.vol_min_days))
    return np.asarray(scan.vol_reference_days / days)


def tenor_scale(c: Contracts, scan: ScanParameters) -> Floats:
    """How much of a vol shock of the reference tenor each instrument's vol takes: short tenors more."""
    ratio = _tenor_ratio(c, scan)
    exponent = np.where(ratio >= 1.0, scan.short_power_ppm / PPM, scan.long_power_ppm / PPM)
    return kernels.power(ratio, exponent)


def _shocked_vols(c: Contracts, scan: ScanParameters) -> Floats:
    """Vols of every state, shape (9, n)."""
    ratio, scale = _tenor_ratio(c, scan), tenor_scale(c, scan)
    slope = -kernels.log(ratio) / float(kernels.log(float(scan.twist_scale)))
    twist = (scan.twist_ppm / PPM) * np.minimum(np.maximum(slope, -1.0), 1.0)
    clipped = np.minimum(np.maximum(c.log_moneyness, -1.0), 1.0)
    tilt = (scan.skew_ppm / PPM) * clipped
    bend = np.abs(tilt)
    up = np.maximum(c.vol * (1.0 + (scan.vol_up_ppm / PPM) * scale), scan.vol_floor_ppm / PPM)
    down = c.vol * np.maximum(1.0 - (scan.vol_down_ppm / PPM) * scale, 0.0)
    turned = [c.vol * (1.0 + shift) for shift in (twist, -twist, tilt, -tilt, bend, -bend)]
    return np.stack([c.vol, up, down, *turned])


def profit_and_loss(c: Contracts, scenario_set: Sequence[Scenario], methodology: Methodology) -> Floats:
    """Weighted profit and loss of one unit long, USD, shape (n, scenarios)."""
    ranges = np.array([methodology.spot(int(u)).range_ppm for u in c.underlying], dtype=np.float64) / PPM
    moves = np.array([s.move for s in scenario_set])[:, None]
    tail = np.array([s.is_tail for s in scenario_set])[:, None]
    state = np.array([s.state for s in scenario_set])
    move = np.where(tail, moves, moves * ranges)
    share = methodology.scan.tail_share_ppm / PPM
    weight = np.where(tail, np.minimum(share * ranges / np.where(tail, np.abs(moves), 1.0), 1.0), 1.0)
    vols = _shocked_vols(c, methodology.scan)[state]
    years = np.maximum(c.years - methodology.scan.decay_seconds / float(SECONDS_PER_YEAR), 0.0)
    shocked = revalue(c, c.forward * (1.0 + move), years, vols)
    return np.ascontiguousarray((weight * (shocked - values(c))).T)
