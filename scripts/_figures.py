"""Which gas is kept on record: every transaction of a user's day, at book sizes that show how it grows.

Every figure is the gas of a receipt: the transaction's base cost, its calldata and every cold read are in it.
Both sides of a trade hold books of the size named. `value_128` is a transaction sent to the valuer's view.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from web3 import Web3

from keeper.units.constants import WAD, WAY_HEADROOM, WAY_LEAF, WAY_REPORT, WAY_WORST_CASE
from scripts._devnet import start_anvil
from scripts._protocol import Parameters, deploy
from scripts._scenario import (
    ATTESTER_KEYS,
    DEPOSIT,
    EPOCH_SECONDS,
    EXPIRIES,
    GENESIS,
    GRID,
    LISTED,
    METHODOLOGY,
    SENDER_KEY,
    UNDERLYINGS,
    Clocked,
    Scenario,
)

SIZES = (1, 16, 32, 64, 128)  # legs of the books that are built, one of either side
TRADED = (1, 16, 64, 128)
SHOWN = (1, 16, 128)  # by leaf or report, one account
LIQUIDATED = (1, 16, 32, 128)
SETTLED = (16, 128)
PUT = LISTED[7]  # struck at 1,800
CHECKPOINT = 300  # seconds between those of settlement averages
SETTLES_AFTER = 86_400 + 300  # by then any expiry may settle at the last spot
FILLS_PER_RECORD = 60  # a record outlives 64
GRACE_EPOCHS = 12  # without a gap before the first flag


@contextmanager
def fresh() -> Iterator[Scenario]:
    """The protocol on a new devnet; no accounts yet. The sender holds and has approved tokens."""
    with start_anvil(genesis_timestamp=GENESIS) as devnet:
        backend = Clocked(devnet, SENDER_KEY)
        devnet.rpc("anvil_setBalance", backend.deployer, hex(10**24))
        scenario = Scenario(backend, deploy(backend, _parameters(backend.deployer)))
        scenario.send("MockToken", "mint", backend.deployer, 1_000 * DEPOSIT)
        scenario.send("MockToken", "approve", scenario.deployment.address("Vault"), 2**256 - 1)
        yield scenario


def _parameters(sender: str) -> Parameters:
    addresses = tuple(Web3().eth.account.from_key(key).address for key in ATTESTER_KEYS)
    return Parameters(
        attesters=addresses,
        threshold=3,
        methodology_hash=METHODOLOGY,
        guardian=sender,
        proposers=(sender,),
        underlyings=UNDERLYINGS,
        expiries=tuple((1, expiry, GRID) for expiry in EXPIRIES),
    )


@dataclass(frozen=True)
class Pair:
    """Two accounts with opposite books of `legs` options.

    The seller is net short of calls, so that no least payoff caps its margin.
    """

    seller: int
    buyer: int
    legs: int

    @property
    def instrument(self) -> int:
        """What both hold, the seller short of it."""
        return LISTED[0]


def measure() -> dict[str, int]:
    """Name -> gas of every transaction on record."""
    with fresh() as s:
        gas = {f"deploy_{name}": used for name, used in _deployments(s).items()}
        gas |= _accounts(s)
        s.post_epoch()
        pairs = {legs: _pair(s, legs) for legs in SIZES}
        gas |= _epochs(s)
        gas |= _records(s, pairs)
        gas |= _trades(s, pairs)
        gas |= _withdrawals(s, pairs)
        gas |= _liquidations(s, pairs)
        gas["value_128"] = s.value(pairs[128].buyer)
        gas |= _settlement(s, pairs)
    return gas


def _deployments(s: Scenario) -> dict[str, int]:
    receipts = [r for r in s.backend.receipts if r["contractAddress"]]
    return {n: r["gasUsed"] for n, r in zip(s.deployment.contracts, receipts, strict=True)}


def _accounts(s: Scenario) -> dict[str, int]:
    """Of an account that is not the first."""
    opened = [s.open_account() for _ in range(2)]
    first = [s.deposit(account) for account in s.books]
    return {"open_account": opened[-1], "deposit_first": first[-1], "deposit_again": s.deposit(1)}


def _epochs(s: Scenario) -> dict[str, int]:
    """Inside five minutes of settlement prices, and the first of the next five."""
    s.post_epoch()
    boundary = -(-s.backend.now // CHECKPOINT) * CHECKPOINT
    s.post_epoch(boundary + 1)
    steady = s.post_epoch(s.backend.now + EPOCH_SECONDS)
    s.post_epoch(boundary + CHECKPOINT - 60)
    return {"epoch_3_of_5": steady, "epoch_3_of_5_checkpoint": s.post_epoch(boundary + CHECKPOINT + 1)}


def _records(s: Scenario, pairs: dict[int, Pair]) -> dict[str, int]:
    """Over an older record of the same book: the next epoch's."""
    for pair in pairs.values():
        s.refresh(pair.seller)
    s.post_epoch()
    gas = {legs: s.refresh(pair.seller) for legs, pair in pairs.items()}
    for pair in pairs.values():
        s.refresh(pair.buyer)
    return {f"refresh_{legs}": gas[legs] for legs in SHOWN}


def _trades(s: Scenario, pairs: dict[int, Pair]) -> dict[str, int]:
    """Of an instrument that both sides hold already."""
    gas = {}
    for name, way in (("headroom", WAY_HEADROOM), ("report", WAY_REPORT)):
        for legs in TRADED:
            pair = pairs[legs]
            gas[f"trade_{name}_{legs}"] = s.trade(way, pair.seller, pair.buyer, pair.instrument, -WAD)
    bought, sold = _funded(s), _funded(s)
    both = [s.trade(WAY_WORST_CASE, bought, sold, PUT, WAD) for _ in range(2)]
    gas["trade_worst_case_1"] = both[-1]
    gas["withdraw_worst_case_1"] = s.withdraw(WAY_WORST_CASE, bought)
    return gas


def _withdrawals(s: Scenario, pairs: dict[int, Pair]) -> dict[str, int]:
    """By leaf, over the leaf that is the record then, by report."""
    s.post_epoch()
    gas = {f"withdraw_leaf_{legs}": s.withdraw(WAY_LEAF, pairs[legs].buyer) for legs in SHOWN}
    gas |= {f"withdraw_headroom_{legs}": s.withdraw(WAY_HEADROOM, pairs[legs].buyer) for legs in (1, 128)}
    return gas | {f"withdraw_report_{legs}": s.withdraw(WAY_REPORT, pairs[legs].buyer) for legs in SHOWN}


def _liquidations(s: Scenario, pairs: dict[int, Pair]) -> dict[str, int]:
    """The largest bid takes a part of every leg into an account that holds nothing, but has traded before."""
    bidders = {legs: _traded(s) for legs in LIQUIDATED}
    s.short = {pairs[legs].seller for legs in LIQUIDATED}
    for _ in range(GRACE_EPOCHS):
        s.post_epoch(s.backend.now + 100)
    gas = {}
    for legs in LIQUIDATED:
        s.refresh(bidders[legs])
        gas[f"flag_{legs}"] = s.flag(pairs[legs].seller)
        gas[f"bid_{legs}"] = s.bid(pairs[legs].seller, bidders[legs])
    return gas


def _settlement(s: Scenario, pairs: dict[int, Pair]) -> dict[str, int]:
    """Of the buyers: sixteen legs are one expiry, 128 are eight."""
    s.backend.mine(EXPIRIES[-1] + SETTLES_AFTER - s.backend.now)
    final = [s.finalize(1, expiry) for expiry in EXPIRIES]
    return {"finalize_settlement": final[-1]} | {f"settle_{n}": s.settle(pairs[n].buyer) for n in SETTLED}


def _funded(s: Scenario) -> int:
    """A new account with cash."""
    s.open_account()
    account = len(s.books)
    s.deposit(account)
    return account


def _traded(s: Scenario) -> int:
    """A new account that has bought something and sold it again."""
    account, other = _funded(s), _funded(s)
    s.post_epoch()
    s.refresh(account)
    s.refresh(other)
    for quantity in (WAD, -WAD):
        s.trade(WAY_HEADROOM, account, other, LISTED[-1], quantity)
    s.books[account], s.books[other] = {}, {}
    return account


def _pair(s: Scenario, legs: int) -> Pair:
    """Built by headroom over as many records as it takes."""
    seller, buyer = _funded(s), _funded(s)
    for n, instrument in enumerate(LISTED[:legs]):
        if n % FILLS_PER_RECORD == 0:
            s.post_epoch()
            s.refresh(seller)
            s.refresh(buyer)
        s.trade(WAY_HEADROOM, seller, buyer, instrument, -WAD if n % 2 == 0 else WAD)
    return Pair(seller, buyer, legs)
