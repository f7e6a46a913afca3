"""Which margin calls are due: once a crossing, not again while it goes back and forth."""

import math
from dataclasses import replace

import pytest

from keeper.jobs.decide_notices import Calm, Subscriber, decide_notices, message
from keeper.store.notice_store import CLEARED, FAILED, RAISED, SENDING, NoticeRow

READER = Subscriber(3, "desk", ("https://hooks.example",), (1.5, 1.2, 1.05))
CALM = Calm(hysteresis=0.05, cooldown=600)
NOW = 10_000


def row(level: str, state: str, sent_at: int | None = NOW - 1_000) -> NoticeRow:
    return NoticeRow(3, level, "desk", state, 1.1, NOW - 2_000, sent_at)


def told(health: float, *known: NoticeRow, now: int = NOW) -> list[str]:
    due = decide_notices(READER, health, {k.level: k for k in known}, now, CALM)
    return [r.level for r in due.tell]


def test_decide__healthy__nothing() -> None:
    assert told(2.0) == [] and told(math.inf) == []


def test_decide__first_time_below__its_level_kept_as_being_sent() -> None:
    (found,) = decide_notices(READER, 1.4, {}, NOW, CALM).tell
    assert found == NoticeRow(3, "1.5", "desk", SENDING, 1.4, NOW, None)


def test_decide__through_several_levels_at_once__all_of_them_lowest_first() -> None:
    assert told(1.1) == ["1.2", "1.5"]


@pytest.mark.parametrize("state", [SENDING, RAISED])
def test_decide__told_already_or_crashed_while_sending__not_again(state: str) -> None:
    assert told(1.4, row("1.5", state)) == []
    assert told(1.3, row("1.5", state), now=NOW + 10**6) == []


def test_decide__could_not_be_sent__again_with_its_first_moment() -> None:
    (found,) = decide_notices(READER, 1.4, {"1.5": row("1.5", FAILED, None)}, NOW, CALM).tell
    assert (found.state, found.crossed_at, found.sent_at) == (SENDING, NOW - 2_000, None)


@pytest.mark.parametrize(("health", "cleared"), [(1.51, []), (1.5749, []), (1.58, ["1.5"])])
def test_decide__recovers__armed_again_only_beyond_the_hysteresis(health: float, cleared: list[str]) -> None:
    due = decide_notices(READER, health, {"1.5": row("1.5", RAISED)}, NOW, CALM)
    assert [r.level for r in due.clear] == cleared and not due.tell
    assert all(r.state == CLEARED for r in due.clear)


@pytest.mark.parametrize(("age", "levels"), [(599, []), (600, ["1.5"])])
def test_decide__falls_again__only_after_the_cooldown(age: int, levels: list[str]) -> None:
    known = replace(row("1.5", CLEARED), sent_at=NOW - age)
    assert told(1.4, known) == levels


def test_message__above_and_below_one__says_what_may_happen_and_what_is_missing() -> None:
    due = [row("1.2", SENDING)]
    above, below = (message(READER, h, h * 1_000, 1_000.0, due) for h in (1.1, 0.9))
    assert "fallen below health 1.2" in above and "400.00 USD more" in above
    assert "below its maintenance margin" in below and "600.00 USD more" in below
