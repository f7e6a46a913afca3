"""A sender on a real chain whose only contract counts how often it was called: an effect that happens twice
shows."""

from collections.abc import Mapping
from typing import Any

from eth_account import Account

from keeper.chain.fees import Policy
from keeper.chain.keys import LocalSigner, signer_of
from keeper.chain.node import Node, Rpc
from keeper.chain.outbox_rows import Relay
from keeper.chain.transactions import Lane, Sender
from keeper.observability.metrics import Metrics
from keeper.store import transaction_store as store
from keeper.store.database import Database
from keeper.store.transaction_store import Attempt, Intent, State
from scripts._devnet import MNEMONIC, Devnet

TARGET = "0x" + "c0" * 20
COUNTER = "0x5f358054600101905500"  # counter[word of calldata] += 1
REVERTER = "0x5f5ffd"
GWEI = 10**9
USD = 10**18


def key_of(index: int) -> bytes:
    """A funded key of the development phrase."""
    Account.enable_unaudited_hdwallet_features()
    return bytes(Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}").key)


def word(number: int) -> str:
    """Calldata that names a counter."""
    return "0x" + number.to_bytes(32, "big").hex()


class Bench:
    """A chain that mines when told, its counters, and senders over one database."""

    def __init__(self, devnet: Devnet, database: Database) -> None:
        self.devnet, self.database = devnet, database
        self.metrics = Metrics()
        self.signers: dict[int, LocalSigner] = {}
        devnet.rpc("evm_setAutomine", False)
        devnet.rpc("anvil_setCode", TARGET, COUNTER)

    def signer(self, index: int = 0) -> LocalSigner:
        """By position in the development phrase."""
        if index not in self.signers:
            self.signers[index] = signer_of(key_of(index))
        return self.signers[index]

    def sender(
        self,
        rpc: Rpc | None = None,
        lanes: Mapping[Lane, int] | None = None,
        relay: Relay | None = None,
        lease_seconds: float = 30,
        **policy: Any,
    ) -> Sender:
        """One process's sender; `lanes` names a key for each, by default the first for all."""
        signers = {lane: self.signer((lanes or {}).get(lane, 0)) for lane in Lane}
        return Sender(
            rpc or Node(self.devnet.url),
            self.database,
            signers,
            self.devnet.chain_id,
            Policy(**policy),
            self.metrics,
            lease_seconds=lease_seconds,
            relay=relay,
        )

    def mine(self, blocks: int = 1) -> None:
        """Blocks with whatever is in the pool."""
        for _ in range(blocks):
            self.devnet.rpc("evm_mine")

    def base_fee(self, gwei: float) -> None:
        """Of the next block, and by that of the head's descendants."""
        self.devnet.rpc("anvil_setNextBlockBaseFeePerGas", hex(int(gwei * GWEI)))
        self.mine()

    def now(self) -> int:
        """Chain time."""
        return int(self.devnet.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def count(self, counter: int) -> int:
        """How often the effect has happened, on the chain as it is."""
        return int(self.devnet.rpc("eth_getStorageAt", TARGET, hex(counter), "latest"), 16)

    def nonce(self, index: int = 0) -> int:
        """Mined transactions of a key."""
        address = self.signer(index).address
        return int(self.devnet.rpc("eth_getTransactionCount", address, "latest"), 16)

    def submit(
        self, sender: Sender, counter: int, id: str = "", kind: str = "epoch", **options: Any
    ) -> Intent:
        """One intent to count once."""
        return sender.submit(id or f"{kind}:{counter}", kind, TARGET, word(counter), self.now(), **options)

    def settle(self, sender: Sender, rounds: int = 12) -> None:
        """Blocks and rounds until nothing is on its way."""
        for _ in range(rounds):
            self.mine()
            if not sender.advance():
                return
        raise AssertionError([(i.id, i.state, i.error) for i in sender.unresolved()])

    def state(self, sender: Sender, id: str) -> State:
        found = sender.find(id)
        assert found is not None
        return found.state

    def attempts(self, id: str) -> list[Attempt]:
        """Newest first."""
        with self.database.read() as connection:
            return store.attempts(connection, id)

    def foreign(self, nonce: int, gwei: float = 1, index: int = 0, node: Node | None = None) -> str:
        """A transaction with our key that the sender knows nothing of; its hash."""
        fee = int(gwei * GWEI)
        fields = {"type": 2, "chainId": self.devnet.chain_id, "nonce": nonce, "to": "0x" + "11" * 20}
        fields |= {"value": 0, "gas": 21_000, "maxFeePerGas": fee, "maxPriorityFeePerGas": fee}
        signed = Account.from_key(key_of(index)).sign_transaction(fields)
        raw = "0x" + signed.raw_transaction.hex().removeprefix("0x")
        return str((node or Node(self.devnet.url)).request("eth_sendRawTransaction", raw))
