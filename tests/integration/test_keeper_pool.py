"""The pool of endpoints in front of a real node, with everything that networks and nodes do wrong."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from eth_account import Account

from keeper.chain.heads import Heads
from keeper.chain.node import CallError, NodeError
from keeper.chain.pool import Budget, Pool, Settings
from keeper.observability.metrics import Metrics
from keeper.observability.names import NODE_HIGHEST, NODE_STATES, NODE_TRANSITIONS, RPC_DISAGREEMENTS
from scripts._devnet import Devnet, start_anvil
from tests.support.fault_proxy import FaultProxy
from tests.support.faults import (
    Changed,
    Fault,
    Garbage,
    Hang,
    LyingSend,
    Refused,
    Reset,
    Stale,
    Status,
    null_receipts,
    syncing,
    wrong_chain,
)

CHAIN = 31337
SENDER = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
QUICK = Budget(errors=2, first_seconds=0.05, last_seconds=0.2)


@pytest.fixture(scope="module")
def devnet() -> Iterator[Devnet]:
    with start_anvil() as found:
        for _ in range(8):
            found.rpc("evm_mine")
        yield found


@pytest.fixture
def proxies(devnet: Devnet) -> Iterator[list[FaultProxy]]:
    with ExitStack() as stack:
        yield [stack.enter_context(FaultProxy(devnet.url)) for _ in range(3)]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def pool_of(metrics: Metrics) -> Iterator[Callable[..., Pool]]:
    with ExitStack() as stack:

        def make(proxies: list[FaultProxy], agree: int = 1, timeout: float = 0.4) -> Pool:
            settings = Settings(agree=agree, timeout=timeout, budget=QUICK)
            pool = Pool([proxy.url for proxy in proxies], CHAIN, settings, metrics)
            stack.callback(pool.close)
            return pool

        yield make


def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits for something that happens in another thread."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def state(pool: Pool, proxy: FaultProxy) -> str:
    return pool.states()[proxy.url].partition(":")[0]


FAULTS = [Reset(), Hang(), Status(), Status(code=429), Garbage(), Refused(message="rate limit", code=-32005)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{type(f).__name__}{getattr(f, 'code', '')}")
def test_one_endpoint_fails__another_answers_and_it_returns(
    proxies: list[FaultProxy], pool_of: Callable[..., Pool], fault: Fault, metrics: Metrics
) -> None:
    pool = pool_of(proxies[:2])
    pool.head()
    fault.times = None
    with proxies[0].fault(fault):
        for _ in range(4):
            assert pool.chain_id() == CHAIN and pool.head().number >= 8
        until(lambda: bool(pool.head()) and state(pool, proxies[0]) == "unreachable")
        before = fault.hits
        for _ in range(20):
            pool.chain_id()
        assert fault.hits == before, "one that is out is not asked"
        assert metrics.value(NODE_STATES, state="unreachable") == 1
    until(lambda: bool(pool.head()) and state(pool, proxies[0]) == "alive")
    assert metrics.value(NODE_TRANSITIONS, node=proxies[0].url, to="alive") == 1


def test_one_endpoint_hangs__the_others_are_not_slowed_down(
    proxies: list[FaultProxy], pool_of: Callable[..., Pool]
) -> None:
    pool = pool_of(proxies, timeout=5)
    pool.head()
    proxies[0].half_open = True
    pool.head()  # finds out
    started = time.monotonic()
    for _ in range(10):
        assert pool.head().number >= 8 and pool.chain_id() == CHAIN
    assert time.monotonic() - started < 1


def test_stale_endpoint__out_of_sync_until_it_has_caught_up(
    devnet: Devnet, proxies: list[FaultProxy], pool_of: Callable[..., Pool], metrics: Metrics
) -> None:
    pool = pool_of(proxies)
    head = int(devnet.rpc("eth_blockNumber"), 16)
    with proxies[0].fault(Stale(behind=4)):
        assert pool.head().number == head
        assert state(pool, proxies[0]) == "out_of_sync" and pool.url != proxies[0].url
        assert metrics.value(NODE_HIGHEST, node=proxies[0].url) == head - 4
        assert pool.block(head) is not None
    assert pool.head().number == head and state(pool, proxies[0]) == "alive"
    with proxies[0].fault(Stale(behind=2)):
        assert pool.head().number == head and state(pool, proxies[0]) == "alive"
        tag = {"blockHash": pool.head().hash}
        for _ in range(3):  # whoever is asked first: a block that one lacks is found at another
            assert pool.request("eth_getBalance", SENDER.address, tag)


def test_wrong_chain_or_syncing__never_asked(proxies: list[FaultProxy], pool_of: Callable[..., Pool]) -> None:
    proxies[0].add(wrong_chain(1))
    proxies[1].add(syncing())
    pool = pool_of(proxies)
    for _ in range(5):
        pool.request("eth_getBalance", SENDER.address, "latest")
    assert [state(pool, proxy) for proxy in proxies] == ["wrong_chain", "syncing", "alive"]
    assert proxies[0].calls["eth_getBalance"] == proxies[1].calls["eth_getBalance"] == 0
    assert proxies[2].calls["eth_getBalance"] == 5
    proxies[0].clear()
    until(lambda: bool(pool.head()) and state(pool, proxies[0]) == "alive")


def test_nobody_answers__says_so_at_once_and_recovers(
    proxies: list[FaultProxy], pool_of: Callable[..., Pool]
) -> None:
    pool = pool_of(proxies)
    pool.head()
    for proxy in proxies:
        proxy.down()
    with pytest.raises(NodeError, match="no node answers"):
        pool.chain_id()
    for _ in range(3):
        with pytest.raises(NodeError):
            pool.head()
    for proxy in proxies:
        proxy.up()
    until(lambda: _succeeds(pool.head))


def _succeeds(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except NodeError:
        return False
    return True


def test_revert__an_answer_like_any_other(proxies: list[FaultProxy], pool_of: Callable[..., Pool]) -> None:
    pool = pool_of(proxies)
    revert = Refused(("eth_call",), message="execution reverted: no", code=3)
    proxies[0].add(revert)
    for _ in range(5):
        with pytest.raises(CallError, match="no"):
            pool.request("eth_call", {"to": SENDER.address}, "latest")
    assert revert.hits == 5 and state(pool, proxies[0]) == "alive"


def test_agreed__one_of_three_lies__the_other_two_are_believed(
    proxies: list[FaultProxy], pool_of: Callable[..., Pool], metrics: Metrics
) -> None:
    pool = pool_of(proxies, agree=2)
    truth = pool.nonce(SENDER.address)
    for proxy in proxies:
        with proxy.fault(Changed(("eth_getTransactionCount",), change=lambda _p, _r: "0xff")):
            assert all(pool.nonce(SENDER.address) == truth for _ in range(4))
    proxies[0].add(Changed(("eth_getTransactionCount",), change=lambda _p, _r: "0xff"))
    proxies[1].add(Changed(("eth_getTransactionCount",), change=lambda _p, _r: "0xfe"))
    with pytest.raises(NodeError, match="2 of 3 nodes must agree on eth_getTransactionCount: 1 of 3"):
        pool.nonce(SENDER.address)
    assert metrics.value(RPC_DISAGREEMENTS, method="eth_getTransactionCount") == 1


def test_agreed__fork_or_endpoint_running_ahead__no_head_of_one_alone(
    proxies: list[FaultProxy], pool_of: Callable[..., Pool]
) -> None:
    pool = pool_of(proxies, agree=2)
    head = pool.head()
    forged = {"number": hex(head.number + 100), "hash": "0x" + "ab" * 32}
    ahead = Changed(("eth_getBlockByNumber",), change=lambda _p, block: block | forged)
    with proxies[0].fault(ahead):
        assert pool.head() == head and state(pool, proxies[1]) == state(pool, proxies[2]) == "alive"
    fork = Changed(("eth_getBlockByNumber",), change=lambda _p, block: block | {"hash": "0x" + "cd" * 32})
    with proxies[0].fault(fork):
        assert pool.head() == head
        proxies[1].down()
        with pytest.raises(NodeError):
            pool.head(), pool.head()


def test_agreed__error_answers_agree_too(proxies: list[FaultProxy], pool_of: Callable[..., Pool]) -> None:
    pool = pool_of(proxies, agree=2)
    for proxy in proxies[:2]:
        proxy.add(Refused(("eth_call",), message="execution reverted: no", code=3))
    with pytest.raises(CallError, match="no"):
        pool.agreed("eth_call", {"to": SENDER.address}, hex(1))
    with pytest.raises(ValueError, match="3 of 2"):
        Pool(["http://a", "http://b"], CHAIN, Settings(agree=3))


def test_send__one_swallows_it__another_has_it_mined(
    devnet: Devnet, proxies: list[FaultProxy], pool_of: Callable[..., Pool]
) -> None:
    pool = pool_of(proxies)
    proxies[0].add(LyingSend())
    proxies[1].add(Refused(("eth_sendRawTransaction",), message="txpool is full"))
    proxies[0].add(null_receipts())
    nonce = pool.nonce(SENDER.address)
    fields = {"type": 2, "chainId": CHAIN, "nonce": nonce, "to": "0x" + "11" * 20, "value": 0, "gas": 21_000}
    signed = SENDER.sign_transaction(fields | {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1})
    pool.send("0x" + signed.raw_transaction.hex().removeprefix("0x"))
    until(lambda: int(devnet.rpc("eth_getTransactionCount", SENDER.address, "latest"), 16) == nonce + 1)
    for proxy in proxies:
        proxy.add(Refused(("eth_sendRawTransaction",), message="nonce too low"))
    with pytest.raises(CallError, match="nonce too low"):
        pool.send("0x00")


def test_distrust__left_out_for_a_while(proxies: list[FaultProxy], pool_of: Callable[..., Pool]) -> None:
    pool = pool_of(proxies)
    pool.head()
    pool.distrust(proxies[0].url, "left out logs")
    assert state(pool, proxies[0]) == "unreachable" and proxies[0].url not in {n.url for n in pool.nodes}
    until(lambda: bool(pool.head()) and state(pool, proxies[0]) == "alive")


def test_heads__wake_at_every_block_and_after_every_loss(devnet: Devnet, proxies: list[FaultProxy]) -> None:
    woken = threading.Semaphore(0)
    heads = Heads(proxies[0].websocket_url, lambda: woken.release(), silence=0.5, timeout=1)
    heads.start()
    try:
        for break_it in (
            lambda: None,
            proxies[0].drop_websockets,
            lambda: (proxies[0].down(), proxies[0].up()),
        ):
            break_it()
            until(lambda: _mined_and_woken(devnet, woken))
        proxies[0].half_open = True
        until(lambda: not heads.connected)
        proxies[0].half_open = False
        until(lambda: _mined_and_woken(devnet, woken))
    finally:
        started = time.monotonic()
        heads.close()
    assert time.monotonic() - started < 2


def _mined_and_woken(devnet: Devnet, woken: threading.Semaphore) -> bool:
    devnet.rpc("evm_mine")
    return woken.acquire(timeout=0.2)
