"""Duties one by one: the failure of one is kept, counted and logged, and holds up no other."""

from collections.abc import Callable

import pytest

from keeper.app.duties import Duties, DutyError
from keeper.chain.index import IndexingError
from keeper.chain.node import NodeError
from keeper.network.server import Unavailable
from keeper.observability.metrics import Metrics
from keeper.observability.names import CYCLES, DURATION, LAST_CYCLE
from keeper.store.database import StoreError
from keeper.store.lease import LeaseLost


def failing(error: Exception) -> Callable[[], object]:
    def step() -> object:
        raise error

    return step


@pytest.fixture
def duties() -> Duties:
    return Duties(Metrics())


def test_round__all_well__what_each_returned(duties: Duties) -> None:
    duties.add("propose", lambda: "first")
    duties.add("settle", lambda: 2)

    assert duties.round() == {"propose": "first", "settle": 2} and duties.problems == {}
    assert duties.metrics.value(CYCLES, duty="propose", result="success") == 1
    assert duties.metrics.value(LAST_CYCLE, duty="settle", result="success") > 0
    assert duties.metrics.value(DURATION, name="settle", status="success") >= 0


@pytest.mark.parametrize(
    "error", [NodeError("node is down"), Unavailable("no source"), LeaseLost("another has it")]
)
def test_round__transient_failure__kept_until_it_is_over_and_the_others_go_on(
    duties: Duties, error: Exception
) -> None:
    steps = [failing(error), lambda: "done"]
    duties.add("propose", lambda: steps[0]())
    duties.add("settle", lambda: 2)

    assert duties.round() == {"propose": None, "settle": 2}
    assert duties.problems == {"propose": str(error)}
    assert duties.metrics.value(CYCLES, duty="propose", result="failure") == 1
    steps.pop(0)
    assert duties.round()["propose"] == "done" and duties.problems == {}


@pytest.mark.parametrize("error", [IndexingError("a gap"), StoreError("disk full")])
def test_round__nothing_can_be_trusted_or_kept__ends_at_once(duties: Duties, error: Exception) -> None:
    asked: list[int] = []
    duties.add("index", failing(error))
    duties.add("settle", lambda: asked.append(1))

    with pytest.raises(type(error), match=str(error)):
        duties.round()
    assert asked == [] and duties.metrics.value(CYCLES, duty="index", result="fatal") == 1


def test_round__surprises__bounded_then_the_process_ends_loudly(
    duties: Duties, capsys: pytest.CaptureFixture[str]
) -> None:
    duties.add("settle", failing(KeyError("expiry")))
    for _ in range(9):
        duties.round()
    assert duties.problems["settle"] == "KeyError: 'expiry'"
    with pytest.raises(DutyError, match="settle failed 10 times in a row: KeyError: 'expiry'"):
        duties.round()
    assert duties.metrics.value(CYCLES, duty="settle", result="surprise") == 10
    said = capsys.readouterr()
    assert "Traceback" in said.out + said.err, "a surprise is logged with where it came from"


def test_round__a_success_in_between__surprises_count_anew(duties: Duties) -> None:
    results = [*["bad"] * 9, "good", *["bad"] * 9]

    def step() -> None:
        if results.pop(0) == "bad":
            raise KeyError

    duties.add("settle", step)
    for _ in range(19):
        duties.round()
    assert results == []


def test_round__asked_to_stop__begins_no_further_duty(duties: Duties) -> None:
    asked: list[str] = []
    duties.add("propose", lambda: asked.append("propose"))
    duties.add("settle", lambda: asked.append("settle"))
    duties.round(stopping=lambda: bool(asked))

    assert asked == ["propose"]
