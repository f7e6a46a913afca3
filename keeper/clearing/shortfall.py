"""Losses beyond the insurance fund, shared by everyone who is owed cash: twin of `clearing/shortfall.vy`.

All amounts are WAD integers, times unix seconds. The pool is what stands behind cash: tokens held less fees
less the recovery. At every moment, to the wei, settled cash of all accounts = pool + shortfall, so a unit of
cash is worth pool / (pool + shortfall) tokens. Every function returns the state after it; the caller moves
exactly the tokens and the cash that it names, and calls `release` first.

ValueError where the chain reverts.
"""

from dataclasses import dataclass, replace

from keeper.units.constants import WAD

RELEASE_SECONDS = 604_800  # 7 days
TICKS = 2**32  # per second: a gift of dust moves the end of the release by no more than one


@dataclass(frozen=True, slots=True)
class Losses:
    """What is missing, what was given and is not yet released, and what open auctions may still cost."""

    shortfall: int = 0
    recovery: int = 0
    open_deficit: int = 0
    released_at: int = 0
    # in ticks since 1970
    ends_at: int = 0


def is_whole(losses: Losses) -> bool:
    """Whether cash is worth its face value and nothing else has to be done."""
    return losses.shortfall == losses.recovery == losses.open_deficit == 0


def uncovered(losses: Losses, fund_pays: int) -> int:
    """Part of the open deficit beyond what the insurance fund would pay now."""
    return max(0, losses.open_deficit - fund_pays)


def pool(losses: Losses, held: int, fees: int) -> int:
    """Tokens that stand behind cash."""
    found = held - fees - losses.recovery
    if found < 0:
        raise ValueError("shortfall: fees and recovery exceed what is held")
    return found


def rate(losses: Losses, pool: int) -> int:
    """Tokens per unit of cash, rounded down; exactly WAD without a shortfall."""
    return _ratio(pool, losses.shortfall)


def withdrawal_rate(losses: Losses, pool: int, fund_pays: int) -> int:
    """The rate less what open insolvent auctions may still cost, rounded down."""
    return _ratio(pool, losses.shortfall + uncovered(losses, fund_pays))


def credit(losses: Losses, tokens: int, pool: int) -> tuple[Losses, int]:
    """Cash for a deposit into a pool, rounded down; never less than the tokens."""
    if losses.shortfall == 0:
        return losses, tokens
    if pool == 0:
        raise ValueError("shortfall: empty pool")
    cash = tokens * (pool + losses.shortfall) // pool
    return add(losses, cash - tokens), cash


def pay(losses: Losses, cash: int, pool: int, uncovered: int, unit: int, now: int) -> tuple[Losses, int]:
    """Tokens for cash that leaves, rounded down to the token's unit. What leaving at the rate leaves closes
    the shortfall; what open deficits hold back becomes a recovery.
    """
    due = _share(cash, pool, losses.shortfall, unit)
    if due > pool:
        raise ValueError("shortfall: more than the pool")
    paid = _share(cash, pool, losses.shortfall + uncovered, unit)
    closed = min(cash - due, losses.shortfall)
    rest = replace(losses, shortfall=losses.shortfall - closed)
    return give(rest, cash - paid - closed, now), paid


def add(losses: Losses, loss: int) -> Losses:
    """A loss that nobody covers: cash was credited, no tokens came."""
    if losses.shortfall + loss >= 2**128:
        raise ValueError("shortfall: overflow")
    return replace(losses, shortfall=losses.shortfall + loss)


def give(losses: Losses, amount: int, now: int) -> Losses:
    """Tokens that came to cover the shortfall: with what is still being released they reach the pool evenly,
    over the mean of both times, weighted by amount, rounded up to a tick.
    """
    if amount == 0:
        return losses
    weighted = amount * RELEASE_SECONDS * TICKS
    if losses.recovery:
        if losses.released_at != now:
            raise ValueError("shortfall: not released")
        weighted += losses.recovery * (losses.ends_at - now * TICKS)
    recovery = losses.recovery + amount
    if recovery >= 2**127:
        raise ValueError("shortfall: overflow")
    return replace(losses, recovery=recovery, released_at=now, ends_at=now * TICKS - (-weighted // recovery))


def release(losses: Losses, now: int) -> tuple[Losses, int]:
    """Moves what is due of the recovery to the pool; what exceeds the shortfall is returned, for the fees."""
    if losses.recovery == 0 or losses.released_at == now:
        return losses, 0
    remaining = losses.ends_at - losses.released_at * TICKS
    passed = (now - losses.released_at) * TICKS
    due = losses.recovery if passed >= remaining else losses.recovery * passed // remaining
    closed = min(due, losses.shortfall)
    left = replace(
        losses, shortfall=losses.shortfall - closed, recovery=losses.recovery - due, released_at=now
    )
    return left, due - closed


def set_open_deficit(losses: Losses, deficit: int) -> Losses:
    """Sum of the deficits of the open insolvent auctions."""
    if not 0 <= deficit < 2**128:
        raise ValueError("shortfall: overflow")
    return replace(losses, open_deficit=deficit)


def _share(cash: int, pool: int, missing: int, unit: int) -> int:
    tokens = cash * pool // (pool + missing) if missing else cash
    return tokens - tokens % unit


def _ratio(pool: int, missing: int) -> int:
    return pool * WAD // (pool + missing) if missing else WAD
