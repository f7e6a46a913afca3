"""Which margin-call notices are due. Pure. Health is equity over maintenance margin; times chain seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.store.notice_store import CLEARED, FAILED, RAISED, SENDING, NoticeRow


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One reader of one account, and at which levels of health, each told once per crossing."""

    account: int
    name: str
    urls: tuple[str, ...]
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Calm:
    """What keeps a level that is crossed back and forth from being told again and again.

    Attributes:
        hysteresis: how far above a level, as a share of it, health must be before the level is armed again.
        cooldown: seconds that must have passed since the level was told last.
    """

    hysteresis: float = 0.05
    cooldown: int = 3_600


@dataclass(frozen=True)
class Due:
    """Levels to tell, lowest first (one message says it for all of them), and levels that are armed again."""

    tell: tuple[NoticeRow, ...]
    clear: tuple[NoticeRow, ...]


def decide_notices(
    subscriber: Subscriber, health: float, known: Mapping[str, NoticeRow], now: int, calm: Calm
) -> Due:
    """What is due for one reader.

    Args:
        health: infinite where there is no maintenance margin.
        known: the reader's rows, by level.
    """
    tell, clear = [], []
    for level in sorted(subscriber.levels):
        key = level_text(level)
        row = known.get(key)
        if health < level:
            if _may_tell(row, now, calm):
                tell.append(_raised(subscriber, key, health, row, now))
        elif row is not None and row.state != CLEARED and health >= level * (1 + calm.hysteresis):
            clear.append(replace(row, state=CLEARED, health=health))
    return Due(tuple(tell), tuple(clear))


def level_text(level: float) -> str:
    """A level as the database knows it."""
    return f"{level:g}"


def message(
    subscriber: Subscriber, health: float, equity: float, maintenance: float, due: Sequence[NoticeRow]
) -> str:
    """What the reader is told; money USD."""
    if health < 1:
        what = "is below its maintenance margin and may be put up for auction at any moment"
    else:
        what = f"has fallen below health {due[0].level}: below 1 it may be put up for auction"
    highest = max(subscriber.levels)
    missing = max(0.0, highest * maintenance - equity)
    return (
        f"Account {subscriber.account} {what}. Equity {equity:,.2f} USD, maintenance margin"
        f" {maintenance:,.2f} USD, health {health:.3f}. Deposit, or close positions: {missing:,.2f} USD more"
        f" equity would bring health to {highest:g}."
    )


def _may_tell(row: NoticeRow | None, now: int, calm: Calm) -> bool:
    if row is None or row.state == FAILED:
        return True
    if row.state in (SENDING, RAISED):
        return False
    return row.sent_at is None or now >= row.sent_at + calm.cooldown


def _raised(subscriber: Subscriber, key: str, health: float, row: NoticeRow | None, now: int) -> NoticeRow:
    """As it is kept before it is told; a crossing that could not be told keeps its moment."""
    crossed = row.crossed_at if row is not None and row.state == FAILED else now
    sent = row.sent_at if row is not None else None
    return NoticeRow(subscriber.account, key, subscriber.name, SENDING, health, crossed, sent)
