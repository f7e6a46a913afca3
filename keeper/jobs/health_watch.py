"""Whether an account crosses a level of its health under a new market: then an epoch is due, however little
the spot has moved. Between epochs only the accounts nearest to a level are looked at, with exact margins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keeper.attestation.accounts import Accounts
from keeper.attestation.batch_leaves import batch_tables, figures_of, margin_leaves
from keeper.attestation.epoch import EpochStatement
from keeper.attestation.leaves import Leaves
from keeper.attestation.report import build_tables
from keeper.attestation.snapshot import Snapshot
from keeper.clearing.collateral import value_of
from keeper.jobs.health import listings_of
from keeper.jobs.observe import ChainView
from keeper.pricing.market import Market
from keeper.risk.methodology import Methodology
from keeper.risk.scan import Integers
from keeper.units.constants import WAD

WATCHED = 128
MARK, MAINTENANCE = 4, 6  # words of a margin leaf


@dataclass(frozen=True)
class Watched:
    """The accounts nearest to a level at an epoch.

    Attributes:
        epoch: its number.
        accounts: their ids, ascending.
        above: for each of them, for each level, whether its equity was at least that much.
    """

    epoch: int
    accounts: tuple[int, ...]
    above: tuple[tuple[bool, ...], ...]


def watched_of(
    view: ChainView, statement: EpochStatement, levels: Sequence[int], size: int = WATCHED
) -> Watched:
    """Who is to be watched until the next epoch; funding is left out, as it moves slowly."""
    spots = {u: spot.effective for u, spot in enumerate(view.spots, start=1)}
    near = _nearest(view, statement, spots, levels, size)
    found = [(account, statement.margin(account)) for account in near]
    above = tuple(
        _above(_equity(view, account, spots, leaf.mark_to_market), leaf.maintenance_margin, levels)
        for account, leaf in found
    )
    return Watched(statement.epoch.number, tuple(account for account, _ in found), above)


def crossing(
    view: ChainView, watched: Watched, market: Market, methodology: Methodology, levels: Sequence[int]
) -> str | None:
    """The first watched account that has crossed a level under `market`, in words; None: nobody has.

    Raises:
        ValueError, LookupError, OverflowError: an account cannot be margined.
    """
    spots = {u.underlying: u.effective for u in market.underlyings}
    kept = [place for place in (view.states.find(a) for a in watched.accounts) if place is not None]
    leaves = _leaves(view, market, methodology, view.states.take(np.array(kept, dtype=np.int64)))
    now = {leaf.account: leaf for leaf in leaves}
    for account, before in zip(watched.accounts, watched.above, strict=True):
        if account not in now:
            continue
        leaf = now[account]
        equity = _equity(view, account, spots, leaf.mark_to_market)
        after = _above(equity, leaf.maintenance_margin, levels)
        for level, was, is_now in zip(levels, before, after, strict=True):
            if was != is_now:
                way = "rises above" if is_now else "falls below"
                return f"account {account} {way} {level / WAD:g} of its maintenance margin"
    return None


def _leaves(view: ChainView, market: Market, methodology: Methodology, accounts: Accounts) -> Leaves:
    snapshot = Snapshot(
        chain_id=view.chain_id,
        block_number=view.block.number,
        block_hash=bytes.fromhex(view.block.hash[2:]),
        market=market,
        accounts=accounts,
        instruments=(),
        methodology_hash=methodology.hash(),
    )
    tables = batch_tables(build_tables(snapshot, methodology))
    return margin_leaves(accounts, figures_of(accounts, tables))


def _nearest(
    view: ChainView, statement: EpochStatement, spots: Mapping[int, int], levels: Sequence[int], size: int
) -> list[int]:
    """Accounts by how near, in multiples of their maintenance margin, they are to a level; floats will do."""
    leaves = statement.margins
    places = np.searchsorted(leaves.ids, view.states.ids)
    known = places < len(leaves)
    known[known] = leaves.ids[places[known]] == view.states.ids[known]
    rows = np.flatnonzero(known)
    mark, maintenance = (floats(leaves, place)[places[rows]] for place in (MARK, MAINTENANCE))
    equity = np.array([float(view.accounts[row].cash) for row in rows.tolist()]) + mark
    equity += np.array([_collateral(view, row, spots) for row in rows.tolist()])
    at_risk = maintenance > 0
    health = equity[at_risk] / maintenance[at_risk]
    distance = np.min([np.abs(health - level / WAD) for level in levels], axis=0) if levels else health
    chosen = np.argsort(distance, kind="stable")[: size if levels else 0]
    return sorted(int(view.states.ids[row]) for row in rows[at_risk][chosen])


def floats(leaves: Leaves, place: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """One word of every leaf, as far as a double holds it."""
    words: Integers = leaves.words[:, place].copy().view(">u8").reshape(len(leaves), 4)
    high, low = words[:, 2].astype(np.int64), words[:, 3].astype(np.float64)
    return np.asarray(high.astype(np.float64) * 2.0**64 + low)


def _collateral(view: ChainView, row: int, spots: Mapping[int, int]) -> float:
    held = view.accounts[row].collateral
    return float(value_of(dict(held), listings_of(view.collateral), spots).maintenance) if held else 0.0


def _equity(view: ChainView, account: int, spots: Mapping[int, int], mark: int) -> int:
    """Cash, collateral as it counts towards maintenance margin, and the legs' mark, WAD."""
    row = view.rows[account]
    held = value_of(dict(row.collateral), listings_of(view.collateral), spots).maintenance
    return row.cash + held + mark


def _above(equity: int, maintenance: int, levels: Sequence[int]) -> tuple[bool, ...]:
    return tuple(equity * WAD >= level * maintenance for level in levels)
