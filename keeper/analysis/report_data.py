"""What a report page shows. Money in USD, volatilities as fractions, times unix seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Point = tuple[int, float]


@dataclass(frozen=True)
class AccountHistory:
    """One account, one figure of each kind per epoch.

    Attributes:
        equity: with collateral after the maintenance haircut, so that it compares with `maintenance`.
        initial, maintenance: margins; zero while the book is empty.
        state: the last word on it, such as "open" or "liquidated in part".
        fully_collateralised: its cash covers the worst payoff, so no margin binds it.
        funding, fees: received on perps, and paid on trades and debts, all in all.
    """

    name: str
    times: Sequence[int]
    equity: Sequence[float]
    initial: Sequence[float]
    maintenance: Sequence[float]
    state: str = "open"
    note: str = ""
    fully_collateralised: bool = False
    funding: float = 0.0
    fees: float = 0.0

    @property
    def least_cover(self) -> float | None:
        """Least equity as a multiple of the maintenance margin; None if it never had one."""
        ratios = [e / m for e, m in zip(self.equity, self.maintenance, strict=True) if m > 0]
        return min(ratios, default=None)


@dataclass(frozen=True)
class Bid:
    """A bid of an auction.

    Attributes:
        fraction: of what was left, 0 to 1.
        amount: paid by the bidder, or to it in an insolvent auction.
        level: where on the auction's curve it was made.
    """

    time: int
    fraction: float
    amount: float
    level: float


@dataclass(frozen=True)
class AuctionHistory:
    """One auction.

    Attributes:
        curve: share of the equity that is asked for; of an insolvent auction the share of the maintenance
            margin that is paid on top of the deficit.
        equity: of the account at the flag.
        outcome: such as "restored", "sold", "recovered", "open".
    """

    account: str
    insolvent: bool
    equity: float
    maintenance: float
    curve: Sequence[Point]
    bids: Sequence[Bid]
    outcome: str


@dataclass(frozen=True)
class SpotHistory:
    """One underlying: spot as posted and as held inside its bands."""

    symbol: str
    times: Sequence[int]
    posted: Sequence[float]
    effective: Sequence[float]


@dataclass(frozen=True)
class Smile:
    """Volatilities of one expiry at one epoch, by strike in USD."""

    underlying: str
    moment: int
    expiry: int
    strikes: Sequence[float]
    vols: Sequence[float]


@dataclass(frozen=True)
class Surface:
    """Volatilities by days to expiry (rows) and ln(strike / forward) (columns)."""

    underlying: str
    days: Sequence[float]
    moneyness: Sequence[float]
    vols: Sequence[Sequence[float]]


@dataclass(frozen=True)
class FundHistory:
    """The insurance fund's assets, and what it paid for deficits."""

    times: Sequence[int]
    assets: Sequence[float]
    covered: Sequence[Point] = ()


@dataclass(frozen=True)
class FundingHistory:
    """Perps of one underlying, by update: the premium of the mark over the spot, and what longs pay in eight
    hours, both as shares of the spot.
    """

    symbol: str
    times: Sequence[int]
    premiums: Sequence[float]
    rates: Sequence[float]


@dataclass(frozen=True)
class FeeHistory:
    """All that accounts have paid up to a time: fees of trades, and interest on what they owed."""

    times: Sequence[int]
    fees: Sequence[float]
    interest: Sequence[float]


@dataclass(frozen=True)
class Tile:
    """One figure of the summary."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Check:
    """Something that must hold."""

    name: str
    holds: bool


@dataclass(frozen=True)
class ReportData:
    """Everything on the page. `moments` are marked on the paths of the spots."""

    title: str
    subtitle: str
    tiles: Sequence[Tile]
    spots: Sequence[SpotHistory]
    accounts: Sequence[AccountHistory]
    auctions: Sequence[AuctionHistory]
    surfaces: Sequence[Surface]
    smiles: Sequence[Smile]
    fund: FundHistory | None
    gas: Mapping[str, Sequence[int]]
    checks: Sequence[Check]
    sources: Mapping[str, str]
    caveat: str
    moments: Mapping[int, str] = field(default_factory=dict)
    funding: Sequence[FundingHistory] = ()
    fees: FeeHistory | None = None
