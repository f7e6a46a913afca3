"""One endpoint of a pool: what is known of its health."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from keeper.chain.node import BlockRef, CallError, Node, NodeError, Request, block_ref
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.observability.names import (
    NODE_HIGHEST,
    NODE_TRANSITIONS,
    RPC_REQUESTS,
    RPC_SECONDS,
)

_THREADS = 4  # of each endpoint: one that hangs holds up only its own
_PROBE: tuple[Request, ...] = (
    ("eth_chainId", []),
    ("eth_syncing", []),
    ("eth_getBlockByNumber", ["latest", False]),
)


class State(StrEnum):
    """Names as of the metric multi_node_states. Only one that is alive is asked."""

    ALIVE = "alive"
    OUT_OF_SYNC = "out_of_sync"
    SYNCING = "syncing"
    WRONG_CHAIN = "wrong_chain"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Budget:
    """How many errors in a row an endpoint may make, and how long it is left alone afterwards, seconds."""

    errors: int = 2
    first_seconds: float = 0.25
    last_seconds: float = 5.0


class Endpoint:
    """A node, its state and its error budget. Thread-safe."""

    def __init__(self, node: Node, chain_id: int, budget: Budget, metrics: Metrics) -> None:
        self.node = node
        self.state = State.ALIVE  # until something else is known: the first request must go somewhere
        self.head: BlockRef | None = None
        self.problem = ""
        self._chain_id = chain_id
        self._budget = budget
        self._metrics = metrics
        self._errors = 0
        self._evictions = 0
        self._retry_at = 0.0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rpc")

    @property
    def is_usable(self) -> bool:
        """Alive, and its chain and head have been seen."""
        return self.state == State.ALIVE and self.head is not None

    @property
    def has_answered(self) -> bool:
        """Its head is worth comparing."""
        return self.state in (State.ALIVE, State.OUT_OF_SYNC)

    def call(self, ask: Callable[[Node], Any]) -> Any:
        """Ask the node; its errors count against the budget. A contract that reverts is no error of it."""
        if not self.is_usable:  # it may have been put out while the request waited for a thread
            raise NodeError(f"node {self.node.url} is {self.state}")
        return self._ask(ask)

    def submit(self, ask: Callable[[Node], Any]) -> Future[Any]:
        """The same, in another thread."""
        return self._threads.submit(self.call, ask)

    def submit_probe(self) -> Future[None]:
        """Chain, progress and head, in one round trip, in another thread. The task never fails."""
        return self._threads.submit(self._probe)

    def close(self) -> None:
        """Give the threads back."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, ask: Callable[[Node], Any]) -> Any:
        started = time.monotonic()
        try:
            found = ask(self.node)
        except CallError as error:
            self._timed(started, "busy" if error.is_busy else "refused")
            if error.is_busy:
                self._failed(str(error))
            raise
        except NodeError as error:
            self._timed(started, "error")
            self._failed(str(error))
            raise
        self._timed(started, "ok")
        with self._lock:
            self._errors = 0
        return found

    def _probe(self) -> None:
        try:
            chain, syncing, raw = self._ask(lambda node: node.batch(_PROBE))
            head = block_ref(raw)
            chain_id = int(chain, 16)
        except (NodeError, TypeError, ValueError) as error:
            self.problem = str(error)
            return
        if chain_id != self._chain_id:
            self.put_out(State.WRONG_CHAIN, f"is on chain {chain_id}, not {self._chain_id}")
        elif syncing:
            self._enter(State.SYNCING, "is still syncing")
        else:
            self.head = head
            self._metrics.set(NODE_HIGHEST, head.number, node=self.node.url)
            if self.state != State.OUT_OF_SYNC:
                self._enter(State.ALIVE, "")

    def compare(self, highest: int, lag: int) -> None:
        """Out of sync while more than `lag` blocks behind; back as soon as it has caught up."""
        if self.head is None or not self.has_answered:
            return
        behind = highest - self.head.number
        if behind > lag:
            self._enter(State.OUT_OF_SYNC, f"is {behind} blocks behind")
        else:
            self._enter(State.ALIVE, "")

    def is_due(self) -> bool:
        """Whether it may be looked at: always, but for a while after its budget was spent."""
        return time.monotonic() >= self._retry_at

    def put_out(self, state: State, problem: str) -> None:
        """Left alone for a while that doubles each time, so that nobody hammers a node that is down."""
        with self._lock:
            wait = min(self._budget.first_seconds * 2**self._evictions, self._budget.last_seconds)
            self._evictions = min(self._evictions + 1, 16)
            self._retry_at = time.monotonic() + wait * random.uniform(0.75, 1.0)  # noqa: S311
        self._enter(state, problem)

    def _failed(self, problem: str) -> None:
        with self._lock:
            self._errors += 1
            is_spent = self._errors >= self._budget.errors
        if is_spent or self.state != State.ALIVE:
            self.put_out(State.UNREACHABLE, problem)

    def _enter(self, state: State, problem: str) -> None:
        with self._lock:
            before, self.state, self.problem = self.state, state, problem
            if state == State.ALIVE:
                self._evictions, self._retry_at = 0, 0.0
        if before != state:
            self._metrics.count(NODE_TRANSITIONS, node=self.node.url, to=state)
            log = logger("pool")
            (log.info if state == State.ALIVE else log.warning)(
                "endpoint", node=self.node.url, state=state, was=before, problem=problem
            )

    def _timed(self, started: float, result: str) -> None:
        self._metrics.count(RPC_REQUESTS, node=self.node.url, result=result)
        self._metrics.observe(RPC_SECONDS, time.monotonic() - started, node=self.node.url)
