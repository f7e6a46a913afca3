"""Scenario sets from daily closes: filtered recent days and stressed windows, with the surface moves of a
spot-vol model.

A filtered return is the day's log return over the volatility forecast of the day before (exponentially
weighted), times the underlying's mean forecast over the window, its reference volatility. Stressed returns
are as they were. An underlying that did not trade yet on a stressed day takes the moves of a `stand_in` times
the ratio of their reference volatilities.

Vols of fixed strikes move with spot. Fitted to a BTC fall of 16 % over five days of January 2026 (Deribit
marks, tenors of 14 and 30 days, 765 one-day moves of strikes within .3 of the money in logarithms) the level
rises by 1.7 per unit of log return and higher strikes by 7.8 more per unit of log-moneyness, as the smile
partly follows spot. The skew kept here is 2: beyond the fitted strikes the whole figure would lower the vols
of far puts in a crash. What rallies do to vols the sample does not show: .5 is an assumption, and so are
wings that rise by .5 on either side. Moves of the level are centred over the filtered days, so vols have no
drift. Vols that move without spot are not in these scenarios; the scan and the vega charge cover them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import log

from keeper.risk.parameters import PPM
from keeper.risk.scenario_set import Moves, ScenarioSet
from keeper.risk.volatility import ewma

Closes = Mapping[date, float]


@dataclass(frozen=True)
class SpotVol:
    """Relative moves of fixed-strike vols per unit of log return.

    Attributes:
        fall, rise: of the level, when spot falls and when it rises.
        skew: of the slope in log-moneyness, opposite to the return.
        wings: of the slope in absolute log-moneyness, whichever way spot moves.
    """

    fall: float = 1.7
    rise: float = 0.5
    skew: float = 2.0
    wings: float = 0.5

    def level(self, move: float) -> float:
        """Relative move of the level."""
        return self.rise * move if move > 0.0 else -self.fall * move


@dataclass(frozen=True)
class Windows:
    """Which days become scenarios.

    Attributes:
        last: last filtered day; filtered: how many.
        stressed: first and last day of each crisis, inclusive.
    """

    last: date
    stressed: tuple[tuple[date, date], ...]
    filtered: int = 500


# 250 days around the worst of four crises
STRESSED = (
    (date(2020, 2, 20), date(2020, 4, 22)),  # the pandemic's liquidity crisis: BTC -50 % on March 12
    (date(2021, 4, 20), date(2021, 6, 21)),  # the leverage wash-out of May 19
    (date(2022, 5, 5), date(2022, 7, 5)),  # Terra, Celsius, Three Arrows
    (date(2022, 10, 15), date(2022, 12, 15)),  # FTX
)


def build(
    closes: Mapping[str, Closes],
    windows: Windows,
    decay: float,
    stand_in: Mapping[str, str] | None = None,
    spot_vol: SpotVol | None = None,
) -> ScenarioSet:
    """A scenario set.

    Args:
        closes: daily closes by symbol, USD, without gaps.
        decay: of the exponentially weighted volatility.
        stand_in: by symbol, whose moves it takes before its own history begins.

    Raises:
        LookupError: a day is missing.
    """
    model = spot_vol or SpotVol()
    filtered_days = [windows.last - timedelta(days=n) for n in range(windows.filtered - 1, -1, -1)]
    stressed_days = [day for first, last in windows.stressed for day in _days(first, last)]
    residuals, references = {}, {}
    for symbol, prices in closes.items():
        residuals[symbol], references[symbol] = _filtered(symbol, prices, filtered_days, decay)
    moves = {}
    for symbol in closes:
        stressed = _stressed(symbol, closes, stressed_days, stand_in or {}, references)
        moves[symbol] = _moves(residuals[symbol], stressed, model)
    return ScenarioSet(
        labels=tuple(day.isoformat() for day in (*filtered_days, *stressed_days)),
        filtered=len(filtered_days),
        references={symbol: round(r * PPM) for symbol, r in references.items()},
        moves=moves,
    )


def _filtered(symbol: str, prices: Closes, days: Sequence[date], decay: float) -> tuple[list[float], float]:
    """Filtered returns of the days and the reference volatility that they are stated at."""
    dates = sorted(prices)
    returns = [log(prices[b] / prices[a]) for a, b in zip(dates, dates[1:], strict=False)]
    # the forecast for a day is what the day before knew
    forecasts = dict(zip(dates[2:], ewma(returns, decay), strict=False))
    own = dict(zip(dates[1:], returns, strict=True))
    missing = [day for day in days if day not in forecasts]
    if missing:
        raise LookupError(f"scenarios: {symbol} has no return and forecast on {missing[0]}")
    reference = sum(forecasts[day] for day in days) / len(days)
    return [own[day] / forecasts[day] * reference for day in days], reference


def _stressed(
    symbol: str,
    closes: Mapping[str, Closes],
    days: Sequence[date],
    stand_in: Mapping[str, str],
    references: Mapping[str, float],
) -> list[float]:
    """Log returns of the days, of the stand-in where the underlying has none."""
    result = []
    for day in days:
        source, stretch = symbol, 1.0
        while day - timedelta(days=1) not in closes[source] or day not in closes[source]:
            if source not in stand_in:
                raise LookupError(f"scenarios: {source} has no return on {day}, name a stand-in")
            stretch *= references[source] / references[stand_in[source]]
            source = stand_in[source]
        prices = closes[source]
        result.append(log(prices[day] / prices[day - timedelta(days=1)]) * stretch)
    return result


def _moves(filtered: Sequence[float], stressed: Sequence[float], model: SpotVol) -> Moves:
    returns = [*filtered, *stressed]
    drift = sum(model.level(r) for r in filtered) / len(filtered)
    return Moves(
        spot=tuple(round(r * PPM) for r in returns),
        level=tuple(round((model.level(r) - drift) * PPM) for r in returns),
        skew=tuple(round(-model.skew * r * PPM) for r in returns),
        curvature=tuple(round(model.wings * abs(r) * PPM) for r in returns),
    )


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
