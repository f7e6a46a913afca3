"""What operators see of transactions."""

import time
from collections.abc import Callable

from keeper.observability.metrics import Metrics
from keeper.observability.names import (
    GAS_BUDGET,
    GAS_SPENT,
    TX_BROADCAST_SECONDS,
    TX_BROADCASTED,
    TX_BUMP_LIMITED,
    TX_BUMPS,
    TX_CONFIRM_BLOCKS,
    TX_CONFIRM_SECONDS,
    TX_CONFIRMED,
    TX_ERRORS,
    TX_PENDING,
    TX_PENDING_BLOCKS,
)
from keeper.store.transaction_store import Attempt, Intent, State

_COIN = 10**18
LANES = ("oracle", "liquidate", "housekeeping")


class Meter:
    """Counts steps of intents. Moments are those of this process: what an earlier one sent has none."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._queued: dict[str, float] = {}
        self._sent: dict[str, float] = {}
        self._limited: dict[str, str] = {}

    def queued(self, intent: Intent) -> None:
        """It has been asked for."""
        self._queued[intent.id] = time.monotonic()

    def broadcast(self, intent: Intent, attempt: Attempt) -> None:
        """Bytes have been handed over; counted once per attempt."""
        if attempt.broadcast:
            return
        self._metrics.count(TX_BROADCASTED, lane=intent.lane)
        started = self._queued.pop(intent.id, None)
        if started is not None:
            self._metrics.observe(TX_BROADCAST_SECONDS, time.monotonic() - started, lane=intent.lane)
        self._sent.setdefault(intent.id, time.monotonic())

    def bumped(self, intent: Intent) -> None:
        """Replaced at higher fees."""
        self._metrics.count(TX_BUMPS, lane=intent.lane)

    def limited(self, intent: Intent, newest: Attempt) -> None:
        """A replacement would be beyond its cap or budget; counted once per attempt."""
        if self._limited.get(intent.id) != newest.hash:
            self._limited[intent.id] = newest.hash
            self._metrics.count(TX_BUMP_LIMITED, lane=intent.lane)

    def mined(self, intent: Intent, attempt: Attempt, state: State, block: int) -> None:
        """Its nonce is used."""
        self._metrics.count(TX_CONFIRMED, lane=intent.lane, result=state)
        self._metrics.observe(TX_CONFIRM_BLOCKS, max(0, block - attempt.head), lane=intent.lane)
        self._limited.pop(intent.id, None)
        started = self._sent.pop(intent.id, None)
        if started is not None:
            self._metrics.observe(TX_CONFIRM_SECONDS, time.monotonic() - started, lane=intent.lane)

    def error(self, lane: str, cause: str) -> None:
        """Something went wrong with an attempt."""
        self._metrics.count(TX_ERRORS, lane=lane, cause=cause)

    def gas(self, lane: str, spent: int, budget: int | None) -> None:
        """Wei of today."""
        self._metrics.set(GAS_SPENT, spent / _COIN, lane=lane)
        if budget is not None:
            self._metrics.set(GAS_BUDGET, budget / _COIN, lane=lane)

    def pending(
        self, unresolved: list[Intent], head: int, attempts: Callable[[Intent], list[Attempt]]
    ) -> None:
        """What is out and not mined."""
        flying = [i for i in unresolved if i.nonce is not None]
        for lane in {i.lane for i in flying} | set(LANES):
            firsts = [min((a.head for a in attempts(i)), default=head) for i in flying if i.lane == lane]
            self._metrics.set(TX_PENDING, len(firsts), lane=lane)
            self._metrics.set(TX_PENDING_BLOCKS, head - min(firsts, default=head), lane=lane)
        for known in (self._queued, self._sent, self._limited):  # of what is gone nothing is kept
            for id in known.keys() - {i.id for i in unresolved}:
                del known[id]
