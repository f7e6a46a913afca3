"""Keepers of a crowded town as processes of their own, on a chain that mines every second."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from keeper.risk.methodology import Methodology
from keeper.sources.recorded import RecordedSource
from scripts._devnet import ROOT, free_port, stop
from scripts._protocol import BTC, ETH, Deployment, Parameters, deploy
from tests.support.crowd import Crowd, instruments_of
from tests.support.keepers import _KEYS, GENESIS, PROPOSER_KEY, USDC, Town, create_keystore, start_anvil

EXPIRIES = [GENESIS + days * 86_400 for days in (7, 14, 21, 28)]
_START_SECONDS = 1_200
_POLL_SECONDS = 0.02


class EpochTown(Town):
    """Two underlyings with four expiries each, no collateral, `attesters` of as many."""

    def __init__(self, devnet: object, folder: Path, attesters: int) -> None:
        self._attesters = attesters
        super().__init__(devnet, folder)  # type: ignore[arg-type]

    def _deploy(self) -> Deployment:
        observed = RecordedSource("binance", {1: "BTC", 2: "ETH"}).observe(GENESIS, {1: [], 2: []})
        self.spots = dict(observed.spots)
        grids = {
            1: (40_000 * 10**8, 160_000 * 10**8, 5_000 * 10**8),
            2: (800 * 10**8, 3_200 * 10**8, 100 * 10**8),
        }
        parameters = Parameters(
            attesters=tuple(_KEYS)[: self._attesters],
            threshold=self._attesters,
            methodology_hash=Methodology.default().hash(),
            guardian=self.backend.deployer,
            proposers=(self.backend.deployer,),
            underlyings=(replace(BTC, spot8=observed.spots[1]), replace(ETH, spot8=observed.spots[2])),
            expiries=tuple((u, e, grids[u]) for u in grids for e in EXPIRIES),
            limits=(120, 180, 600, 1),
        )
        return deploy(self.backend, parameters)


class Race:
    """A proposer and its attesters, and the time from a tick to the block that has its epoch."""

    def __init__(self, place: EpochTown, accounts: int, legs: int, attesters: int) -> None:
        self._place, self._attesters = place, attesters
        self._tape = place.folder / "bps"
        self._tape.write_text("10000")
        self._names = [*(f"attester{i}" for i in range(attesters)), "proposer"]
        self._ports = {name: free_port() for name in self._names}
        self._fill(Crowd(place, instruments_of(EXPIRIES, place.spots), 3, accounts, legs))

    def _fill(self, crowd: Crowd) -> None:
        """The same accounts on the chain and in the index of every keeper."""
        place = self._place
        crowd.write_chain()
        keeper = place.keeper("attester0", "attester")
        crowd.write_index(keeper)
        keeper.close()
        for name in self._names:
            self._configure(name)
            target = place.folder / name / "keeper.sqlite"
            if name != "attester0":
                shutil.copy(place.folder / "attester0" / "keeper.sqlite", target)
        proposer = self._address("proposer")
        place.devnet.rpc("anvil_setBalance", proposer, hex(10**20))

    def _configure(self, name: str) -> None:
        folder = self._place.folder / name
        folder.mkdir(exist_ok=True)
        key = PROPOSER_KEY if name == "proposer" else list(_KEYS.values())[int(name[-1])]
        if not (folder / "keystore.json").exists():
            create_keystore(folder / "keystore.json", folder / "password.txt", key=key, light=True)
            self._place.write_deployment(folder / "deployment.json")
        urls = [f"http://127.0.0.1:{self._ports[n]}" for n in self._names if n != "proposer"]
        own = (
            f"[proposer]\nattesters={json.dumps(urls)}\nheartbeat_seconds=3600\ndeviation_bps=10\n"
            if name == "proposer"
            else ""
        )
        role = "proposer" if name == "proposer" else "attester"
        (folder / "plimsoll.toml").write_text(
            f'[keeper]\nroles=["{role}"]\nkeystore="keystore.json"\npassword_file="password.txt"\n'
            f"tick_seconds=0.05\n"
            f'[chain]\nrpc="{self._place.devnet.url}"\ndeployment="deployment.json"\ntimeout_seconds=30\n'
            f'[source]\nvenues=["binance"]\n[api]\nport={self._ports[name]}\n'
            f"[network]\nproposers={json.dumps([self._address('proposer')])}\n"
            f'[log]\nformat="json"\n' + own
        )

    def _address(self, name: str) -> str:
        """Of a keeper's key."""
        from eth_account import Account

        key = PROPOSER_KEY if name == "proposer" else list(_KEYS.values())[int(name[-1])]
        return str(Account.from_key(key).address)

    @contextmanager
    def running(self) -> Iterator[None]:
        """All keepers up and the first epoch posted, blocks every second."""
        rpc = self._place.devnet.rpc
        rpc("evm_setAutomine", False)
        rpc("evm_setIntervalMining", 1)
        with ExitStack() as stack:
            for name in self._names:
                stack.enter_context(self._process(name))
            self._wait(lambda: self._number() > 0, _START_SECONDS)
            yield

    def _process(self, name: str) -> ExitStack:
        stack = ExitStack()
        folder = self._place.folder / name
        log = stack.enter_context((folder / "log").open("wb"))
        program = [sys.executable, "-m", "tests.benchmarks.epoch_keeper"]
        process = subprocess.Popen(
            [*program, str(folder / "plimsoll.toml"), str(self._tape), str(GENESIS)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
        stack.callback(stop, process)
        return stack

    def tick(self, bps: int, seconds: float = 30.0) -> float:
        """Seconds from a price to the mined epoch that has it."""
        expected = self._place.spots[1] * bps // 10_000
        started = time.perf_counter()
        partial = self._tape.with_suffix(".new")
        partial.write_text(str(bps))
        partial.replace(self._tape)
        self._wait(lambda: self._posted() == expected, seconds)
        return time.perf_counter() - started

    def _wait(self, is_done: object, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while not is_done():  # type: ignore[operator]
            if time.perf_counter() > until:
                raise TimeoutError(f"no epoch in {seconds} seconds: see the logs in {self._place.folder}")
            time.sleep(_POLL_SECONDS)

    def _number(self) -> int:
        return int(self._place.backend.call(self._place.deployment["RiskOracle"], "header")[0])

    def _posted(self) -> int:
        return int(self._place.backend.call(self._place.deployment["RiskOracle"], "spot", 1)[0])


@contextmanager
def race(folder: Path, accounts: int, attesters: int = 1, legs: int = 10) -> Iterator[Race]:
    """A crowded town with its keepers running."""
    with start_anvil(genesis_timestamp=GENESIS) as devnet:
        place = EpochTown(devnet, folder, attesters)
        found = Race(place, accounts, legs, attesters)
        with found.running():
            yield found


__all__ = ["USDC", "EpochTown", "Race", "race"]
