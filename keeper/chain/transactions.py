"""The only sender: intents become transactions, one step at a time, every step persisted before its effect.

queued -> simulated -> signed (nonce reserved) -> broadcast -> confirmed | reverted | lost;
dropped when refused. What a reorg undoes is broadcast again: its nonce must not hold up those after it.
Fees are wei. A stuck transaction is replaced under its nonce with both fees at least 12.5 % higher.
A call that the bounties pay for goes by way of them while they do: they pass it on as it is.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_account import Account

from keeper.chain import abi_codec
from keeper.chain.keys import Signer
from keeper.chain.node import BlockRef, CallError, Node, NodeError
from keeper.store import transaction_store as store
from keeper.store.database import Database
from keeper.store.transaction_store import Attempt, Intent, State

_GAS_MARGIN = (5, 4)  # of the estimate
_REORG_BLOCKS = 64  # deeper than that, what is mined stays mined
_PAID = ("post_epoch", "finalize_settlement", "settle", "flag", "note_debt", "update")  # by the bounties
_LOST_BLOCKS = 2  # after so many, no receipt means that something else was mined


@dataclass(frozen=True, slots=True)
class Policy:
    """How much a transaction may cost and how long it may take. Fees in wei."""

    max_attempts: int = 5
    replace_after_blocks: int = 3
    tip: int = 10**9
    max_fee: int = 500 * 10**9
    gas_limit: int = 8_000_000


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 fees, wei."""

    max_fee: int
    tip: int


def first_fees(base_fee: int, policy: Policy) -> Fees:
    """Fees that survive two full blocks of rising base fee, inside the policy's cap."""
    tip = min(policy.tip, policy.max_fee)
    return Fees(min(2 * base_fee + tip, policy.max_fee), tip)


def replacement_fees(previous: Fees, base_fee: int, policy: Policy) -> Fees | None:
    """Both fees at least 12.5 % above the previous ones, rounded up; None beyond the policy's cap."""
    tip = -(-previous.tip * 9 // 8)
    max_fee = max(-(-previous.max_fee * 9 // 8), first_fees(base_fee, policy).max_fee)
    return None if max_fee > policy.max_fee else Fees(max_fee, tip)


class Sender:
    """Transactions of one key. Only one process may use a key; inside it the lock serialises."""

    def __init__(
        self,
        node: Node,
        database: Database,
        signer: Signer,
        chain_id: int,
        policy: Policy,
        bounties: str = "",
    ) -> None:
        """`bounties`: address of what pays for some calls; empty: nobody does."""
        self._node = node
        self._database = database
        self._signer = signer
        self._chain_id = chain_id
        self._policy = policy
        self._bounties = bounties
        self._lock = threading.Lock()
        self._checked: BlockRef | None = None  # head at which mined transactions were last looked for

    def submit(self, id: str, kind: str, target: str, calldata: str, now: int) -> Intent:
        """Queue an intent (once per id) and take it as far as it goes without waiting."""
        with self._lock:
            if self.find(id) is None:
                target = self._payer(calldata) or target
            with self._database.begin() as connection:
                store.add(connection, id, kind, target, calldata, now)
            self._advance(self._find(id))
            return self._find(id)

    def advance(self) -> list[Intent]:
        """Take every unresolved intent a step further; returns those that are still unresolved."""
        with self._lock:
            self._reopen()
            for intent in self._unresolved():
                self._advance(intent)
            return self._unresolved()

    def find(self, id: str) -> Intent | None:
        """An intent as it is kept."""
        with self._database.begin() as connection:
            return store.find(connection, id)

    def counts(self) -> dict[str, int]:
        """Number of intents by state."""
        with self._database.begin() as connection:
            return store.counts(connection)

    def _payer(self, calldata: str) -> str:
        """The bounties, if they take a call now: they refuse one that they would not pay for."""
        if not self._bounties or calldata[:10] not in _paid_selectors():
            return ""
        call = {"from": self._signer.address, "to": self._bounties, "data": calldata}
        try:
            self._node.request("eth_call", call, "pending")
        except CallError:
            return ""
        return self._bounties

    def _find(self, id: str) -> Intent:
        found = self.find(id)
        assert found is not None  # it was added in this very call
        return found

    def unresolved(self) -> list[Intent]:
        """Intents that still may have an effect."""
        return self._unresolved()

    def _unresolved(self) -> list[Intent]:
        with self._database.begin() as connection:
            return store.unresolved(connection)

    def _change(self, intent: Intent, **values: Any) -> None:
        with self._database.begin() as connection:
            store.change(connection, intent.id, **values)

    def _reopen(self) -> None:
        """What is no longer mined where it was, because its block was replaced, is on its way again."""
        head = self._node.head()
        if self._checked is not None and head.hash == self._checked.hash:
            return
        with self._database.begin() as connection:
            mined = store.mined_since(connection, self._first_doubtful(head))
        for intent in mined:
            receipts = [
                self._node.request("eth_getTransactionReceipt", a.hash) for a in self._attempts(intent)
            ]
            blocks = [int(receipt["blockNumber"], 16) for receipt in receipts if receipt]
            if intent.block_number not in blocks:
                self._change(intent, state=State.BROADCAST, block_number=None, gas_used=None)
        self._checked = head

    def _first_doubtful(self, head: BlockRef) -> int:
        """Up to the head that was checked last nothing has changed, if the node still has that block."""
        deepest = head.number - _REORG_BLOCKS
        if self._checked is None or self._checked.number < deepest:
            return deepest
        known = self._node.block(self._checked.number)
        unchanged = known is not None and known.hash == self._checked.hash
        return self._checked.number + 1 if unchanged else deepest

    def _advance(self, intent: Intent) -> None:
        steps: dict[State, Callable[[Intent], None]] = {
            State.QUEUED: self._simulate,
            State.SIMULATED: self._sign_first,
            State.SIGNED: self._broadcast,
            State.BROADCAST: self._confirm,
        }
        for state, step in steps.items():
            if intent.state == state:
                step(intent)
                intent = self._find(intent.id)

    def _simulate(self, intent: Intent) -> None:
        """Call on top of the pending block: a transaction that would fail is never sent."""
        try:
            self._node.request("eth_call", self._call(intent), "pending")
        except CallError as error:
            self._change(intent, state=State.DROPPED, error=error.reason)
        else:
            self._change(intent, state=State.SIMULATED)

    def _sign_first(self, intent: Intent) -> None:
        head = self._node.head()
        if intent.nonce is None:  # else it was reserved before a crash
            mined = self._node.nonce(self._signer.address)
            with self._database.begin() as connection:
                store.change(connection, intent.id, nonce=store.next_nonce(connection, mined))
        self._sign(self._find(intent.id), head, first_fees(head.base_fee, self._policy))

    def _sign(self, intent: Intent, head: BlockRef, fees: Fees) -> None:
        try:
            estimate = int(self._node.request("eth_estimateGas", self._call(intent), "pending"), 16)
        except CallError as error:
            if intent.state == State.SIMULATED:  # nothing was signed: the nonce goes back
                self._change(intent, state=State.DROPPED, error=error.reason, nonce=None)
            return
        transaction = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": intent.nonce,
            "to": intent.target,
            "value": 0,
            "data": intent.calldata,
            "gas": min(estimate * _GAS_MARGIN[0] // _GAS_MARGIN[1], self._policy.gas_limit),
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.tip,
        }
        signed = Account.sign_transaction(transaction, self._signer.key)
        assert intent.nonce is not None  # reserved before
        attempt = Attempt(
            "0x" + signed.hash.hex().removeprefix("0x"),
            intent.id,
            intent.nonce,
            "0x" + signed.raw_transaction.hex().removeprefix("0x"),
            fees.max_fee,
            fees.tip,
            head.number,
            broadcast=False,
        )
        with self._database.begin() as connection:
            store.add_attempt(connection, attempt)
            store.change(connection, intent.id, state=State.SIGNED, attempts=intent.attempts + 1)

    def _broadcast(self, intent: Intent) -> None:
        """Hand the newest bytes to the node; the same bytes again are harmless."""
        attempt = self._attempts(intent)[0]
        try:
            self._node.request("eth_sendRawTransaction", attempt.raw)
        except CallError as error:
            if not _is_known(error.reason):
                self._change(intent, error=error.reason)
        with self._database.begin() as connection:
            store.mark_broadcast(connection, attempt.hash)
            store.change(connection, intent.id, state=State.BROADCAST)

    def _confirm(self, intent: Intent) -> None:
        """Confirmation by mined nonce: then one of the attempts has a receipt, or somebody else used the
        nonce."""
        assert intent.nonce is not None
        attempts = self._attempts(intent)
        if self._node.nonce(self._signer.address) <= intent.nonce:
            self._replace(intent, attempts)
            return
        receipt = self._receipt(attempts)
        if receipt is None and self._is_buried(intent.nonce):
            receipt = self._receipt(attempts)  # it may have come in between
            if receipt is None:
                self._change(intent, state=State.LOST, error="another transaction took the nonce")
        if receipt is not None:
            state = State.CONFIRMED if int(receipt["status"], 16) else State.REVERTED
            block, gas = int(receipt["blockNumber"], 16), int(receipt["gasUsed"], 16)
            self._change(intent, state=state, block_number=block, gas_used=gas)

    def _receipt(self, attempts: list[Attempt]) -> dict[str, str] | None:
        """Of whichever attempt was mined."""
        for attempt in attempts:
            receipt: dict[str, str] | None = self._node.request("eth_getTransactionReceipt", attempt.hash)
            if receipt is not None:
                return receipt
        return None

    def _is_buried(self, nonce: int) -> bool:
        """Whether the nonce was used a few blocks ago: a node may count a transaction before it has its
        receipt."""
        number = max(0, self._node.head().number - _LOST_BLOCKS)
        return self._node.nonce(self._signer.address, number) > nonce

    def _replace(self, intent: Intent, attempts: list[Attempt]) -> None:
        head = self._node.head()
        newest = attempts[0]
        if head.number < newest.head + self._policy.replace_after_blocks:
            return
        if self._node.request("eth_getTransactionByHash", newest.hash) is None:  # dropped by the node
            self._broadcast(intent)
            return
        if intent.attempts >= self._policy.max_attempts:
            return  # the budget is spent: it stays in flight at its last price
        fees = replacement_fees(Fees(newest.max_fee, newest.tip), head.base_fee, self._policy)
        if fees is not None:
            self._sign(intent, head, fees)

    def _attempts(self, intent: Intent) -> list[Attempt]:
        with self._database.begin() as connection:
            return store.attempts(connection, intent.id)

    def _call(self, intent: Intent) -> dict[str, str]:
        return {"from": self._signer.address, "to": intent.target, "data": intent.calldata}


@cache
def _paid_selectors() -> frozenset[str]:
    functions = abi_codec.load("Bounties").functions
    return frozenset("0x" + functions[name].selector.hex() for name in _PAID)


def _is_known(reason: str) -> bool:
    """The node already has these bytes, or they are mined."""
    text = reason.lower()
    return "already" in text or "known" in text or "nonce too low" in text


__all__ = ["Fees", "NodeError", "Policy", "Sender", "first_fees", "replacement_fees"]
