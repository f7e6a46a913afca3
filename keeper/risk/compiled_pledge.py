"""How many coins to pledge beside many books: the search of `keeper.risk.collateral`, to the step.

The same evaluations in the same order, each on the kernels of large books: so the same coins, unless doubles
cannot decide one of them; then the account is marked for the exact integers.
"""

from typing import NamedTuple

import numpy as np

from keeper.risk.batch_levels import Rates, margin
from keeper.risk.compiled import Array, compiled
from keeper.risk.compiled_exact import UNDECIDED, part_up
from keeper.risk.compiled_greeks import GreeksResult, Units, Weights, charge_greeks
from keeper.risk.compiled_scan import Cells, Layout, Positions, ScanResult, fits, scan
from keeper.risk.compiled_shortfall import Tail, shortfall
from keeper.risk.wide import Number, minus, over, plus, times

_PPM = 1_000_000
_HUNDRED, _ZERO = np.uint64(100), np.uint64(0)
_TOP = np.uint64(1 << 63)
_PRECISION_BITS, _SLOPE_BITS, _SLOPE_STEPS = 30, 20, 1_000
_GOLDEN, _GOLDEN_UNIT = 618_033_989, 1_000_000_000


class Tokens(NamedTuple):
    """Balances of all accounts: account a has indptr[a] to indptr[a + 1], ascending by token.

    Attributes:
        rows: of the instrument that stands for the coin; spots: effective, 1e-8 USD; haircuts: basis points,
            the initial ones and the maintenance ones, shape (2, balances); steps: 1e-8 coins.
    """

    indptr: Array
    rows: Array
    spots: Array
    haircuts: Array
    steps: Array


class Market(NamedTuple):
    """What a core margin is made of, from a `BatchTable`."""

    cells: Cells
    layout: Layout
    share: float
    history: Cells
    tail: Tail
    stressed: int
    units: Units
    weights: Weights
    peaks: Array
    rates: Rates
    most: int


class Fixed(NamedTuple):
    """By account, what coins do not change: add-ons in the core margin and liquidity, quanta; multiplier."""

    addons: Array
    liquidity: Array
    multipliers: Array


class _Work(NamedTuple):
    """Room for one account with its coins."""

    indptr: Array
    rows: Array
    quantities: Array
    kept: Array
    scanned: ScanResult
    losses: Array
    risk: Array
    greeks: GreeksResult
    coins: Array
    order: Array


@compiled
def with_coins(
    p: Positions, tokens: Tokens, account: int, coins: Array, rows: Array, quantities: Array
) -> int:
    """One account's legs with coins as legs of their spot, ascending by row; their number."""
    count = 0
    for j in range(p.indptr[account], p.indptr[account + 1]):
        rows[count], quantities[count] = p.rows[j], p.quantities[j]
        count += 1
    for k in range(tokens.indptr[account], tokens.indptr[account + 1]):
        amount = coins[k - tokens.indptr[account]]
        if amount == 0:
            continue
        row, place = tokens.rows[k], count
        while place > 0 and rows[place - 1] > row:
            rows[place], quantities[place] = rows[place - 1], quantities[place - 1]
            place -= 1
        rows[place], quantities[place] = row, amount
        count += 1
    return count


@compiled
def _required(
    p: Positions, tokens: Tokens, market: Market, fixed: Fixed, account: int, level: int, work: _Work
) -> tuple[Number, bool]:
    """What the account needs with the coins in `work`, WAD with sign; whether that is decided."""
    count = with_coins(p, tokens, account, work.coins, work.rows, work.quantities)
    work.indptr[1] = count
    book = Positions(work.indptr, work.rows, work.quantities)
    core = fixed.addons[account]
    if count:
        one = (0, 1)
        fits(book, market.peaks, one, work.kept)
        if not work.kept[0]:
            return (_ZERO, _ZERO), False
        scan(book, market.cells, market.layout, market.share, one, work.scanned)
        shortfall(book, market.history, market.tail, one, work.losses, work.risk)
        greeks = work.greeks
        greeks.vega[0] = greeks.curvature[0] = greeks.theta[0] = greeks.concentration[0] = greeks.roll[0] = 0
        charge_greeks(book, market.units, market.weights, one, greeks)
        if greeks.undecided[0]:
            return (_ZERO, _ZERO), False
        expected = max(work.losses[0, 0], part_up(work.losses[0, 1], market.stressed, _PPM))
        core += max(max(greeks.total[0], work.scanned.charge[0]), expected) + greeks.roll[0]
    if core > market.most:
        return (_ZERO, _ZERO), False
    needed = margin(core, fixed.liquidity[account], fixed.multipliers[account], market.rates, level)
    return minus(needed, credit(tokens, account, work.coins, level)), True


@compiled
def credit(tokens: Tokens, account: int, coins: Array, level: int) -> Number:
    """Haircuts given back for coins, WAD, rounded down."""
    total = (_ZERO, _ZERO)
    for k in range(tokens.indptr[account], tokens.indptr[account + 1]):
        value = times((_ZERO, np.uint64(coins[k - tokens.indptr[account]])), np.uint64(tokens.spots[k]))
        total = plus(total, times(value, np.uint64(tokens.haircuts[level, k])))
    return over(total, _HUNDRED)


@compiled
def _is_less(x: Number, y: Number) -> bool:
    """Whether x < y, with sign."""
    a, b = x[0] ^ _TOP, y[0] ^ _TOP
    return bool(a < b or (a == b and x[1] < y[1]))


@compiled
def _between(low: int, high: int, share: int) -> int:
    """low + (high - low) * share / 1e9, rounded down."""
    part = over(times((_ZERO, np.uint64(high - low)), np.uint64(share)), np.uint64(_GOLDEN_UNIT))
    return low + int(part[1])


@compiled
def pledge(
    p: Positions,
    tokens: Tokens,
    market: Market,
    fixed: Fixed,
    span: tuple[int, int],
    out: Array,
    undecided: Array,
) -> None:
    """Coins to pledge for the initial and the maintenance margin of the accounts `span`.

    Args:
        out: 1e-8 coins by balance, shape (2, balances).
    """
    work = _room(p, tokens, span)
    for account in range(span[0], span[1]):
        begin, count = tokens.indptr[account], tokens.indptr[account + 1] - tokens.indptr[account]
        for level in range(2):
            work.coins[:count] = 0
            _sort(tokens, begin, count, level, work.order)
            decided = True
            for _ in range(min(2, count)):
                for k in range(count):
                    if decided:
                        token = work.order[k]
                        most = tokens.steps[begin + token]
                        best = _best(p, tokens, market, fixed, account, level, work, token, most)
                        decided = best >= 0
                        work.coins[token] = best
            if not decided:
                undecided[account] = True
                break
            for k in range(count):
                out[level, begin + k] = work.coins[k]


@compiled
def _room(p: Positions, tokens: Tokens, span: tuple[int, int]) -> _Work:
    most = 1
    for account in range(span[0], span[1]):
        held = tokens.indptr[account + 1] - tokens.indptr[account]
        most = max(most, p.indptr[account + 1] - p.indptr[account] + held)
    ints = np.zeros((9, 1), dtype=np.int64)
    none = np.zeros((1, 0), dtype=np.int64)
    return _Work(
        np.zeros(2, dtype=np.int64),
        np.zeros(most, dtype=np.int32),
        np.zeros(most, dtype=np.int64),
        np.zeros(1, dtype=np.bool_),
        ScanResult(ints[0], none, np.zeros((1, 0), dtype=np.int32), none),
        np.zeros((1, 2), dtype=np.int64),
        ints[1],
        GreeksResult(
            ints[2],
            ints[3],
            ints[4],
            ints[5],
            ints[6],
            ints[7],
            ints[8],
            np.zeros(1, dtype=np.int8),
            none,
            none,
            np.zeros(1, dtype=np.bool_),
        ),
        np.zeros(most, dtype=np.int64),
        np.zeros(most, dtype=np.int64),
    )


@compiled
def _sort(tokens: Tokens, begin: int, count: int, level: int, order: Array) -> None:
    """The token with the larger haircut first; of equals the first."""
    for k in range(count):
        place = k
        while (
            place > 0 and tokens.haircuts[level, begin + order[place - 1]] < tokens.haircuts[level, begin + k]
        ):
            order[place] = order[place - 1]
            place -= 1
        order[place] = k


@compiled
def _best(
    p: Positions,
    tokens: Tokens,
    market: Market,
    fixed: Fixed,
    account: int,
    level: int,
    work: _Work,
    token: int,
    most: int,
) -> int:
    """As `keeper.risk.collateral._least` for one token, the others as they are; or UNDECIDED."""
    near = min(max(most >> _SLOPE_BITS, _SLOPE_STEPS), most)
    if most == 0:
        return 0
    work.coins[token] = 0
    at_none, decided = _required(p, tokens, market, fixed, account, level, work)
    if not decided:
        return UNDECIDED
    if not _is_less((_ZERO, _ZERO), at_none):
        return 0
    work.coins[token] = near
    at_near, decided = _required(p, tokens, market, fixed, account, level, work)
    if not decided:
        return UNDECIDED
    if not _is_less(at_near, at_none):
        return 0
    work.coins[token] = most
    at_most, decided = _required(p, tokens, market, fixed, account, level, work)
    if not decided:
        return UNDECIDED
    work.coins[token] = most - near
    before, decided = _required(p, tokens, market, fixed, account, level, work)
    if not decided:
        return UNDECIDED
    if not _is_less(before, at_most):
        return most
    return _golden(p, tokens, market, fixed, account, level, work, token, most, at_none, at_most)


@compiled
def _golden(
    p: Positions,
    tokens: Tokens,
    market: Market,
    fixed: Fixed,
    account: int,
    level: int,
    work: _Work,
    token: int,
    most: int,
    at_low: Number,
    at_high: Number,
) -> int:
    """As `keeper.risk.collateral._golden`; what is known of a point is kept."""
    low, high = 0, most
    left = _between(low, high, _GOLDEN_UNIT - _GOLDEN)
    right = _between(low, high, _GOLDEN)
    work.coins[token] = left
    at_left, decided = _required(p, tokens, market, fixed, account, level, work)
    work.coins[token] = right
    at_right, also = _required(p, tokens, market, fixed, account, level, work)
    while decided and also and high - low > max(most >> _PRECISION_BITS, 3):
        if not _is_less(at_right, at_left):
            high, at_high = right, at_right
            right, at_right = left, at_left
            left = _between(low, high, _GOLDEN_UNIT - _GOLDEN)
            work.coins[token] = left
            at_left, decided = _required(p, tokens, market, fixed, account, level, work)
        else:
            low, at_low = left, at_left
            left, at_left = right, at_right
            right = _between(low, high, _GOLDEN)
            work.coins[token] = right
            at_right, decided = _required(p, tokens, market, fixed, account, level, work)
        if left >= right:
            break
    if not (decided and also):
        return UNDECIDED
    best, at_best = low, at_low
    if _is_less(at_left, at_best):
        best, at_best = left, at_left
    if _is_less(at_right, at_best):
        best, at_best = right, at_right
    if _is_less(at_high, at_best):
        best = high
    return best
