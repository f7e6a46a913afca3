"""Executes a topology on this machine: real processes, each with a log of its own, started once those it
needs are ready, all of them ended with the runner."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from keeper.app.topology import files, plan, postgres
from keeper.app.topology.file import Topology
from keeper.app.topology.plan import Place, Service
from keeper.network.client import get_json

_READY_SECONDS = 180.0  # without any service becoming ready
_STOP_SECONDS = 12.0  # a keeper takes ten at most
_TAIL = 3  # lines of a log that an error shows

Say = Callable[[str], None]


class TopologyError(RuntimeError):
    """A service has ended, or does not become ready; with the end of its log."""


@dataclass
class Running:
    """The processes of a network, by service."""

    folder: Path
    services: list[Service]
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)

    def log(self, name: str) -> Path:
        """Of a service."""
        return self.folder / f"{name}.log"

    def state(self, service: Service) -> str:
        """In a word or a sentence."""
        process = self.processes.get(service.name)
        if process is None:
            return "waiting"
        code = process.poll()
        if service.ends and code == 0:
            return "done"
        if code is not None:
            return f"ended with code {code}"
        return "ready" if self.is_ready(service) else _reason(service)

    def is_ready(self, service: Service) -> bool:
        """Whether it answers as it should, or has ended as it should."""
        process = self.processes.get(service.name)
        if process is None:
            return False
        if service.ends:
            return process.poll() == 0
        return process.poll() is None and _answers(service)

    def ended(self) -> list[str]:
        """Services that should still run and do not, with their codes and last words."""
        found = []
        for service in self.services:
            process = self.processes.get(service.name)
            code = process.poll() if process is not None else None
            if code is not None and not (service.ends and code == 0):
                found.append(f"{service.name} ended with code {code}: {self.tail(service.name)}")
        return found

    def tail(self, name: str) -> str:
        """The end of a log, in one line."""
        lines = self.log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " | ".join(lines[-_TAIL:]) or "its log is empty"

    def start(self, service: Service, user: str | None = None, cwd: Path | None = None) -> None:
        """Its log goes on after a restart."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        program = shutil.which(service.command[0], path=path)
        if program is None:
            raise TopologyError(f"{service.name}: there is no {service.command[0]} on PATH")
        with self.log(service.name).open("ab") as log:
            self.processes[service.name] = subprocess.Popen(
                [program, *service.command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                cwd=cwd,
                env={**os.environ, "PATH": path},
                start_new_session=True,  # Ctrl-C is the runner's alone: it ends them in order
            )

    def stop(self) -> list[str]:
        """End all, each before those that it needs; names of those that had to be killed."""
        base = [s for s in self.services if s.name in (plan.NODE, plan.DATABASE)]
        keepers = [s for s in self.services if s not in base]
        return [*self._stop(keepers), *self._stop(base)]

    def _stop(self, services: list[Service]) -> list[str]:
        running = {s.name: self.processes[s.name] for s in services if s.name in self.processes}
        for name, process in running.items():
            # PostgreSQL waits for its clients at SIGTERM, not at SIGINT
            process.send_signal(signal.SIGINT if name == plan.DATABASE else signal.SIGTERM)
        deadline, killed = time.monotonic() + _STOP_SECONDS, []
        for name, process in running.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                killed.append(name)
                process.kill()
                process.wait()
        return killed


@contextmanager
def running(
    topology: Topology, folder: Path, say: Say, stopping: Callable[[], bool] = lambda: False
) -> Iterator[Running]:
    """All services, ready, or those that are by the time of `stopping`; ended when the block ends.

    Raises:
        TopologyError, PostgresError: one does not become ready; all are ended then.
    """
    topology = _possible(topology, say)
    place = Place(str(folder.resolve()))
    if topology.chain.kind == "devnet":
        for old in folder.glob("*.sqlite*"):  # of a chain that is no more
            old.unlink()
    files.write(topology, folder, place)
    made = Running(folder, plan.services(topology, place))
    with ExitStack() as cleanup:
        cleanup.callback(_stop, made, say)
        _start_all(topology, made, say, cleanup, stopping)
        yield made


def _possible(topology: Topology, say: Say) -> Topology:
    """What this machine can run of it, and a sentence on each thing it cannot."""
    changed: dict[str, Any] = {}
    lacking = postgres.missing() if topology.database.kind == "postgresql" else ""
    if lacking:
        say(f"SQLite instead of PostgreSQL: {lacking}.")
        changed["database"] = topology.database.model_copy(update={"kind": "sqlite"})
    if topology.prometheus is not None and shutil.which("prometheus") is None:
        say("Without Prometheus: there is no prometheus on PATH.")
        changed["prometheus"] = None
    return topology.model_copy(update=changed)


def _start_all(
    topology: Topology, made: Running, say: Say, cleanup: ExitStack, stopping: Callable[[], bool]
) -> None:
    """Each service as soon as those it needs are ready."""
    deadline = time.monotonic() + _READY_SECONDS
    while len(made.ready) < len(made.services) and not stopping():
        for service in made.services:
            if service.name not in made.processes and made.ready.issuperset(service.after):
                _start(topology, made, service, cleanup)
                say(f"{service.name}: started")
            elif service.name not in made.ready and made.is_ready(service):
                made.ready.add(service.name)
                deadline = time.monotonic() + _READY_SECONDS
                say(f"{service.name}: {'done' if service.ends else 'ready'}")
        if failed := made.ended():
            raise TopologyError("; ".join(failed))
        if time.monotonic() > deadline:
            late = [f"{s.name} ({made.state(s)})" for s in made.services if s.name not in made.ready]
            raise TopologyError(f"nothing got ready for {_READY_SECONDS:.0f} s: {', '.join(late)}")
        time.sleep(0.1)


def _start(topology: Topology, made: Running, service: Service, cleanup: ExitStack) -> None:
    if service.name != plan.DATABASE:
        made.start(service)
        return
    folder = postgres.create()
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    cleanup.callback(made.stop)  # before its files go
    command = (*service.command, "-D", str(folder / "data"), "-k", str(folder))
    made.start(Service(service.name, command, service.port), postgres.owner(), folder)
    postgres.create_databases(service.port, plan.databases(topology))


def _stop(made: Running, say: Say) -> None:
    killed = made.stop()
    say(f"stopped; killed: {', '.join(killed)}" if killed else "stopped")


def _answers(service: Service) -> bool:
    if not service.path:
        with suppress(OSError), socket.create_connection(("127.0.0.1", service.port), timeout=1):
            return True
        return False
    try:
        found = httpx.get(f"http://127.0.0.1:{service.port}{service.path}", timeout=2)
    except httpx.HTTPError:
        return False
    return found.status_code == httpx.codes.OK


def _reason(service: Service) -> str:
    """Why a keeper is not ready, in its own words."""
    with suppress(httpx.HTTPError, ValueError):
        found = httpx.get(f"http://127.0.0.1:{service.port}{service.path}", timeout=2).json()
        return f"not ready: {found.get('reason') or found}"
    return "does not answer yet"


def epoch_of(service: Service) -> int:
    """Latest epoch that a keeper knows; 0 if it does not say."""
    with suppress(httpx.HTTPError, ValueError):
        found = get_json(f"http://127.0.0.1:{service.port}/status")
        return int(found.get("epoch", 0)) if isinstance(found, dict) else 0
    return 0
