"""Readable instrument names: BTC-PERP, BTC-27JUN25 (a future), BTC-27JUN25-100000-C (a call; P: a put).

The day settles at 08:00 UTC; 20250627 and unix seconds stand for it as well, and a strike may have decimals,
with a point or, as Deribit writes them, with a d ("1d5").
"""

import re
from typing import NamedTuple

from keeper.markets.instrument import Kind
from keeper.portfolio.moments import day_text, unix_seconds
from keeper.portfolio.portfolio import Position

_NAME = re.compile(
    r"(?P<underlying>[A-Z0-9_]+)-"
    r"(?:(?P<perp>PERP|PERPETUAL)"
    r"|(?P<day>\d{1,2}[A-Z]{3}\d{2}|\d{8}|\d{9,10})"
    r"(?:-(?P<strike>\d+(?:[.D]\d+)?)-(?P<side>[CP]))?)"
)


class Name(NamedTuple):
    """What a name says. `strike` USD and 0 of perps and futures; `expiry` unix seconds and 0 of perps."""

    underlying: str
    kind: Kind
    strike: float
    expiry: int


def parse_name(text: str) -> Name:
    """The instrument of a name, case ignored.

    Raises:
        ValueError: it is no name.
    """
    found = _NAME.fullmatch(text.strip().upper())
    if found is None:
        raise ValueError(
            f"{text!r} is none of BTC-PERP, BTC-27JUN25 (a future), BTC-27JUN25-100000-C (or -P)"
        )
    if found["perp"]:
        return Name(found["underlying"], Kind.PERP, 0.0, 0)
    expiry = unix_seconds(found["day"])
    if found["strike"] is None:
        return Name(found["underlying"], Kind.FUTURE, 0.0, expiry)
    kind = Kind.CALL if found["side"] == "C" else Kind.PUT
    strike = float(found["strike"].replace("D", "."))
    if strike == 0.0:
        raise ValueError(f"{text!r} has a strike of zero")
    return Name(found["underlying"], kind, strike, expiry)


def name_of(position: Position) -> str:
    """The name of a position's instrument; `parse_name` reads it."""
    if position.kind == Kind.PERP:
        return f"{position.underlying}-PERP"
    dated = f"{position.underlying}-{day_text(position.expiry)}"
    if position.kind == Kind.FUTURE:
        return dated
    return f"{dated}-{_plain(position.strike)}-{'C' if position.kind == Kind.CALL else 'P'}"


def _plain(value: float) -> str:
    """Shortest decimal text without an exponent."""
    text = f"{value:.8f}".rstrip("0").rstrip(".")
    return text if float(text) == value else format(value, "f")
