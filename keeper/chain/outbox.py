"""Everything that one key sends: the state machine of its intents. Every step is persisted before its effect,
so that a process may die between any two of them and another goes on.

queued -> simulated -> reserved (nonce) -> signed -> broadcast -> confirmed -> final; `State` has the rest.
"""

import threading
import time
from collections.abc import Callable

from keeper.chain.fees import Policy
from keeper.chain.keys import Signer, SigningError
from keeper.chain.node import BlockRef, CallError, Rpc
from keeper.chain.outbox_flight import broadcast, sign_first
from keeper.chain.outbox_mined import confirm, fill_holes, reopen
from keeper.chain.outbox_queue import reserve, simulate
from keeper.chain.outbox_rows import Desk, Relay, Round
from keeper.chain.transaction_metrics import Meter
from keeper.observability.logs import logger, working_on
from keeper.store import transaction_store as store
from keeper.store.database import Database
from keeper.store.lease import Lease, LeaseLost
from keeper.store.transaction_store import QUEUE, Intent, State

_ROUND_SECONDS = 0.25  # so long many submissions share one look at the chain
_STEPS: dict[State, Callable[[Desk, Intent], None]] = {
    State.QUEUED: simulate,
    State.SIMULATED: reserve,
    State.RESERVED: sign_first,
    State.SIGNED: broadcast,
    State.REPLACED: broadcast,
    State.CANCELLING: broadcast,
    State.HELD: broadcast,
    State.REORGED: broadcast,
    State.BROADCAST: confirm,
}
_NOTHING = Round(BlockRef(0, "", "", 0), 0, began=-_ROUND_SECONDS)


class Outbox:
    """One key. Only the holder of its lease acts; inside the process a lock serialises."""

    def __init__(
        self,
        rpc: Rpc,
        database: Database,
        lease: Lease,
        signer: Signer,
        chain_id: int,
        policy: Policy,
        meter: Meter,
        relay: Relay | None = None,
    ) -> None:
        """`lease`: of `sender:<address>`."""
        self.lease = lease
        self._desk = Desk(rpc, database, lease, signer, chain_id, policy, meter, relay, _NOTHING)
        self._lock = threading.Lock()
        self._epoch: int | None = None  # of the lease when we last began
        self._renewed = 0.0  # monotonic seconds
        self._waiting = ""  # for whom, as was last said
        self._checked: BlockRef | None = None  # head up to which no reorg is unknown

    @property
    def address(self) -> str:
        """Checksummed."""
        return self._desk.address

    def submit(self, intent: Intent) -> None:
        """Queue an intent (once per id) and, if the lease is ours, take it as far as its broadcast. Raises
        NodeError if no node answers: it is queued then, all the same."""
        with self._lock:
            with self._desk.database.begin() as connection:
                is_new = store.add(connection, intent)
            if is_new:
                self._desk.meter.queued(intent)
            if self._may_act():
                if time.monotonic() > self._desk.round.began + _ROUND_SECONDS:
                    self._begin_round()
                if self._has_room(intent):
                    self._walk(intent.id, until=State.BROADCAST)

    def advance(self) -> None:
        """Take every unresolved intent a step further. Raises NodeError if no node answers."""
        with self._lock:
            if not self._may_act():
                return
            try:
                self._round()
            except LeaseLost as error:
                logger("sender").warning("lease lost", sender=self.address, reason=str(error))

    def _round(self) -> None:
        desk = self._desk
        self._begin_round()
        if self._checked is None or self._checked.hash != desk.round.head.hash:
            reopen(desk, self._checked)
            self._checked = desk.round.head
        fill_holes(desk)
        for intent in desk.unresolved():  # by nonce, then by priority
            if intent.nonce is None and not self._has_room(intent):
                break
            self._walk(intent.id)
        desk.meter.pending(desk.unresolved(), desk.round.head.number, desk.attempts)

    def _has_room(self, intent: Intent) -> bool:
        """A thousand that wait are not looked at before there is room for one."""
        return len(self._desk.flying()) < self._desk.policy.room(intent.priority)

    def _begin_round(self) -> None:
        rpc = self._desk.rpc
        self._desk.round = Round(rpc.head(), rpc.nonce(self.address), time.monotonic())

    def _may_act(self) -> bool:
        """Whether the lease is ours, renewed in time. A new one means that somebody else may have sent."""
        if self.lease.held and time.monotonic() < self._renewed + self.lease.seconds / 3:
            return True
        self._renewed = time.monotonic()
        if not self.lease.acquire():
            self._say_who_sends()
            return False
        self._waiting = ""
        if self.lease.epoch != self._epoch:
            self._take_over()
        return True

    def _say_who_sends(self) -> None:
        owner = self.lease.owner()
        holder = owner[0] if owner else "nobody, by now"
        if holder != self._waiting:
            logger("sender").warning("waiting: another process sends", sender=self.address, holder=holder)
        self._waiting = holder

    def _take_over(self) -> None:
        desk = self._desk
        with desk.begin() as connection:
            store.adopt(connection, desk.key)
        self._checked, self._epoch = None, self.lease.epoch
        count = len(desk.unresolved())
        logger("sender").info("sending", sender=self.address, lease_epoch=self._epoch, unresolved=count)

    def _walk(self, id: str, until: State | None = None) -> None:
        """Step by step, as far as it goes. An intent's own trouble holds up no other."""
        with working_on(intent=id):
            for _ in State:
                intent = self._desk.find(id)
                step = _STEPS.get(intent.state) if intent.sender == self._desk.key else None
                if step is None or intent.state == until or not self._stepped(step, intent):
                    return

    def _stepped(self, step: Callable[[Desk, Intent], None], intent: Intent) -> bool:
        """Whether it got on."""
        try:
            step(self._desk, intent)
        except CallError as error:
            self._failed(intent, error)
            return False
        except SigningError as error:
            self._desk.note(intent, str(error), "signer")
            return False
        return self._desk.find(intent.id).state != intent.state

    def _failed(self, intent: Intent, error: CallError) -> None:
        """A refusal before anything was signed ends it; a node's own trouble is tried again after a while."""
        desk, failures = self._desk, intent.attempts + 1
        if intent.state not in (*QUEUE, State.RESERVED):
            desk.note(intent, error.reason, "refused")
        elif error.is_transient and failures < desk.policy.max_attempts:
            until = desk.round.head.timestamp + desk.policy.cooldown(failures)
            desk.meter.error(intent.lane, "transient")
            desk.change(intent, attempts=failures, cooldown_until=until, error=error.reason)
        else:
            desk.drop(intent, error.reason)
