"""Scenario sets and volatility regimes of the past, each from what was known on its day."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from math import exp, log
from operator import itemgetter

from keeper.analysis.history import PriceHistory
from keeper.analysis.scenario_days import STRESSED, Windows, build
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.risk.scenario_set import ScenarioSet
from keeper.risk.volatility import ewma, log_returns, scale_ppm

# two months each around the worst of earlier crises, used until later ones have happened
EARLIER = (
    (date(2017, 12, 16), date(2018, 2, 16)),  # the end of the first mania
    (date(2018, 11, 7), date(2019, 1, 7)),  # the Bitcoin Cash split
    (date(2019, 6, 26), date(2019, 8, 27)),  # the June top
    (date(2019, 9, 11), date(2019, 11, 12)),  # the fall of September
)
_CRISES = 4
# an underlying that was not listed yet moves as another's returns times this
_STAND_IN = {"SOL": ("ETH", 1.3)}


@dataclass(frozen=True)
class Regimes:
    """Rolling inputs of the expected shortfall.

    Attributes:
        renewal_days: how long a scenario set stays in force.
    """

    history: PriceHistory
    methodology: Methodology
    renewal_days: int = 91

    def methodology_on(self, day: date) -> Methodology:
        """The methodology with the scenario set in force; it ends before the day, so nothing is foreseen."""
        number = day.toordinal() // self.renewal_days
        if number not in self._sets:
            self._sets[number] = self._build(date.fromordinal(number * self.renewal_days))
        return replace(self.methodology, scenarios=self._sets[number])

    def scales_on(self, day: date) -> dict[str, float]:
        """Volatility regime of every underlying at the close of a day."""
        methodology = self.methodology_on(day)
        references = methodology.scenarios.references
        result = {}
        for symbol, (days, volatilities) in self._volatilities.items():
            known = volatilities[: days[day] + 1]
            scale = scale_ppm(known, references[symbol], methodology.expected_shortfall)
            result[symbol] = scale / PPM
        return result

    @cached_property
    def _sets(self) -> dict[int, ScenarioSet]:
        return {}

    @cached_property
    def _closes(self) -> dict[str, dict[date, float]]:
        recorded = {symbol: self.history.series(symbol) for symbol in self.history.symbols}
        return {symbol: extended(symbol, recorded) for symbol in recorded}

    @cached_property
    def _volatilities(self) -> dict[str, tuple[dict[date, int], list[float]]]:
        decay = self.methodology.expected_shortfall.volatility_decay_ppm / PPM
        result = {}
        for symbol, closes in self._closes.items():
            days = sorted(closes)
            found = ewma(log_returns([closes[d] for d in days]), decay)
            result[symbol] = ({day: i for i, day in enumerate(days[1:])}, found)
        return result

    def _build(self, first: date) -> ScenarioSet:
        """The set in force from a day on."""
        ended = sorted((w for w in (*EARLIER, *STRESSED) if w[1] < first), key=itemgetter(1))
        windows = Windows(last=first - timedelta(days=1), stressed=tuple(ended[-_CRISES:]))
        decay = self.methodology.expected_shortfall.volatility_decay_ppm / PPM
        return build(self._closes, windows, decay)


def extended(symbol: str, recorded: Mapping[str, Mapping[date, float]]) -> dict[date, float]:
    """Closes of an underlying, carried back before its listing by its stand-in's returns, magnified."""
    own = dict(recorded[symbol])
    source, stretch = _STAND_IN.get(symbol, (symbol, 1.0))
    if source not in recorded or source == symbol:
        return own
    leader = recorded[source]
    day = min(own)
    while day - timedelta(days=1) in leader and day in leader:
        before = day - timedelta(days=1)
        own[before] = own[day] * exp(-stretch * log(leader[day] / leader[before]))
        day = before
    return own
