# pragma version 0.4.3
"""
@title Shortfall: losses beyond the insurance fund, shared by everyone who is owed cash
@license AGPL-3.0-only
@notice All amounts are WAD. The pool is what stands behind cash: tokens held less fees less the recovery. At every
        moment, to the wei,

            settled cash of all accounts = pool + shortfall

        so a unit of cash is worth rate = pool / (pool + shortfall) tokens. A deposit is credited at the rate, a
        withdrawal is paid at it, both rounded down: neither lowers the rate. A recovery is what was given to cover the
        shortfall; it reaches the pool evenly over a week, so that nobody gains by being here only for the gift. Fees leave
        the pool at face value; while the shortfall is not zero their collector gives them to the recovery.
        While insolvent auctions are open, withdrawals bear the part of the open deficit that the insurance fund does not
        cover as if it had been lost already; what is held back so becomes a recovery.
@custom:security Callers run `_release` first. `_credit` and `_pay` keep the equation if the caller moves exactly the tokens
        and the cash they name.
"""

from ..units import constants as c

RELEASE_SECONDS: constant(uint256) = 604_800  # 7 days
LOW_127: constant(uint256) = 2**127 - 1
HAS_DEFICIT: constant(uint256) = 2**127
# ends of the release are kept in 2**-32 seconds: a gift of dust moves them by no more
TICK_BITS: constant(uint256) = 32
LOW_40: constant(uint256) = 2**40 - 1
LOW_72: constant(uint256) = 2**72 - 1

# shortfall (128) | an insolvent auction is open (1) | recovery not yet released (127): zero in ordinary times, so
# that one word tells a deposit or a withdrawal that nothing is wrong
_losses: uint256
# open deficit (128) | when the recovery was last released, unix seconds (40) | when it will be, in ticks (72)
_schedule: uint256


# Views


@internal
@view
def _is_whole() -> bool:
    """
    @notice Whether cash is worth its face value and nothing else has to be done.
    """
    return self._losses == 0


@internal
@view
def _shortfall() -> uint256:
    """
    @return Losses not covered, WAD.
    """
    return self._losses >> 128


@internal
@view
def _recovery() -> uint256:
    """
    @return Given, and not released at the last call of `_release`, WAD.
    """
    return self._losses & LOW_127


@internal
@view
def _open_deficit() -> uint256:
    """
    @return Deficits of the open insolvent auctions, WAD.
    """
    if self._losses & HAS_DEFICIT == 0:
        return 0
    return self._schedule >> 112


@internal
@view
def _uncovered(fund_pays: uint256) -> uint256:
    """
    @notice Part of the open deficit beyond the insurance fund.
    @param fund_pays What the fund would pay now, WAD: less than it holds, if its daily share is less.
    @return WAD.
    """
    deficit: uint256 = self._open_deficit()
    return deficit - min(deficit, fund_pays)


@internal
@view
def _pool(held: uint256, fees: uint256) -> uint256:
    """
    @notice Tokens that stand behind cash. Reverts where fees and recovery exceed what is held: the equation forbids it.
    @param held Tokens in custody, WAD.
    @param fees Fees not yet collected, WAD.
    @return WAD.
    """
    return held - fees - self._recovery()


@internal
@view
def _rate(pool: uint256) -> uint256:
    """
    @return Tokens per unit of cash, WAD, rounded down; exactly 1 without a shortfall.
    """
    return self._ratio(pool, self._shortfall())


@internal
@view
def _withdrawal_rate(pool: uint256, fund_pays: uint256) -> uint256:
    """
    @notice The rate less what open insolvent auctions may still cost.
    @param fund_pays See `_uncovered`, WAD.
    @return WAD, rounded down, at most `_rate`.
    """
    return self._ratio(pool, self._shortfall() + self._uncovered(fund_pays))


# Changes


@internal
def _credit(tokens: uint256, pool: uint256) -> uint256:
    """
    @notice Books a deposit.
    @param tokens What is put in, WAD.
    @param pool Before the deposit, WAD.
    @return Cash to credit, WAD, rounded down; never less than the tokens.
    """
    losses: uint256 = self._losses
    if losses >> 128 == 0:
        return tokens
    assert pool != 0, "shortfall: empty pool"
    cash: uint256 = tokens * (pool + (losses >> 128)) // pool
    self._store((losses >> 128) + (cash - tokens), losses)
    return cash


@internal
def _pay(cash: uint256, pool: uint256, uncovered: uint256, unit: uint256) -> uint256:
    """
    @notice Books a withdrawal of cash. What leaving at the rate leaves behind closes the shortfall; what open deficits
            hold back becomes a recovery, so that nobody's withdrawal lifts the rate for those who know of it.
    @param cash What leaves the ledger, WAD.
    @param pool Before the withdrawal, WAD.
    @param uncovered See `_uncovered`, WAD.
    @param unit The smallest token unit, WAD.
    @return Tokens to pay, WAD, rounded down to a multiple of the unit; never more than the cash.
    """
    losses: uint256 = self._losses
    shortfall: uint256 = losses >> 128
    due: uint256 = self._share(cash, pool, shortfall, unit)
    assert due <= pool, "shortfall: more than the pool"
    paid: uint256 = due
    if uncovered != 0:
        paid = self._share(cash, pool, shortfall + uncovered, unit)
    if paid != cash:
        closed: uint256 = min(cash - due, shortfall)
        self._losses = losses - (closed << 128)
        self._give(cash - paid - closed)
    return paid


@internal
def _add(loss: uint256):
    """
    @notice A loss that nobody covers: cash was credited, no tokens came.
    @param loss WAD.
    """
    losses: uint256 = self._losses
    self._store((losses >> 128) + loss, losses)


@internal
def _give(amount: uint256):
    """
    @notice Books tokens that came to cover the shortfall. Together with what is still being released they reach the pool
            evenly, over a time that is the mean of both times, weighted by amount.
    @dev `_release` must have run in this block.
    @param amount WAD.
    """
    if amount == 0:
        return
    losses: uint256 = self._losses
    schedule: uint256 = self._schedule
    recovery: uint256 = losses & LOW_127
    now: uint256 = block.timestamp << TICK_BITS
    weighted: uint256 = amount * (RELEASE_SECONDS << TICK_BITS)
    if recovery != 0:
        assert (schedule >> 72) & LOW_40 == block.timestamp, "shortfall: not released"
        weighted += recovery * ((schedule & LOW_72) - now)
    recovery += amount
    assert recovery <= LOW_127, "shortfall: overflow"
    ends: uint256 = now + (weighted + recovery - 1) // recovery
    self._losses = ((losses >> 127) << 127) | recovery
    self._schedule = ((schedule >> 112) << 112) | (block.timestamp << 72) | ends


@internal
def _release() -> uint256:
    """
    @notice Moves what is due of the recovery to the pool: against the shortfall, and beyond it to the fees.
    @return What the caller must add to the fees, WAD.
    """
    losses: uint256 = self._losses
    recovery: uint256 = losses & LOW_127
    if recovery == 0:
        return 0
    schedule: uint256 = self._schedule
    since: uint256 = (schedule >> 72) & LOW_40
    if since == block.timestamp:
        return 0
    due: uint256 = recovery
    remaining: uint256 = (schedule & LOW_72) - (since << TICK_BITS)
    passed: uint256 = (block.timestamp - since) << TICK_BITS
    if passed < remaining:
        due = recovery * passed // remaining
    closed: uint256 = min(due, losses >> 128)
    self._losses = losses - (closed << 128) - due
    self._schedule = ((schedule >> 112) << 112) | (block.timestamp << 72) | (schedule & LOW_72)
    return due - closed


@internal
def _set_open_deficit(deficit: uint256):
    """
    @param deficit Sum over the open insolvent auctions, WAD; 0: there is none.
    """
    assert deficit < 2**128, "shortfall: overflow"
    losses: uint256 = self._losses
    if deficit == 0:
        self._losses = losses & ~HAS_DEFICIT
    else:
        self._losses = losses | HAS_DEFICIT
    self._schedule = (deficit << 112) | (self._schedule & (2**112 - 1))


# Small things


@internal
def _store(shortfall: uint256, losses: uint256):
    """
    @notice Replaces the shortfall in the packed word.
    """
    assert shortfall < 2**128, "shortfall: overflow"
    self._losses = (shortfall << 128) | (losses & (2**128 - 1))


@internal
@pure
def _share(cash: uint256, pool: uint256, missing: uint256, unit: uint256) -> uint256:
    """
    @notice Tokens for cash where as much of all cash is missing, rounded down to a multiple of the unit.
    """
    tokens: uint256 = cash
    if missing != 0:
        tokens = cash * pool // (pool + missing)
    return tokens - tokens % unit


@internal
@pure
def _ratio(pool: uint256, missing: uint256) -> uint256:
    if missing == 0:
        return c.WAD
    return pool * c.WAD // (pool + missing)
