"""Thousands of blocks in fast time: a crowd that trades, prices that fall, expiries, nodes that stumble,
reorgs and kills, drawn from a seed. `python -m tests.chaos.soak --blocks 20000 [--seed 1] [--json]`

What it holds: memory and file handles flat over the second half, every expiry settled and closed, every
account below its maintenance margin frozen before the driver's next block after the epoch that shows it, the
index equal to a replay from genesis, and all of `checks.assert_safe`.
"""

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import WAD
from scripts._devnet import start_anvil
from scripts._protocol import AuctionTerms
from tests.chaos.checks import assert_index, assert_safe
from tests.chaos.network import PATIENCE, Network
from tests.support.faults import Fault, Garbage, Latency, Reset, Stale, Status, Truncated
from tests.support.loop import ATTESTERS, MINIMUM_RETURN, USDC, Opening

GENESIS = (
    1_743_984_000 + 5 * 3_600 + 1_800
)  # ether loses 7 % between half an hour and an hour and a half later
BLOCK_SECONDS = 20
STEP_BLOCKS = 5  # between two looks of the driver: enough for another epoch
EXPIRY_SECONDS = 2_700  # from genesis to the first expiry
_CROWD = 6
_WAIT = 6 * PATIENCE  # seconds of ours, for what must happen before the next block


class Town(Network):
    """Three attesters, a proposer that also settles, and a liquidator."""

    names = (*ATTESTERS, "proposer", "liquidator")
    proposers = ("proposer",)

    def _config(self, name: str) -> str:
        if name != "liquidator":
            return super()._config(name)
        roles, terms = (
            '["liquidator"]',
            f"account={self.liquidators_account}\nminimum_return={MINIMUM_RETURN}\n",
        )
        text = super()._config(name).replace('["proposer","settler"]', roles)
        return text + f'[liquidator]\n{terms}keepers=["{self.url("proposer")}"]\n'


@dataclass
class Samples:
    """Of one process since it was started: block, resident MB, open files."""

    rows: list[tuple[int, float, int]] = field(default_factory=list)

    def growth(self, column: int) -> float:
        """Over the second half, by a straight line through it."""
        half = self.rows[len(self.rows) // 2 :]
        blocks, values = [row[0] for row in half], [row[column] for row in half]
        if len(half) < 3 or blocks[0] == blocks[-1]:
            return 0.0
        return float(np.polyfit(blocks, values, 1)[0]) * (blocks[-1] - blocks[0])


@dataclass
class Outcome:
    """What a run has seen."""

    seed: int
    blocks: int = 0
    seconds: float = 0.0
    epochs: int = 0
    trades: int = 0
    refused: int = 0
    deposits: int = 0
    faults: int = 0
    reorgs: int = 0
    kills: int = 0
    liquidatable: int = 0
    flagged_late: int = 0
    expiries: int = 0
    expiries_missed: int = 0
    stalls: int = 0
    rss_mb: dict[str, float] = field(default_factory=dict)
    rss_growth_mb: dict[str, float] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    file_growth: dict[str, float] = field(default_factory=dict)


class Soak:
    """One run."""

    def __init__(self, town: Town, expiries: tuple[int, ...], seed: int) -> None:
        self.town, self.expiries, self.outcome = town, expiries, Outcome(seed)
        self._chance = random.Random(seed)
        self._samples = {name: Samples() for name in town.names}
        self._struck: list[tuple[str, Fault]] = []
        self._maker = town.open_account(2_000_000 * USDC)
        bidder = town.open_account(200_000 * USDC, owner=town.signers["liquidator"].address)
        town.liquidators_account = bidder
        self._crowd = [town.open_account(2_000 * USDC) for _ in range(_CROWD)]

    def run(self, blocks: int) -> Outcome:
        """So many blocks; then everybody catches up and everything is checked."""
        started = time.monotonic()
        self.town.start()
        self._epoch()
        while (head := self._head()) < blocks:
            self._disturb()
            self._trade()
            self._epoch()
            self._look_for_the_unflagged()
            if head // 20 != self._head() // 20:
                self._sample()
        self._calm()
        self._close(started)
        return self.outcome

    def _head(self) -> int:
        return int(self.town.devnet.rpc("eth_blockNumber"), 16)

    def _epoch(self) -> None:
        """Time passes; an epoch is posted and everybody who acts on it has seen it."""
        before = self.town.number()
        for _ in range(20):
            self.town.pass_time(STEP_BLOCKS * BLOCK_SECONDS, STEP_BLOCKS)
            if self.town.wait(lambda: self.town.number() > before, PATIENCE):
                self.outcome.epochs += 1
                return
        self.outcome.stalls += 1
        self._calm()

    # The crowd

    def _trade(self) -> None:
        """Somebody of the crowd buys or sells futures from the maker, or brings money."""
        account, future = self._chance.choice(self._crowd), self._future()
        if self._chance.random() < 0.1:
            self._deposit()
        if future is None or self._chance.random() < 0.4 or not self.town.serves_latest():
            return
        size = self._chance.randrange(1, 80) * WAD // 10
        sides = (account, self._maker) if self._chance.random() < 0.7 else (self._maker, account)
        try:
            self.town.trade(*sides, future, size)
            self.outcome.trades += 1
        except Exception:  # noqa: BLE001  margins, frozen accounts, an epoch in between: the protocol's refusals
            self.outcome.refused += 1

    def _deposit(self) -> None:
        self._crowd.append(self.town.open_account(self._chance.randrange(500, 3_000) * USDC))
        self.outcome.deposits += 1

    def _future(self) -> int | None:
        """One that lives for a while yet."""
        living = [expiry for expiry in self.expiries if expiry > self.town.time() + 600]
        return Instrument(2, self._chance.choice(living[:2]), 0, Kind.FUTURE).pack() if living else None

    # Disturbances

    def _disturb(self) -> None:
        """A node begins or ceases to stumble; now and then a reorg or a kill."""
        self._restart_the_dead()
        if self._struck and self._chance.random() < 0.5:
            self._calm()
        elif self._chance.random() < 0.25:
            name, fault = self._chance.choice(self.town.names), self._fault()
            self.town.proxies[name].add(fault)
            self._struck.append((name, fault))
            self.outcome.faults += 1
        draw = self._chance.random()
        if draw < 0.02:
            self._take_back(self._chance.randrange(1, 4))
        elif draw < 0.025:
            name = self._chance.choice(self.town.names)
            self.town.kill(name)
            self.outcome.kills += 1

    def _fault(self) -> Fault:
        seed = self._chance.randrange(10**6)
        kinds = (Reset, Status, Truncated, Garbage, Latency)
        if self._chance.random() < 0.15:
            return Stale(behind=self._chance.randrange(2, 12))
        return self._chance.choice(kinds)(share=self._chance.uniform(0.01, 0.1), seed=seed)

    def _calm(self) -> None:
        for name, fault in self._struck:
            self.town.proxies[name].remove(fault)
        self._struck.clear()

    def _take_back(self, blocks: int) -> None:
        """A reorg; what users sent in it is lost with it, as on any chain."""
        self.town.devnet.rpc("anvil_rollback", blocks)
        self.town.pass_time(BLOCK_SECONDS * (blocks + 1), blocks + 1)
        self.outcome.reorgs += 1
        existing = self.town.struct("totals")["accounts"]
        self._crowd = [account for account in self._crowd if account <= existing]

    def _restart_the_dead(self) -> None:
        """As a supervisor does."""
        for name in self.town.names:
            process = self.town.processes.get(name)
            if process is None or process.poll() is not None:
                self.town.start(name)
                self._samples[name] = Samples()

    # Judgement

    def _look_for_the_unflagged(self) -> None:
        """The driver mines nothing meanwhile: a flag that comes now is in the block after the epoch's."""
        if any(name == "liquidator" for name, _ in self._struck) or not self.town.serves_latest():
            return
        epoch = self.town.number()
        below = [account for account in self._crowd if self._is_below(account, epoch)]
        self.outcome.liquidatable += len(below)
        for account in below:
            if not self.town.wait(lambda a=account: self._is_frozen_or_mended(a, epoch), _WAIT):  # type: ignore[misc]
                self.outcome.flagged_late += 1

    def _is_below(self, account: int, epoch: int) -> bool:
        """Cash and marks less than the maintenance margin, at the effective and at the posted spot."""
        state = self.town.account(account)
        if state["frozen"] or not state["legCount"]:
            return False
        try:
            leaf = self.town.get(f"/v1/epochs/{epoch}/accounts/{account}")["leaf"]
        except AssertionError:
            return False  # opened since
        if leaf["bookHash"] != "0x" + bytes(state["bookHash"]).hex():
            return False  # traded since
        best = state["cash"] + max(int(leaf["markToMarket"]), int(leaf["markPosted"]))
        return bool(best < min(int(leaf["maintenanceMargin"]), int(leaf["maintenancePosted"])))

    def _is_frozen_or_mended(self, account: int, epoch: int) -> bool:
        return not self._is_below(account, epoch) or self.town.number() != epoch

    def _sample(self) -> None:
        for name, process in self.town.processes.items():
            status = Path(f"/proc/{process.pid}/status").read_text()
            resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
            files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
            self._samples[name].rows.append((self._head(), int(resident.split()[1]) / 1_024, files))

    def _close(self, started: float) -> None:
        self._restart_the_dead()
        for _ in range(3):
            self._epoch()
        found = self.outcome
        self._count_expiries()
        found.blocks, found.seconds = self._head(), round(time.monotonic() - started, 1)
        for name, samples in self._samples.items():
            if samples.rows:
                found.rss_mb[name] = round(samples.rows[-1][1], 1)
                found.files[name] = samples.rows[-1][2]
            found.rss_growth_mb[name] = round(samples.growth(1), 2)
            found.file_growth[name] = round(samples.growth(2), 2)
        self._recount()
        assert_safe(self.town)
        assert_index(self.town)

    def _count_expiries(self) -> None:
        """Each that is ten minutes old has its price, and nobody holds it any more."""
        passed = [expiry for expiry in self.expiries if self.town.time() > expiry + 600]
        accounts = range(1, self.town.struct("totals")["accounts"] + 1)
        self.outcome.expiries = len(passed)
        for expiry in passed:
            future = Instrument(2, expiry, 0, Kind.FUTURE).pack()

            def is_done(expiry: int = expiry, future: int = future) -> bool:
                oracle = self.town.deployment["RiskOracle"]
                price = self.town.backend.call(oracle, "settlement_price", 2, expiry)
                return bool(price) and not any(self.town.position(a, future) for a in accounts)

            if not self.town.wait(is_done, _WAIT):
                self.outcome.expiries_missed += 1

    def _recount(self) -> None:
        """Tokens in the vault are what users have brought in blocks that stayed."""
        vault, token = self.town.deployment["Vault"], self.town.deployment["MockToken"]
        self.town.deposited = int(self.town.backend.call(token, "balanceOf", vault.address))


def problems(found: Outcome) -> list[str]:
    """What a run shows that must not be."""
    told = []
    if found.flagged_late:
        told.append(f"{found.flagged_late} accounts flagged late")
    if found.expiries_missed:
        told.append(f"{found.expiries_missed} expiries not settled")
    if found.stalls:
        told.append(f"{found.stalls} times no epoch for twenty steps")
    for name, growth in found.rss_growth_mb.items():
        if growth > max(10.0, 0.05 * found.rss_mb.get(name, 0.0)):
            told.append(f"{name} grew by {growth:.1f} MB over the second half")
    told += [f"{n} opened {g:.1f} more files" for n, g in found.file_growth.items() if g > 5]
    return told


@contextlib.contextmanager
def soak(folder: Path, blocks: int, seed: int) -> Iterator[Soak]:
    """A town ready to run."""
    span = max(blocks * BLOCK_SECONDS, EXPIRY_SECONDS + 4_000)
    count = max(2, min(8, span // 10_800))
    expiries = tuple(GENESIS + EXPIRY_SECONDS + i * (span // count // 900 * 900) for i in range(count))
    with ExitStack() as stack:
        devnet = stack.enter_context(start_anvil(genesis_timestamp=GENESIS))
        town = Town(devnet, folder, Opening(GENESIS, expiries, AuctionTerms(grace=0)), stack)
        try:
            yield Soak(town, expiries, seed)
        finally:
            town.stop()


def show(found: Outcome) -> None:
    """The table."""
    table = Table("what", "figure")
    for name, value in asdict(found).items():
        table.add_row(
            name, ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        )
    Console().print(table)


def main() -> int:
    """Exit code 1 if something must not be."""
    parser = argparse.ArgumentParser(description="thousands of blocks with random faults")
    parser.add_argument("--blocks", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, soak(Path(folder), options.blocks, options.seed) as run:
        found = run.run(options.blocks)
    wrong = problems(found)
    print(json.dumps(asdict(found) | {"problems": wrong}, indent=2)) if options.json else show(found)
    for text in wrong:
        print(text, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
