"""Transactions of a keeper on a real chain, when a reorg takes them back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.chain.keys import signer_of
from keeper.chain.node import Node
from keeper.chain.transactions import Policy, Sender
from keeper.store.database import Database
from keeper.store.transaction_store import State
from scripts._devnet import Devnet, start_anvil
from tests.support.keepers import DEPLOYER_KEY

TARGET = "0x" + "11" * 20


@pytest.fixture
def devnet() -> Iterator[Devnet]:
    with start_anvil() as found:
        yield found


@pytest.fixture
def sender(devnet: Devnet, tmp_path: Path) -> Sender:
    database = Database(f"sqlite:///{tmp_path}/tx.sqlite")
    return Sender(Node(devnet.url), database, signer_of(DEPLOYER_KEY), devnet.chain_id, Policy())


def state(sender: Sender, id: str) -> State:
    found = sender.find(id)
    assert found is not None
    return found.state


def test_advance__block_reorged_away__sent_again_and_what_waits_behind_it_is_mined(
    devnet: Devnet, sender: Sender
) -> None:
    devnet.rpc("evm_mine")
    sender.submit("a", "epoch", TARGET, "0x", 1)
    sender.advance()
    assert state(sender, "a") == State.CONFIRMED
    devnet.rpc("evm_setAutomine", False)
    sender.submit("b", "epoch", TARGET, "0x01", 2)  # takes the next nonce and waits
    assert state(sender, "b") == State.BROADCAST
    devnet.rpc("anvil_rollback", 1)
    for _ in range(8):
        sender.advance()
        devnet.rpc("evm_mine")
    assert sender.advance() == []
    assert (state(sender, "a"), state(sender, "b")) == (State.CONFIRMED, State.CONFIRMED)
    first, second = sender.find("a"), sender.find("b")
    assert first is not None and second is not None
    assert (first.nonce, second.nonce, first.attempts) == (0, 1, 1), "the same bytes, no second payment"


def test_advance__new_blocks_on_top__confirmed_stays_confirmed(devnet: Devnet, sender: Sender) -> None:
    sender.submit("a", "epoch", TARGET, "0x", 1)
    for _ in range(3):
        sender.advance()
        assert state(sender, "a") == State.CONFIRMED
        devnet.rpc("evm_mine")
    assert sender.counts() == {"confirmed": 1}
