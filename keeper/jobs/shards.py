"""The engine's work on Dask workers: each computes the figures of a part of the accounts, bit for bit what
this process would. What they do not deliver in time is computed here.

Workers need the same release of this package; one whose engine differs by a byte is not used. Who may reach
the scheduler may run code on the workers: keep it on a private network, or use Dask's TLS.
"""

import time
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import keeper
from keeper.attestation.accounts import Accounts
from keeper.attestation.batch_leaves import BatchTables, Figures, figures_of, joined
from keeper.observability import names
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.pricing import threads

_PACKAGES = ("attestation", "markets", "pricing", "risk", "units")
_CONNECT_SECONDS = 2.0
_REST_SECONDS = 30.0  # after a scheduler that does not answer


@cache
def fingerprint() -> str:
    """Of the engine's sources: where it is the same, so is every bit of the result."""
    root = Path(keeper.__file__).parent
    paths = sorted(path for name in _PACKAGES for path in (root / name).rglob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


class Shards:
    """An engine (see `keeper.attestation.batch_leaves.Engine`) over the workers of one scheduler."""

    def __init__(self, scheduler: str, timeout_seconds: float = 1.0, metrics: Metrics | None = None) -> None:
        """`timeout_seconds`: of one round; then this process computes what is missing."""
        self._scheduler = scheduler
        self._timeout = timeout_seconds
        self._metrics = metrics or Metrics()
        self._client: Any = None  # a distributed.Client, which has no types
        self._not_before = 0.0
        self._trusted: dict[str, bool] = {}
        self.last_problem = ""

    def __call__(self, accounts: Accounts, tables: BatchTables) -> Figures:
        """Figures of all accounts. Raises as `figures_of`."""
        workers = self._workers()
        self._metrics.set(names.ENGINE_WORKERS, len(workers))
        if not workers:
            self._metrics.count(names.ENGINE_FALLBACKS)
        if not workers or len(accounts) < 2 * len(workers):
            return figures_of(accounts, tables)
        parts = _cut(accounts, len(workers))
        found = self._ask(parts, tables, workers)
        if any(part is None for part in found):
            self._metrics.count(names.ENGINE_FALLBACKS)
        return joined(
            [figures_of(part, tables) if got is None else got for part, got in zip(parts, found, strict=True)]
        )

    def close(self) -> None:
        """Leave the scheduler."""
        if self._client is not None:
            self._client.close(timeout=_CONNECT_SECONDS)
            self._client = None

    def _ask(
        self, parts: Sequence[Accounts], tables: BatchTables, workers: Sequence[str]
    ) -> list[Figures | None]:
        """What each worker says of its part; None where it says nothing in time."""
        client = self._client
        until = time.monotonic() + self._timeout
        try:
            shared = client.scatter(tables, broadcast=True, hash=False, direct=True, timeout=self._timeout)
            futures = [
                client.submit(_work, part, shared, workers=[worker], pure=False, retries=0)
                for part, worker in zip(parts, workers, strict=True)
            ]
        except Exception as error:  # noqa: BLE001 - whatever a cluster fails with, this process can do it
            self._complain(f"{type(error).__name__}: {error}")
            return [None] * len(parts)
        found = [self._result(future, max(until - time.monotonic(), 0.0)) for future in futures]
        failed = [answer for answer in found if isinstance(answer, Exception)]
        if failed:
            told = f"{type(failed[0]).__name__}: {failed[0]}"
            self._complain(f"{len(failed)} of {len(parts)} parts not computed by workers: {told}")
        return [None if isinstance(answer, Exception) else answer for answer in found]

    def _result(self, future: Any, seconds: float) -> Figures | Exception:
        try:
            found: Figures = future.result(timeout=seconds)
        except (LookupError, OverflowError):
            raise  # of the accounts: here it would be the same
        except Exception as error:  # noqa: BLE001 - timeouts, lost workers, broken connections
            future.cancel(force=True)
            return error
        return found

    def _workers(self) -> list[str]:
        """Addresses of workers that may be used, in order."""
        client = self._connected()
        if client is None:
            return []
        try:
            known = sorted(client.scheduler_info(n_workers=-1)["workers"])
            self._trust([worker for worker in known if worker not in self._trusted])
        except Exception as error:  # noqa: BLE001 - whatever a cluster fails with
            self._lose(error)
            return []
        found = [worker for worker in known if self._trusted[worker]]
        if not found:
            self._complain("no worker of this release")
        return found

    def _trust(self, workers: Sequence[str]) -> None:
        """Compare the engine of new workers with ours, once."""
        if not workers:
            return
        answers = self._client.run(_introduce, workers=list(workers), on_error="return")
        for worker in workers:
            self._trusted[worker] = answers.get(worker) == fingerprint()

    def _connected(self) -> Any:
        """The client, if the scheduler answers; after a failure it is left alone for a while."""
        if self._client is not None and self._client.status != "running":
            self._lose(ConnectionError(f"the scheduler is {self._client.status}"))
        if self._client is None and time.monotonic() >= self._not_before:
            distributed: Any = import_module("distributed")  # an extra
            try:
                self._client = distributed.Client(
                    self._scheduler, timeout=_CONNECT_SECONDS, set_as_default=False
                )
                self._trusted = {}
            except Exception as error:  # noqa: BLE001 - whatever a cluster fails with
                self._lose(error)
        return self._client

    def _lose(self, error: Exception) -> None:
        """Work alone for a while."""
        self._complain(f"scheduler {self._scheduler}: {type(error).__name__}: {error}")
        self._not_before = time.monotonic() + _REST_SECONDS
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=0)

    def _complain(self, problem: str) -> None:
        """Once per kind of problem."""
        if problem != self.last_problem:
            logger("engine").warning("computed here", reason=problem[:300])
        self.last_problem = problem


def _cut(accounts: Accounts, count: int) -> list[Accounts]:
    """Parts of about as many legs each, without what only this process needs."""
    legs = int(accounts.indptr[-1])
    marks = [legs * i // count for i in range(1, count)]
    bounds = [0, *(int(b) for b in accounts.indptr.searchsorted(marks)), len(accounts)]
    return [accounts.bare(first, last) for first, last in zip(bounds, bounds[1:], strict=False)]


def _introduce(dask_worker: Any) -> str:
    """On a worker: use as many threads as it was given, and say which engine it has."""
    threads.limit(dask_worker.state.nthreads)
    return fingerprint()


def _work(part: Accounts, tables: BatchTables) -> Figures:
    """On a worker."""
    return figures_of(part, tables)
