"""Wallet scripts against one devnet: in this process, in a fraction of a second, or as users run them."""

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from eth_account import Account
from web3 import Web3

from keeper.risk.methodology import Methodology
from scripts._devnet import CHAIN_ID, MNEMONIC, ROOT, Devnet, start_anvil
from scripts._protocol import BTC, ETH, Parameters, deploy, write_record
from scripts._web3_backend import Web3Backend

_GENESIS = 1_743_926_400  # 2025-04-06 08:00 UTC
_FAR = 1_745_568_000  # 2025-04-25 08:00 UTC
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

    def answer(self, script: str, *arguments: str) -> dict[str, Any]:
        """What a script that succeeds says in JSON."""
        done = self.run(script, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

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


@contextmanager
def wallet_of_a_protocol(folder: Path) -> Iterator[Wallet]:
    """Scripts against the protocol on a devnet of its own: bitcoin and ether with one listed expiry, and
    account 1 of TEST::3 with five hundred dollars.
    """
    with start_anvil(genesis_timestamp=_GENESIS) as devnet:
        Account.enable_unaudited_hdwallet_features()
        deployer = Account.from_mnemonic(MNEMONIC)
        parameters = Parameters(
            attesters=(deployer.address,),
            threshold=1,
            methodology_hash=Methodology.default().hash(),
            guardian=deployer.address,
            proposers=(deployer.address,),
            underlyings=(BTC, ETH),
            expiries=((2, _FAR, (1_200 * 10**8, 2_400 * 10**8, 50 * 10**8)),),
        )
        web3 = Web3(Web3.HTTPProvider(devnet.url))
        write_record(deploy(Web3Backend(web3, bytes(deployer.key)), parameters), CHAIN_ID, 0, folder)
        found = Wallet(devnet, folder)
        for arguments in (
            ("faucet", "--account", "TEST::3", "--amount", "1000"),
            ("open_account", "--account", "TEST::3"),
            ("deposit", "--account", "TEST::3", "--id", "1", "--amount", "500"),
        ):
            done = found.run(*arguments)
            assert done.returncode == 0, done.stderr
        yield found
