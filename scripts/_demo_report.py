"""The demo's figures as a page and as JSON."""

import json
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from keeper.analysis.report_data import AccountHistory, Check, ReportData, Tile
from keeper.analysis.report_page import render
from keeper.units.constants import WAD
from scripts import _demo_checks as checks
from scripts import _demo_history as histories
from scripts import _demo_money as money
from scripts import _demo_story as story
from scripts._demo_auctions import Auction, auctions_of, history_of
from scripts._demo_history import History
from scripts._demo_replay import Replay

SOURCES = {
    "venues": "hourly perpetual closes of April 2025 at binance, bybit and hyperliquid (public domain)",
    "surface": "ETH option chain of Deribit, 2024-01-08 (MIT), calibrated to raw SVI; BTC takes it with"
    " volatilities times 0.75",
    "accounts": "invented: chosen so that the recorded fall liquidates some and leaves others alone",
    "outage": "staged: the operator of the only liquidator stops for fourteen hours, so that one account is"
    " found too late and the insurance fund is seen at work",
}
REANCHORING = (
    "A model, not a record: the surface of 2024-01-08 is held in log-moneyness and time to expiry "
    "and hung on the recorded path of April 2025; its volatilities do not react to that path."
)
_MOMENTS = (story.OPENING, story.OUTAGE[1], story.END)  # whose smiles are shown


def report_of(history: History, insurance_before: float) -> tuple[dict[str, Any], list[Auction], Replay]:
    """Everything of report.json but how long it took; the auctions; and all that moved cash."""
    desk, protocol = history.desk, history.protocol
    auctions = auctions_of(desk)
    quorum = desk.contract("AttesterQuorum")
    replay, events = checks.replay(desk)
    found = checks.conserved(desk, protocol, replay, events)
    protected = {a for a, role in history.roles.items() if role.fully_collateralised}
    last = {history.roles[a].name: rows[-1][1] for a, rows in history.figures.items() if rows}
    report = {
        "epochs": checks.epochs(desk),
        "attesters": len(quorum.functions.signers().call()),
        "threshold": quorum.functions.threshold().call(),
        "accounts": len(history.roles),
        "trades": desk.trades,
        "settled_legs": checks.settled_legs(desk),
        **checks.liquidations(desk, auctions, protected),
        "fees": sum(replay.fees.values()) / WAD,
        "funding": found[checks.ZERO_SUM]["paid"] / WAD,
        "funding_updates": found[checks.ZERO_SUM]["updates"],
        "insurance_before": insurance_before,
        "insurance_after": desk.fund_assets(),
        "conserved": all(invariant["holds"] for invariant in found.values()),
        "invariants": found,
        "gas": {name: _summary(values) for name, values in checks.gas(desk, protocol).items()},
        "sources": SOURCES,
        "reanchoring": REANCHORING,
        "equity": {name: round(figures.equity, 2) for name, figures in last.items()},
    }
    return report, auctions, replay


def write_page(
    path: Path,
    report: Mapping[str, Any],
    history: History,
    auctions: Sequence[Auction],
    replay: Replay,
    database: Path,
    plotly: str,
) -> None:
    """Writes report.html; `database` is the proposer's, which has every snapshot."""
    desk = history.desk
    snapshots = histories.kept_snapshots(database)
    spots = histories.spot_histories(snapshots)
    terms = _terms(history)
    names = {account: role.name for account, role in history.roles.items()}
    data = ReportData(
        title="Plimsoll: fifteen days of April 2025",
        subtitle="Portfolio margin on a local chain over recorded prices: every epoch is recomputed"
        f" and signed by {report['threshold']} of {report['attesters']} attesters; every trade, settlement"
        " and liquidation is a transaction.",
        tiles=_tiles(report),
        spots=spots,
        accounts=_accounts(history, auctions, replay),
        auctions=[history_of(auction, names[auction.account], terms) for auction in auctions],
        surfaces=histories.surfaces(),
        smiles=histories.smiles(snapshots, _MOMENTS),
        fund=history.fund_history(checks.covered(desk)),
        gas=checks.gas(desk, history.protocol),
        checks=[Check(name, invariant["holds"]) for name, invariant in report["invariants"].items()],
        sources=SOURCES,
        caveat=REANCHORING,
        moments={
            story.OUTAGE[0]: "liquidator down",
            story.OUTAGE[1]: "and back",
            story.NEAR: "settlement",
        },
        funding=money.funding_histories(desk, spots),
        fees=money.fee_history(replay),
    )
    path.write_text(render(data, plotly), encoding="utf-8")


def _accounts(history: History, auctions: Sequence[Auction], replay: Replay) -> list[AccountHistory]:
    """With what each received in funding and paid in fees."""
    rows = history.accounts(_states(history, auctions))
    return [
        replace(
            row,
            funding=checks.funding_of(history.protocol, account, replay) / WAD,
            fees=replay.fees[account] / WAD,
        )
        for account, row in zip(history.roles, rows, strict=True)
    ]


def plotly_script() -> str:
    """plotly.js, as plotly's package brings it. RuntimeError if it is not installed."""
    found = pkgutil.get_data("plotly", "package_data/plotly.min.js")
    if found is None:
        raise RuntimeError("plotly is not installed: run `make setup`")
    return found.decode("utf-8")


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Writes report.json."""
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _summary(values: Sequence[int]) -> dict[str, int]:
    ordered = sorted(values)
    least, middle, most = ordered[0], int(median(ordered)), ordered[-1]
    return {"count": len(ordered), "least": least, "median": middle, "most": most}


def _terms(history: History) -> dict[str, int]:
    contract = history.desk.contract("AuctionHouse")
    names = [o["name"] for o in contract.get_function_by_name("terms").abi["outputs"][0]["components"]]
    return dict(zip(names, contract.functions.terms().call(), strict=True))


def _states(history: History, auctions: Sequence[Auction]) -> dict[int, str]:
    """The last word on every account."""
    own: dict[int, list[Auction]] = {account: [] for account in history.roles}
    for auction in auctions:
        own[auction.account].append(auction)
    states = {}
    for account, found in own.items():
        rows = history.figures[account]
        is_flat = not rows or not rows[-1][1].maintenance
        if any(auction.outcome == "sold out" for auction in found):
            states[account] = "liquidated whole"
        elif any(auction.bids for auction in found):
            states[account] = "liquidated in part" + (f", {len(found)} times" if len(found) > 1 else "")
        else:
            states[account] = "closed or settled" if is_flat else "open"
    return states


def _funding_note(report: Mapping[str, Any]) -> str:
    """The recorded spots are closes of perps, so that a perp is marked at its spot and pays nothing."""
    why = "" if report["funding"] else ": perps are marked at the recorded spot"
    return f"in {report['funding_updates']} updates{why}"


def _tiles(report: Mapping[str, Any]) -> list[Tile]:
    covered = report["bad_debt"] - report["socialised"]
    protected = report["fully_collateralised_liquidated"]
    return [
        Tile("Epochs", f"{report['epochs']:,}", "hourly; closer in auctions and settlement"),
        Tile("Accounts", str(report["accounts"]), f"{report['trades']} trades"),
        Tile("Liquidations", str(report["liquidations"]), f"{report['partial']} of them in part"),
        Tile("Fully collateralised", f"{protected} liquidated", "no price can flag them"),
        Tile("Bad debt", f"{report['bad_debt']:,.0f} USD", f"{covered:,.0f} paid by the insurance fund"),
        Tile("Losses shared by all", f"{report['socialised']:,.0f} USD"),
        Tile("Funding", f"{report['funding']:,.0f} USD", _funding_note(report)),
        Tile("Fees", f"{report['fees']:,.0f} USD", "of trades and debts"),
        Tile("Legs settled", str(report["settled_legs"]), "8 April, at the on-chain average"),
        Tile("Value conserved", "yes" if report["conserved"] else "no", "to the wei, checked on chain"),
    ]
