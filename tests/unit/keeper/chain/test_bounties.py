"""Which calls go by way of the bounties, against a node that takes or refuses them."""

from pathlib import Path
from typing import Any

import pytest

from keeper.chain import abi_codec
from keeper.chain.fees import Policy
from keeper.chain.keys import signer_of
from keeper.chain.node import BlockRef, CallError
from keeper.chain.transactions import Sender
from keeper.store.database import Database

TARGET, BOUNTIES = "0x" + "11" * 20, "0x" + "22" * 20
SETTLE = abi_codec.load("Clearinghouse").functions["settle"].encode(1, [2])
BID = "0x" + abi_codec.load("AuctionHouse").functions["bid"].selector.hex()


class FakeNode:
    """Takes every call, but for those to `refusing`."""

    url = "fake"

    def __init__(self) -> None:
        self.refusing: list[str] = []
        self.called: list[str] = []

    def head(self) -> BlockRef:
        return BlockRef(10, "0x1", "0x0", 1_000, 10**9)

    def nonce(self, _address: str, _number: int | None = None) -> int:
        return 0

    def balance(self, _address: str) -> int:
        return 10**18

    def request(self, method: str, *parameters: Any) -> Any:
        if method == "eth_call":
            self.called.append(parameters[0]["to"])
            if parameters[0]["to"] in self.refusing:
                raise CallError("bounties: too early")
        return "0x5208"


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def sender(node: FakeNode, tmp_path: Path) -> Sender:
    database = Database(f"sqlite:///{tmp_path}/tx.sqlite")
    key, policy = signer_of(b"\1" * 32), Policy(dry_run=True)
    return Sender(node, database, key, 31337, policy, bounties=BOUNTIES)  # type: ignore[arg-type]


def test_submit__call_that_is_paid_for__by_way_of_the_bounties(sender: Sender) -> None:
    intent = sender.submit("settle:1", "settle", TARGET, SETTLE, 1)
    assert (intent.target, intent.calldata) == (BOUNTIES, SETTLE)


def test_submit__not_worth_a_reward__straight_to_the_contract(sender: Sender, node: FakeNode) -> None:
    node.refusing = [BOUNTIES]
    intent = sender.submit("settle:1", "settle", TARGET, SETTLE, 1)
    assert (intent.target, node.called[:2]) == (TARGET, [BOUNTIES, TARGET])


@pytest.mark.parametrize("calldata", [BID, "0x00"])
def test_submit__call_without_a_bounty__bounties_are_not_asked(
    sender: Sender, node: FakeNode, calldata: str
) -> None:
    intent = sender.submit("bid:1", "bid", TARGET, calldata, 1)
    assert intent.target == TARGET
    assert BOUNTIES not in node.called


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
    sender: Sender, contract: str, function: str
) -> None:
    calldata = "0x" + abi_codec.load(contract).functions[function].selector.hex()
    assert sender.submit("a", "a", TARGET, calldata, 1).target == BOUNTIES
