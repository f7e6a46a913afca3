"""A liquidation with real processes: prices fall as they did on 7 April 2025; a liquidator that neither
proposes nor attests flags and bids, and is killed while its bid waits for a block."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keeper.chain.contracts import Protocol
from keeper.chain.deployment import load
from keeper.chain.index import Index
from keeper.chain.node import Node
from keeper.clearing.share import legs_moved
from keeper.liquidation import auction_price
from keeper.markets.instrument import Instrument, Kind
from keeper.store.database import Database
from keeper.store.schema import OF_A_BLOCK, VERSIONED
from keeper.units.constants import WAD
from scripts._protocol import AuctionTerms
from tests.support.loop import USDC, Loop, Opening, running

MIDNIGHT = 1_743_984_000  # 2025-04-07 00:00 UTC
GENESIS = MIDNIGHT + 6 * 3_600  # ether loses 7 % from six to seven
EXPIRY = MIDNIGHT + 7 * 86_400
FUTURE = Instrument(2, EXPIRY, 0, Kind.FUTURE).pack()
SECONDS_TO_A_BID = 305  # of the auction's clock


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    with running(tmp_path, Opening(GENESIS, (EXPIRY,), AuctionTerms(grace=0))) as found:
        yield found


def test_liquidation__killed_between_broadcast_and_confirmation__one_bid(loop: Loop) -> None:
    victim, counterparty = loop.open_account(2_000 * USDC), loop.open_account(40_000 * USDC)
    bidder = loop.open_account(50_000 * USDC, owner=loop.signers["liquidator"].address)
    loop.liquidators_account = bidder
    loop.start()
    assert loop.next_epoch() and loop.serves_latest(), loop.logs()
    loop.trade(victim, counterparty, FUTURE, _nearly_all(loop))
    loop.start("liquidator")
    _fall_until_flagged(loop, victim)

    held = loop.position(victim, FUTURE)
    _bid_that_waits(loop, victim)
    (waiting,) = _pool(loop)
    loop.kill("liquidator")
    loop.start("liquidator")
    assert _pool(loop) == [waiting], "a restart sends nothing else"
    loop.devnet.rpc("evm_setAutomine", True)
    # at the node's own time: it has run on while the liquidator started, and may have mined already
    loop.devnet.rpc("evm_mine")
    assert loop.wait(lambda: not loop.account(victim)["frozen"], 30), loop.logs()
    for _ in range(3):
        assert loop.next_epoch() and _follows(loop), loop.logs()
    loop.stop()

    _assert_one_bid(loop, victim, bidder, held, waiting)
    _assert_conserved(loop, (victim, counterparty, bidder))
    assert _tables(_kept(loop)) == _tables(_fresh(loop))


def _nearly_all(loop: Loop) -> int:
    """Quantity of futures whose initial margin is nearly all that the victim has."""
    leaf = loop.get(f"/v1/instruments/{FUTURE}")["leaf"]
    return 1_970 * WAD * WAD // int(leaf["imLong"]) // 10**16 * 10**16


def _fall_until_flagged(loop: Loop, victim: int) -> None:
    """Time passes until the liquidator has frozen the account."""
    while not loop.account(victim)["frozen"]:
        assert loop.time() < MIDNIGHT + 7 * 3_600, "prices have fallen for nothing\n" + loop.logs()
        assert loop.next_epoch(pass_seconds=120) and _follows(loop), loop.logs()


def _follows(loop: Loop) -> bool:
    """Whether the liquidator knows the latest epoch in time."""

    def has_seen() -> bool:
        found = loop.get("/status", "liquidator")
        return found["epoch"] == loop.number() and found["liquidator"]["last_error"] == ""

    return loop.wait(has_seen, 30)


def _bid_that_waits(loop: Loop, victim: int) -> None:
    """Epochs until the price is nearly right, one block in which it is, and none after that."""
    while _elapsed(loop, victim) < SECONDS_TO_A_BID - 110:
        assert loop.next_epoch() and loop.wait(lambda: _is_current(loop, victim), 30), loop.logs()
    loop.devnet.rpc("evm_setAutomine", False)
    loop.pass_time(SECONDS_TO_A_BID - _elapsed(loop, victim), 1)
    assert loop.wait(lambda: bool(_pool(loop)), 30), loop.logs()


def _elapsed(loop: Loop, victim: int) -> int:
    """Seconds on the auction's clock."""
    auction = loop.struct("auction", victim, contract="AuctionHouse")
    return int(auction["elapsed"] + loop.time() - auction["touched"])


def _is_current(loop: Loop, victim: int) -> bool:
    """Whether the liquidator has brought the auction up to the latest epoch."""
    return bool(loop.struct("auction", victim, contract="AuctionHouse")["epoch"] == loop.number())


def _pool(loop: Loop) -> list[str]:
    """Hashes of the liquidator's transactions that wait for a block."""
    by_sender = loop.devnet.rpc("txpool_content")["pending"]
    address = loop.signers["liquidator"].address.lower()
    found = next((txs for sender, txs in by_sender.items() if sender.lower() == address), {})
    return [tx["hash"] for tx in found.values()]


def _kept(loop: Loop) -> Database:
    """What the liquidator has left behind."""
    return Database(f"sqlite:///{loop.folder}/liquidator/keeper.sqlite")


def _fresh(loop: Loop) -> Database:
    """An index of its own over the whole chain."""
    database = Database(f"sqlite:///{loop.folder}/fresh.sqlite")
    deployment = load(loop.folder / f"{loop.devnet.chain_id}.json")
    Index(Protocol(Node(loop.devnet.url), deployment), database).sync()
    return database


def _tables(database: Database) -> dict[str, list[Any]]:
    """All that an index knows."""
    with database.begin() as connection:
        return {
            table.name: sorted(connection.execute(table.select()).all(), key=repr)
            for table in (*VERSIONED, *OF_A_BLOCK)
        }


def _assert_one_bid(loop: Loop, victim: int, bidder: int, held: int, waiting: str) -> None:
    """One intent, one transaction, one bid: the one that waited. The rest stands at its initial margin."""
    database = _kept(loop)
    with database.begin() as connection:
        intents = connection.exec_driver_sql("SELECT * FROM intent WHERE kind = 'bid'").all()
        mined = connection.exec_driver_sql("SELECT count(*) FROM intent WHERE block_number > 0").scalar()
    tables = _tables(database)
    (bid,) = tables["auction_bid"]
    assert [(i.state, i.attempts) for i in intents] == [("confirmed", 1)]
    sent = loop.devnet.rpc("eth_getTransactionCount", loop.signers["liquidator"].address, "latest")
    assert int(sent, 16) == mined
    assert (bid.account, bid.bidder, bid.solvent, bid.payout) == (victim, bidder, "1", "0")
    assert [e.transaction_hash for e in tables["event"] if e.name == "AuctionBid"] == [waiting]
    ended = tables["auction_version"][-1]
    assert (ended.state, ended.valid_from) == ("restored", bid.block_number)
    assert int(bid.fraction) == _largest(ended, int(bid.discounted))
    moved = legs_moved({FUTURE: held}, int(bid.fraction))[FUTURE]
    assert (loop.position(bidder, FUTURE), loop.position(victim, FUTURE)) == (moved, held - moved)
    assert 0 < moved < held
    assert not loop.account(victim)["frozen"]


def _largest(auction: Any, discounted: int) -> int:
    """What brings an account without collateral to its initial margin, as the twin has it."""
    equity, initial = int(auction.equity), int(auction.initial_margin)
    price = auction_price.asked(equity, int(auction.maintenance_margin), discounted, 0)
    return auction_price.largest(equity, initial - equity, price, AuctionTerms().dust)


def _assert_conserved(loop: Loop, accounts: tuple[int, ...]) -> None:
    """Tokens held stand behind the cash of all and the fees, to the wei; nobody has lost; futures net out."""
    vault = loop.deployment["Vault"]
    losses = loop.struct("losses", contract="Vault")
    held = loop.backend.call(loop.deployment["MockToken"], "balanceOf", vault.address)
    cash = sum(loop.account(number)["cash"] for number in accounts) + loop.struct("totals")["fees"]
    assert cash == held * 10**12 == 92_000 * WAD
    assert (losses["shortfall"], losses["openDeficit"], losses["rate"]) == (0, 0, WAD)
    assert sum(loop.position(number, FUTURE) for number in accounts) == 0
