"""What the steps of an outbox share: its rows, guarded by its lease, and what one round is decided on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from keeper.chain.fees import Policy
from keeper.chain.keys import Signer
from keeper.chain.node import BlockRef, Rpc
from keeper.chain.transaction_codec import decode
from keeper.chain.transaction_metrics import Meter
from keeper.observability.logs import logger
from keeper.store import transaction_store as store
from keeper.store.database import Database
from keeper.store.lease import Lease
from keeper.store.transaction_store import Attempt, Intent, State

FILL = "fill"  # kind of the transfers of nothing that take up a nonce
TRANSFER_GAS = 21_000


@dataclass(frozen=True)
class Relay:
    """A private relay: it only sends. What is at risk (USD, WAD) decides what goes there first; what is not
    mined after so many blocks is given to everybody."""

    rpc: Rpc
    public_after_blocks: int
    minimum_value: int


@dataclass(frozen=True)
class Round:
    """The chain as one round sees it: its head, how many transactions of ours are mined, and what gas each
    intent needs (estimated in this round)."""

    head: BlockRef
    mined: int
    began: float  # monotonic seconds
    gas: dict[str, int] = field(default_factory=dict)


@dataclass
class Desk:
    """One key's rows and everything that its steps need. Rows change only while the lease is ours."""

    rpc: Rpc
    database: Database
    lease: Lease
    signer: Signer
    chain_id: int
    policy: Policy
    meter: Meter
    relay: Relay | None
    round: Round

    @property
    def address(self) -> str:
        """Checksummed."""
        return self.signer.address

    @property
    def key(self) -> str:
        """The address as rows have it."""
        return self.signer.address.lower()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that only the holder of the lease can make. Raises LeaseLost."""
        with self.lease.begin() as connection:
            yield connection

    def find(self, id: str) -> Intent:
        """An intent that is known to be there: rows are never deleted."""
        with self.database.read() as connection:
            found = store.find(connection, id)
        assert found is not None
        return found

    def unresolved(self) -> list[Intent]:
        """By nonce, then by priority."""
        with self.database.read() as connection:
            return store.unresolved(connection, self.key)

    def flying(self) -> list[Intent]:
        """Those with a nonce, by nonce."""
        with self.database.read() as connection:
            return store.in_flight(connection, self.key)

    def attempts(self, intent: Intent) -> list[Attempt]:
        """Newest first."""
        with self.database.read() as connection:
            return store.attempts(connection, intent.id)

    def change(self, intent: Intent, **values: Any) -> None:
        """Set columns of an intent, and the epoch under which."""
        with self.begin() as connection:
            store.change(connection, intent.id, epoch=self.lease.epoch, **values)

    def note(self, intent: Intent, reason: str, cause: str) -> None:
        """It stays where it is; said and counted once for each reason."""
        if intent.error != reason:
            logger("sender").warning("waiting", kind=intent.kind, reason=reason)
            self.meter.error(intent.lane, cause)
            self.change(intent, error=reason)

    def drop(self, intent: Intent, reason: str) -> None:
        """It will never be sent; a nonce that it had goes to the next one, or is filled."""
        self.meter.error(intent.lane, "dropped")
        self.change(intent, state=State.DROPPED, nonce=None, error=reason)

    def cap(self, intent: Intent, gas: int) -> int:
        """Highest fee per gas, by the most that is at risk in it or in what waits behind it: a cheap
        transaction that holds up a liquidation is worth what the liquidation is."""
        behind = [i for i in self.unresolved() if i.nonce is None or i.nonce > (intent.nonce or 0)]
        return max(self.policy.cap(i.value_at_risk, gas) for i in [intent, *behind])

    def is_late(self, intent: Intent) -> bool:
        """Its deadline has passed, by the chain's clock."""
        return intent.deadline is not None and self.round.head.timestamp > intent.deadline

    def is_cancel(self, intent: Intent, attempt: Attempt) -> bool:
        """Whether the attempt is the transfer to ourselves that takes the intent's place."""
        return intent.kind != FILL and decode(attempt.raw).target == self.key
