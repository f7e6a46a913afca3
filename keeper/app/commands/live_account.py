"""A live account as a keeper attests it, recomputed here from the same snapshot."""

from collections.abc import Mapping
from typing import Any

import httpx

from keeper.app.commands.margin_view import answer_of
from keeper.attestation.snapshot import AccountState, Snapshot
from keeper.network.client import get_json, get_text
from keeper.presets.plimsoll import NAME
from keeper.presets.plimsoll_pockets import pocket_of_margin
from keeper.presets.requirement import Requirement
from keeper.pricing.market import Market
from keeper.risk.margin import Margin, account_margin, build_table
from keeper.risk.methodology import Methodology
from keeper.units.constants import BASIS_POINTS, PRICE_UNIT, WAD


def live_answer(url: str, account: int) -> dict[str, Any]:
    """The machine form of an account's margin at the latest epoch, with `epoch`, `changed_since` (it has
    traded since) and `recomputed` (whether this machine finds the same margins; None with other parameters).

    Raises:
        RuntimeError: no keeper answers, or it does not serve the account.
    """
    number = int(_get(url, "/v1/epochs/latest")["number"])
    served = _get(url, f"/v1/epochs/{number}/accounts/{account}")
    now = _get(url, f"/v1/accounts/{account}")
    snapshot = Snapshot.from_json(_text(url, f"/v1/epochs/{number}/snapshot"))
    methodology = Methodology.default()
    state, leaf = snapshot.account(account), served["leaf"]
    requirement = _requirement(state, snapshot.market, int(now["cash"]), served, methodology)
    return {
        **answer_of(requirement, f"account {account}", snapshot.market.timestamp),
        "epoch": number,
        "changed_since": now["book_hash"] != leaf["bookHash"],
        "recomputed": _recomputed(snapshot, state, leaf, methodology),
    }


def _requirement(
    state: AccountState, market: Market, cash: int, served: Mapping[str, Any], methodology: Methodology
) -> Requirement:
    """As the models state it: collateral at its value in the equity, its haircut in the margins."""
    leaf = served["leaf"]
    mark = int(leaf["markToMarket"])
    values = [
        c.amount * market.underlying(c.underlying).effective * PRICE_UNIT // WAD for c in state.collateral
    ]
    initial, maintenance = (
        sum(value * haircut // BASIS_POINTS for value, haircut in zip(values, haircuts, strict=True))
        for haircuts in (
            [c.initial_haircut for c in state.collateral],
            [c.maintenance_haircut for c in state.collateral],
        )
    )
    margin = Margin(
        mark=mark,
        core=int(served["breakdown"]["core"]),
        initial=int(leaf["initialMargin"]),
        maintenance=int(leaf["maintenanceMargin"]),
        marginal=int(leaf["marginal"]),
        max_added=int(leaf["maxAddedIM"]),
        breakdown=served["breakdown"],
    )
    pocket = pocket_of_margin(margin, state.legs, market)
    named = {u.underlying: u.symbol for u in methodology.underlyings}
    symbols = {u.underlying: named.get(u.underlying, f"#{u.underlying}") for u in market.underlyings}
    return Requirement(
        model=NAME,
        mark=mark / WAD,
        equity=(cash + mark + sum(values)) / WAD,
        initial=pocket.initial + initial / WAD,
        maintenance=pocket.maintenance + maintenance / WAD,
        breakdown={
            "margin_mode": "cross",
            **pocket.detail(symbols, methodology),
            "haircuts": {"initial": initial / WAD, "maintenance": maintenance / WAD},
        },
    )


def _recomputed(
    snapshot: Snapshot, state: AccountState, leaf: Mapping[str, str], methodology: Methodology
) -> bool | None:
    if snapshot.methodology_hash != methodology.hash():
        return None
    table = build_table(snapshot.market, methodology, snapshot.traded_instruments())
    tier = methodology.counted_tier(state.tier)
    found = account_margin(state.legs, table, tier, state.collateral)
    expected = tuple(int(leaf[name]) for name in ("markToMarket", "initialMargin", "maintenanceMargin"))
    return (found.mark, found.initial, found.maintenance) == expected


def _get(url: str, path: str) -> Any:
    try:
        return get_json(url.rstrip("/") + path, timeout=10.0)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise RuntimeError(_refusal(url, path, error)) from None


def _text(url: str, path: str) -> str:
    try:
        return get_text(url.rstrip("/") + path)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise RuntimeError(_refusal(url, path, error)) from None


def _refusal(url: str, path: str, error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"the keeper at {url} does not serve {path}: {error.response.status_code}"
    return f"no keeper answers at {url}: start one with `plimsoll run`, or name another with --keeper"
