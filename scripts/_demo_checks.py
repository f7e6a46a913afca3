"""What the demo reads back from the chain: conservation to the wei, gas, what was settled and liquidated."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from keeper.chain.contracts import CLEARINGHOUSE, COLLATERAL_SALE, Call, Protocol
from keeper.units.constants import WAD
from scripts._demo_auctions import Auction
from scripts._demo_desk import TOKEN_UNIT, Desk
from scripts._demo_network import COLLATERAL
from scripts._demo_replay import Replay

ZERO_SUM = "3 what longs paid in funding is what shorts received"
_TOKEN_TO_WAD = WAD // TOKEN_UNIT
_SETTLED = ("Clearinghouse", "AccountSettled")
_CASH_EVENTS = (
    ("Clearinghouse", "PositionChanged"),
    _SETTLED,
    ("Clearinghouse", "ShareTransferred"),
    ("Clearinghouse", "FundingRateSet"),
    ("Vault", "InterestCharged"),
    ("Vault", "Deposited"),
    ("Vault", "Withdrawn"),
)
_GAS_EVENTS = {
    "epoch": ("RiskOracle", "EpochPosted"),
    "flag": ("AuctionHouse", "AuctionStarted"),
    "update auction": ("AuctionHouse", "AuctionUpdated"),
    "bid": ("AuctionHouse", "AuctionBid"),
    "settle": _SETTLED,
}


def replay(desk: Desk) -> tuple[Replay, list[Any]]:
    """Everything that moved cash, followed from the first block; and its events."""
    found, events = Replay(_TOKEN_TO_WAD), _events(desk, _CASH_EVENTS)
    found.follow(events, {e["blockNumber"]: desk.time_of(e["blockNumber"]) for e in events})
    return found, events


def conserved(desk: Desk, protocol: Protocol, followed: Replay, events: Sequence[Any]) -> dict[str, Any]:
    """Invariants by name, each with whether it holds and the numbers behind it.

    followed, events: of `replay`.
    """
    at = protocol.node.head().hash
    totals = protocol.structs(at, [Call(CLEARINGHOUSE, "totals")])[0]
    accounts = range(1, totals["accounts"] + 1)
    states = protocol.structs(at, [Call(CLEARINGHOUSE, "account", (a,)) for a in accounts])
    cash = {a: state["cash"] for a, state in zip(accounts, states, strict=True)}
    losses = _struct(desk, "Vault", "losses")
    held = _held(desk, "MockToken") * _TOKEN_TO_WAD
    standings = protocol.structs(at, [Call(CLEARINGHOUSE, "standing", (a, False)) for a in accounts])
    liquid = sum(standing["liquid"] for standing in standings)  # cash and funding
    owed = liquid + totals["fees"] + losses["recovery"] - losses["shortfall"]
    changes = [e for e in events if e["event"] in ("PositionChanged", "AccountSettled")]
    open_interest = _open_interest(desk, protocol, at, accounts)
    replayed = {a: followed.accounts[a].cash for a in accounts}
    funding = {a: standing["liquid"] - cash[a] for a, standing in zip(accounts, standings, strict=True)}
    debts = protocol.structs(at, [Call(COLLATERAL_SALE, "debt", (a,)) for a in accounts])
    owing = sum(debt["drawn"] for debt in debts)
    return {
        "1 tokens held = cash + funding + fees + recovery - shortfall": {
            "holds": held == owed,
            "held": held,
            "cash": sum(cash.values()),
            "funding": sum(funding.values()),
            "fees": totals["fees"],
            "recovery": losses["recovery"],
            "shortfall": losses["shortfall"],
        },
        "1 collateral held = sum of the accounts' collateral": {
            "holds": _held(desk, COLLATERAL.name) == _pledged(desk, accounts),
            "held": _held(desk, COLLATERAL.name),
        },
        "2 quantities of every instrument sum to zero": {
            "holds": not any(open_interest.values()),
            "instruments": len(open_interest),
        },
        ZERO_SUM: {
            "holds": sum(funding.values()) + sum(followed.funding.values()) == 0,
            "paid": sum(-n for n in _both(funding, followed.funding).values() if n < 0),
            "updates": sum(event["event"] == "FundingRateSet" for event in events),
        },
        "4 debts of all accounts add up to what counts against the caps": {
            "holds": protocol.read(at, COLLATERAL_SALE, "total_debt") == owing,
            "owed": owing,
            "interest": sum(e["args"]["amount"] for e in events if e["event"] == "InterestCharged"),
        },
        "9 trades, settlements and auctions conserve to the wei": {
            "holds": _cancel(events) and not any(followed.paid.values()) and replayed == cash,
            "changes": len(changes),
        },
    }


def funding_of(protocol: Protocol, account: int, followed: Replay) -> int:
    """What an account has received on its perps, cash or not yet, WAD."""
    at = protocol.node.head().hash
    state, standing = protocol.structs(
        at, [Call(CLEARINGHOUSE, "account", (account,)), Call(CLEARINGHOUSE, "standing", (account, False))]
    )
    return int(standing["liquid"] - state["cash"] + followed.funding[account])


def liquidations(desk: Desk, auctions: Sequence[Auction], fully_collateralised: set[int]) -> dict[str, Any]:
    """Figures of the report: counts, and dollars of bad debt and of what all share of it."""
    covered = _events(desk, [("InsuranceFund", "DeficitCovered")])
    asked = sum(event["args"]["asked"] for event in covered)
    paid = sum(event["args"]["paid"] for event in covered)
    sold = [auction for auction in auctions if auction.bids]
    return {
        "liquidations": len(sold),
        "partial": sum(auction.is_partial for auction in sold),
        "flags": len(auctions),
        "bad_debt": asked / TOKEN_UNIT,
        "socialised": (asked - paid) / TOKEN_UNIT,
        "fully_collateralised_liquidated": len({a.account for a in auctions} & fully_collateralised),
    }


def covered(desk: Desk) -> list[tuple[int, float]]:
    """When the insurance fund paid how much, USD."""
    found = _events(desk, [("InsuranceFund", "DeficitCovered")])
    return [(desk.time_of(e["blockNumber"]), e["args"]["paid"] / TOKEN_UNIT) for e in found]


def settled_legs(desk: Desk) -> int:
    """Legs that were turned into cash at a settlement price."""
    return sum(len(event["args"]["words"]) for event in _events(desk, [_SETTLED]))


def epochs(desk: Desk) -> int:
    """Posted epochs."""
    return len(_events(desk, [("RiskOracle", "EpochPosted")]))


def gas(desk: Desk, protocol: Protocol) -> dict[str, list[int]]:
    """Gas of whole transactions by kind."""
    hashes = {
        name: {e["transactionHash"] for e in _events(desk, [pair])} for name, pair in _GAS_EVENTS.items()
    }
    used = dict(desk.gas)
    for name, found in hashes.items():
        asked = [("eth_getTransactionReceipt", ["0x" + bytes(h).hex()]) for h in sorted(found)]
        used[name] = [int(receipt["gasUsed"], 16) for receipt in protocol.node.batch(asked)]
    return {name: values for name, values in sorted(used.items()) if values}


def _events(desk: Desk, wanted: Any) -> list[Any]:
    """Events of several kinds, in the chain's order."""
    logs = [
        log
        for contract, name in wanted
        for log in desk.contract(contract).events[name]().get_logs(from_block=0)
    ]
    return sorted(logs, key=lambda log: (log["blockNumber"], log["logIndex"]))


def _struct(desk: Desk, contract: str, function: str) -> dict[str, int]:
    found = desk.contract(contract)
    outputs = found.get_function_by_name(function).abi["outputs"][0]["components"]
    return dict(zip((o["name"] for o in outputs), found.functions[function]().call(), strict=True))


def _held(desk: Desk, token: str) -> int:
    return int(desk.contract(token).functions.balanceOf(desk.contract("Vault").address).call())


def _pledged(desk: Desk, accounts: range) -> int:
    vault, token = desk.contract("Vault"), desk.contract(COLLATERAL.name).address
    return sum(vault.functions.collateral_balance(account, token).call() for account in accounts)


def _open_interest(desk: Desk, protocol: Protocol, at: str, accounts: range) -> dict[int, int]:
    traded = {e["args"]["instrument"] for e in _events(desk, [("Clearinghouse", "PositionChanged")])}
    pairs = [(a, i) for i in sorted(traded) for a in accounts]
    found = protocol.structs(at, [Call(CLEARINGHOUSE, "position", pair) for pair in pairs])
    sums: dict[int, int] = defaultdict(int)
    for (_, instrument), position in zip(pairs, found, strict=True):
        sums[instrument] += position["quantity"]
    return dict(sums)


def _both(open_now: Mapping[int, int], realised: Mapping[int, int]) -> dict[int, int]:
    return {account: open_now[account] + realised.get(account, 0) for account in open_now}


def _cancel(events: Sequence[Any]) -> bool:
    """The sides of every trade cancel, each at one price."""
    groups: dict[Any, list[Any]] = defaultdict(list)
    for event in events:
        if event["event"] == "PositionChanged":
            groups[event["args"]["instrument"], event["transactionHash"]].append(event["args"])
    return all(
        sum(c["quantity"] for c in sides) == 0 and len({c["price"] for c in sides}) == 1
        for sides in groups.values()
    )
