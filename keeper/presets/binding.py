"""What binds a margin, in one line, from the breakdown of any model."""

from collections.abc import Callable, Mapping
from typing import Any

from keeper.portfolio.moments import day_text
from keeper.presets import deribit_pm, derive_pm1, derive_pm2, derive_srm, plimsoll, span
from keeper.presets.requirement import Requirement

# of the standard table: vols up, flat and down
_VOL_STATES = 3


def binding_text(requirement: Requirement) -> str:
    """The scenario or rule behind the initial margin, by underlying; empty for a model that only adds up."""
    tell = _TELL.get(requirement.model)
    return tell(requirement.breakdown) if tell else ""


def _plimsoll(breakdown: Mapping[str, Any]) -> str:
    if "pockets" in breakdown:
        return "; ".join(f"{name}: {_plimsoll(pocket)}" for name, pocket in breakdown["pockets"].items())
    binding = breakdown["binding"]
    if binding == "scan":
        return "scan: " + "; ".join(g["scenario"] for g in breakdown["scan"] if g["loss"] > 0.0)
    if binding == "greeks":
        return f"Greeks charge, correlations {breakdown['greeks']['correlation_set']}"
    worst = breakdown["shortfall"]["worst_days"][0]["scenario"]
    return f"expected shortfall, worst day {worst}"


def _derive(breakdown: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{symbol}: {_derive_scenario(x['scenario'])}" for symbol, x in breakdown["markets"].items()
    )


def _derive_scenario(scenario: Any) -> str:
    if isinstance(scenario, str):
        return scenario
    return f"{100.0 * (scenario['spot'] - 1.0):+.1f} %, vols {scenario['vol']}"


def _derive_srm(breakdown: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{symbol}-{day_text(expiry['expiry'])}: {expiry['rule']}"
        for symbol, market in breakdown["initial"].items()
        for expiry in market["expiries"]
    )


def _deribit_pm(breakdown: Mapping[str, Any]) -> str:
    return "; ".join(f"{symbol}: {_bucket(x)}" for symbol, x in breakdown["margins"].items())


def _bucket(margin: Mapping[str, Any]) -> str:
    worst = margin["worst_case_bucket"]
    if worst["source"] == "extended":
        return f"extended table, entry {worst['index']}"
    steps = len(margin["aggregated"]["standard"]) // _VOL_STATES // 2
    return f"{worst['bucket'] - 1 - steps:+d}/{steps} of the price range"


def _span(breakdown: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{symbol}: scenario {x['active_scenario']}" for symbol, x in breakdown["commodities"].items()
    )


_TELL: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    plimsoll.NAME: _plimsoll,
    derive_pm1.NAME: _derive,
    derive_pm2.NAME: _derive,
    derive_srm.NAME: _derive_srm,
    deribit_pm.NAME: _deribit_pm,
    span.NAME: _span,
}
