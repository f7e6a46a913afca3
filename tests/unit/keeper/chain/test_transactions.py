"""The life of an intent against a node that does as it is told."""

from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from keeper.chain import abi_codec
from keeper.chain.keys import signer_of
from keeper.chain.node import BlockRef, CallError
from keeper.chain.transactions import Fees, Policy, Sender, first_fees, replacement_fees
from keeper.store.database import Database
from keeper.store.transaction_store import State

GWEI = 10**9
TARGET, BOUNTIES = "0x" + "11" * 20, "0x" + "22" * 20
SETTLE = abi_codec.load("Clearinghouse").functions["settle"].encode(1, [2])
BID = "0x" + abi_codec.load("AuctionHouse").functions["bid"].selector.hex()


class FakeNode:
    """A node with one knob per answer."""

    def __init__(self) -> None:
        self.number = 10
        self.mined = 0
        self.mined_at = 0  # block
        self.sent: list[str] = []
        self.receipts: dict[str, dict[str, str]] = {}
        self.known = True
        self.revert = ""
        self.refusing: list[str] = []  # contracts
        self.called: list[str] = []  # contracts, in simulation

    def head(self) -> BlockRef:
        return BlockRef(self.number, "0x1", "0x0", 1_000, 10 * GWEI)

    def nonce(self, _address: str, number: int | None = None) -> int:
        return self.mined if number is None or number >= self.mined_at else 0

    def request(self, method: str, *parameters: Any) -> Any:
        if method == "eth_call":
            self.called.append(parameters[0]["to"])
            if self.revert or parameters[0]["to"] in self.refusing:
                raise CallError(self.revert)
        if method == "eth_sendRawTransaction":
            self.sent.append(parameters[0])
        if method == "eth_getTransactionReceipt":
            return self.receipts.get(parameters[0])
        if method == "eth_getTransactionByHash":
            return {} if self.known else None
        return "0x5208"


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def sender(node: FakeNode, tmp_path: Path) -> Sender:
    database = Database(f"sqlite:///{tmp_path}/tx.sqlite")
    return Sender(node, database, signer_of(b"\1" * 32), 31337, Policy(max_attempts=2))  # type: ignore[arg-type]


def test_replacement_fees__both_rise_by_an_eighth_or_more() -> None:
    policy = Policy()
    fees = replacement_fees(Fees(21 * GWEI, GWEI + 1), 10 * GWEI, policy)
    assert fees is not None
    assert fees.max_fee * 8 >= 21 * GWEI * 9 and fees.tip * 8 >= (GWEI + 1) * 9
    assert replacement_fees(Fees(policy.max_fee, GWEI), 0, policy) is None


def test_first_fees__base_fee_beyond_the_cap__capped() -> None:
    assert first_fees(10**12, Policy(max_fee=5 * GWEI)) == Fees(5 * GWEI, GWEI)


def test_submit__simulation_refuses__nothing_is_sent(sender: Sender, node: FakeNode) -> None:
    node.revert = "oracle: too soon"
    intent = sender.submit("epoch:1", "epoch", TARGET, "0x00", 1)
    assert (intent.state, intent.error, node.sent) == (State.DROPPED, "oracle: too soon", [])


def test_submit__same_id_twice__sent_once(sender: Sender, node: FakeNode) -> None:
    for _ in range(2):
        assert sender.submit("epoch:1", "epoch", TARGET, "0x00", 1).state == State.BROADCAST
    assert len(node.sent) == 1


def test_advance__stuck__replaced_under_its_nonce_within_the_budget(sender: Sender, node: FakeNode) -> None:
    sender.submit("epoch:1", "epoch", TARGET, "0x00", 1)
    for _ in range(4):
        node.number += 3
        sender.advance()
        sender.advance()
    intent = sender.find("epoch:1")
    assert intent is not None and (intent.attempts, intent.nonce) == (2, 0)
    assert len(set(node.sent)) == 2


def test_advance__dropped_by_the_node__same_bytes_again(sender: Sender, node: FakeNode) -> None:
    sender.submit("epoch:1", "epoch", TARGET, "0x00", 1)
    node.known, node.number = False, 20
    sender.advance()
    assert len(node.sent) == 2 and len(set(node.sent)) == 1


def test_advance__nonce_mined_without_a_receipt__lost(sender: Sender, node: FakeNode) -> None:
    sender.submit("epoch:1", "epoch", TARGET, "0x00", 1)
    node.mined = 1
    assert sender.advance() == []
    intent = sender.find("epoch:1")
    assert intent is not None and intent.state == State.LOST


def test_advance__receipt_later_than_the_nonce__confirmed(sender: Sender, node: FakeNode) -> None:
    sender.submit("epoch:1", "epoch", TARGET, "0x00", 1)
    node.mined, node.mined_at = 1, node.number
    (waiting,) = sender.advance()
    assert waiting.state == State.BROADCAST
    receipt = {"status": "0x1", "blockNumber": hex(node.number), "gasUsed": "0x1"}
    node.receipts = {"0x" + keccak(hexstr=node.sent[0]).hex(): receipt}
    assert sender.advance() == []
    intent = sender.find("epoch:1")
    assert intent is not None and (intent.state, intent.error) == (State.CONFIRMED, "")


def test_submit__second_intent__takes_the_next_nonce(sender: Sender) -> None:
    first = sender.submit("a", "epoch", TARGET, "0x00", 1)
    second = sender.submit("b", "epoch", TARGET, "0x00", 2)
    assert (first.nonce, second.nonce) == (0, 1)


def _with_bounties(sender: Sender) -> Sender:
    return Sender(sender._node, sender._database, sender._signer, 31337, Policy(), BOUNTIES)


def test_submit__call_that_is_paid_for__by_way_of_the_bounties(sender: Sender, node: FakeNode) -> None:
    intent = _with_bounties(sender).submit("settle:1", "settle", TARGET, SETTLE, 1)
    assert (intent.target, intent.calldata, intent.state) == (BOUNTIES, SETTLE, State.BROADCAST)


def test_submit__not_worth_a_reward__straight_to_the_contract(sender: Sender, node: FakeNode) -> None:
    node.refusing = [BOUNTIES]
    intent = _with_bounties(sender).submit("settle:1", "settle", TARGET, SETTLE, 1)
    assert (intent.target, intent.state, node.called) == (TARGET, State.BROADCAST, [BOUNTIES, TARGET])


@pytest.mark.parametrize("calldata", [BID, "0x00"])
def test_submit__call_without_a_bounty__bounties_are_not_asked(
    sender: Sender, node: FakeNode, calldata: str
) -> None:
    intent = _with_bounties(sender).submit("bid:1", "bid", TARGET, calldata, 1)
    assert (intent.target, node.called) == (TARGET, [TARGET])


@pytest.mark.parametrize(
    ("contract", "function"),
    [
        ("RiskOracle", "post_epoch"),
        ("RiskOracle", "finalize_settlement"),
        ("Clearinghouse", "settle"),
        ("AuctionHouse", "flag"),
        ("CollateralSale", "note_debt"),
        ("Funding", "update"),
    ],
)
def test_submit__what_a_keeper_does_for_all__has_a_bounty(
    sender: Sender, node: FakeNode, contract: str, function: str
) -> None:
    calldata = "0x" + abi_codec.load(contract).functions[function].selector.hex()
    assert _with_bounties(sender).submit("a", "a", TARGET, calldata, 1).target == BOUNTIES
