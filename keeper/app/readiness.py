"""Whether a process can do what it is for: a few questions, each asked at its own pace, each answered by
silence or by a sentence. Nothing is asked by whoever calls `/ready`, so that asking often costs nothing."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keeper.app.sections import OperationsSection
from keeper.chain.deployment import DEVNETS
from keeper.chain.node import NodeError, Rpc
from keeper.observability.metrics import Metrics
from keeper.observability.names import BALANCE, CLOCK_SKEW, DISK_FREE, READY

Question = Callable[[], str]  # returns the problem, or nothing


@dataclass
class _Asked:
    question: Question
    every: float
    due: float = 0.0
    problem: str = ""


class Readiness:
    """Questions by name. `problems` holds those whose answer was no silence."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._asked: dict[str, _Asked] = {}

    def add(self, name: str, question: Question, every: float = 0.0) -> None:
        """Ask at most once in `every` seconds."""
        self._asked[name] = _Asked(question, every)

    def ask(self) -> None:
        """Ask what is due; a node that does not answer is an answer too."""
        for asked in self._asked.values():
            if self._clock() < asked.due:
                continue
            asked.due = self._clock() + asked.every
            try:
                asked.problem = asked.question()
            except NodeError as error:
                asked.problem = str(error)

    @property
    def problems(self) -> dict[str, str]:
        """What stands in the way, by question."""
        return {name: asked.problem for name, asked in self._asked.items() if asked.problem}

    @property
    def checks(self) -> dict[str, str]:
        """Every question's answer, `ok` where there is no problem."""
        return {name: asked.problem or "ok" for name, asked in self._asked.items()}

    def tell(self, problem: str) -> bool:
        """Ready if there is no `problem` and none of its own; the gauge follows."""
        ready = not problem and not self.problems
        self._metrics.set(READY, ready)
        return ready


def gas_float(node: Rpc, address: str, settings: OperationsSection, metrics: Metrics) -> Question:
    """Whether an address can pay for its transactions."""

    def ask() -> str:
        coins = node.balance(address) / 10**18
        metrics.set(BALANCE, coins, address=address)
        if coins < settings.minimum_balance:
            return f"{address} holds {coins:.4f} coins, less than {settings.minimum_balance:g}: send some"
        return ""

    return ask


def clock_skew(node: Rpc, chain_id: int, settings: OperationsSection, metrics: Metrics) -> Question:
    """Whether this machine's clock and the chain's agree. A block may be old, but never of the future; a
    devnet's clock runs as its driver pleases."""

    def ask() -> str:
        skew = time.time() - node.head().timestamp
        metrics.set(CLOCK_SKEW, skew, against="block")
        if chain_id not in DEVNETS and -skew > settings.max_clock_skew_seconds:
            return f"the chain's clock is {-skew:.0f} s ahead of this machine's: set it by NTP"
        return ""

    return ask


def disk_space(database: str, settings: OperationsSection, metrics: Metrics) -> Question:
    """Whether what must be kept before it is done can be kept. Of a database elsewhere: no question here."""
    folder = Path(database.removeprefix("sqlite:///")).parent if database.startswith("sqlite:///") else Path()

    def ask() -> str:
        free = shutil.disk_usage(folder).free
        metrics.set(DISK_FREE, free)
        if free < settings.minimum_disk_bytes:
            return f"{free / 1e6:.0f} MB free at {folder}: make room"
        return ""

    return ask
