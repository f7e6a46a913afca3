"""Readiness: each question at its own pace, and what each of them finds."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from keeper.app.readiness import Readiness, clock_skew, disk_space, gas_float
from keeper.app.sections import OperationsSection
from keeper.chain.node import BlockRef, NodeError
from keeper.observability.metrics import Metrics
from keeper.observability.names import BALANCE, CLOCK_SKEW, DISK_FREE, READY


@dataclass
class Chain:
    """A node that says what it is told to."""

    coins: float = 1.0
    behind: float = 0.0
    asked: list[str] = field(default_factory=list)

    def balance(self, address: str) -> int:
        self.asked.append(address)
        return int(self.coins * 10**18)

    def head(self) -> BlockRef:
        return BlockRef(1, "0x1", "0x0", int(time.time() - self.behind))


SETTINGS = OperationsSection(minimum_balance=0.5, max_clock_skew_seconds=10)


def readiness() -> tuple[Readiness, list[float], Metrics]:
    now, metrics = [0.0], Metrics()
    return Readiness(metrics, lambda: now[0]), now, metrics


def test_ask__each_at_its_own_pace__and_never_by_whoever_looks() -> None:
    ready, now, _ = readiness()
    asked: list[str] = []
    ready.add("often", lambda: asked.append("often") or "")  # type: ignore[func-returns-value]
    ready.add("rarely", lambda: asked.append("rarely") or "", 10.0)  # type: ignore[func-returns-value]
    for now[0] in (0.0, 5.0, 10.0):
        ready.ask()
    assert asked == ["often", "rarely", "often", "often", "rarely"]
    assert ready.checks == {"often": "ok", "rarely": "ok"} and len(asked) == 5


def test_tell__problem_of_a_question_or_of_a_duty__not_ready_and_the_gauge_follows() -> None:
    ready, _, metrics = readiness()
    answers = [""]
    ready.add("gas", lambda: answers[0])
    ready.ask()
    assert ready.tell("") and metrics.value(READY) == 1
    assert not ready.tell("node is down") and metrics.value(READY) == 0
    answers[0] = "no coins"
    ready.ask()
    assert not ready.tell("") and ready.problems == {"gas": "no coins"}


def test_ask__node_down__is_an_answer() -> None:
    ready, _, _ = readiness()

    def broken() -> str:
        raise NodeError("node does not answer")

    ready.add("clock", broken)
    ready.ask()
    assert ready.checks == {"clock": "node does not answer"}


@pytest.mark.parametrize(("coins", "problem"), [(0.5, ""), (0.4, "0x12 holds 0.4000 coins, less than 0.5")])
def test_gas_float__coins__enough_or_not(coins: float, problem: str) -> None:
    metrics = Metrics()
    found = gas_float(Chain(coins), "0x12", SETTINGS, metrics)()  # type: ignore[arg-type]
    assert found.startswith(problem) and bool(found) == bool(problem)
    assert metrics.value(BALANCE, address="0x12") == coins


@pytest.mark.parametrize(
    ("behind", "chain_id", "is_problem"),
    [(0, 1, False), (3_600, 1, False), (-5, 1, False), (-30, 1, True), (-30, 31_337, False)],
)
def test_clock_skew__block_of_the_future__is_our_clocks_fault_but_on_a_devnet(
    behind: int, chain_id: int, is_problem: bool
) -> None:
    metrics, chain = Metrics(), Chain(behind=behind)
    question: Any = clock_skew(chain, chain_id, SETTINGS, metrics)  # type: ignore[arg-type]
    assert ("set it by NTP" in question()) == is_problem
    assert metrics.value(CLOCK_SKEW, against="block") == pytest.approx(behind, abs=2)


@pytest.mark.parametrize(("minimum", "is_problem"), [(0, False), (10**18, True)])
def test_disk_space__where_the_database_is__enough_or_not(
    tmp_path: Path, minimum: int, is_problem: bool
) -> None:
    metrics, url = Metrics(), f"sqlite:///{tmp_path}/keeper.sqlite"
    settings = OperationsSection(minimum_disk_bytes=minimum)
    assert ("make room" in disk_space(url, settings, metrics)()) == is_problem
    assert metrics.value(DISK_FREE) > 0
