"""Three attesters and two proposers that also settle, as processes of their own, each behind a node of its
own that can fail; between proposers and attesters lines that can lie."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from keeper.markets.instrument import Instrument, Kind
from scripts._devnet import Devnet, start_anvil
from tests.chaos.keeper_process import KeeperProcess
from tests.chaos.wire import Wire
from tests.support.fault_proxy import FaultProxy
from tests.support.loop import ATTESTERS, USDC, VENUES, Loop, Opening

GENESIS = 1_743_984_000  # 2025-04-07 00:00 UTC, inside the recorded market
EXPIRY = GENESIS + 7 * 86_400
FUTURE = Instrument(2, EXPIRY, 0, Kind.FUTURE).pack()
PROPOSERS = ("proposer", "standby")
RECOVERY_TICKS = 14  # of ten seconds: three minutes is the age at which the oracle goes stale
TICK_SECONDS, TICK_BLOCKS = 10, 5  # of chain time; the oracle wants four blocks between two epochs
PATIENCE = float(os.environ.get("CHAOS_PATIENCE", "10"))  # seconds of ours that a tick may take


class Network(Loop):
    """The processes and what lies between them. `proxies` and `wires` by the process behind them."""

    names = (*ATTESTERS, *PROPOSERS)
    proposers = PROPOSERS
    start_seconds = 36 * PATIENCE

    def __init__(self, devnet: Devnet, folder: Path, opening: Opening, stack: ExitStack) -> None:
        super().__init__(devnet, folder, opening)
        self.proxies = {name: stack.enter_context(FaultProxy(devnet.url)) for name in self.names}
        self.wires = {name: stack.enter_context(Wire(self.url(name))) for name in ATTESTERS}
        self.deposited = 0
        for name in self.names:
            self.shift_clock(name, 0)

    def open_account(self, deposit: int, owner: str = "") -> int:
        """Also counts what must be there in the end."""
        self.deposited += deposit
        return super().open_account(deposit, owner)

    # Processes

    def start(self, *names: str) -> None:
        """Starts processes, all without names, and waits until each is ready. Blocks come meanwhile: the
        node's clock goes on, and nothing is decided on a block that has grown old."""
        names = names or self.names
        for name in names:
            self._launch(name)
        deadline = time.monotonic() + self.start_seconds
        while not self.wait(lambda: all(self._is_ready(name) for name in names), PATIENCE):
            assert time.monotonic() < deadline, self.logs()
            self.tick()

    def _launch(self, name: str) -> None:
        folder = self.folder / name
        (folder / "plimsoll.toml").write_text(self._config(name))
        log, clock = self.folder / f"{name}.log", folder / "clock"
        self.processes[name] = KeeperProcess(folder / "plimsoll.toml", log, clock)  # type: ignore[assignment]

    def _config(self, name: str) -> str:
        is_attester = name in ATTESTERS
        venues = [VENUES[ATTESTERS.index(name)]] if is_attester else list(VENUES)
        proxy, addresses = self.proxies[name], [self.signers[n].address for n in self.proposers]
        keepers = [self.url(other) for other in self.names if other != name]
        roles = ["attester"] if is_attester else ["proposer", "settler"]
        return (
            f'[keeper]\nroles={_list(roles)}\nkeystore="keystore.json"\npassword_file="password.txt"\n'
            f'tick_seconds=0.1\n[chain]\nrpc="{proxy.url}"\nwebsocket="{proxy.websocket_url}"\n'
            f'timeout_seconds={PATIENCE / 4}\ndeployment="../{self.devnet.chain_id}.json"\n'
            f"[source]\nvenues={_list(venues)}\nspot_bps=200\nforward_bps=200\n"
            f"[api]\nport={self.ports[name]}\n"
            f"[proposer]\nattesters={_list([wire.url for wire in self.wires.values()])}\n"
            f"proposers={_list(addresses)}\nstage_seconds=10\nheartbeat_seconds={TICK_SECONDS}\nattester_seconds={PATIENCE}\n"
            f"[network]\nproposers={_list(addresses)}\n[attester]\nkeepers={_list(keepers)}\n"
        )

    def stop(self) -> None:
        """Ends all that run: politely, and then not."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(PATIENCE)
            except TimeoutError:
                process.send_signal(signal.SIGKILL)
                process.wait()
        self.processes.clear()

    def pause(self, *names: str) -> None:
        """They stand still, with all connections open."""
        for name in names:
            self.processes[name].send_signal(signal.SIGSTOP)

    def resume(self, *names: str) -> None:
        """They go on where they were."""
        for name in names:
            self.processes[name].send_signal(signal.SIGCONT)

    def restart(self, *names: str) -> None:
        """kill -9, and started anew over what is left."""
        for name in names:
            if name in self.processes:
                self.kill(name)
        self.start(*names)

    def shift_clock(self, name: str, seconds: float) -> None:
        """A process's wall clock is wrong by so much from now on."""
        path = self.folder / name / "clock"
        path.with_suffix(".new").write_text(str(seconds))
        path.with_suffix(".new").replace(path)

    def status(self, name: str) -> Any:
        """/status of a process, whether it is ready or not."""
        return self.client.get(self.url(name) + "/status", timeout=30).json()

    # Time

    def tick(self) -> None:
        """Time and blocks enough for another epoch."""
        self.pass_time(TICK_SECONDS, TICK_BLOCKS)

    def advances(self, epochs: int = 1, ticks: int = RECOVERY_TICKS) -> bool:
        """Whether so many more epochs are posted within `ticks`."""
        wanted = self.number() + epochs
        for _ in range(ticks):
            self.tick()
            if self.wait(lambda: self.number() >= wanted, PATIENCE):
                return True
        return False

    def follows(self, name: str) -> bool:
        """Whether a process is ready and has indexed the head, in time."""
        return self.wait(lambda: self._is_ready(name) and self._has_seen_the_head(name), 15 * PATIENCE)

    def _has_seen_the_head(self, name: str) -> bool:
        head = self.devnet.rpc("eth_getBlockByNumber", "latest", False)["hash"]
        found = self.kept(name, "SELECT hash FROM block ORDER BY number DESC LIMIT 1")
        return bool(found) and found[0][0] == head

    def kept(self, name: str, query: str) -> list[tuple[Any, ...]]:
        """What a process has in its database, running or not."""
        path = self.folder / name / "keeper.sqlite"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(query).fetchall()


@contextmanager
def network(folder: Path, expiries: tuple[int, ...] = (EXPIRY,)) -> Iterator[Network]:
    """Everything started; two accounts with 20,000 USDC each and a first epoch."""
    with ExitStack() as stack:
        devnet = stack.enter_context(start_anvil(genesis_timestamp=GENESIS))
        found = Network(devnet, folder, Opening(GENESIS, expiries), stack)
        try:
            for _ in range(2):
                found.open_account(20_000 * USDC)
            found.start()
            assert found.advances(), found.logs()
            yield found
        finally:
            for process in found.processes.values():
                process.send_signal(signal.SIGCONT)
            found.stop()


def _list(values: list[str]) -> str:
    return "[" + ",".join(f'"{value}"' for value in values) + "]"
