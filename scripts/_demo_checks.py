"""What the demo reads back from the chain: conservation, gas, and what was settled."""

from collections import defaultdict
from typing import Any

from keeper.units.constants import CHANGE_SETTLEMENT, WAD
from scripts._demo_desk import Desk

_TOKEN_TO_WAD = 10**12  # the demo's token has 6 decimals


def conserved(desk: Desk) -> dict[str, Any]:
    """Invariants by name, each with whether it holds and the numbers behind it."""
    clearing, token = desk.contract("Clearinghouse"), desk.contract("MockToken")
    events = _changes(desk)
    totals = clearing.functions.totals().call()
    accounts = range(1, totals[0] + 1)
    cash = {a: clearing.functions.account(a).call()[4] for a in accounts}
    funding = sum(clearing.functions.funding(a).call() for a in accounts)
    held = token.functions.balanceOf(clearing.address).call() * _TOKEN_TO_WAD
    # marks of perps and futures net to zero over all accounts when their quantities do
    settled = sum(cash.values()) + funding
    open_interest = _open_interest(clearing, accounts, {e["args"]["instrument"] for e in events})
    return {
        "1 tokens held = settled cash + fees + insurance - shortfall": {
            "holds": held == settled + totals[1] + totals[3] - totals[2],
            "held": held,
            "settled_cash": settled,
            "fees": totals[1],
        },
        "2 quantities of every instrument sum to zero": {
            "holds": not any(open_interest.values()),
            "instruments": len(open_interest),
        },
        "9 trades and settlements conserve to the wei": {
            "holds": _conserve(events) and _replayed(desk, events) == cash,
            "changes": len(events),
        },
    }


def _changes(desk: Desk) -> list[Any]:
    return list(desk.contract("Clearinghouse").events.PositionChanged().get_logs(from_block=0))


def _open_interest(clearing: Any, accounts: range, instruments: set[int]) -> dict[int, int]:
    return {i: sum(clearing.functions.position(a, i).call()[0] for a in accounts) for i in instruments}


def _conserve(events: list[Any]) -> bool:
    """Each trade's sides cancel; all settlements of an instrument cancel; each side pays exactly q * p."""
    trades: dict[Any, list[Any]] = defaultdict(list)
    settled: dict[int, list[Any]] = defaultdict(list)
    for event in events:
        change = event["args"]
        if change["kind"] == CHANGE_SETTLEMENT:
            settled[change["instrument"]].append(change)
        else:
            trades[event["transactionHash"]].append(change)
    fills = all(
        sum(c["quantity"] for c in sides) == 0 and len({c["price"] for c in sides}) == 1
        for sides in trades.values()
    )
    closed = all(
        sum(c["quantity"] for c in legs) == 0 and len({c["price"] for c in legs}) == 1
        for legs in settled.values()
    )
    return fills and closed


def _replayed(desk: Desk, events: list[Any]) -> dict[int, int]:
    """Cash of every account from deposits and changes alone."""
    clearing = desk.contract("Clearinghouse")
    cash: dict[int, int] = defaultdict(int)
    for event in clearing.events.AccountOpened().get_logs(from_block=0):
        cash[event["args"]["account"]] = 0
    for event in clearing.events.Deposited().get_logs(from_block=0):
        cash[event["args"]["account"]] += event["args"]["amount"] * _TOKEN_TO_WAD
    for event in clearing.events.Withdrawn().get_logs(from_block=0):
        cash[event["args"]["account"]] -= event["args"]["amount"] * _TOKEN_TO_WAD
    for event in events:
        change = event["args"]
        cash[change["account"]] -= change["quantity"] * change["price"] // WAD + change["fee"]
    return dict(cash)


def settled_legs(desk: Desk) -> int:
    """Legs that were turned into cash at a settlement price."""
    return sum(event["args"]["kind"] == CHANGE_SETTLEMENT for event in _changes(desk))


def epochs(desk: Desk) -> list[Any]:
    """Every posted epoch."""
    return list(desk.contract("RiskOracle").events.EpochPosted().get_logs(from_block=0))


def gas(desk: Desk) -> dict[str, dict[str, int]]:
    """Whole transactions: count, least, median, most."""
    used = {name: sorted(values) for name, values in desk.gas.items()}
    web3 = desk.web3
    posted = {event["transactionHash"] for event in epochs(desk)}
    closing = {e["transactionHash"] for e in _changes(desk) if e["args"]["kind"] == CHANGE_SETTLEMENT}
    for name, hashes in (("epoch", posted), ("settle", closing)):
        used[name] = sorted(web3.eth.get_transaction_receipt(h)["gasUsed"] for h in hashes)
    return {
        name: {"count": len(v), "least": v[0], "median": v[len(v) // 2], "most": v[-1]}
        for name, v in sorted(used.items())
        if v
    }
