"""Moments as people write them. A day without a time settles at 08:00 UTC, as Deribit's options do."""

import re
from datetime import UTC, date, datetime, time

SETTLES_AT = time(8, tzinfo=UTC)

_UNIX = re.compile(r"\d{9,10}")
_NAMED_DAY = re.compile(r"\d{1,2}[A-Za-z]{3}\d{2}")
_PLAIN_DAY = re.compile(r"\d{8}")
# beyond the year 2286, or milliseconds
_LAST = 10**10


def unix_seconds(value: object) -> int:
    """Unix seconds of a moment.

    Args:
        value: unix seconds as a number or text; an ISO date or datetime as text or object; a day as exchanges
            write it, such as "27JUN25" or "20250627". A datetime without an offset is UTC.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, datetime):
        return _whole((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, date):
        return int(datetime.combine(value, SETTLES_AT).timestamp())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _bounded(_whole(value))
    if isinstance(value, str):
        return _of_text(value.strip())
    raise ValueError(_unreadable(value))


def day_text(seconds: int) -> str:
    """The day as exchanges write it ("27JUN25"); unix seconds where it is not 08:00 UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    if moment.timetz() != SETTLES_AT or not 2000 <= moment.year < 2069:
        return str(seconds)
    return f"{moment.day}{moment:%b%y}".upper()


def iso_text(seconds: int) -> str:
    """ISO 8601 in UTC, to the second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _of_text(text: str) -> int:
    if _UNIX.fullmatch(text):
        return int(text)
    try:
        if _NAMED_DAY.fullmatch(text):
            return unix_seconds(datetime.strptime(text.title(), "%d%b%y").date())
        if _PLAIN_DAY.fullmatch(text) or ("T" not in text.upper() and " " not in text):
            return unix_seconds(date.fromisoformat(text))
        return unix_seconds(datetime.fromisoformat(text))
    except ValueError:
        raise ValueError(_unreadable(text)) from None


def _whole(seconds: float) -> int:
    if seconds != int(seconds):
        raise ValueError("is not a whole second")
    return int(seconds)


def _bounded(seconds: int) -> int:
    if not 0 < seconds < _LAST:
        raise ValueError(f"{seconds} is no moment in unix seconds")
    return seconds


def _unreadable(value: object) -> str:
    return f"{value!r} is no moment: write 2025-06-27 (08:00 UTC), 2025-06-27T12:00:00Z or unix seconds"
