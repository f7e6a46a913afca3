"""Margin statements of single accounts: leaves of an epoch, and reports after one action."""

from collections.abc import Iterable
from dataclasses import dataclass

from keeper.attestation.charges import breakdown_hash
from keeper.attestation.snapshot import AccountState, Snapshot
from keeper.attestation.typed_data import MarginLeaf, Report
from keeper.risk.margin import Margin, RiskTable, account_margin, build_table
from keeper.risk.methodology import Methodology


@dataclass(frozen=True)
class RiskTables:
    """Risk tables of one snapshot at the effective and at the posted spot; the same object where they
    agree.
    """

    effective: RiskTable
    posted: RiskTable


def build_tables(snapshot: Snapshot, methodology: Methodology, extra: Iterable[int] = ()) -> RiskTables:
    """Price a snapshot's universe, every account's legs and `extra` instruments.

    Raises:
        ValueError: the snapshot names another methodology.
        LookupError: a leg's underlying or expiry is not in the snapshot's market.
    """
    if snapshot.methodology_hash != methodology.hash():
        raise ValueError("attestation: snapshot of another methodology")
    instruments = snapshot.traded_instruments() | set(extra)
    effective = build_table(snapshot.market, methodology, instruments)
    if snapshot.market.is_inside_bands:
        return RiskTables(effective, effective)
    return RiskTables(effective, build_table(snapshot.market.at_posted_spot(), methodology, instruments))


def margin_leaf(state: AccountState, tables: RiskTables) -> tuple[MarginLeaf, Margin]:
    """Statement of one account, and the margin behind it with its breakdown (at the effective spot)."""
    tier = tables.effective.methodology.counted_tier(state.tier)
    margin = account_margin(state.legs, tables.effective, tier, state.collateral)
    posted = margin
    if tables.posted is not tables.effective:
        posted = account_margin(state.legs, tables.posted, tier, state.collateral)
    statement = MarginLeaf(
        account=state.account,
        added_im=state.added_im,
        added_mark=state.added_mark,
        book_hash=state.book_hash,
        mark_to_market=margin.mark,
        initial_margin=margin.initial,
        maintenance_margin=margin.maintenance,
        mark_posted=posted.mark,
        maintenance_posted=posted.maintenance,
        marginal=max(margin.marginal, posted.marginal),
        max_added_im=min(margin.max_added, posted.max_added),
        breakdown_hash=breakdown_hash(margin.breakdown),
    )
    return statement, margin


def build_report(
    snapshot: Snapshot,
    methodology: Methodology,
    *,
    epoch: int,
    action: bytes,
    after: AccountState,
    deadline: int,
    tables: RiskTables | None = None,
) -> tuple[Report, Margin]:
    """Margin of one account after one action, on the market of the latest epoch's snapshot.

    Args:
        epoch: number of that epoch.
        action: EIP-712 struct hash of the fill or withdrawal.
        after: the account after the action, counters and book hash included, as the accounting twin computes
            them.
        deadline: unix seconds after which the chain refuses the report.
        tables: of `build_tables(snapshot, methodology)`, to save the re-pricing; used when they hold every
            leg.

    Raises:
        ValueError, LookupError, OverflowError: the account cannot be margined.
    """
    missing = [] if tables is None else [g for g in after.legs if g.instrument not in tables.effective.marks]
    if tables is None or missing:
        tables = build_tables(snapshot, methodology, (leg.instrument for leg in after.legs))
    statement, margin = margin_leaf(after, tables)
    return Report(epoch, action, statement, deadline), margin
