"""Where a margin comes from, in USD and words: charges, and underlyings and legs in what binds."""

from collections.abc import Mapping
from typing import Any

from keeper.markets.instrument import Instrument, Kind
from keeper.portfolio.names import name_of
from keeper.portfolio.portfolio import Position
from keeper.presets.plimsoll_scenarios import scenario_text
from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.units.constants import WAD

_USD = 1e-8
_CHARGES = {"greeks": "Greeks charge", "scan": "scan", "shortfall": "expected shortfall"}
# legs that a sentence names on either side
_NAMED = 3


def breakdown(
    found: Mapping[str, Any], symbols: Mapping[int, str], methodology: Methodology
) -> dict[str, Any]:
    """The breakdown of a margin (`keeper.risk.margin.Margin.breakdown`) for people.

    Args:
        found: charges in quanta, amounts WAD, as text.
        symbols: by underlying.

    Returns JSON-ready numbers in USD: `charges`, of which the largest of the first three and all others make
    `core`; what turns it into the initial margin (`multiplier`, `depeg`, `liquidity`, `size`); `scan` and
    `shortfall` with their binding scenarios, profit by underlying and by leg in them; `greeks` in parts;
    `why` in sentences.
    """
    quantum = int(found["quantum_e8"]) * _USD
    scan = [_scan(group, quantum, symbols, methodology) for group in found["scan"]]
    shortfall = _shortfall(found["shortfall"], quantum, symbols)
    greeks = {
        name: int(value) * quantum if name != "correlation_set" else value
        for name, value in found["greeks"].items()
    }
    roll = {_expiry_text(key, symbols): int(charge) * quantum for key, charge in found["roll"].items()}
    result = {
        "binding": found["binding"],
        "charges": {
            "greeks": greeks.pop("charge"),
            "scan": sum(group["loss"] for group in scan),
            "shortfall": shortfall["charge"],
            "roll": sum(roll.values()),
            **{name: int(charge) * quantum for name, charge in found["addons"].items()},
        },
        "core": int(found["core"]) / WAD,
        "multiplier": found["multiplier_ppm"] / PPM,
        "depeg": found["depeg_ppm"] / PPM,
        "liquidity": int(found["liquidity"]["charge"]) * quantum,
        "size": int(found["size"]) / WAD,
        "marginal": int(found["marginal"]) / WAD,
        "greeks": greeks,
        "scan": scan,
        "shortfall": shortfall,
        "roll": roll,
        "collateral": [_pledged(row, symbols) for row in found["collateral"]],
    }
    return {**result, "why": _why(result)}


def instrument_name(packed: int, symbols: Mapping[int, str]) -> str:
    """Readable name of a packed instrument."""
    i = Instrument.unpack(packed)
    symbol = symbols.get(i.underlying, f"#{i.underlying}")
    return name_of(Position(symbol, i.kind, 0.0, i.strike / 1e8, i.expiry))


def _scan(
    group: Mapping[str, Any], quantum: float, symbols: Mapping[int, str], methodology: Methodology
) -> dict[str, Any]:
    """One offset group of the scan: its worst scenario."""
    members = [int(u) for u in group["underlyings"]]
    return {
        "loss": int(group["loss"]) * quantum,
        "scenario": scenario_text(group["scenario"], {u: symbols[u] for u in members}, methodology),
        "name": group["scenario"],
        "underlyings": {symbols[int(u)]: int(p) * quantum for u, p in group["underlyings"].items()},
        "legs": _legs(group["legs"], quantum, symbols),
        "pledged": _pledged_profits(group, quantum, symbols),
    }


def _pledged_profits(
    group: Mapping[str, Any], quantum: float, symbols: Mapping[int, str]
) -> dict[str, float]:
    """Profit of the coins pledged beside the legs: what the legs leave of an underlying's."""
    rest = {int(u): int(profit) for u, profit in group["underlyings"].items()}
    for leg, profit in group["legs"].items():
        rest[Instrument.unpack(int(leg)).underlying] -= int(profit)
    return {symbols[u]: profit * quantum for u, profit in rest.items() if profit}


def _shortfall(found: Mapping[str, Any], quantum: float, symbols: Mapping[int, str]) -> dict[str, Any]:
    """The expected shortfall: worst days, and what underlyings and legs lose on average in them."""
    amounts = ("charge", "filtered", "stressed", "value_at_risk")
    return {
        **{name: int(found[name]) * quantum for name in amounts},
        "part": found["part"],
        "worst_days": [
            {"scenario": day["scenario"], "profit": int(day["profit"]) * quantum}
            for day in found["worst_days"]
        ],
        "underlyings": {symbols[int(u)]: -int(loss) * quantum for u, loss in found["underlyings"].items()},
        "legs": _legs({leg: -int(loss) for leg, loss in found["legs"].items()}, quantum, symbols),
        "pledged": {"pledged": -coins * quantum} if (coins := int(found["collateral"])) else {},
    }


def _legs(profits: Mapping[str, Any], quantum: float, symbols: Mapping[int, str]) -> dict[str, float]:
    return {instrument_name(int(leg), symbols): int(p) * quantum for leg, p in profits.items()}


def _expiry_text(key: str, symbols: Mapping[int, str]) -> str:
    """ "1:1751011200" as "BTC-27JUN25"; without an expiry "BTC-PERP", which stands for spot too."""
    underlying, expiry = (int(part) for part in key.split(":"))
    kind = Kind.FUTURE if expiry else Kind.PERP
    return instrument_name(Instrument(underlying, expiry, 0, kind).pack(), symbols)


def _pledged(row: Mapping[str, Any], symbols: Mapping[int, str]) -> dict[str, Any]:
    """Coins that hedge the book and so carry no haircut."""
    amounts = ("amount", "pledged_initial", "pledged_maintenance")
    return {"asset": symbols[row["underlying"]], **{name: int(row[name]) / WAD for name in amounts}}


def _why(result: Mapping[str, Any]) -> list[str]:
    """What binds, in sentences."""
    charges, binding = result["charges"], result["binding"]
    others = [
        f"{_CHARGES[name]} {charges[name]:,.2f}" for name in _CHARGES if name in charges.keys() - {binding}
    ]
    sentences = [f"The {_CHARGES[binding]} of {charges[binding]:,.2f} binds ({', '.join(others)})."]
    if binding == "scan":
        sentences += [_loss_text(group["scenario"], group) for group in result["scan"] if group["loss"] > 0.0]
    elif binding == "shortfall":
        days = ", ".join(day["scenario"] for day in result["shortfall"]["worst_days"])
        sentences.append(
            _loss_text(
                f"the worst days of the {result['shortfall']['part']} set ({days})", result["shortfall"]
            )
        )
    else:
        greeks = result["greeks"]
        parts = ", ".join(f"{name} {greeks[name]:,.2f}" for name in ("delta", "vega", "curvature", "theta"))
        sentences.append(f"Its parts: {parts}; correlations {greeks['correlation_set']}.")
    return sentences


def _loss_text(scenario: str, found: Mapping[str, Any]) -> str:
    """The legs that lose and gain most in a scenario."""
    coins = {f"{symbol} coins": profit for symbol, profit in found.get("pledged", {}).items()}
    ranked = sorted({**found["legs"], **coins}.items(), key=lambda item: item[1])
    most = [f"{name} {profit:+,.2f}" for name, profit in ranked if profit < 0.0][:_NAMED]
    least = [f"{name} {profit:+,.2f}" for name, profit in reversed(ranked) if profit > 0.0][:_NAMED]
    return f"In {scenario}: " + "; ".join(most + least) + "."
