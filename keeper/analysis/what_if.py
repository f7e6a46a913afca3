"""A portfolio before and after trades and moves of the market."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from keeper.analysis.spot_curve import spot_curve
from keeper.portfolio import moves, trades
from keeper.portfolio.market_state import MarketState
from keeper.portfolio.names import name_of
from keeper.portfolio.portfolio import Portfolio
from keeper.presets import plimsoll
from keeper.presets.binding import binding_text
from keeper.presets.plimsoll_smile import fitted
from keeper.presets.registry import Model
from keeper.presets.requirement import Requirement


@dataclass(frozen=True)
class Question:
    """What happens, as written: trades ("NAME:QUANTITY[@PRICE]"), changes of spots and vols, time."""

    trades: Sequence[str] = ()
    spots: Sequence[str] = ()
    vols: Sequence[str] = ()
    time: str = "0s"


def answer(model: Model, portfolio: Portfolio, market: MarketState, question: Question) -> dict[str, Any]:
    """Before, after and the change, JSON-ready, USD. Trades come first, then spots, vols and time.

    Returns also `trades` with the prices taken, and `curves`: equity and margins when, from there, all spots
    or one move, and `liquidations`: the moves at which equity crosses the maintenance margin.

    Raises:
        LookupError: the market lacks what the portfolio or the question names.
        ValueError: the question is malformed, or the model lists no such position.
    """
    done = [trades.parse_trade(text, market) for text in question.trades]
    held = trades.added(trades.pinned(portfolio, market), done)
    if model.name == plimsoll.NAME:
        market = fitted(market, {(p.underlying, p.expiry) for p in held.positions if p.is_option})
    before = model.evaluate(portfolio, market)
    moved = _moved(market, question)
    held = trades.settled(held, moved)
    after = model.evaluate(held, moved)
    symbols = sorted({p.underlying for p in held.positions} | {h.asset for h in held.collateral})
    groups = {"all": symbols} if len(symbols) < 2 else {"all": symbols, **{s: [s] for s in symbols}}
    curves = {name: spot_curve(model.evaluate, held, moved, group) for name, group in groups.items()}
    return {
        "portfolio": portfolio.name,
        "model": model.name,
        "timestamp": {"before": market.timestamp, "after": moved.timestamp},
        "trades": [{"instrument": name_of(p), "quantity": p.quantity, "price": price} for p, price in done],
        "before": _figures(before),
        "after": _figures(after),
        "change": {name: value - _figures(before)[name] for name, value in _figures(after).items()},
        "initial_holds": after.equity >= after.initial,
        "maintenance_holds": after.equity >= after.maintenance,
        "binding": {"before": binding_text(before), "after": binding_text(after)},
        "curves": {name: [asdict(point) for point in curve.points] for name, curve in curves.items()},
        "liquidations": {name: list(curve.liquidations) for name, curve in curves.items()},
    }


def _moved(market: MarketState, question: Question) -> MarketState:
    market = moves.with_spots(market, [moves.parse_change(text) for text in question.spots])
    market = moves.with_vols(market, [moves.parse_change(text) for text in question.vols])
    return moves.later(market, moves.parse_time(question.time))


def _figures(found: Requirement) -> dict[str, float]:
    return {
        "mark": found.mark,
        "equity": found.equity,
        "initial": found.initial,
        "maintenance": found.maintenance,
        "free_initial": found.equity - found.initial,
        "free_maintenance": found.equity - found.maintenance,
    }
