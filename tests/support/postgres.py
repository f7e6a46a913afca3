"""A real PostgreSQL server, run as a user of its own on a unix socket, for as long as the tests take."""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from itertools import count
from pathlib import Path

import psycopg

_USER = "postgres"
_STARTED_SECONDS = 30
_numbers = count(1)


class Server:
    """One server in a temporary folder; it listens on no port."""

    def __init__(self, fsync: bool = False) -> None:
        """Without `fsync` a crash of the machine may cost data, which no test minds."""
        self._user = None if os.getuid() else _USER
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        data = self.folder / "data"
        self._run("initdb", "-D", data, "-U", _USER, "-A", "trust", "-N", "-E", "UTF8", "--no-locale")
        settings = {"listen_addresses": "", "fsync": "on" if fsync else "off", "max_connections": 200}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("wb") as log:
            command = [_program("postgres"), "-D", str(data), "-k", str(self.folder), *options]
            self._process = subprocess.Popen(
                command, user=self._user, stdout=log, stderr=log, cwd=self.folder
            )
        self._wait()

    def create(self) -> str:
        """An empty database; its SQLAlchemy URL."""
        name = f"keeper{next(_numbers)}_{os.getpid()}"
        with psycopg.connect(host=str(self.folder), user=_USER, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://{_USER}@/{name}?host={self.folder}"

    def stop(self) -> None:
        """End it and remove all it had."""
        self._process.send_signal(signal.SIGINT)  # does not wait for sessions, as SIGTERM would
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self) -> None:
        until = time.monotonic() + _STARTED_SECONDS
        while True:
            try:
                psycopg.connect(host=str(self.folder), user=_USER).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.1)
            else:
                return

    def _run(self, name: str, *arguments: object) -> None:
        command = [_program(name), *map(str, arguments)]
        subprocess.run(command, user=self._user, check=True, capture_output=True, cwd=self.folder)


def missing() -> str:
    """Why no server can run here; empty if one can."""
    for name in ("postgres", "initdb"):
        if _found(name) is None:
            return f"no PostgreSQL on this machine: no program {name}"
    if os.getuid() == 0 and _USER not in {entry.pw_name for entry in pwd.getpwall()}:
        return f"PostgreSQL does not run as root, and there is no user {_USER}"
    return ""


@cache
def server() -> Server:
    """The server of this process's tests; skips the test where none can run."""
    reason = missing()
    if reason:
        import pytest  # measurements use this module too

        pytest.skip(reason)
    started = Server()
    atexit.register(started.stop)
    return started


def _found(name: str) -> str | None:
    places = [str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(places))


def _program(name: str) -> str:
    found = _found(name)
    assert found is not None, name
    return found
