"""The book that leaks most: a search for the largest loss beyond the margin, per unit of margin.

Every model is attacked alike: populations of small books over one menu of instruments, margined at the close
before each crash day; the best survive and their mutations compete, from several random starts. What a book
leaks is what it loses beyond its maintenance buffer, over the buffer; a buffer below a share of the book's
gross notional counts as that share, so that nobody wins by margins of nearly nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random

import numpy as np

from keeper.analysis.books import BookRecipe, LegRecipe, build
from keeper.analysis.history import PriceHistory
from keeper.analysis.history_market import MarketHistory, profits
from keeper.analysis.models import Model
from keeper.analysis.regime import Regimes
from keeper.markets.instrument import Kind
from keeper.portfolio.market_state import MarketState
from keeper.sources.prices import DAY

_TENORS = (2, 7, 30, 90)
_DEVIATIONS = (-2.0, -1.0, 0.0, 1.0, 2.0)
_MOST_LEGS = 4
_LEAST_MARGIN = 0.005
_FRESH = 0.25


@dataclass(frozen=True)
class Attack:
    """The worst book found against a model.

    Attributes:
        leak: loss beyond the buffer, over the buffer; 0 when nothing leaked.
        day: whose close it is margined at.
        loss, margin: USD for a notional of `keeper.analysis.books.NOTIONAL`.
        tried: books margined on all days.
    """

    model: str
    leak: float
    day: date
    loss: float
    margin: float
    book: BookRecipe
    tried: int


@dataclass(frozen=True)
class Effort:
    """How long to search."""

    starts: int = 3
    generations: int = 6
    population: int = 24
    seed: int = 1


@dataclass(frozen=True)
class Scene:
    """A close and the one after."""

    day: date
    before: MarketState
    after: MarketState


def scenes(
    history: PriceHistory, markets: MarketHistory, regimes: Regimes, indices: Sequence[int]
) -> list[Scene]:
    """Markets around the days that end at `indices + 1`."""
    result = []
    for index in indices:
        day = history.days[index]
        expiries = [history.close_time(index) + days * DAY for days in _TENORS]
        before = markets.market(index, expiries, regimes.scales_on(day))
        result.append(Scene(day, before, markets.market(index + 1, expiries)))
    return result


def crash_days(history: PriceHistory, indices: Sequence[int], count: int) -> list[int]:
    """Rows of `indices` before the largest moves: in turn of each underlying, down and up."""
    moves = np.diff(np.log(history.closes), axis=0)[list(indices)]
    chosen: list[int] = []
    rank = 0
    while len(chosen) < min(count, len(indices)):
        for column in range(moves.shape[1]):
            order = np.argsort(moves[:, column])
            chosen += [indices[int(order[rank])], indices[int(order[-1 - rank])]]
        chosen = list(dict.fromkeys(chosen))
        rank += 1
    return sorted(chosen[:count])


def attack(
    model: Model,
    stage: Sequence[Scene],
    effort: Effort | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Attack:
    """The worst book that the effort finds."""
    plan = effort or Effort()
    best: Attack | None = None
    for start in range(plan.starts):
        source = Random(plan.seed * 1_000 + start)
        books = [_random_book(stage[0].before, source) for _ in range(plan.population)]
        for _ in range(plan.generations):
            ranked = sorted(_judged(model, books, stage), key=lambda a: -a.leak)
            best = max(filter(None, (best, ranked[0])), key=lambda a: a.leak)
            books = _next(ranked, plan.population, stage[0].before, source)
            progress()
    assert best is not None
    return replace(best, tried=plan.starts * plan.generations * plan.population)


def _judged(model: Model, books: Sequence[BookRecipe], stage: Sequence[Scene]) -> list[Attack]:
    """Every book on its worst day."""
    found = [Attack(model.name, -1.0, stage[0].day, 0.0, 0.0, book, 0) for book in books]
    for scene in stage:
        portfolios = [build(book, scene.before) for book in books]
        losses = -profits(portfolios, scene.before, scene.after)
        buffers = model.buffers(portfolios, scene.before, scene.day)
        for i, (book, buffer) in enumerate(zip(books, buffers, strict=True)):
            if buffer is None:
                continue
            gross = sum(
                abs(p.quantity) * scene.before.underlying(p.underlying).spot for p in portfolios[i].positions
            )
            margin = max(buffer.maintenance, _LEAST_MARGIN * gross, 1.0)
            leak = (float(losses[i]) - margin) / margin
            if leak > found[i].leak:
                found[i] = Attack(model.name, leak, scene.day, float(losses[i]), buffer.maintenance, book, 0)
    return [replace(a, leak=max(a.leak, 0.0)) if a.leak < 0.0 else a for a in found]


def _next(ranked: Sequence[Attack], size: int, market: MarketState, source: Random) -> list[BookRecipe]:
    """The best third, their mutations, and some newcomers."""
    kept = [a.book for a in ranked[: max(size // 3, 1)]]
    fresh = [_random_book(market, source) for _ in range(int(size * _FRESH))]
    mutants = [
        _mutated(kept[i % len(kept)], market, source) for i in range(max(size - len(kept) - len(fresh), 0))
    ]
    return kept + mutants + fresh


def _random_book(market: MarketState, source: Random) -> BookRecipe:
    legs = tuple(_random_leg(market, source) for _ in range(1 + int(source.random() * _MOST_LEGS)))
    return BookRecipe("adversary", legs)


def _random_leg(market: MarketState, source: Random) -> LegRecipe:
    symbols = sorted(market.underlyings)
    symbol = symbols[int(source.random() * len(symbols))]
    share = round(4.0 * source.random() - 2.0, 2) or 1.0
    if source.random() < 0.2:
        return LegRecipe(symbol, Kind.PERP, share)
    kind = Kind.CALL if source.random() < 0.5 else Kind.PUT
    days = _TENORS[int(source.random() * len(_TENORS))]
    return LegRecipe(symbol, kind, share, days, _DEVIATIONS[int(source.random() * len(_DEVIATIONS))])


def _mutated(book: BookRecipe, market: MarketState, source: Random) -> BookRecipe:
    """One leg resized, replaced, added or left out."""
    legs = list(book.legs)
    place, draw = int(source.random() * len(legs)), source.random()
    if draw < 0.45:
        share = round(legs[place].share * (0.5 + source.random()) + 0.2 * (source.random() - 0.5), 2)
        legs[place] = replace(legs[place], share=share or 0.01)
    elif draw < 0.7:
        legs[place] = _random_leg(market, source)
    elif draw < 0.85 and len(legs) < _MOST_LEGS:
        legs.append(_random_leg(market, source))
    elif len(legs) > 1:
        legs.pop(place)
    return BookRecipe(book.name, tuple(legs))
