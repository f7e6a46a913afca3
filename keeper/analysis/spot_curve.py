"""Equity and margins of a portfolio against spot moves, and the moves at which it is liquidated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keeper.portfolio.market_state import MarketState
from keeper.portfolio.moves import Change, with_spots
from keeper.portfolio.portfolio import Portfolio
from keeper.presets.requirement import Requirement

Evaluate = Callable[[Portfolio, MarketState], Requirement]

# relative moves: finer where most of them happen
MOVES = (
    *(x / 100 for x in range(-90, -50, 10)),
    *(x / 100 for x in range(-50, 51, 5)),
    *(x / 100 for x in range(60, 201, 20)),
)
_PRECISION = 1e-4


@dataclass(frozen=True)
class CurvePoint:
    """USD at a relative move of the spots."""

    move: float
    equity: float
    initial: float
    maintenance: float

    @property
    def surplus(self) -> float:
        """Equity above the maintenance margin; below zero the account is liquidated."""
        return self.equity - self.maintenance


@dataclass(frozen=True)
class SpotCurve:
    """Points by rising move, and the moves where the surplus over maintenance changes its sign."""

    points: tuple[CurvePoint, ...]
    liquidations: tuple[float, ...]


def spot_curve(
    evaluate: Evaluate,
    portfolio: Portfolio,
    market: MarketState,
    symbols: Sequence[str],
    moves: Sequence[float] = MOVES,
) -> SpotCurve:
    """The curve when the spots of `symbols` move together by the same share.

    Args:
        portfolio: every perp and future with an entry (`keeper.portfolio.trades.pinned`).
    """

    def at(move: float) -> CurvePoint:
        changes = [Change(symbol, "factor", 1.0 + move) for symbol in symbols]
        found = evaluate(portfolio, with_spots(market, changes))
        return CurvePoint(move, found.equity, found.initial, found.maintenance)

    points = tuple(at(move) for move in sorted(moves))
    turns = [
        _turn(at, near, far)
        for near, far in zip(points, points[1:], strict=False)
        if (near.surplus < 0.0) != (far.surplus < 0.0)
    ]
    return SpotCurve(points, tuple(turns))


def _turn(at: Callable[[float], CurvePoint], near: CurvePoint, far: CurvePoint) -> float:
    """Bisection; the surplus has one sign at `near` and the other at `far`."""
    while far.move - near.move > _PRECISION:
        middle = at((near.move + far.move) / 2.0)
        if (middle.surplus < 0.0) == (near.surplus < 0.0):
            near = middle
        else:
            far = middle
    return (near.move + far.move) / 2.0
