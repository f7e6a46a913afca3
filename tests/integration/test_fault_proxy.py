"""The proxy of the chaos tests does what it says, in front of a real node."""

import json
import time
from collections.abc import Iterator

import pytest
from eth_account import Account
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from keeper.chain.node import CallError, Node, NodeError
from scripts._devnet import Devnet, start_anvil
from tests.support.fault_proxy import FaultProxy
from tests.support.faults import (
    Changed,
    Drip,
    DroppedTransactions,
    Fault,
    Garbage,
    GethPool,
    Hang,
    Latency,
    LyingSend,
    Refused,
    Reset,
    Stale,
    Status,
    Truncated,
    null_receipts,
    wrong_chain,
)

RPC = {"jsonrpc": "2.0"}
SENDER = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")


@pytest.fixture(scope="module")
def devnet() -> Iterator[Devnet]:
    with start_anvil() as found:
        for _ in range(8):
            found.rpc("evm_mine")
        yield found


@pytest.fixture
def proxy(devnet: Devnet) -> Iterator[FaultProxy]:
    devnet.rpc("evm_setAutomine", True)
    with FaultProxy(devnet.url) as found:
        yield found


def _signed(nonce: int, gwei: float) -> str:
    fee = int(gwei * 10**9)
    fields = {"type": 2, "chainId": 31337, "nonce": nonce, "to": "0x" + "11" * 20, "value": 0, "gas": 21_000}
    signed = SENDER.sign_transaction(fields | {"maxFeePerGas": fee, "maxPriorityFeePerGas": fee})
    return "0x" + signed.raw_transaction.hex().removeprefix("0x")


def test_no_fault__answers_are_the_nodes(devnet: Devnet, proxy: FaultProxy) -> None:
    node, direct = Node(proxy.url), Node(devnet.url)
    assert node.head() == direct.head()
    assert node.blocks(1, 5) == direct.blocks(1, 5)
    assert proxy.calls["eth_getBlockByNumber"] == 6


@pytest.mark.parametrize(
    "fault",
    [
        Reset(),
        Status(code=500),
        Status(code=429),
        Truncated(),
        Garbage(),
        Garbage(body=b"{}"),
        Hang(),
        Drip(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_transport__spoiled_once__the_next_answer_is_good(proxy: FaultProxy, fault: Fault) -> None:
    node = Node(proxy.url, timeout=0.3)
    fault.times = 1
    proxy.add(fault)
    with pytest.raises(NodeError):
        node.chain_id()
    assert node.chain_id() == 31337 and fault.hits == 1


def test_down_and_half_open__no_answer_until_it_is_over(proxy: FaultProxy) -> None:
    node = Node(proxy.url, timeout=0.3)
    proxy.down()
    with pytest.raises(NodeError, match="ConnectionRefused"):
        node.chain_id()
    proxy.up()
    assert node.chain_id() == 31337
    proxy.half_open = True
    with pytest.raises(NodeError, match="[Tt]imeout"):
        node.chain_id()
    proxy.clear()
    assert node.chain_id() == 31337


def test_latency_share_and_after__as_told(proxy: FaultProxy) -> None:
    node = Node(proxy.url)
    with proxy.fault(Latency(("eth_chainId",), times=1, seconds=0.2)):
        started = time.monotonic()
        node.chain_id()
        assert time.monotonic() - started >= 0.2
    rare = Refused(share=0.5, seed=7, after=2, message="no")
    with proxy.fault(rare):
        refused = 0
        for i in range(42):
            try:
                node.chain_id()
            except CallError:
                refused += 1
                assert i >= 2
    assert refused == rare.hits and 5 < refused < 35


def test_stale__knows_nothing_newer(devnet: Devnet, proxy: FaultProxy) -> None:
    node, head = Node(proxy.url), Node(devnet.url).head()
    with proxy.fault(Stale(behind=5)):
        assert node.head().number == head.number - 5 and node.block(head.number) is None
        with pytest.raises(CallError) as refused:
            node.request("eth_getBalance", SENDER.address, {"blockHash": head.hash})
        assert refused.value.is_missing_block
        assert node.request("eth_getBalance", SENDER.address, {"blockHash": node.head().hash})
    with proxy.fault(Stale(at=3)):
        devnet.rpc("evm_mine")
        assert node.head().number == 3


def test_answers__changed_as_told(devnet: Devnet, proxy: FaultProxy) -> None:
    node = Node(proxy.url)
    with proxy.fault(wrong_chain(5)):
        assert node.chain_id() == 5
    with proxy.fault(Changed(("eth_chainId",), change=lambda _p, _r: "0x6"), wrong_chain(5)):
        assert node.chain_id() == 6, "the fault in front has the last word"
    nonce = node.nonce(SENDER.address)
    with proxy.fault(LyingSend()):
        hash = node.request("eth_sendRawTransaction", _signed(nonce, 2))
        assert node.receipt(hash) is None and node.nonce(SENDER.address) == nonce
    node.send(_signed(nonce, 2))
    devnet.rpc("evm_mine")
    assert node.receipt(hash) is not None
    with proxy.fault(null_receipts()):
        assert node.receipt(hash) is None
    devnet.rpc("evm_setAutomine", False)
    with proxy.fault(DroppedTransactions()):
        dropped = node.request("eth_sendRawTransaction", _signed(nonce + 1, 2))
    assert node.request("eth_getTransactionByHash", dropped) is None


def test_geth_pool__replacement_needs_a_tenth_more_of_both(devnet: Devnet, proxy: FaultProxy) -> None:
    node = Node(proxy.url)
    devnet.rpc("evm_setAutomine", False)
    proxy.add(GethPool())
    nonce = node.nonce(SENDER.address)
    node.send(_signed(nonce, 10))
    with pytest.raises(CallError, match="already known"):
        node.send(_signed(nonce, 10))
    with pytest.raises(CallError, match="underpriced"):
        node.send(_signed(nonce, 10.9))
    node.send(_signed(nonce, 11))
    devnet.rpc("evm_mine")
    assert node.nonce(SENDER.address) == nonce + 1


def test_websocket__heads_come_until_silence_or_a_drop(devnet: Devnet, proxy: FaultProxy) -> None:
    with connect(proxy.websocket_url) as socket:
        socket.send(json.dumps({"id": 1, "method": "eth_subscribe", "params": ["newHeads"]} | RPC))
        assert "result" in json.loads(socket.recv(5))
        devnet.rpc("evm_mine")
        assert json.loads(socket.recv(5))["method"] == "eth_subscription"
        with proxy.fault(Hang(("eth_subscription",))):
            devnet.rpc("evm_mine")
            with pytest.raises(TimeoutError):
                socket.recv(0.3)
        proxy.drop_websockets()
        with pytest.raises(ConnectionClosed):
            socket.recv(5)
