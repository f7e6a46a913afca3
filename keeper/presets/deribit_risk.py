"""Risk vectors of Deribit's portfolio margin: P&L of one book in the standard and the extended table.

Coin-settled books count in coins, at the price each scenario leaves: an inverse future of q coins earns
q (1 - 1 / (1 + x)) coins when its price moves by x, and an option is worth its USD value over its forward.
USD-settled books count in USD.

Source: docs.deribit.com, private/pme/simulate, whose examples hold perpetuals and futures. Fraction and
dampener of the extended table as public implementations read the venue's model paper; they give the examples'
extended vectors exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keeper.presets.legs import Book, Floats
from keeper.pricing import black76

_REFERENCE_DAYS = 30.0
_DAYS_PER_YEAR = 365.0
_STATES = ("up", "same", "down")


@dataclass(frozen=True)
class Vectors:
    """P&L per scenario in the settlement currency.

    Attributes:
        standard: price nodes from the lowest up, and for each the vol states up, same, down.
        extended: one entry per extended move, already the fraction that counts.
    """

    standard: Floats
    extended: Floats


def is_inverse(parameters: Mapping[str, Any]) -> bool:
    """Whether the pair settles in coins. Raises ValueError for an unknown settlement."""
    settlement = parameters["settlement"]
    if settlement not in ("coin", "usd"):
        raise ValueError(f"deribit-pm: settlement must be coin or usd, not {settlement!r}")
    return bool(settlement == "coin")


def nodes(general: Mapping[str, Any], pair: Mapping[str, Any]) -> Floats:
    """Price moves of the standard table: `buckets` evenly spaced on each side of zero."""
    steps = int(general["buckets"])
    return np.asarray(np.arange(-steps, steps + 1) / steps * pair["price_range"])


def shocked_vols(legs: Book, general: Mapping[str, Any], pair: Mapping[str, Any]) -> dict[str, Floats]:
    """Vols of the three states: the shock grows with (30 days / days to expiry) ** power; up has a floor."""
    days = legs.options.years * _DAYS_PER_YEAR
    short, long = pair["short_term_vega_power"], pair["long_term_vega_power"]
    power = np.where(days < _REFERENCE_DAYS, short, long)
    shock = (_REFERENCE_DAYS / np.maximum(days, general["dte_floor_days"])) ** power
    up = legs.options.vol * (1.0 + pair["volatility_range_up"] * shock)
    down = legs.options.vol * np.maximum(1.0 - pair["volatility_range_down"] * shock, 0.0)
    return {
        "up": np.maximum(up, pair["min_volatility_for_shock_up"]),
        "same": legs.options.vol,
        "down": down,
    }


def vectors(legs: Book, collateral: float, general: Mapping[str, Any], pair: Mapping[str, Any]) -> Vectors:
    """Both tables.

    Args:
        collateral: coins held as equity; they move a USD-settled book.
    """
    vols = shocked_vols(legs, general, pair)
    standard = np.repeat(nodes(general, pair), len(_STATES))
    extended = np.asarray(general["extended_moves"], dtype=np.float64)
    moves = np.concatenate([standard, extended])
    rows = np.concatenate(
        [
            np.tile(np.stack([vols[x] for x in _STATES]), (len(standard) // len(_STATES), 1)),
            np.tile(vols["up"], (len(extended), 1)),
        ]
    )
    pnl = _pnl(legs, collateral, moves, rows, is_inverse(pair))
    fraction = _fraction(extended, pair)
    return Vectors(pnl[: len(standard)], pnl[len(standard) :] * fraction)


def _pnl(legs: Book, collateral: float, moves: Floats, vols: Floats, inverse: bool) -> Floats:
    options = legs.options
    now = options.price(1.0, options.vol)
    then = options.price(1.0 + moves[:, None], vols)
    coins = legs.perp + sum(legs.futures.values())
    if inverse:
        unit = then / (options.fixed + options.variable * (1.0 + moves[:, None])) - now / options.forward
        return np.asarray((unit * options.quantity).sum(axis=1) + coins * (1.0 - 1.0 / (1.0 + moves)))
    forwards = sum(q * legs.underlying.expiry(x).forward for x, q in legs.futures.items())
    notional = legs.perp * legs.underlying.perp + forwards + collateral * legs.underlying.spot
    return np.asarray(((then - now) * options.quantity).sum(axis=1) + notional * moves)


def _fraction(moves: Floats, pair: Mapping[str, Any]) -> Floats:
    """What counts of an extended P&L: range / |move| of its USD value, in coins at the edge of the range."""
    share = pair["extended_table_factor"] * pair["price_range"] / np.abs(moves)
    if not is_inverse(pair):
        return np.asarray(share)
    return np.asarray(share * (1.0 + moves) / (1.0 + np.sign(moves) * pair["price_range"]))


def dampened(
    extended: Floats, index: float, general: Mapping[str, Any], pair: Mapping[str, Any], dampener: float
) -> Floats:
    """Extended P&L drawn towards zero by at most (|move| / range - 1) x `dampener` USD."""
    moves = np.asarray(general["extended_moves"], dtype=np.float64)
    relief = np.maximum(np.abs(moves) / pair["price_range"] - 1.0, 0.0) * dampener
    if is_inverse(pair):
        relief = relief / (index * (1.0 + np.sign(moves) * pair["price_range"]))
    return np.asarray(np.sign(extended) * np.maximum(np.abs(extended) - relief, 0.0))


def option_deltas(legs: Book) -> Floats:
    """Delta of each option position, coins."""
    options = legs.options
    unit = black76.greeks(
        is_call=options.is_call,
        forward=options.forward,
        strike=options.strike,
        years=options.years,
        vol=options.vol,
    ).delta
    return np.asarray(unit * options.quantity)


def delta_shock(legs: Book, deltas: Floats, index: float, pair: Mapping[str, Any]) -> float:
    """Coins: exposure x min(coins beyond the threshold x `m_inc`, `max_delta_shock`).

    Options held long reduce the exposure of everything else and never add to it or turn it round.
    """
    long = float(deltas[legs.options.quantity > 0.0].sum())
    rest = legs.perp + sum(legs.futures.values()) + float(deltas[legs.options.quantity < 0.0].sum())
    lower, upper = min(rest, 0.0), max(rest, 0.0)
    exposure = abs(min(max(rest + long, lower), upper))
    excess = max(exposure - pair["delta_total_liq_shock_threshold"] / index, 0.0)
    return float(exposure * min(excess * pair["m_inc"], pair["max_delta_shock"]))


def roll_shock(legs: Book, deltas: Floats, years: Mapping[int, float], currency: Mapping[str, Any]) -> float:
    """Coins: sum over expiries, and the perpetual, of |delta| x max(least move, yearly move x years)."""
    net = {
        x.expiry: float(v) for x, v in zip(legs.options.expiries, legs.options.by_expiry(deltas), strict=True)
    }
    for expiry, quantity in legs.futures.items():
        net[expiry] = net.get(expiry, 0.0) + quantity
    shock = abs(legs.perp) * currency["min_annualised_move"]
    for expiry, delta in net.items():
        move = currency["annualised_move_risk"] * years[expiry]
        shock += abs(delta) * max(currency["min_annualised_move"], move)
    return float(shock)
