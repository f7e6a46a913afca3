"""The index on a real chain: a replay from genesis, through reorgs, and against a node that leaves things
out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from keeper.app.process import Keeper
from keeper.chain.contracts import CLEARINGHOUSE, Call, Protocol
from keeper.chain.deployment import load
from keeper.chain.index import Index, IndexingError, Pace
from keeper.chain.node import Node, NodeError, Rpc
from keeper.chain.pool import Pool
from keeper.markets.instrument import Instrument, Kind
from keeper.observability.metrics import Metrics
from keeper.store import index_store, versions
from keeper.store.database import Database
from keeper.store.schema import OF_A_BLOCK, VERSIONED
from tests.support import postgres
from tests.support.keepers import EXPIRY, USDC, Room, Town, town

CALL = Instrument(2, EXPIRY, 1_500 * 10**8, Kind.CALL).pack()
FUTURE = Instrument(2, EXPIRY, 0, Kind.FUTURE).pack()
Logs = list[dict[str, Any]]


class Liar(Node):
    """A node that changes the logs that it was asked for; of receipts too, if `thorough`."""

    def __init__(self, url: str, change: Callable[[Logs], Logs], thorough: bool = True) -> None:
        super().__init__(url)
        self.change = change
        self.thorough = thorough

    def batch(self, requests: Any) -> list[Any]:
        found = super().batch(requests)
        if requests and requests[0][0] == "eth_getLogs":
            return [self.change(logs) for logs in found]
        if requests and requests[0][0] == "eth_getBlockReceipts" and self.thorough:
            return [self._receipts(receipts) for receipts in found]
        return found

    def request(self, method: str, *parameters: Any) -> Any:
        found = super().request(method, *parameters)
        return self.change(found) if method == "eth_getLogs" else found

    def _receipts(self, receipts: list[Any]) -> list[Any]:
        logs = self.change([log for receipt in receipts for log in receipt["logs"]])
        return [{**receipts[0], "logs": logs}] if receipts else []


class Pinned(Pool):
    """A pool that asks its first endpoint first, however slow it is."""

    def look(self) -> None:
        super().look()
        self._first = self.endpoints[0]


def pool_of(place: Town, first: Node) -> Pool:
    """A liar, asked first, and an honest node."""
    url = place.devnet.url
    pool = Pinned([url, url.replace("127.0.0.1", "localhost")], place.devnet.chain_id)
    pool.endpoints[0].node = first
    return pool


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture(scope="module")
def proposer(place: Town) -> Iterator[Keeper]:
    """After an epoch and three trades, one of them back to nothing; its index has followed step by step."""
    attesters = [place.keeper(f"attester{i}", "attester") for i in (0, 1)]
    keeper = place.proposer(Room([a.attester for a in attesters]))
    place.post_epoch(keeper)
    for instrument, quantity in ((CALL, 10**18), (FUTURE, 2 * 10**18), (FUTURE, -2 * 10**18)):
        place.trade(keeper, instrument, quantity)
        keeper.desk.sync()
    stake(place)
    yield keeper
    for each in (keeper, *attesters):
        each.close()


def stake(place: Town) -> None:
    """The deployer puts tokens into the insurance fund, and asks for them back."""
    token, fund, owner = (
        place.deployment["MockToken"],
        place.deployment["InsuranceFund"],
        place.backend.deployer,
    )
    place.backend.send(token, "mint", owner, 1_000 * USDC)
    place.backend.send(token, "approve", fund.address, 1_000 * USDC)
    place.backend.send(fund, "deposit", 1_000 * USDC, owner)
    place.backend.send(fund, "request_exit", 10**6)


def index_of(
    place: Town,
    folder: Path,
    node: Rpc | None = None,
    metrics: Metrics | None = None,
    url: str = "",
) -> Index:
    """An empty index, in a database of its own."""
    deployment = load(place.write_deployment(folder / "deployment.json"))
    database = Database(url or f"sqlite:///{folder}/index.sqlite")
    return Index(Protocol(node or Node(place.devnet.url), deployment), database, metrics=metrics)


def content(index: Index, until: int) -> Any:
    """Every row of the index's tables, but of later blocks."""
    with index.database.begin() as connection:
        versions.roll_back(connection, until)
        tables = (*VERSIONED, *OF_A_BLOCK)
        found = {t.name: sorted(map(str, connection.execute(select(t)).all())) for t in tables}
        connection.rollback()
    return found


def test_sync__step_by_step__equals_a_replay_from_genesis(
    place: Town, proposer: Keeper, tmp_path: Path
) -> None:
    head = proposer.desk.sync()
    replay = index_of(place, tmp_path)
    assert replay.sync() == head
    assert content(replay, head.number) == content(proposer.desk.index, head.number)


def test_sync__postgresql__rows_as_in_sqlite_and_back_again(
    place: Town, proposer: Keeper, tmp_path: Path
) -> None:
    head = proposer.desk.sync()
    replay = index_of(place, tmp_path, url=postgres.server().create())
    replay.sync()
    assert content(replay, head.number) == content(proposer.desk.index, head.number)
    place.open_account(7 * USDC)
    later = replay.sync()
    place.devnet.rpc("anvil_reorg", later.number - head.number, [])
    after = replay.sync()
    assert after.hash != later.hash
    assert proposer.desk.sync() == after
    assert content(replay, after.number) == content(proposer.desk.index, after.number)


def test_accounts__latest__equal_the_chain(place: Town, proposer: Keeper) -> None:
    head = proposer.desk.sync()
    rows = proposer.desk.index.accounts(head.number)
    clearing = place.deployment["Clearinghouse"]
    assert [row.account for row in rows] == place.accounts
    for row in rows:
        stored = proposer.desk.protocol.structs(head.hash, [_call("account", row.account)])[0]
        assert (row.cash, row.book_hash, len(row.positions)) == (
            stored["cash"],
            stored["bookHash"],
            stored["legCount"],
        )
        for instrument, quantity in row.positions:
            assert place.backend.call(clearing, "position", row.account, instrument)[0] == quantity
    assert [dict(row.positions) for row in rows] == [{CALL: 10**18}, {CALL: -(10**18)}]


def test_accounts__past_block__as_they_were(place: Town, proposer: Keeper) -> None:
    head = proposer.desk.sync()
    index = proposer.desk.index
    trades = index.events("Clearinghouse", "PositionChanged", head.number)
    assert len(trades) == 6
    first = trades[0].block_number
    assert [row.positions for row in index.accounts(first - 1)] == [(), ()]
    assert [dict(row.positions) for row in index.accounts(first)] == [{CALL: 10**18}, {CALL: -(10**18)}]
    middle = trades[2].block_number
    assert dict(index.accounts(middle)[0].positions)[FUTURE] == 2 * 10**18


def test_insurance_flows__staked__indexed(place: Town, proposer: Keeper) -> None:
    head = proposer.desk.sync()
    (flow,) = proposer.desk.index.insurance_flows(head.number)
    assert (flow.kind, flow.holder.lower(), flow.assets) == (
        "deposit",
        place.backend.deployer.lower(),
        1_000 * USDC,
    )
    fund = place.deployment["InsuranceFund"]
    assert flow.shares == place.backend.call(fund, "balanceOf", place.backend.deployer)


def test_collateral__deposited__balance_and_hash_are_the_chain_s(place: Town, proposer: Keeper) -> None:
    account = place.accounts[0]
    put_up_collateral(place, proposer)
    head = proposer.desk.sync()
    row = next(r for r in proposer.desk.index.accounts(head.number) if r.account == account)
    assert row.collateral == ((1, 3 * 10**18),)
    stored = proposer.desk.protocol.structs(head.hash, [_call("account", account)])[0]
    assert row.book_hash == stored["bookHash"]
    (listing,) = proposer.desk.index.listings(head.number)
    assert listing.token == place.deployment.address("WETH").lower()
    assert (listing.decimals, listing.underlying, listing.initial_haircut) == (18, 2, 1_000)


def test_sync__reorg__rolls_back_and_reads_the_new_chain(
    place: Town, proposer: Keeper, tmp_path: Path
) -> None:
    before = proposer.desk.sync()
    known = content(proposer.desk.index, before.number)
    account = place.open_account(7 * USDC)
    place.accounts.append(account)
    index = proposer.desk.index
    head = proposer.desk.sync()
    assert index.accounts(head.number)[-1].cash == 7 * 10**18
    place.devnet.rpc("anvil_reorg", head.number - before.number, [])
    after = proposer.desk.sync()
    assert after.number == head.number and after.hash != head.hash
    assert account not in {row.account for row in index.accounts(after.number)}
    assert content(index, before.number) == known
    replay = index_of(place, tmp_path)
    replay.sync()
    assert content(replay, after.number) == content(index, after.number)
    place.accounts.pop()


def test_sync__the_same_events_again_after_a_reorg__indexed_once(place: Town, proposer: Keeper) -> None:
    before = proposer.desk.sync()
    account = place.open_account(5 * USDC)
    head = proposer.desk.sync()
    place.devnet.rpc("anvil_reorg", head.number - before.number, [])
    assert place.open_account(6 * USDC) == account
    head = proposer.desk.sync()
    assert proposer.desk.index.accounts(head.number)[-1].cash == 6 * 10**18
    place.devnet.rpc("anvil_reorg", head.number - before.number, [])
    proposer.desk.sync()


def test_sync__chain_became_shorter__taken_back_when_it_grows_otherwise(
    place: Town, proposer: Keeper, tmp_path: Path
) -> None:
    """A node that is behind takes nothing back; another block does."""
    before = proposer.desk.sync()
    place.pass_time(30, 3)
    assert proposer.desk.sync().number == before.number + 3
    place.devnet.rpc("anvil_rollback", 3)
    assert proposer.desk.sync() == before
    place.pass_time(7, 1)
    after = proposer.desk.sync()
    assert after.number == before.number + 1
    assert proposer.desk.index.block(before.number + 2) is None
    replay = index_of(place, tmp_path)
    replay.sync()
    assert content(replay, after.number) == content(proposer.desk.index, after.number)


@pytest.mark.parametrize("name", ["Clearinghouse", "Vault", "RiskOracle", "InsuranceFund"])
def test_sync__node_leaves_an_event_out__gap_is_named_and_nothing_of_it_kept(
    place: Town, proposer: Keeper, tmp_path: Path, name: str
) -> None:
    metrics = Metrics()
    liar = Liar(place.devnet.url, dropping(proposer, name, 2))
    index = index_of(place, tmp_path, liar, metrics)
    assert last_seq(proposer, name) > 2, "something follows the event that is left out"
    for _ in range(2):  # and not at the next attempt either
        with pytest.raises(IndexingError, match=f"{name} sequence 3 instead of 2 in block"):
            index.sync()
    with index.database.read() as connection:
        query = f"SELECT max(seq) FROM event WHERE contract = '{name}'"
        assert connection.exec_driver_sql(query).scalar() in (None, 1)
    assert 'plimsoll_log_gaps_total{result="unfilled"}' in metrics.text()


def test_sync__node_leaves_a_fill_s_changes_out__the_fill_names_the_gap(
    place: Town, proposer: Keeper, tmp_path: Path
) -> None:
    """The fill states the clearing house's last number, so the gap shows before its next event does."""
    head = proposer.desk.sync()
    last = proposer.desk.index.events("Clearinghouse", "PositionChanged", head.number)[-1]
    liar = Liar(place.devnet.url, dropping(proposer, "Clearinghouse", last.seq))
    with pytest.raises(IndexingError, match=f"Exchange sequence {last.seq} instead of {last.seq - 1}"):
        index_of(place, tmp_path, liar).sync()


@pytest.mark.parametrize("blocks", [1, 64], ids=["block by block", "in one run"])
@pytest.mark.parametrize("what", ["alone in its block", "one of several"])
def test_sync__node_leaves_an_event_out__refilled_from_another_and_the_node_named(
    place: Town, proposer: Keeper, tmp_path: Path, blocks: int, what: str
) -> None:
    """Of a block that is left with no log, the bloom tells; of another, the numbers."""
    head = proposer.desk.sync()
    trade = proposer.desk.index.events("Clearinghouse", "PositionChanged", head.number)[0]
    seq = 2 if what.startswith("alone") else trade.seq
    metrics = Metrics()
    liar = Liar(place.devnet.url, dropping(proposer, "Clearinghouse", seq))
    index = index_of(place, tmp_path, pool_of(place, liar), metrics)
    index._pace = Pace(blocks, most=blocks)
    assert index.sync() == head
    assert content(index, head.number) == content(proposer.desk.index, head.number)
    assert f'plimsoll_log_faults_total{{node="{place.devnet.url}"}}' in metrics.text()
    assert ('plimsoll_log_gaps_total{result="refilled"}' in metrics.text()) == (seq == trade.seq)
    assert place.devnet.url not in [node.url for node in index._rpc.nodes], "put out for a while"


def test_sync__gap_shows_blocks_later__the_cursor_goes_back_to_it(
    place: Town, proposer: Keeper, tmp_path: Path
) -> None:
    """Where other events of a block hide that its last one was left out, only the next number tells."""
    head = proposer.desk.sync()
    second = proposer.desk.index.events("Vault", "Deposited", head.number)[1]
    liar = Liar(place.devnet.url, dropping(proposer, "Vault", second.seq))
    index = index_of(place, tmp_path, pool_of(place, liar))
    index._witnesses.checked = list  # the bloom must not tell
    index._pace = Pace(1, most=1)
    held: list[int] = []
    roll_back = versions.roll_back

    def spy(connection: Any, ancestor: int) -> None:
        held.append(ancestor)
        roll_back(connection, ancestor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(versions, "roll_back", spy)
        assert index.sync() == head
    assert held == [second.block_number - 1]
    assert content(index, head.number) == content(proposer.desk.index, head.number)


def test_sync__node_gives_no_logs_at_all__the_bloom_tells_and_another_is_asked(
    place: Town, proposer: Keeper, tmp_path: Path
) -> None:
    metrics = Metrics()
    index = index_of(place, tmp_path, pool_of(place, Liar(place.devnet.url, lambda _logs: [])), metrics)
    head = index.sync()
    assert content(index, head.number) == content(proposer.desk.index, head.number)
    assert f'plimsoll_log_faults_total{{node="{place.devnet.url}"}}' in metrics.text()
    assert "plimsoll_log_gaps_total" not in metrics.text(), "before any number was missing"


def test_sync__node_gives_an_event_twice__refused(place: Town, proposer: Keeper, tmp_path: Path) -> None:
    def double(logs: Logs) -> Logs:
        return [{**log, "logIndex": hex(2 * int(log["logIndex"], 16) + i)} for log in logs for i in (0, 1)]

    index = index_of(place, tmp_path, Liar(place.devnet.url, double))
    with pytest.raises(IndexingError, match="sequence 1 instead of 2 in block"):
        index.sync()


@pytest.mark.parametrize("word", [1, 2], ids=["quantity", "price"])
def test_sync__node_changes_a_trade__refused_where_the_chain_next_states_the_book(
    place: Town, proposer: Keeper, tmp_path: Path, word: int
) -> None:
    put_up_collateral(place, proposer)
    head = proposer.desk.sync()
    (trade, *_) = proposer.desk.index.events("Clearinghouse", "PositionChanged", head.number)

    def more(logs: Logs) -> Logs:
        key = (trade.transaction_hash, hex(trade.log_index))
        return [_with_word(x, word, 5) if (x["transactionHash"], x["logIndex"]) == key else x for x in logs]

    index = index_of(place, tmp_path, Liar(place.devnet.url, more))
    with pytest.raises(IndexingError, match=r"event \d+ in block \d+ does not follow from the book of"):
        index.sync()


@pytest.mark.parametrize(
    ("field", "value"), [("data", "0x00"), ("data", "0xzz"), ("topics", ["0x"]), ("logIndex", None)]
)
def test_sync__log_that_cannot_be_read__refused(
    place: Town, proposer: Keeper, tmp_path: Path, field: str, value: Any
) -> None:
    def broken(logs: Logs) -> Logs:
        return [{**x, field: [x["topics"][0], *value] if field == "topics" else value} for x in logs]

    index = index_of(place, tmp_path, Liar(place.devnet.url, broken))
    with pytest.raises((IndexingError, NodeError), match="cannot be read|something else than logs"):
        index.sync()


def test_sync__log_of_another_block__try_again(place: Town, proposer: Keeper, tmp_path: Path) -> None:
    def elsewhere(logs: Logs) -> Logs:
        return [{**log, "blockHash": "0x" + "11" * 32} for log in logs]

    index = index_of(place, tmp_path, Liar(place.devnet.url, elsewhere))
    with pytest.raises(NodeError, match="gave a log of another block"):
        index.sync()
    index._protocol.node.change = lambda logs: logs
    assert index.sync().number > 0


def test_sync__nothing_in_common_with_the_node__halts(place: Town, proposer: Keeper, tmp_path: Path) -> None:
    index = index_of(place, tmp_path)
    index.sync()
    with index.database.begin() as connection:
        connection.exec_driver_sql("UPDATE block SET hash = '0x00'")
    with pytest.raises(IndexingError, match="no common block with node"):
        index.sync()


def put_up_collateral(place: Town, keeper: Keeper) -> None:
    """The first account's ether, once: the event states the book's hash."""
    account, head = place.accounts[0], keeper.desk.sync()
    if not keeper.desk.index.accounts(head.number, [account])[0].collateral:
        place.deposit(account, 3 * 10**18, "WETH")


def dropping(keeper: Keeper, name: str, seq: int) -> Callable[[Logs], Logs]:
    """Leaves out one of a contract's events, always."""
    keeper.desk.sync()
    with keeper.database.read() as connection:
        query = f"SELECT transaction_hash, log_index FROM event WHERE contract = '{name}' AND seq = {seq}"
        found = tuple(connection.exec_driver_sql(query).one())

    def drop(logs: Logs) -> Logs:
        return [x for x in logs if (x["transactionHash"], int(x["logIndex"], 16)) != found]

    return drop


def _call(function: str, *arguments: Any) -> Any:
    return Call(CLEARINGHOUSE, function, arguments)


def last_seq(keeper: Keeper, contract: str) -> int:
    with keeper.database.read() as connection:
        return index_store.last_place(connection, contract)[0]


def _with_word(log: dict[str, Any], word: int, value: int) -> dict[str, Any]:
    start = 2 + 64 * word
    return {**log, "data": log["data"][:start] + f"{value:064x}" + log["data"][start + 64 :]}
