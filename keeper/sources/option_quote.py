"""One option's quote, whoever it comes from: a recorded file or a venue's API."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class QuoteState(Enum):
    """What the two sides of a quote say together."""

    TWO_SIDED = "two-sided"
    ONE_SIDED = "one-sided"
    CROSSED = "crossed"
    MARK_ONLY = "mark only"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class OptionQuote:
    """One option at one moment. None means that the venue does not say; a price of zero is no quote.

    Attributes:
        underlying: coin or index, as "BTC".
        expiry: unix seconds.
        strike: USD.
        timestamp: unix seconds of the quote.
        years: time to expiry, as recorded, else of 365 days.
        forward: of this expiry, USD, as recorded.
        spot: index, USD.
        bid: USD, as `ask` and `mark`.
        bid_vol: annualised (0.6 = 60 %), as `ask_vol` and `mark_vol`.
        discount: value today of 1 USD at the expiry.
    """

    underlying: str
    expiry: int
    strike: float
    is_call: bool
    timestamp: int
    years: float
    forward: float | None = None
    spot: float | None = None
    bid: float | None = None
    ask: float | None = None
    mark: float | None = None
    bid_vol: float | None = None
    ask_vol: float | None = None
    mark_vol: float | None = None
    discount: float = 1.0

    @property
    def has_bid(self) -> bool:
        """A bid as price or as vol."""
        return self.bid is not None or self.bid_vol is not None

    @property
    def has_ask(self) -> bool:
        """An ask as price or as vol."""
        return self.ask is not None or self.ask_vol is not None

    @property
    def state(self) -> QuoteState:
        """Crossed when the bid lies above the ask, in prices or else in vols."""
        if self.has_bid and self.has_ask:
            crossed = _above(self.bid, self.ask) or _above(self.bid_vol, self.ask_vol)
            return QuoteState.CROSSED if crossed else QuoteState.TWO_SIDED
        if self.has_bid or self.has_ask:
            return QuoteState.ONE_SIDED
        if self.mark is not None or self.mark_vol is not None:
            return QuoteState.MARK_ONLY
        return QuoteState.EMPTY


@dataclass(frozen=True, slots=True)
class Chain:
    """Quotes of one moment, of one or several underlyings.

    Attributes:
        timestamp: unix seconds of its newest quote.
        repeated: quotes that a later one of the same option replaced.
        expired: quotes left out because their expiry had passed.
    """

    timestamp: int
    quotes: tuple[OptionQuote, ...]
    repeated: int = 0
    expired: int = 0

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Underlyings quoted, in alphabetical order."""
        return tuple(sorted({q.underlying for q in self.quotes}))


def latest(quotes: Sequence[OptionQuote]) -> Chain:
    """The last quote of each option that has not expired, ordered by underlying, expiry, strike and kind.

    Raises:
        ValueError: there is no quote.
    """
    if not quotes:
        raise ValueError("chains: no quotes; give a file or an answer that holds some")
    newest = {(q.underlying, q.expiry, q.strike, q.is_call): q for q in quotes}
    alive = [q for _, q in sorted(newest.items()) if q.years > 0.0]
    timestamp = max(q.timestamp for q in quotes)
    return Chain(timestamp, tuple(alive), len(quotes) - len(newest), len(newest) - len(alive))


def _above(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and low > high
