"""What an account's record still proves after further fills.

Initial margin is subadditive, so the margin now is at most the record's plus m times the stand-alone margin
of everything traded since; the mark now is at least the record's plus the adverse marks credited since.
"""

from keeper.clearing import book_hash as hashes
from keeper.clearing.account import Account
from keeper.units.constants import MAX_FILLS_SINCE_LEAF
from keeper.units.fixed_point import mul_up


def equity(account: Account, funding: int = 0, collateral: int = 0) -> int:
    """Lower bound of the equity: live cash and funding, collateral after the initial haircut, the record's
    mark and what was credited since.
    """
    return account.cash + funding + collateral + account.record.mark_base + account.added_mark


def required_margin(account: Account) -> int:
    """Upper bound of the initial margin, rounded up."""
    record = account.record
    return record.initial_margin + mul_up(record.marginal, account.added_im - record.added_im)


def settled_cash(account: Account, funding: int = 0) -> int:
    """Lower bound of cash plus perps and futures at their marks."""
    return account.cash + funding + account.record.linear


def holds(account: Account, now: int) -> bool:
    """Whether the record still bounds the book: nothing but few, small fills since, and no leg has
    expired.
    """
    record = account.record
    fills = hashes.fills_between(record.changes, hashes.changes(account.book_hash))
    return (
        record.epoch != 0
        and fills is not None
        and fills <= MAX_FILLS_SINCE_LEAF
        and account.added_im - record.added_im <= record.max_added_im
        and now < record.earliest_expiry
    )


def passes(account: Account, now: int, funding: int = 0, collateral: int = 0) -> bool:
    """Whether equity covers the initial margin by the record alone; its epoch's freshness is the oracle's
    to say.
    """
    return holds(account, now) and equity(account, funding, collateral) >= required_margin(account)
