"""The index on a real chain: a replay from genesis, through reorgs, and against a node that leaves things
out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from keeper.app.process import Keeper
from keeper.chain import abi_codec
from keeper.chain.contracts import CLEARINGHOUSE, Call, Protocol
from keeper.chain.deployment import load
from keeper.chain.index import Index, IndexingError
from keeper.chain.node import Node, NodeError
from keeper.jobs.observe import ObservationError, observe
from keeper.markets.instrument import Instrument, Kind
from keeper.store.database import Database
from tests.support.keepers import EXPIRY, USDC, Room, Town, town

CALL = Instrument(2, EXPIRY, 1_500 * 10**8, Kind.CALL).pack()
FUTURE = Instrument(2, EXPIRY, 0, Kind.FUTURE).pack()
Logs = list[dict[str, Any]]


class Liar(Node):
    """A node that changes the logs that it was asked for."""

    def __init__(self, url: str, change: Callable[[Logs], Logs]) -> None:
        super().__init__(url)
        self.change = change

    def batch(self, requests: Any) -> list[Any]:
        found = super().batch(requests)
        if requests and requests[0][0] == "eth_getLogs":
            return [self.change(logs) for logs in found]
        return found


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


def index_of(place: Town, folder: Path, node: Node | None = None) -> Index:
    """An empty index, in a database of its own."""
    deployment = load(place.write_deployment(folder / "deployment.json"))
    database = Database(f"sqlite:///{folder}/index.sqlite")
    return Index(Protocol(node or Node(place.devnet.url), deployment), database)


def content(index: Index, until: int) -> Any:
    """Everything that two indexes of the same chain agree on: blocks, accounts in every block, events."""
    with index._database.begin() as connection:
        events = connection.exec_driver_sql("SELECT * FROM event ORDER BY block_number, log_index").all()
    blocks = [index.block(number) for number in range(until + 1)]
    return blocks, [index.accounts(number) for number in range(until + 1)], events


def test_sync__step_by_step__equals_a_replay_from_genesis(
    place: Town, proposer: Keeper, tmp_path: Path
) -> None:
    head = proposer.desk.sync()
    replay = index_of(place, tmp_path)
    assert replay.sync() == head
    assert content(replay, head.number) == content(proposer.desk.index, head.number)


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
    place.deposit(account, 3 * 10**18, "WETH")
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


def test_sync__chain_became_shorter__rolls_back(place: Town, proposer: Keeper) -> None:
    before = proposer.desk.sync()
    place.pass_time(30, 3)
    assert proposer.desk.sync().number == before.number + 3
    place.devnet.rpc("anvil_rollback", 3)
    assert proposer.desk.sync() == before
    assert proposer.desk.index.block(before.number + 1) is None


# fills carry the Clearinghouse's numbers, so that the Exchange's own are rare: nothing is read from them
@pytest.mark.parametrize("name", ["Clearinghouse", "Vault", "RiskOracle", "InsuranceFund"])
def test_sync__node_leaves_an_event_out__gap_is_named_and_nothing_of_it_kept(
    place: Town, proposer: Keeper, tmp_path: Path, name: str
) -> None:
    address = place.deployment.address(name).lower()
    seen = []

    def drop_second(logs: Logs) -> Logs:
        kept = []
        for log in logs:
            if log["address"].lower() == address and log["topics"][0] in _sequenced(name):
                seen.append(log)
                if len(seen) == 2:
                    continue
            kept.append(log)
        return kept

    index = index_of(place, tmp_path, Liar(place.devnet.url, drop_second))
    assert _count(proposer, name) > 2, "something follows the event that is left out"
    with pytest.raises(IndexingError, match=f"{name} sequence 3 instead of 2 in block"):
        index.sync()
    with index._database.begin() as connection:
        query = f"SELECT max(seq) FROM event WHERE contract = '{name}'"
        assert connection.exec_driver_sql(query).scalar() in (None, 1)


def test_sync__node_gives_an_event_twice__refused(place: Town, proposer: Keeper, tmp_path: Path) -> None:
    def double(logs: Logs) -> Logs:
        return [{**log, "logIndex": hex(2 * int(log["logIndex"], 16) + i)} for log in logs for i in (0, 1)]

    index = index_of(place, tmp_path, Liar(place.devnet.url, double))
    with pytest.raises(IndexingError, match="sequence 1 instead of 2 in block"):
        index.sync()


@pytest.mark.parametrize("word", [1, 2, 5], ids=["quantity", "price", "counters"])
def test_observe__node_changes_a_fill__refused(
    place: Town, proposer: Keeper, tmp_path: Path, word: int
) -> None:
    """What follows from the event is not what the chain says of the account, or not what later events say."""
    head = proposer.desk.sync()
    *_, trade = proposer.desk.index.events("Clearinghouse", "PositionChanged", head.number)

    def more(logs: Logs) -> Logs:
        key = (trade.transaction_hash, hex(trade.log_index))
        return [_with_word(x, word, 5) if (x["transactionHash"], x["logIndex"]) == key else x for x in logs]

    index = index_of(place, tmp_path, Liar(place.devnet.url, more))
    with pytest.raises((IndexingError, ObservationError), match=r"index: .* of account \d+"):
        observe(index, proposer.desk.protocol, index.sync())


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
    with index._database.begin() as connection:
        connection.exec_driver_sql("UPDATE block SET hash = '0x00'")
    with pytest.raises(IndexingError, match="no common block with node"):
        index.sync()


def _call(function: str, *arguments: Any) -> Any:
    return Call(CLEARINGHOUSE, function, arguments)


def _sequenced(name: str) -> set[str]:
    return {
        t for t, e in abi_codec.load(name).events.items() if "seq" in {n for n, _ in (*e.plain, *e.indexed)}
    }


def _count(keeper: Keeper, contract: str) -> int:
    with keeper.database.begin() as connection:
        query = f"SELECT count(*) FROM event WHERE contract = '{contract}'"
        return int(connection.exec_driver_sql(query).scalar() or 0)


def _with_word(log: dict[str, Any], word: int, value: int) -> dict[str, Any]:
    start = 2 + 64 * word
    return {**log, "data": log["data"][:start] + f"{value:064x}" + log["data"][start + 64 :]}
