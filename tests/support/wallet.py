"""Wallet scripts against one devnet: in this process, in a fraction of a second, or as users run them."""

import importlib
import os
import subprocess
import sys
import traceback
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from scripts._devnet import ROOT, Devnet

APE = Path(sys.executable).parent / "ape"


@dataclass(frozen=True)
class Done:
    """How a script ended; an exception that it let through ends in `stderr`, as it would in a terminal."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Wallet:
    """Runs scripts against one devnet and the deployments of one folder."""

    devnet: Devnet
    deployments: Path

    def run(self, script: str, *arguments: str) -> Done:
        """A script, in this process."""
        with chdir(ROOT):  # where ape finds its configuration
            command = importlib.import_module(f"scripts.{script}").cli
            found = CliRunner(mix_stderr=False).invoke(
                command, [*arguments, "--network", self.devnet.url], env=self._environment
            )
        error = found.exception
        thrown = "" if error is None or isinstance(error, SystemExit) else traceback.format_exception(error)
        return Done(found.exit_code, found.stdout, found.stderr + "".join(thrown))

    def ape(self, *arguments: str) -> Done:
        """`ape run`, in a process of its own; the network is an argument like the others."""
        command = [str(APE), "run", *arguments]
        environment = {**os.environ, **self._environment}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        return Done(done.returncode, done.stdout, done.stderr)

    def refusal(self, script: str, *arguments: str) -> str:
        """What a script says when it refuses: not zero, no traceback, nothing sent."""
        before = self.devnet.rpc("eth_blockNumber")
        done = self.run(script, *arguments)
        assert done.returncode != 0 and "Traceback" not in done.stderr, done.stdout + done.stderr
        assert self.devnet.rpc("eth_blockNumber") == before
        return done.stderr

    @property
    def _environment(self) -> dict[str, str]:
        return {"PLIMSOLL_DEPLOYMENTS": str(self.deployments)}
