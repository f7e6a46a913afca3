"""Schema of a portfolio file, and the portfolio it says. Money is USD, quantities coins, positive long."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from keeper.markets.instrument import Kind
from keeper.portfolio.fields import Moment, NotNegative, Number, Positive, Section, Share, Symbol, distinct
from keeper.portfolio.names import Name, parse_name
from keeper.portfolio.portfolio import Holding, MarginMode, Portfolio, Position

TIERS = ("anonymous", "new", "verified-maker", "backing-institution")


def _tier(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if value in TIERS:
        return TIERS.index(str(value))
    raise ValueError(f"{value!r} is no tier: write one of {', '.join(TIERS)}, or its number")


def _not_zero(value: float) -> float:
    if value == 0.0:
        raise ValueError("is zero: leave the position out")
    return value


class PositionSection(Section):
    """A position by name (`instrument`), or by `underlying`, `kind`, `strike` and `expiry`.

    Attributes:
        quantity: coins, positive long.
        entry: USD per coin, of a perp or future whose profit since then is not yet in the cash.
    """

    quantity: Annotated[Number, AfterValidator(_not_zero)]
    instrument: str | None = None
    underlying: Symbol | None = None
    kind: Literal["perp", "future", "call", "put"] | None = None
    strike: Positive | None = None
    expiry: Moment | None = None
    entry: Positive | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        name = self._name()
        if self.entry is not None and name.kind >= Kind.CALL:
            raise ValueError("an option's premium is in the cash already: leave `entry` out")
        return self

    def _name(self) -> Name:
        """What it is a position in."""
        fields = (self.underlying, self.kind, self.strike, self.expiry)
        if self.instrument is not None:
            if any(field is not None for field in fields):
                raise ValueError("give `instrument`, or underlying, kind, strike and expiry, not both")
            return parse_name(self.instrument)
        if self.underlying is None or self.kind is None:
            raise ValueError("give `instrument`, such as BTC-27JUN25-100000-C, or underlying and kind")
        kind = Kind[self.kind.upper()]
        for field, given, wanted in (
            ("expiry", self.expiry is not None, kind != Kind.PERP),
            ("strike", self.strike is not None, kind >= Kind.CALL),
        ):
            if given != wanted:
                raise ValueError(f"a {self.kind} has {'a' if wanted else 'no'} {field}")
        return Name(self.underlying, kind, self.strike or 0.0, self.expiry or 0)

    def position(self) -> Position:
        """As the models take it."""
        name = self._name()
        return Position(name.underlying, name.kind, self.quantity, name.strike, name.expiry, self.entry)


class HoldingSection(Section):
    """Coins held as collateral; haircuts are shares of their value that do not count."""

    asset: Symbol
    amount: NotNegative
    initial_haircut: Share = 0.0
    maintenance_haircut: Share = 0.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.maintenance_haircut > self.initial_haircut:
            raise ValueError("maintenance_haircut is above initial_haircut: exchange them")
        return self


class PortfolioFile(Section):
    """A whole file.

    Attributes:
        cash: USD, negative when owed.
        unsettled: profit and funding of perps and futures not yet in cash, USD, beside that of `entry`.
        tier: credit tier, by name or number.
    """

    format: Literal["plimsoll-portfolio-1"]
    name: str = ""
    note: str = ""
    cash: Number = 0.0
    unsettled: Number = 0.0
    tier: Annotated[int, BeforeValidator(_tier)] = 0
    margin_mode: MarginMode = MarginMode.CROSS
    collateral: tuple[HoldingSection, ...] = ()
    positions: tuple[PositionSection, ...] = ()

    @model_validator(mode="after")
    def _assets_once(self) -> Self:
        distinct([holding.asset for holding in self.collateral], "collateral")
        return self

    def portfolio(self) -> Portfolio:
        """As the models take it."""
        return Portfolio(
            positions=tuple(section.position() for section in self.positions),
            cash=self.cash,
            collateral=tuple(
                Holding(h.asset, h.amount, h.initial_haircut, h.maintenance_haircut) for h in self.collateral
            ),
            name=self.name,
            tier=self.tier,
            margin_mode=self.margin_mode,
            unsettled=self.unsettled,
        )
