"""Loops that fall silent are noticed, slow ones are not."""

from dataclasses import dataclass

import pytest

from keeper.observability.metrics import Metrics
from keeper.observability.names import LIVE, LOOP_LAG, LOOP_SILENCE
from keeper.observability.watchdog import Watchdog


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def watchdog(metrics: Metrics, clock: Clock) -> Watchdog:
    found = Watchdog(metrics, 10.0, clock)
    found.expect("duties", 1.0)
    found.expect("canary", 30.0)
    return found


def test_silent__each_within_its_time__none(watchdog: Watchdog, clock: Clock, metrics: Metrics) -> None:
    clock.now += 9
    watchdog.pat("duties")
    clock.now += 9

    assert watchdog.silent() == {} and watchdog.problem == ""
    assert metrics.value(LIVE) == 1


def test_silent__one_for_too_long__named_with_its_age(
    watchdog: Watchdog, clock: Clock, metrics: Metrics
) -> None:
    clock.now += 12  # five rounds of the slow one are 150 s

    assert watchdog.silent() == {"duties": 12.0}
    assert watchdog.problem == "loop duties silent for 12 s"
    assert metrics.value(LIVE) == 0 and metrics.value(LOOP_SILENCE, loop="duties") == 12
    watchdog.pat("duties")
    assert watchdog.problem == "" and metrics.value(LIVE) == 1


def test_silent__slow_loop__measured_by_its_own_pace(watchdog: Watchdog, clock: Clock) -> None:
    clock.now += 151
    watchdog.pat("duties")

    assert list(watchdog.silent()) == ["canary"]


def test_pat__late__lag_is_beyond_its_period(watchdog: Watchdog, clock: Clock, metrics: Metrics) -> None:
    clock.now += 1.25
    watchdog.pat("duties")
    assert metrics.value(LOOP_LAG, loop="duties") == pytest.approx(0.25)
    clock.now += 0.5
    watchdog.pat("duties")
    assert metrics.value(LOOP_LAG, loop="duties") == 0


def test_leave__loop_that_ended__is_not_missed(watchdog: Watchdog, clock: Clock) -> None:
    watchdog.leave("duties")
    clock.now += 100

    assert watchdog.silent() == {}


def test_pat__unknown_loop__key_error(watchdog: Watchdog) -> None:
    with pytest.raises(KeyError):
        watchdog.pat("nobody")
