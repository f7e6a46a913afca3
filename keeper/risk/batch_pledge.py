"""Margins of many accounts with coins beside their books: as `keeper.risk.margin.account_margin`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.risk.batch import margins_of_positions
from keeper.risk.batch_blocks import in_blocks
from keeper.risk.batch_levels import rates_of
from keeper.risk.batch_margins import BatchMargins
from keeper.risk.batch_table import BatchTable
from keeper.risk.collateral import Collateral
from keeper.risk.compiled_pledge import Fixed, Market, Tokens, credit, pledge, with_coins
from keeper.risk.compiled_scan import Positions
from keeper.risk.scan import Integers
from keeper.risk.table import spot_of
from keeper.risk.wide import Wide, wide_of
from keeper.units.constants import PRICE_UNIT

# whole numbers in doubles
_MOST_STEPS = 2**52


@dataclass(frozen=True)
class Pledged:
    """Accounts with the coins that need least, WAD.

    Attributes:
        initial, maintenance: requirements.
        states: with the coins pledged for the initial margin, then for the maintenance margin.
        coins: pledged of each balance for either, 1e-8 coins, shape (2, balances).
        indptr: balances of each account.
        undecided: accounts that need integers of any length; nothing of them counts.
    """

    initial: Wide
    maintenance: Wide
    states: tuple[BatchMargins, BatchMargins]
    coins: Integers
    indptr: Integers
    undecided: npt.NDArray[np.bool_]


class _Need(NamedTuple):
    required: Wide
    state: BatchMargins


def pledged(found: BatchMargins, collateral: Sequence[Sequence[Collateral]]) -> Pledged:
    """The least requirement of each account.

    Args:
        found: the accounts' margins without coins.
        collateral: balances of each account, ascending by token.

    Raises:
        LookupError: a collateral's underlying is not in the table.
    """
    size, table = len(found), found.table
    tokens = _tokens(collateral, table)
    base = Positions(found.books.indptr, found.books.rows, found.books.quantities)
    fixed = Fixed(found.proportional, found.addons.liquidity, found.multipliers)
    market = _market(table)
    coins = np.zeros((2, len(tokens.steps)), dtype=np.int64)
    undecided = np.zeros(size, dtype=np.bool_)
    undecided[found.recomputed] = True
    too_large = np.flatnonzero(tokens.steps > _MOST_STEPS)
    undecided[np.searchsorted(tokens.indptr, too_large, side="right") - 1] = True
    tokens.steps[too_large] = 0
    in_blocks(lambda span: pledge(base, tokens, market, fixed, span, coins, undecided), size, None)
    needs = [_need(found, base, tokens, coins, level) for level in range(2)]
    for need in needs:
        undecided |= need.state.levels.undecided
        undecided[need.state.recomputed] = True
    return Pledged(
        needs[0].required,
        needs[1].required,
        (needs[0].state, needs[1].state),
        coins,
        tokens.indptr,
        undecided,
    )


def _tokens(collateral: Sequence[Sequence[Collateral]], table: BatchTable) -> Tokens:
    held = [one for row in collateral for one in row]
    indptr = np.zeros(len(collateral) + 1, dtype=np.int64)
    indptr[1:] = np.cumsum([len(row) for row in collateral])
    source = table.source
    rows = [source.unit(spot_of(one.underlying)).line for one in held]
    spots = [source.market.underlying(one.underlying).effective for one in held]
    haircuts = [[one.initial_haircut for one in held], [one.maintenance_haircut for one in held]]
    steps = [min(one.amount // PRICE_UNIT, _MOST_STEPS + 1) for one in held]
    return Tokens(
        indptr,
        np.array(rows, dtype=np.int32),
        np.array(spots, dtype=np.int64),
        np.array(haircuts, dtype=np.int64).reshape(2, len(held)),
        np.array(steps, dtype=np.int64),
    )


def _market(table: BatchTable) -> Market:
    methodology = table.source.methodology
    rates, most = rates_of(table)
    return Market(
        cells=table.cells,
        layout=table.layout,
        share=float(methodology.scan.offset_ppm),
        history=table.history,
        tail=table.tail,
        stressed=methodology.expected_shortfall.stressed_ppm,
        units=table.units,
        weights=table.weights,
        peaks=table.peaks,
        rates=rates,
        most=most,
    )


def _need(found: BatchMargins, base: Positions, tokens: Tokens, coins: Integers, level: int) -> _Need:
    """Requirements with the coins chosen, and the state that they are of."""
    book = _together(base, tokens, coins[level])
    state = margins_of_positions(found, book)
    margin = state.levels.initial if level == 0 else state.levels.maintenance
    given = [
        int(high) << 64 | int(low)
        for high, low in (
            credit(tokens, a, coins[level, tokens.indptr[a] : tokens.indptr[a + 1]], level)
            for a in range(len(found))
        )
    ]
    required = [max(0, m - c) for m, c in zip(margin.integers(), given, strict=True)]
    return _Need(wide_of(required), state)


def _together(base: Positions, tokens: Tokens, coins: Integers) -> Positions:
    """Legs, with the coins as legs of their spot."""
    size = len(base.indptr) - 1
    room = len(base.rows) + len(coins)
    rows, quantities = np.zeros(room, dtype=np.int32), np.zeros(room, dtype=np.int64)
    indptr = np.zeros(size + 1, dtype=np.int64)
    for account in range(size):
        begin = indptr[account]
        own = coins[tokens.indptr[account] : tokens.indptr[account + 1]]
        count = with_coins(base, tokens, account, own, rows[begin:], quantities[begin:])
        indptr[account + 1] = begin + count
    return Positions(indptr, rows[: indptr[-1]], quantities[: indptr[-1]])
