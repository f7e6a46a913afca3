"""From observations to a snapshot. Pure."""

from keeper.attestation.snapshot import Snapshot
from keeper.jobs.observe import ChainView
from keeper.jobs.universe import universe
from keeper.pricing.market import Market
from keeper.risk.methodology import Methodology


def snapshot_of(view: ChainView, market: Market, methodology: Methodology) -> Snapshot:
    """Everything an epoch is computed from: the market as given, the rest as this keeper sees the chain."""
    effective = [u.effective for u in market.underlyings]
    return Snapshot(
        chain_id=view.chain_id,
        block_number=view.block.number,
        block_hash=bytes.fromhex(view.block.hash[2:]),
        market=market,
        accounts=view.states,
        instruments=universe(view.listings, effective, view.states.held, market.timestamp),
        methodology_hash=methodology.hash(),
    )


def snapshot_difference(ours: Snapshot, theirs: Snapshot) -> str | None:
    """The first thing in which two snapshots differ, as text; None when they are the same. Markets are not
    compared."""
    for name in ("chain_id", "block_number", "block_hash", "methodology_hash"):
        if getattr(ours, name) != getattr(theirs, name):
            return f"snapshot {name}: {getattr(ours, name)!r} here, {getattr(theirs, name)!r} there"
    if [a.account for a in ours.accounts] != [a.account for a in theirs.accounts]:
        return "snapshot accounts: not the same ones"
    for mine, other in zip(ours.accounts, theirs.accounts, strict=True):
        for name in ("legs", "added_im", "added_mark", "book_hash", "tier", "collateral"):
            if getattr(mine, name) != getattr(other, name):
                return f"snapshot account {mine.account}: {name} differs"
    if ours.instruments != theirs.instruments:
        counts = f"{len(ours.instruments)} here, {len(theirs.instruments)} there"
        return f"snapshot instruments: {counts}, or not the same ones"
    return None
