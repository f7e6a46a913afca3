"""The only sender: intents become transactions, by lanes of urgency; each key has an outbox of its own. A
call that the bounties pay for goes by way of them while they do: they pass it on as it is."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache

from keeper.chain import abi_codec
from keeper.chain.contracts import BOUNTIES
from keeper.chain.fees import Fees, Policy
from keeper.chain.keys import Signer
from keeper.chain.node import CallError, Rpc
from keeper.chain.outbox import Outbox
from keeper.chain.outbox_rows import Relay
from keeper.chain.transaction_metrics import Meter
from keeper.observability.metrics import Metrics
from keeper.store import lease as leases
from keeper.store import transaction_store as store
from keeper.store.database import Database
from keeper.store.lease import Lease
from keeper.store.transaction_store import Intent, State


class Lane(StrEnum):
    """Urgency, the most urgent first: an epoch precedes the liquidations that it allows."""

    ORACLE = "oracle"
    LIQUIDATE = "liquidate"
    HOUSEKEEPING = "housekeeping"

    @property
    def priority(self) -> int:
        """Lower goes first."""
        return list(Lane).index(self)


_LANES = {
    "epoch": Lane.ORACLE,
    "flag": Lane.LIQUIDATE,
    "update": Lane.LIQUIDATE,
    "bid": Lane.LIQUIDATE,
    "convert": Lane.LIQUIDATE,
}


_PAID = ("post_epoch", "finalize_settlement", "settle", "flag", "note_debt", "update")  # by the bounties


class Sender:
    """Transactions of a process. Several processes may share a database, and even keys: with each key one
    sends at a time, the others wait for its lease."""

    def __init__(
        self,
        rpc: Rpc,
        database: Database,
        signers: Signer | Mapping[Lane, Signer],
        chain_id: int,
        policy: Policy,
        metrics: Metrics | None = None,
        *,
        holder: str = "",
        lease_seconds: float = 15.0,
        relay: Relay | None = None,
        bounties: str = "",
    ) -> None:
        """
        signers: one key for everything, or one for each lane.
        holder: of `lease.new_holder`: who this process is to the others.
        bounties: address of what pays for some calls; empty: nobody does.
        """
        self._rpc = rpc
        self._bounties = bounties
        self._database = database
        self._meter = Meter(metrics or Metrics())
        by_lane = signers if isinstance(signers, Mapping) else dict.fromkeys(Lane, signers)
        holder = holder or leases.new_holder()
        self._outboxes: dict[str, Outbox] = {}
        for signer in by_lane.values():
            if signer.address not in self._outboxes:
                lease = Lease(database, leases.sender(signer.address), holder, lease_seconds)
                self._outboxes[signer.address] = Outbox(
                    rpc, database, lease, signer, chain_id, policy, self._meter, relay
                )
        self._by_lane = {lane: self._outboxes[signer.address] for lane, signer in by_lane.items()}

    @property
    def leases(self) -> list[Lease]:
        """One per key."""
        return [outbox.lease for outbox in self._outboxes.values()]

    @property
    def addresses(self) -> dict[Lane, str]:
        """Whose coins each lane spends."""
        return {lane: outbox.address for lane, outbox in self._by_lane.items()}

    def submit(
        self,
        id: str,
        kind: str,
        target: str,
        calldata: str,
        now: int,
        *,
        lane: Lane | None = None,
        value_at_risk: int = 0,
        deadline: int | None = None,
    ) -> Intent:
        """Queue an intent (once per id) and take it as far as it goes without waiting for a block.

        Args:
            now: unix seconds of chain time.
            lane: by default that of its kind.
            value_at_risk: USD, WAD, that its absence may cost; bounds what its gas may cost. 0: unknown.
            deadline: unix seconds of chain time after which it is not sent, or cancelled.
        """
        lane = lane or _LANES.get(kind, Lane.HOUSEKEEPING)
        outbox = self._by_lane[lane]
        if self.find(id) is None:
            target = self._payer(outbox.address, calldata) or target
        intent = Intent(
            id=id,
            kind=kind,
            target=target,
            calldata=calldata,
            state=State.QUEUED,
            attempts=0,
            nonce=None,
            error="",
            created_at=now,
            block_number=None,
            gas_used=None,
            sender=outbox.address.lower(),
            lane=lane,
            priority=lane.priority,
            deadline=deadline,
            value_at_risk=value_at_risk,
        )
        outbox.submit(intent)
        found = self.find(id)
        assert found is not None  # it was added in this very call
        return found

    def _payer(self, sender: str, calldata: str) -> str:
        """The bounties, if they take a call now: they refuse one that they would not pay for."""
        if not self._bounties or calldata[:10] not in _paid_selectors():
            return ""
        try:
            self._rpc.request("eth_call", {"from": sender, "to": self._bounties, "data": calldata}, "pending")
        except CallError:
            return ""
        return self._bounties

    def advance(self) -> list[Intent]:
        """Take every unresolved intent a step further; returns those that are still unresolved."""
        for outbox in self._outboxes.values():
            outbox.advance()
        return self.unresolved()

    def find(self, id: str) -> Intent | None:
        """An intent as it is kept."""
        with self._database.read() as connection:
            return store.find(connection, id)

    def unresolved(self) -> list[Intent]:
        """Intents of our keys that still may have an effect."""
        with self._database.read() as connection:
            found = [store.unresolved(connection, address.lower()) for address in self._outboxes]
        return [intent for intents in found for intent in intents]

    def counts(self) -> dict[str, int]:
        """Number of intents by state."""
        with self._database.read() as connection:
            return store.counts(connection)


@cache
def _paid_selectors() -> frozenset[str]:
    functions = abi_codec.load(BOUNTIES).functions
    return frozenset("0x" + functions[name].selector.hex() for name in _PAID)


__all__ = ["Fees", "Lane", "Policy", "Relay", "Sender"]
