"""Schema of a market file, and the market it says. Prices are USD; vols and rates annual, 0.6 is 60 %."""

from typing import Annotated, Literal, Self

from pydantic import Field, WrapValidator, model_validator

from keeper.portfolio.fields import (
    Moment,
    NotNegative,
    Number,
    Positive,
    Section,
    Share,
    Symbol,
    Vol,
    distinct,
    keys_once,
)
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.moments import iso_text
from keeper.pricing.svi import Svi
from keeper.units.constants import SETTLEMENT_WINDOW


class SmileSection(Section):
    """Raw SVI of total variance to the expiry, in ln(K / forward).

    Attributes:
        forward, years: those the smile was fitted at; of the market where left out.
    """

    a: Number
    b: NotNegative
    rho: Number = Field(gt=-1, lt=1)
    m: Number
    sigma: Positive
    forward: Positive | None = None
    years: Positive | None = None

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.a + self.b * self.sigma * (1.0 - self.rho**2) ** 0.5 < 0.0:
            raise ValueError("total variance is negative at its least: raise `a`")
        return self

    def state(self) -> Svi:
        """The slice."""
        return Svi(self.a, self.b, self.rho, self.m, self.sigma)


class ExpirySection(Section):
    """One expiry.

    Attributes:
        forward: expected settlement price, USD.
        fixed: of the forward, the part already averaged; only inside the last 30 minutes, and needed there.
        rate: continuously compounded, per year.
        confidence: least of forward and vols; rate_confidence: of the rate.
        svi, vols: the smile, and vols by strike, which stand before it; one is enough, futures need neither.
    """

    expiry: Moment
    forward: Positive
    fixed: NotNegative | None = None
    rate: Number = 0.0
    confidence: Share = 1.0
    rate_confidence: Share = 1.0
    svi: SmileSection | None = None
    vols: Annotated[dict[Positive, Vol], WrapValidator(keys_once)] = {}

    @model_validator(mode="after")
    def _fixed_part(self) -> Self:
        if (self.fixed or 0.0) > self.forward:
            raise ValueError("`fixed` is above `forward`, of which it is a part")
        return self

    def state(self) -> Expiry:
        """As the models take it."""
        return Expiry(
            expiry=self.expiry,
            forward=self.forward,
            fixed=self.fixed or 0.0,
            rate=self.rate,
            smile=self.svi.state() if self.svi else None,
            vols=tuple(sorted(self.vols.items())),
            confidence=self.confidence,
            rate_confidence=self.rate_confidence,
            smile_forward=self.svi.forward if self.svi else None,
            smile_years=self.svi.years if self.svi else None,
        )


class UnderlyingSection(Section):
    """One underlying.

    Attributes:
        perp: mark price of its perpetual; the spot when left out.
        volatility_scale: today's vol regime over that of the expected-shortfall set.
    """

    spot: Positive
    perp: Positive | None = None
    confidence: Share = 1.0
    perp_confidence: Share = 1.0
    volatility_scale: Positive = 1.0
    expiries: tuple[ExpirySection, ...] = ()

    @model_validator(mode="after")
    def _expiries_once(self) -> Self:
        distinct([iso_text(section.expiry) for section in self.expiries], "expiry")
        return self

    def state(self, symbol: str) -> Underlying:
        """As the models take it."""
        return Underlying(
            symbol=symbol,
            spot=self.spot,
            perp=self.spot if self.perp is None else self.perp,
            expiries={section.expiry: section.state() for section in self.expiries},
            confidence=self.confidence,
            perp_confidence=self.perp_confidence,
            volatility_scale=self.volatility_scale,
        )


class MarketFile(Section):
    """A whole file; `settlement_price` is the price of the settlement coin, USD."""

    format: Literal["plimsoll-market-1"]
    timestamp: Moment
    note: str = ""
    settlement_price: Positive = 1.0
    underlyings: Annotated[dict[Symbol, UnderlyingSection], WrapValidator(keys_once), Field(min_length=1)]

    @model_validator(mode="after")
    def _alive(self) -> Self:
        for symbol, underlying in self.underlyings.items():
            for section in underlying.expiries:
                self._check_time(f"expiry {iso_text(section.expiry)} of {symbol}", section)
        return self

    def _check_time(self, what: str, section: ExpirySection) -> None:
        left = section.expiry - self.timestamp
        if left <= 0:
            raise ValueError(f"{what} has passed: leave it out and put what it paid into the cash")
        if section.fixed is None and left < SETTLEMENT_WINDOW:
            raise ValueError(f"{what} is being averaged: add `fixed`, the part of its forward already known")
        if section.fixed and left >= SETTLEMENT_WINDOW:
            raise ValueError(f"{what} is not being averaged yet: leave `fixed` out")

    def market(self) -> MarketState:
        """As the models take it."""
        return MarketState(
            timestamp=self.timestamp,
            underlyings={symbol: section.state(symbol) for symbol, section in self.underlyings.items()},
            settlement_price=self.settlement_price,
        )
