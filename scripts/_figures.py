"""Which gas is kept on record: every transaction of a user's day, at book sizes that show how it grows."""

from collections.abc import Iterator
from contextlib import contextmanager

from web3 import Web3

from keeper.units.constants import WAD, WAY_HEADROOM, WAY_LEAF, WAY_REPORT, WAY_WORST_CASE
from scripts._devnet import start_anvil
from scripts._protocol import Parameters, deploy
from scripts._scenario import (
    ATTESTER_KEYS,
    DEPOSIT,
    EPOCH_SECONDS,
    EXPIRIES,
    FAR,
    FAR_OPTIONS,
    FINAL,
    GENESIS,
    GRID,
    METHODOLOGY,
    NEAR_OPTIONS,
    SENDER_KEY,
    UNDERLYINGS,
    Clocked,
    Scenario,
)

SMALL, SMALL_TAKER, LARGE, LARGE_TAKER = 1, 2, 3, 4  # accounts: books of one leg and of sixteen
PUT = NEAR_OPTIONS[7]  # struck at 1,800
LIQUIDATED = (1, 16, 32, 128)  # legs
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
        expiries=tuple((1, expiry, GRID) for expiry in (*EXPIRIES, *FAR)),
    )


def measure() -> dict[str, int]:
    """Name -> gas of every transaction on record."""
    with fresh() as s:
        gas = {f"deploy_{name}": used for name, used in _deployments(s).items()}
        gas |= _accounts(s)
        gas |= _epochs(s)
        gas |= _trades(s)
        gas |= _withdrawals(s)
        gas |= _liquidations(s)
        gas |= _settlement(s)
    return gas


def _deployments(s: Scenario) -> dict[str, int]:
    receipts = [r for r in s.backend.receipts if r["contractAddress"]]
    return {n: r["gasUsed"] for n, r in zip(s.deployment.contracts, receipts, strict=True)}


def _accounts(s: Scenario) -> dict[str, int]:
    opened = [s.open_account() for _ in range(4)]
    first = [s.deposit(account) for account in s.books]
    return {"open_account": opened[-1], "deposit_first": first[-1], "deposit_again": s.deposit(SMALL)}


def _epochs(s: Scenario) -> dict[str, int]:
    """Books are built by headroom over the first epoch."""
    s.post_epoch()
    for account in s.books:
        s.refresh(account)
    s.trade(WAY_HEADROOM, SMALL, SMALL_TAKER, PUT, WAD)
    for n, instrument in enumerate(NEAR_OPTIONS):
        s.trade(WAY_HEADROOM, LARGE, LARGE_TAKER, instrument, -WAD if n % 2 else WAD)
    s.post_epoch()
    s.post_epoch()
    steady = s.post_epoch(s.backend.now + EPOCH_SECONDS)
    s.refresh(SMALL_TAKER)
    s.refresh(LARGE_TAKER)
    refreshed = {"refresh_1": s.refresh(SMALL), "refresh_16": s.refresh(LARGE)}
    return {"epoch_3_of_5": steady, **refreshed}


def _trades(s: Scenario) -> dict[str, int]:
    """Of an instrument that both sides hold already."""
    gas = {}
    for name, way in (("headroom", WAY_HEADROOM), ("report", WAY_REPORT)):
        gas[f"trade_{name}_1"] = s.trade(way, SMALL, SMALL_TAKER, PUT, WAD)
        gas[f"trade_{name}_16"] = s.trade(way, LARGE, LARGE_TAKER, NEAR_OPTIONS[0], WAD)
    gas["trade_worst_case_1"] = s.trade(WAY_WORST_CASE, SMALL, SMALL_TAKER, PUT, WAD)
    return gas


def _withdrawals(s: Scenario) -> dict[str, int]:
    boundary = -(-s.backend.now // 300) * 300
    s.post_epoch(boundary - 60)
    gas = {"epoch_3_of_5_checkpoint": s.post_epoch(boundary + 1)}
    gas["withdraw_leaf_16"] = s.withdraw(WAY_LEAF, LARGE)
    gas["withdraw_headroom"] = s.withdraw(WAY_HEADROOM, LARGE)  # over the leaf that is the record now
    gas["withdraw_report_16"] = s.withdraw(WAY_REPORT, LARGE)
    gas["withdraw_worst_case_1"] = s.withdraw(WAY_WORST_CASE, SMALL)
    return gas


def _settlement(s: Scenario) -> dict[str, int]:
    s.backend.mine(FINAL - s.backend.now)
    final = [s.finalize(1, expiry) for expiry in EXPIRIES]
    return {"finalize_settlement": final[-1], "settle_16": s.settle(LARGE)}


def _liquidations(s: Scenario) -> dict[str, int]:
    """The largest bid takes a part of every leg into an account that holds nothing, but has traded before."""
    victims = {legs: _short_of(s, legs) for legs in LIQUIDATED}
    bidders = {legs: _traded(s) for legs in LIQUIDATED}
    s.short = set(victims.values())
    for _ in range(GRACE_EPOCHS):
        s.post_epoch(s.backend.now + 100)
    gas = {}
    for legs, victim in victims.items():
        s.refresh(bidders[legs])
        gas[f"flag_{legs}"] = s.flag(victim)
        gas[f"bid_{legs}"] = s.bid(victim, bidders[legs])
    return gas


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
        s.trade(WAY_HEADROOM, account, other, FAR_OPTIONS[-1], quantity)
    s.books[account], s.books[other] = {}, {}
    return account


def _short_of(s: Scenario, legs: int) -> int:
    """A new account that is net short of calls, so that no least payoff caps its margin."""
    seller, buyer = _funded(s), _funded(s)
    for n, instrument in enumerate(FAR_OPTIONS[:legs]):
        if n % FILLS_PER_RECORD == 0:
            s.post_epoch()
            s.refresh(seller)
            s.refresh(buyer)
        s.trade(WAY_HEADROOM, seller, buyer, instrument, -WAD if n % 2 == 0 else WAD)
    return seller
