"""How an account really stands: the exact methodology on the exact book, at both spots."""

from dataclasses import dataclass

from keeper.clearing import valuation
from keeper.clearing.account import Account
from keeper.markets.instrument import Instrument, Kind
from tests.stateful.epochs import Views, margin_of
from tests.stateful.protocol import Protocol


@dataclass(frozen=True)
class Health:
    """Equity towards both margins, and the margins, no higher than what the book can lose."""

    equity_initial: int
    equity_maintenance: int
    initial: int
    maintenance: int
    full: int  # equity with collateral at its price

    @property
    def is_below(self) -> bool:
        """Below maintenance margin."""
        return self.equity_maintenance < self.maintenance


def health(p: Protocol, account: Account, views: Views, posted: bool = False) -> Health:
    """At the effective or the posted spots of `views`."""
    margin = margin_of(account, views.posted if posted else views.effective)
    collateral = p.predictor.collateral(account, posted)
    most = _most_it_can_lose(account, margin.mark)
    return Health(
        account.cash + margin.mark + collateral.initial,
        account.cash + margin.mark + collateral.maintenance,
        margin.initial if most is None else min(margin.initial, most),
        margin.maintenance if most is None else min(margin.maintenance, most),
        account.cash + margin.mark + collateral.full,
    )


def is_weak(p: Protocol, number: int, views: Views | None = None) -> bool:
    """Below maintenance margin at the effective and at the posted spots, by default the epoch's."""
    account, at = p.account(number), views or p.epoch.views
    return health(p, account, at).is_below and health(p, account, at, posted=True).is_below


def is_fully_collateralised(p: Protocol, number: int) -> bool:
    """Cash covers the worst case: nothing can be lost that is not there."""
    account = p.account(number)
    worst = valuation.worst_case(account.positions)
    return worst is not None and account.cash + worst >= 0


def _most_it_can_lose(account: Account, mark: int) -> int | None:
    """None: without end."""
    if any(Instrument.unpack(i).kind == Kind.PERP for i in account.positions):
        return None
    least = [valuation.least_payoff(profile) for profile in valuation.profiles(account.positions).values()]
    if any(value is None for value in least):
        return None
    return max(0, mark - sum(value for value in least if value is not None))
