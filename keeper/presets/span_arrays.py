"""SPAN risk arrays: P&L of one long unit in sixteen scenarios, and its composite delta.

Scenarios in the published order: price unchanged, then up and down by one, two and three thirds of the price
scan range, each with vol up and vol down; last the two extreme moves, of which a fraction counts. Here a loss
is negative; CME's files give it positive.

Sources: CME, "Components of SPAN"; L. G. McMillan, "Options as a Strategic Investment", chapter 34.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keeper.markets.instrument import Kind
from keeper.portfolio.names import name_of
from keeper.portfolio.portfolio import Position
from keeper.presets.legs import Book, Floats, Options
from keeper.pricing import black76

SCENARIOS = 16
_THIRDS = (0, 1, -1, 2, -2, 3, -3)
_DAYS_PER_YEAR = 365.0


def price_moves(parameters: Mapping[str, Any], scan_range: float) -> Floats:
    """Relative price move of each scenario."""
    paired = np.repeat(np.array(_THIRDS) / 3.0, 2)
    extreme = parameters["extreme"]["multiple"]
    return np.asarray(np.append(paired, [extreme, -extreme]) * scan_range)


def fractions(parameters: Mapping[str, Any]) -> Floats:
    """Share of each scenario's P&L that counts."""
    share = parameters["extreme"]["fraction"]
    return np.append(np.ones(SCENARIOS - 2), [share, share])


def option_arrays(
    options: Options, parameters: Mapping[str, Any], commodity: Mapping[str, Any]
) -> tuple[Floats, Floats]:
    """Arrays, scenarios by options, and composite deltas of one long unit of each.

    Values are those after the look-ahead. The composite delta is the average over the seven price points at
    unchanged vol, by `delta_weights`.
    """
    later = _later(options, parameters["lookahead_days"] / _DAYS_PER_YEAR)
    moves = price_moves(parameters, commodity["price_scan_range"])
    shock = commodity["volatility_scan_range"]
    factor = np.append(np.tile([1.0 + shock, 1.0 - shock], len(_THIRDS)), [1.0, 1.0])
    now = options.price(1.0, options.vol)
    then = _value(options, later, 1.0 + moves[:, None], options.vol * factor[:, None])
    arrays = (then - now) * fractions(parameters)[:, None]
    points = 1.0 + np.array(_THIRDS)[:, None] / 3.0 * commodity["price_scan_range"]
    delta = black76.greeks(
        is_call=options.is_call,
        forward=options.fixed + options.variable * points,
        strike=options.strike,
        years=later,
        vol=options.vol,
    ).delta
    weights = np.array([parameters["delta_weights"][abs(x)] for x in _THIRDS])
    return arrays, np.asarray((delta * weights[:, None]).sum(axis=0) / weights.sum())


def _later(options: Options, lookahead: float) -> Floats:
    return np.maximum(options.years - lookahead, 0.0)


def _value(options: Options, years: Floats, factor: Floats, vol: Floats) -> Floats:
    return black76.price(
        is_call=options.is_call,
        forward=options.fixed + options.variable * factor,
        strike=options.strike,
        years=years,
        vol=vol,
        discount=options.discount,
    )


def given(
    legs: Book, arrays: Floats, deltas: Floats, table: Mapping[str, list[float]]
) -> tuple[Floats, Floats]:
    """Arrays and deltas with those of a clearing house's file in place of the computed ones.

    Args:
        table: by instrument name, sixteen values and, as a seventeenth, the composite delta if known.
    """
    arrays, deltas = arrays.copy(), deltas.copy()
    options = legs.options
    expiries = [
        x.expiry for i, x in enumerate(options.expiries) for _ in options.strike[options.of_expiry(i)]
    ]
    for i, expiry in enumerate(expiries):
        kind = Kind.CALL if options.is_call[i] else Kind.PUT
        found = lookup(Position(legs.underlying.symbol, kind, 1.0, float(options.strike[i]), expiry), table)
        if found is not None:
            arrays[:, i] = found[:SCENARIOS]
            deltas[i] = found[SCENARIOS] if len(found) > SCENARIOS else deltas[i]
    return arrays, deltas


def lookup(position: Position, table: Mapping[str, list[float]]) -> list[float] | None:
    """The given array of an instrument, or None.

    Raises:
        ValueError: it has neither sixteen nor seventeen values.
    """
    name = name_of(position)
    if name not in table:
        return None
    values = table[name]
    if len(values) not in (SCENARIOS, SCENARIOS + 1):
        raise ValueError(f"span: the risk array of {name} has {len(values)} values, not 16 or 17")
    return values
