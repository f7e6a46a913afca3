"""Portfolios in human units: quantities in coins, money in USD."""

from dataclasses import dataclass
from enum import StrEnum

from keeper.markets.instrument import Kind


class MarginMode(StrEnum):
    """What margins a position together: everything, or only what shares its underlying or expiry."""

    CROSS = "cross"
    ISOLATED_UNDERLYING = "isolated-underlying"
    ISOLATED_EXPIRY = "isolated-expiry"


@dataclass(frozen=True, slots=True)
class Position:
    """One position.

    Attributes:
        underlying: symbol, such as "BTC".
        quantity: coins, positive long.
        strike: USD, of options; expiry: unix seconds, 0 of perps.
        entry: price paid per coin of a perp or future whose profit is not yet in cash; None when it is.
    """

    underlying: str
    kind: Kind
    quantity: float
    strike: float = 0.0
    expiry: int = 0
    entry: float | None = None

    def __post_init__(self) -> None:
        if (self.expiry == 0) != (self.kind == Kind.PERP):
            raise ValueError(f"portfolio: a {self.kind.name.lower()} of {self.underlying} has a wrong expiry")
        if (self.strike > 0.0) != (self.kind >= Kind.CALL):
            raise ValueError(f"portfolio: a {self.kind.name.lower()} of {self.underlying} has a wrong strike")

    @property
    def is_option(self) -> bool:
        """Whether it has a strike."""
        return self.kind >= Kind.CALL


@dataclass(frozen=True, slots=True)
class Holding:
    """Collateral beside the cash.

    Attributes:
        asset: symbol of a listed underlying.
        amount: coins, not negative.
        initial_haircut, maintenance_haircut: share of the value that equity leaves out.
    """

    asset: str
    amount: float
    initial_haircut: float = 0.0
    maintenance_haircut: float = 0.0

    def __post_init__(self) -> None:
        if self.amount < 0.0:
            raise ValueError(f"portfolio: negative collateral in {self.asset}")
        if not 0.0 <= self.maintenance_haircut <= self.initial_haircut <= 1.0:
            raise ValueError(f"portfolio: haircuts of {self.asset} are not 0 <= maintenance <= initial <= 1")


@dataclass(frozen=True, slots=True)
class Portfolio:
    """One account.

    Attributes:
        cash: USD, signed.
        unsettled: profit and funding of perps and futures not yet in cash, USD, beside that of `entry`.
        tier: credit tier, an index into the methodology's tiers.
        margin_mode: models that margin everything together whatever it says ignore it.
    """

    positions: tuple[Position, ...]
    cash: float = 0.0
    collateral: tuple[Holding, ...] = ()
    name: str = ""
    tier: int = 0
    margin_mode: MarginMode = MarginMode.CROSS
    unsettled: float = 0.0
