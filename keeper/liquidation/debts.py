"""What may be owed against collateral, and what it costs, bit for bit as `contracts/liquidation/debts.vy`.

Settled cash below zero is a debt to all who are owed cash. Against the caps it is counted in whole units of
cash, rounded up, by token. Amounts are WAD unless said otherwise, times unix seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.units.constants import BASIS_POINTS, SECONDS_PER_YEAR, WAD


@dataclass(frozen=True, slots=True)
class Caps:
    """How much may be owed against a token: a share of its value after the maintenance haircut, basis
    points; by one account and by all together, whole units of cash.
    """

    share: int = 0
    account: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Debt:
    """What an account owed at its last note: what bears interest, what counts towards the caps."""

    noted: int = 0
    drawn: int = 0
    since: int = 0


def interest(noted: int, present: int, rate: int, elapsed: int) -> int:
    """On the smaller of a debt at its last note and now, rounded up; `rate` per year, `elapsed` seconds."""
    return -(-min(noted, present) * rate * elapsed // (WAD * SECONDS_PER_YEAR))


def room(worth: int, caps: Caps, others: int) -> int:
    """What an account may owe against one token, whole units, rounded down.

    Args:
        worth: of what it holds, after the maintenance haircut.
        others: what all other accounts owe against the token, whole units.
    """
    share = worth * caps.share // BASIS_POINTS // WAD
    return min(share, caps.account, max(0, caps.total - others))


def limit(rooms: Sequence[int], cap: int, others: int) -> int:
    """How far below zero a trade that reduces risk may leave settled cash.

    Args:
        rooms: by token, whole units.
        cap: of all debts; `others`: what all other accounts owe.
    """
    return min(sum(rooms) * WAD, max(0, cap - others))


def parts(rooms: Sequence[int], debt: int) -> tuple[int, ...]:
    """A debt laid against the tokens in their order, whole units, each up to its room; the rest is against
    none.
    """
    left, found = -(-debt // WAD), []
    for one in rooms:
        found.append(min(left, one))
        left -= found[-1]
    return tuple(found)


def noted(last: Debt, settled: int, rate: int, now: int) -> tuple[Debt, int]:
    """A debt after a note of it, and the interest that the note charges.

    Args:
        settled: upper bound of settled cash.
    """
    owed = max(0, -settled)
    charged = interest(last.noted, owed, rate, now - last.since)
    owed += charged
    return (Debt(owed, owed, now) if owed else Debt()), charged


def drawn(last: Debt, amount: int) -> Debt:
    """A debt after a trade that reduced risk left that much missing: it counts, interest waits for a note."""
    return Debt(last.noted, max(last.drawn, amount), last.since)
