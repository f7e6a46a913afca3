"""Which funding rates to renew, and which debts to note. Pure; on chain time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.chain.liquidation import Valuation
from keeper.jobs.observe import ChainView
from keeper.liquidation.debts import Debt
from keeper.markets.instrument import Instrument, Kind
from keeper.store.index_store import AccountRow

FUNDING_SECONDS = 3_600  # a rate is renewed in every hour of the clock: it stops after eight without
DEBT_SECONDS = (
    86_400  # interest grows with time, so a later note costs the debtor the same and the chain less
)


@dataclass(frozen=True, slots=True)
class Owed:
    """What is known of an account that may owe: cash and funding, its book's bounds, its last note."""

    liquid: int
    value: Valuation
    debt: Debt


def perps_held(accounts: Sequence[AccountRow]) -> list[int]:
    """Underlyings whose perps somebody holds: nobody pays on the others."""
    found = (Instrument.unpack(instrument) for row in accounts for instrument, _ in row.positions)
    return sorted({i.underlying for i in found if i.kind == Kind.PERP})


def decide_funding(now: int, number: int, updated: Mapping[int, tuple[int, int]]) -> tuple[int, ...]:
    """Underlyings whose rate is to be renewed by the latest epoch.

    Args:
        now: time of that epoch.
        number: of that epoch.
        updated: by underlying, number and time of the epoch of the last update; time 0: not known.
    """
    return tuple(
        underlying
        for underlying, (epoch, time) in sorted(updated.items())
        if epoch < number and now // FUNDING_SECONDS > time // FUNDING_SECONDS
    )


def debtors(view: ChainView) -> list[AccountRow]:
    """Accounts that may owe, now or at their last note: those with collateral, and not in an auction."""
    return [row for row in view.accounts if row.collateral and not row.frozen]


def decide_notes(now: int, owed: Mapping[int, Owed], buffer: int) -> tuple[int, ...]:
    """Accounts whose debt is to be noted: one that is new and above the buffer, old, or no longer there."""
    return tuple(account for account, found in sorted(owed.items()) if _is_due(now, found, buffer))


def _is_due(now: int, owed: Owed, buffer: int) -> bool:
    if owed.value.expired:
        return False  # it settles first
    settled = owed.liquid + owed.value.linear_high
    if settled >= 0:
        return bool(owed.debt.noted or owed.debt.drawn)
    if owed.debt.noted:
        return now - owed.debt.since >= DEBT_SECONDS
    return settled < -buffer
