"""The liquidator on a real chain: an account falls below its margin, is flagged and sold; a kill in the
middle of a bid changes nothing; an index that reads it all anew tells the same story."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from keeper.app.process import Keeper
from keeper.chain import abi_codec
from keeper.chain.contracts import AUCTION_HOUSE, CLEARINGHOUSE, VAULT, Call, Protocol
from keeper.chain.deployment import load
from keeper.chain.index import Index, IndexingError
from keeper.chain.node import Node
from keeper.clearing import share
from keeper.jobs import follow
from keeper.jobs.accounts import Accounts
from keeper.jobs.statements import Statements
from keeper.markets.instrument import Instrument, Kind
from keeper.observability.names import LOG_GAPS
from keeper.store.database import Database
from keeper.store.index_store import AccountRow
from keeper.units.constants import CHANGE_AUCTION, CHANGE_COLLATERAL, CHANGE_PURCHASE, WAD
from scripts._liquidation import claim_bytes
from tests.support.claims import opened
from tests.support.keepers import ATTESTERS_OF_TOWN, EXPIRY, USDC, Room, Town, town

FUTURE = Instrument(2, EXPIRY, 0, Kind.FUTURE).pack()
COINS = 10**17  # of ether that the victim has put in


@dataclass
class Fall:
    """A town in which `victim` holds futures for nearly all it has when ether falls; `debtor` holds one with
    ether behind it; `bidder` is the liquidator's. Every `seen` is what its intents were at that point.
    """

    place: Town
    victim: int
    debtor: int
    bidder: int
    keepers: list[Keeper]
    room: Room
    proposer: Keeper
    seen: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    status: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: dict[int, AccountRow] = field(default_factory=dict)
    before_bid: int = 0  # block

    @property
    def liquidator(self) -> Keeper:
        return self.keepers[0]

    def tick(self, step: str) -> None:
        """One tick, and what it sent is mined if the chain mines; what it did stays under `step`."""
        self.liquidator.tick()
        assert self.liquidator.problem == ""
        self.settle()
        self.seen[step] = self.intents()
        self.status[step] = self.liquidator.status()["liquidator"]

    def settle(self) -> None:
        """The node mines at once what it is sent, but answers before that."""
        assert self.liquidator.sender is not None
        if not self.place.devnet.rpc("anvil_getAutomine"):
            return
        deadline = time.monotonic() + 10
        while self.liquidator.sender.advance() and time.monotonic() < deadline:
            time.sleep(0.01)

    def intents(self) -> list[tuple[str, str]]:
        """(kind, state) of the liquidator's transactions."""
        with self.liquidator.database.begin() as connection:
            query = "SELECT kind, state, error FROM intent ORDER BY created_at, id"
            found = connection.exec_driver_sql(query).all()
        assert [row.error for row in found if row.error] == []
        return [(row.kind, row.state) for row in found]

    def borrow(self) -> None:
        """The victim buys futures for nearly all of its cash in initial margin, the debtor buys one."""
        self.place.post_epoch(self.proposer)
        latest = self.proposer.desk.statements.latest()
        assert latest is not None
        quantity = 1_900 * WAD * WAD // latest.instrument(FUTURE).im_long // 10**16 * 10**16
        self.place.trade(self.proposer, FUTURE, quantity, buyer=self.victim)
        self.place.trade(self.proposer, FUTURE, WAD, buyer=self.debtor)

    def fall(self, bps: int) -> None:
        """Prices fall; epochs follow until the effective spot is there too."""
        self.place.bps = bps
        for _ in range(150):
            self.place.pass_time(60)
            self.place.post_epoch(self.proposer)
            spot = self.proposer.desk.view().spots[1]
            if spot.effective == spot.posted:
                return
        raise AssertionError(f"the bands hold the spot back for too long: {spot}")

    def restart(self) -> None:
        """The liquidator is killed and starts again over what it has left behind."""
        self.liquidator.close()
        self.keepers[0] = self.place.keeper("attester0", "attester", "liquidator", account=self.bidder)
        self.room.attesters[0] = self.keepers[0].attester

    def rows(self) -> dict[int, AccountRow]:
        head = self.liquidator.desk.sync()
        return {row.account: row for row in self.liquidator.desk.index.accounts(head.number)}


@contextmanager
def about_to_fall(folder: Path) -> Iterator[Fall]:
    """The accounts and keepers, before anything has happened."""
    with town(folder) as place:
        victim = place.open_account(2_000 * USDC)
        place.deposit(victim, COINS, "WETH")
        debtor = place.open_account(50 * USDC)
        place.deposit(debtor, 2 * 10**18, "WETH")
        bidder = place.open_account(50_000 * USDC, owner=ATTESTERS_OF_TOWN[0])
        keepers = [place.keeper("attester0", "attester", "liquidator", account=bidder)]
        keepers.append(place.keeper("attester1", "attester"))
        room = Room([keeper.attester for keeper in keepers])
        proposer = place.proposer(room)
        place.devnet.rpc("anvil_setBalance", ATTESTERS_OF_TOWN[0], hex(10**20))
        found = Fall(place, victim, debtor, bidder, keepers, room, proposer)
        yield found
        for keeper in (proposer, *found.keepers):
            keeper.close()


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fall]:
    with about_to_fall(tmp_path_factory.mktemp("town")) as found:
        happen(found)
        yield found


def happen(fall: Fall) -> None:
    """Flag, update, bid; the liquidator is killed while its bid waits for a block."""
    place = fall.place
    fall.borrow()
    place.post_epoch(fall.proposer)
    fall.tick("healthy")
    fall.fall(9_200)
    fall.tick("fallen")
    place.pass_time(5, 1)
    fall.tick("flagged")
    place.post_epoch(fall.proposer)
    fall.tick("epoch after")
    fall.before = fall.rows()
    place.devnet.rpc("evm_setAutomine", False)
    place.pass_time(120)
    fall.before_bid = fall.proposer.desk.sync().number
    fall.tick("bidding")
    fall.restart()
    fall.tick("restarted")
    place.devnet.rpc("evm_setAutomine", True)
    place.pass_time(5, 1)
    fall.tick("mined")


def test_tick__step_by_step__flags_updates_and_bids_once(sold: Fall) -> None:
    begun = [("convert", "confirmed"), ("flag", "confirmed")]
    updated = [*begun, ("update", "confirmed")]
    assert sold.seen == {
        "healthy": [],
        "fallen": begun,
        "flagged": begun,
        "epoch after": updated,
        "bidding": [*updated, ("bid", "broadcast")],
        "restarted": [*updated, ("bid", "broadcast")],
        "mined": [*updated, ("bid", "confirmed")],
    }


def test_tick__collateral_behind_missing_cash__is_on_sale(sold: Fall) -> None:
    index = sold.liquidator.desk.index
    assert index.conversions(sold.before_bid) == [sold.debtor]


def test_status__step_by_step__counts_what_is_below_and_open(sold: Fall) -> None:
    assert [s["below_maintenance"] for s in sold.status.values()][:3] == [0, 1, 1]
    assert [s["open_auctions"] for s in sold.status.values()] == [0, 0, 1, 1, 1, 1, 0]
    assert sold.status["epoch after"]["flags"] == 1
    assert {s["last_error"] for s in sold.status.values()} == {""}


def test_accounts__after_the_sale__equal_the_chain_and_the_twin(sold: Fall) -> None:
    head, rows = sold.liquidator.desk.sync(), sold.rows()
    (bid,) = sold.liquidator.desk.index.bids(head.number)
    assert (bid.account, bid.bidder, bid.solvent) == (sold.victim, sold.bidder, True)
    moved = share.legs_moved(dict(sold.before[sold.victim].positions), bid.fraction)
    assert dict(rows[sold.bidder].positions) == moved
    coins = COINS * bid.fraction // WAD
    assert dict(rows[sold.bidder].collateral) == {1: coins}
    assert dict(rows[sold.victim].collateral) == {1: COINS - coins}
    for row in rows.values():
        stored = sold.liquidator.desk.protocol.structs(
            head.hash, [Call(CLEARINGHOUSE, "account", (row.account,))]
        )[0]
        ours = (row.cash, row.added_im, row.added_mark, row.book_hash, row.frozen)
        assert ours == tuple(stored[n] for n in ("cash", "addedIM", "addedMark", "bookHash", "frozen"))
        for instrument, quantity in row.positions:
            stored_position = sold.place.backend.call(
                sold.place.deployment["Clearinghouse"], "position", row.account, instrument
            )
            assert stored_position[0] == quantity


def test_changes__of_both_sides__end_with_the_share(sold: Fall) -> None:
    index, head = sold.liquidator.desk.index, sold.liquidator.desk.sync()
    kinds = {n: [x.kind for x in index.changes(n, head.number)] for n in (sold.victim, sold.bidder)}
    assert kinds[sold.victim] == [CHANGE_COLLATERAL, 1, CHANGE_AUCTION, CHANGE_AUCTION]
    assert kinds[sold.bidder] == [CHANGE_PURCHASE, CHANGE_PURCHASE]


def test_auction__past_blocks__open_then_and_not_now(sold: Fall) -> None:
    index = sold.liquidator.desk.index
    head = sold.liquidator.desk.sync().number
    (then,) = index.auctions(sold.before_bid)
    assert (then.account, then.solvent) == (sold.victim, True)
    assert index.auctions(head) == []
    frozen = {row.account: row.frozen for row in index.accounts(sold.before_bid)}
    assert [account for account, is_frozen in frozen.items() if is_frozen] == [sold.victim]


def test_sync__replay_from_genesis__tells_the_same(sold: Fall, tmp_path: Path) -> None:
    head = sold.liquidator.desk.sync()
    replay = index_of(sold.place, tmp_path)
    assert replay.sync() == head
    ours = sold.liquidator.desk.index
    for block in (sold.before_bid, head.number):
        assert replay.accounts(block) == ours.accounts(block)
        assert replay.auctions(block) == ours.auctions(block)
        assert replay.bids(block) == ours.bids(block)
        assert replay.listings(block) == ours.listings(block)


def forgetful(url: str, *methods: str) -> Node:
    """A node whose answers to some methods leave out that an auction has started."""
    started = next(t for t, e in abi_codec.load(AUCTION_HOUSE).events.items() if e.name == "AuctionStarted")

    def kept(found: Any) -> Any:
        if isinstance(found, list):
            return [kept(x) for x in found if not (isinstance(x, dict) and started in x.get("topics", ()))]
        return found | {"logs": kept(found["logs"])} if "logs" in found else found

    class Forgetful(Node):
        def batch(self, requests: Any) -> list[Any]:
            found = super().batch(requests)
            return kept(found) if requests and requests[0][0] in methods else found

    return Forgetful(url)


def test_sync__log_index_leaves_out_an_auction_event__refilled_out_of_receipts(
    sold: Fall, tmp_path: Path
) -> None:
    index = index_of(sold.place, tmp_path, forgetful(sold.place.devnet.url, "eth_getLogs"))
    head = index.sync()
    (tmp_path / "truth").mkdir()
    truth = index_of(sold.place, tmp_path / "truth")
    assert truth.sync() == head
    for block in (sold.before_bid, head.number):
        assert index.auctions(block) == truth.auctions(block)
        assert index.accounts(block) == truth.accounts(block)


def test_sync__node_leaves_out_an_auction_event_everywhere__gap_is_named(sold: Fall, tmp_path: Path) -> None:
    methods = ("eth_getLogs", "eth_getBlockReceipts")
    index = index_of(sold.place, tmp_path, forgetful(sold.place.devnet.url, *methods))
    for _ in range(2):  # and again, where it comes back
        with pytest.raises(IndexingError, match="AuctionHouse sequence 3 instead of 2 in block"):
            index.sync()


def test_view__log_index_kept_an_event_back_and_nothing_came_after__read_again_out_of_receipts(
    sold: Fall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sequence number shows the gap yet: the chain's state does."""
    desk, before = sold.keepers[1].desk, len(sold.rows())
    desk.view()
    with monkeypatch.context() as patched:
        patched.setattr(desk.index._reader, "_logs", lambda _rpc, refs: {ref.hash: () for ref in refs})
        account = sold.place.open_account(7 * USDC)
        view = desk.view()
        assert [row.cash for row in view.accounts if row.account == account] == [7 * WAD]
        assert len(view.accounts) == before + 1
        sold.place.devnet.rpc("evm_mine")
        assert desk.view().block.number == view.block.number + 1, "and goes on, by logs again"
    assert desk.metrics.value(LOG_GAPS, result="read again") == 1
    assert desk.view().accounts == sold.proposer.desk.view().accounts


def test_claim__served_for_an_account_that_has_traded_since__holds_on_the_chain(sold: Fall) -> None:
    place = sold.place
    place.post_epoch(sold.proposer)
    place.trade(sold.proposer, FUTURE, 10**16)
    account = place.accounts[0]
    accounts = Accounts(sold.liquidator.desk)
    sold.liquidator.tick()
    number = sold.liquidator.desk.view().header.number
    answer = accounts.claim(number, account).model_dump(by_alias=True)
    assert len(answer["changes"]) == len(answer["units"]) == 1
    examined = place.backend.call(place.deployment["ClaimGate"], "examine", opened(claim_bytes(answer)))
    assert examined[-1] is False, "well above its margins"


def test_snapshot__after_the_sale__carries_the_coins_of_both(sold: Fall) -> None:
    sold.place.post_epoch(sold.proposer)
    latest = sold.proposer.desk.statements.latest()
    assert latest is not None
    pair = sold.proposer.desk.statements.pair(latest.epoch.number)
    assert pair is not None
    coins = [pair[0].account(number).collateral for number in (sold.victim, sold.bidder)]
    assert sum(held.amount for (held,) in coins) == COINS
    assert {(h.index, h.underlying, h.initial_haircut, h.maintenance_haircut) for (h,) in coins} == {
        (1, 2, 1_000, 500)
    }


def test_follow__snapshot_from_another_keeper__the_epoch_that_the_chain_has_taken(
    sold: Fall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, desk = sold.proposer.desk.statements, sold.proposer.desk
    number = desk.view().header.number
    monkeypatch.setattr(follow, "get_text", lambda _url, limit: given.inputs_text(number))
    own = Statements(Database(f"sqlite:///{tmp_path}/own.sqlite"), desk.methodology, desk.books)
    apart = replace(desk, statements=own)
    assert follow.Follower(apart, ("http://proposer",)).tick(desk.view())
    found, theirs = own.get(number), given.get(number)
    assert found is not None and theirs is not None and found.root == theirs.root


def test_tick__insolvent__bought_for_a_payout_that_the_fund_covers_in_part(tmp_path: Path) -> None:
    with about_to_fall(tmp_path) as fall:
        place = fall.place
        stake(place, 100 * USDC)
        fall.borrow()
        fall.fall(7_700)
        fall.tick("fallen")
        place.post_epoch(fall.proposer)
        fall.tick("updated")
        place.pass_time(120)
        place.post_epoch(fall.proposer)
        fall.tick("updated again")
        place.pass_time(120)
        fall.tick("bidding")
        place.pass_time(5, 1)
        fall.tick("mined")
        index, head = fall.liquidator.desk.index, fall.liquidator.desk.sync()
        (bid,) = index.bids(head.number)
        assert (bid.account, bid.solvent, bid.fraction, bid.price) == (fall.victim, False, WAD, 0)
        covered = [flow.assets for flow in index.insurance_flows(head.number) if flow.kind == "cover"]
        losses = index.last_event(VAULT, "ShortfallChanged", head.number)
        assert covered == [25 * USDC] and losses is not None  # a quarter of the fund in a day
        assert losses.payload["shortfall"] == bid.payout - 25 * WAD
        row = fall.rows()[fall.victim]
        assert (row.positions, row.collateral, row.frozen) == ((), (), False)
        replay = index_of(place, tmp_path)
        replay.sync()
        assert replay.accounts(head.number) == index.accounts(head.number)


def stake(place: Town, amount: int) -> None:
    """The deployer puts tokens into the insurance fund."""
    token, fund, owner = (
        place.deployment["MockToken"],
        place.deployment["InsuranceFund"],
        place.backend.deployer,
    )
    place.backend.send(token, "mint", owner, amount)
    place.backend.send(token, "approve", fund.address, amount)
    place.backend.send(fund, "deposit", amount, owner)


def index_of(place: Town, folder: Path, node: Node | None = None) -> Index:
    """An empty index, in a database of its own."""
    deployment = load(place.write_deployment(folder / "deployment.json"))
    database = Database(f"sqlite:///{folder}/index.sqlite")
    return Index(Protocol(node or Node(place.devnet.url), deployment), database)
