"""One process: rounds of its duties, its health, its HTTP server, and a clean end on SIGTERM."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from keeper.app.config import Config
from keeper.app.duties import Duties
from keeper.app.network import door_of, limits_of
from keeper.app.readiness import Readiness
from keeper.app.sources import Sources
from keeper.chain.heads import Heads
from keeper.chain.keys import Signer
from keeper.chain.transactions import Sender
from keeper.jobs.accounts import Accounts
from keeper.jobs.attest import Attester
from keeper.jobs.desk import Desk
from keeper.jobs.follow import Follower
from keeper.jobs.liquidate import Liquidator
from keeper.jobs.notices import Notices
from keeper.jobs.propose import Proposer
from keeper.jobs.settle import Settler
from keeper.jobs.upkeep import Upkeep
from keeper.network.client import Attesters
from keeper.network.server import create_app
from keeper.network.serving import server_of
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.observability.names import REQUESTS
from keeper.observability.redaction import SECRETS
from keeper.observability.watchdog import Watchdog
from keeper.store.database import Database
from keeper.store.lease import Lease

_STOP_SECONDS = 9.0  # a supervisor that waits ten seconds never has to kill
_SERVE_SECONDS = 5.0
_LOOP = "duties"


class ServeError(RuntimeError):
    """The HTTP port cannot be served."""


class Process(Protocol):
    """What `run` needs to know of a process."""

    config: Config
    watchdog: Watchdog

    def tick(self, stopping: Callable[[], bool] = ...) -> object: ...

    def application(self) -> Any: ...

    def close(self) -> None: ...


@dataclass
class Keeper:
    """All parts of one process; those its roles do not need are None."""

    config: Config
    database: Database
    desk: Desk
    signer: Signer | None
    duties: Duties
    readiness: Readiness
    watchdog: Watchdog
    sender: Sender | None = None
    attester: Attester | None = None
    proposer: Proposer | None = None
    settler: Settler | None = None
    upkeep: Upkeep | None = None
    liquidator: Liquidator | None = None
    follower: Follower | None = None
    notices: Notices | None = None
    attesters: Attesters | None = None
    metrics: Metrics = field(default_factory=Metrics)
    sources: Sources = Sources(())
    leases: list[Lease] = field(default_factory=list)
    closers: list[Callable[[], None]] = field(default_factory=list)
    last_tick: float = 0.0

    @property
    def problem(self) -> str:
        """Why the last round failed, first duty first; empty if it did not."""
        if not self.last_tick:
            return "starting"
        return "; ".join(self.duties.problems.values())

    def tick(self, stopping: Callable[[], bool] = lambda: False) -> str | None:
        """One round of every duty; returns why an epoch was proposed. Transient failures are kept, not
        raised; for the others see `Duties.round`."""
        found = self.duties.round(stopping)
        if not stopping():
            self.readiness.ask()
        self.last_tick = time.monotonic()
        self.readiness.tell(self.problem)
        reason = found.get("propose")
        return reason if isinstance(reason, str) else None

    def status(self) -> dict[str, Any]:
        """The operator's view."""
        problems = [self.problem, self.watchdog.problem, *self.readiness.problems.values()]
        reason = SECRETS.redact("; ".join(text for text in problems if text))
        found: dict[str, Any] = {"ready": not reason, "reason": reason, "checks": self._checks()}
        found |= self._identity()
        if self.attester is not None:
            found["attester"] = {"signed": self.attester.signed, "last_refusal": self.attester.last_refusal}
        if self.proposer is not None:
            status = self.proposer.status
            found["proposer"] = {
                "posted": status.posted,
                "last_reason": status.last_reason,
                "last_error": SECRETS.redact(status.last_error),
                "seconds": round(status.seconds, 4),
                "refusals": status.refusals,
            }
        if self.settler is not None:
            found["settler"] = {"finalized": self.settler.finalized, "settled": self.settler.settled}
        if self.upkeep is not None:
            found["upkeep"] = self.upkeep.status()
        if self.liquidator is not None:
            found["liquidator"] = self.liquidator.status()
        if self.sender is not None:
            found["transactions"] = self.sender.counts()
        return found

    def _checks(self) -> dict[str, str]:
        """Every duty and every question, by name."""
        duties = {duty.name: self.duties.problems.get(duty.name, "ok") for duty in self.duties.all}
        return {name: SECRETS.redact(text) for name, text in (duties | self.readiness.checks).items()}

    def _identity(self) -> dict[str, Any]:
        latest = self.desk.statements.latest()
        return {
            "name": self.config.keeper.name,
            "roles": self.config.keeper.roles,
            "chain_id": self.desk.protocol.deployment.chain_id,
            "address": self.signer.address if self.signer else None,
            "leases": {lease.name: lease.epoch or 0 for lease in self.leases},
            "epoch": latest.epoch.number if latest else 0,
            "epoch_timestamp": latest.epoch.timestamp if latest else 0,
            "accounts": len(latest.margins) if latest else 0,
            "methodology": "0x" + self.desk.methodology.hash().hex(),
        }

    def close(self) -> None:
        """Give everything back, leases first: the next holder need not wait for their end. What cannot be
        given back ends by itself, and holds up nothing else."""
        steps = [lease.release for lease in self.leases if lease.held] + self.closers
        if self.attesters is not None:
            steps.append(self.attesters.close)
        for step in (*steps, self.sources.close, self.database.close):
            try:
                step()
            except Exception as error:  # noqa: BLE001  the database may be gone
                logger("process").warning("not closed", what=step.__qualname__, reason=str(error))

    def application(self) -> Any:
        """The HTTP application of this process."""
        return create_app(
            statements=self.desk.statements,
            status=self.status,
            attester=self.attester,
            reports=self.proposer,
            metrics=self.metrics.text,
            accounts=Accounts(self.desk),
            door=door_of(self.config, self.desk, self.attester) if self.attester else None,
            limits=limits_of(self.config),
            counted=lambda path, status: self.metrics.count(REQUESTS, path=path, status=status),
            live=lambda: self.watchdog.problem,
        )

    def follow(self) -> None:
        """Keep the index near the head and know the latest epoch."""
        head = self.desk.sync()
        self.desk.statements.publish(self.desk.protocol.header(head.hash).number)


def run(process: Process) -> None:
    """Serve and tick until SIGTERM or SIGINT, then finish the step, release what is held and return.

    Raises:
        IndexingError, StoreError, DutyError: it cannot go on; see `Duties.round`.
        ServeError: the port is taken.
    """
    stop, wake = threading.Event(), threading.Event()
    log, seconds = logger("process"), process.config.keeper.tick_seconds
    with (
        _signals(stop, wake),
        _serving(process) as alive,
        _pace(seconds, wake),
        _heads(process.config.chain.websocket, wake),
    ):
        log.info("started", roles=process.config.keeper.roles, port=process.config.api.port)
        process.watchdog.expect(_LOOP, seconds)
        try:
            while not stop.is_set():
                if not alive():
                    raise ServeError("the HTTP server has ended by itself: see the log")
                process.watchdog.pat(_LOOP)
                process.tick(stop.is_set)
                wake.wait(timeout=seconds * 5)
                wake.clear()
        except Exception as error:
            log.error("halted", reason=str(error))
            raise
        finally:
            process.watchdog.leave(_LOOP)
            process.close()
            log.info("stopped")


@contextmanager
def _signals(stop: threading.Event, wake: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT ask for the end. A step that hangs does not keep it from coming: all that matters
    was persisted before it was done."""

    def on_signal(_number: int, _frame: Any) -> None:
        if not stop.is_set():
            last = threading.Timer(_STOP_SECONDS, os._exit, (1,))
            last.daemon = True
            last.start()
        stop.set()
        wake.set()

    before = {name: signal.signal(name, on_signal) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def _pace(seconds: float, wake: threading.Event) -> Iterator[None]:
    """APScheduler only sets the pace: it wakes the one thread that works, so rounds never overlap."""
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(
        wake.set, "interval", seconds=seconds, misfire_grace_time=None, coalesce=True, max_instances=1
    )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


@contextmanager
def _heads(url: str | None, wake: threading.Event) -> Iterator[None]:
    """A new block wakes the one thread that works, where a websocket is configured."""
    heads = Heads(url, wake.set) if url else None
    if heads is not None:
        heads.start()
    try:
        yield
    finally:
        if heads is not None:
            heads.close()


@contextmanager
def _serving(process: Process) -> Iterator[Callable[[], bool]]:
    """The HTTP server, in a thread; yields whether it still runs."""
    api = process.config.api
    server = server_of(process.application(), api.host, api.port, limits_of(process.config))
    with listening(api.host, api.port) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="http", daemon=True)
        thread.start()
        try:
            yield thread.is_alive
        finally:
            server.should_exit = True
            thread.join(_SERVE_SECONDS)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens. ServeError if the port is taken: found out before anything is done."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise ServeError(f"api: {host}:{port} cannot be served: {error.strerror}") from None
        yield listener
