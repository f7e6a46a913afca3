"""Every book under every model on every day of a history: margins today, profit and loss by tomorrow.

Books are rebuilt each day, so that their shape does not drift; each is margined at the close and re-priced in
full at the next one. Days are independent, which processes share.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from functools import partial
from multiprocessing import get_context

import numpy as np

from keeper.analysis.books import TENORS, BookRecipe, build
from keeper.analysis.history import PriceHistory
from keeper.analysis.history_market import MarketHistory, profits
from keeper.analysis.models import Model, ModelChoice, model_of
from keeper.analysis.regime import Regimes
from keeper.analysis.requirement_buffer import Buffer
from keeper.pricing.kernels import Floats
from keeper.risk.methodology import Methodology
from keeper.sources.prices import DAY

_CHUNK = 24
_MONTH = 30
# two volatility averages of a year and a half, and the sets' renewal
_SCENARIO_DAYS = 700


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """Figures in USD; NaN where a book could not be built or a model cannot hold it.

    Attributes:
        days: of the margins; books and models: names.
        profit: (days, books) to the next close.
        maintenance, initial: (models, days, books) buffers.
    """

    days: tuple[date, ...]
    books: tuple[str, ...]
    models: tuple[str, ...]
    profit: Floats
    maintenance: Floats
    initial: Floats

    def model(self, name: str) -> int:
        """Index of a model. Raises LookupError."""
        if name not in self.models:
            raise LookupError(f"backtest: no model {name} in this run")
        return self.models.index(name)


@dataclass(frozen=True)
class Plan:
    """What a run computes; small enough to be sent to processes."""

    history: PriceHistory
    recipes: tuple[BookRecipe, ...]
    choices: tuple[ModelChoice, ...]

    def prepared(self) -> "Worker":
        """With everything that days share."""
        return Worker(self)


class Worker:
    """Computes days of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._markets = MarketHistory(plan.history)
        self._models: list[Model] = [model_of(choice, plan.history) for choice in plan.choices]
        self._regimes = Regimes(plan.history, Methodology.default())

    def day(self, index: int) -> tuple[Floats, Floats, Floats]:
        """Profits (books,), and maintenance and initial buffers (models, books) of a day."""
        history = self._plan.history
        expiries = [history.close_time(index) + days * DAY for days in TENORS]
        day = history.days[index]
        before = self._markets.market(index, expiries, self._regimes.scales_on(day))
        after = self._markets.market(index + 1, expiries)
        listed = set(before.underlyings)
        rows = [i for i, recipe in enumerate(self._plan.recipes) if recipe.underlyings <= listed]
        portfolios = [build(self._plan.recipes[i], before) for i in rows]
        profit = np.full(len(self._plan.recipes), np.nan)
        profit[rows] = profits(portfolios, before, after)
        margins = np.full((2, len(self._models), len(self._plan.recipes)), np.nan)
        for m, model in enumerate(self._models):
            margins[:, m, rows] = _columns(model.buffers(portfolios, before, day))
        return profit, margins[0], margins[1]


def run(
    plan: Plan,
    indices: Sequence[int],
    processes: int = 1,
    progress: Callable[[int], None] = lambda days: None,
) -> BacktestResult:
    """The whole history, or the days of it that are asked for.

    Args:
        indices: rows of the history, the last row excluded: it has no day after.
        progress: told how many more days are done.
    """
    found = dict(_computed(plan, list(indices), processes, progress))
    rows = [found[i] for i in indices]
    return BacktestResult(
        days=tuple(plan.history.days[i] for i in indices),
        books=tuple(recipe.name for recipe in plan.recipes),
        models=tuple(choice.name for choice in plan.choices),
        profit=np.stack([profit for profit, _, _ in rows]),
        maintenance=np.stack([m for _, m, _ in rows], axis=1),
        initial=np.stack([i for _, _, i in rows], axis=1),
    )


def least_start(history: PriceHistory, *, joint: bool = True) -> int:
    """The first row a backtest can start at: a month after prices begin (of every underlying, if joint), and
    late enough for the filtered scenarios and one crisis before them.
    """
    first = history.index_of(history.first_joint_day()) if joint else 0
    return max(first + _MONTH, _SCENARIO_DAYS)


_Day = tuple[Floats, Floats, Floats]
_worker: Worker | None = None


def _computed(
    plan: Plan, indices: list[int], processes: int, progress: Callable[[int], None]
) -> Iterator[tuple[int, _Day]]:
    if processes <= 1:
        worker = plan.prepared()
        for index in indices:
            yield index, worker.day(index)
            progress(1)
        return
    chunks = [indices[i : i + _CHUNK] for i in range(0, len(indices), _CHUNK)]
    start = partial(ProcessPoolExecutor, processes, get_context("spawn"), _prepare, (plan,))
    with start() as pool:
        for future in as_completed([pool.submit(_days, chunk) for chunk in chunks]):
            done = future.result()
            yield from done
            progress(len(done))


def _prepare(plan: Plan) -> None:
    global _worker
    _worker = plan.prepared()


def _days(chunk: list[int]) -> list[tuple[int, _Day]]:
    assert _worker is not None
    return [(index, _worker.day(index)) for index in chunk]


def _columns(buffers: Sequence[Buffer | None]) -> Floats:
    """(2, n): maintenance, initial."""
    return np.array([(b.maintenance, b.initial) if b else (np.nan, np.nan) for b in buffers]).reshape(-1, 2).T
