"""`plimsoll run` as a process of its own, forked from one that has imported everything already: a restart
costs what the keeper does, not what Python does."""

import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from keeper.network import peers

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.chaos.keeper_process", "keeper.app.cli", "keeper.app.build"])


class KeeperProcess:
    """One of them, as `subprocess.Popen` shows a process."""

    def __init__(self, config: Path, log: Path, clock: Path) -> None:
        """`clock`: a file with the seconds by which its wall clock is wrong."""
        self._process = ForkServerProcess(target=_run, args=(str(config), str(log), str(clock)), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Exit code, if it has ended."""
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """Exit code. TimeoutError if it does not end."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise TimeoutError(f"process {self.pid} goes on")
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Politely."""
        self.send_signal(signal.SIGTERM)


def _run(config: str, log: str, clock: str) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    real = time.time
    time.time = lambda: real() + float(Path(clock).read_text())
    peers.Door.__init__.__defaults__ = (time.time,)  # type: ignore[misc]  # bound when it was imported
    from keeper.app.cli import main

    sys.argv = ["plimsoll", "run", "-c", config]
    main()
