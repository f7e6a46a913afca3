"""All models in all stress scenarios on one close of a history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keeper.analysis.archetypes import ARCHETYPES
from keeper.analysis.books import TENORS, BookRecipe, build, perp, random_books
from keeper.analysis.history import PriceHistory
from keeper.analysis.history_market import MarketHistory
from keeper.analysis.models import ModelChoice, model_of
from keeper.analysis.regime import Regimes
from keeper.analysis.stress import SCENARIOS, StressResult, stress
from keeper.risk.methodology import Methodology
from keeper.sources.prices import DAY


@dataclass(frozen=True)
class StressRun:
    """What a report shows.

    Attributes:
        results: by scenario, then model.
        perps: margins of a perpetual's notional by model, for cascades.
        books: how many there are.
    """

    results: list[StressResult]
    perps: dict[str, dict[str, Any]]
    books: int


def stress_run(
    history: PriceHistory, index: int, choices: Sequence[ModelChoice], random: int, fund: float
) -> StressRun:
    """Every model in every scenario.

    Args:
        index: row of the close; random: how many random books join the archetypes.
        fund: assets of the insurance fund, USD.
    """
    day = history.days[index]
    expiries = [history.close_time(index) + days * DAY for days in TENORS]
    scales = Regimes(history, Methodology.default()).scales_on(day)
    market = MarketHistory(history).market(index, expiries, scales)
    recipes = [r for r in (*ARCHETYPES, *random_books(random)) if r.underlyings <= set(market.underlyings)]
    first = next(iter(market.underlyings))
    recipes.append(BookRecipe("one perp", (perp(first, 1.0),)))
    portfolios = [build(recipe, market) for recipe in recipes]
    buffers = {c.name: model_of(c, history).buffers(portfolios, market, day) for c in choices}
    perps = {
        name: {"mean_initial": found[-1].initial, "mean_maintenance": found[-1].maintenance}
        for name, found in buffers.items()
        if found[-1] is not None
    }
    results = [
        stress(name, portfolios[:-1], found[:-1], market, scenario, fund)
        for scenario in SCENARIOS
        for name, found in buffers.items()
    ]
    return StressRun(results, perps, len(portfolios) - 1)
