"""The volatility regime of one underlying from its daily closes, for keepers whose venues do not tell it."""

from pathlib import Path

from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM
from keeper.risk.volatility import ewma, log_returns, scale_ppm
from keeper.sources.price_files import read_price
from keeper.sources.prices import DAY
from keeper.sources.source import Listed, Observation

_MAX_DAYS_BEHIND = 3


class HistorySource:
    """Knows no prices, only the volatility scale; its file is read once a day, so appending is enough."""

    def __init__(
        self, venue: str, underlying: int, symbol: str, path: Path, methodology: Methodology
    ) -> None:
        """Args: path: CSV of bars, daily or shorter (`keeper.sources.price_files`)."""
        self.venue = venue
        self._underlying = underlying
        self._symbol = symbol
        self._path = path
        self._methodology = methodology
        self._known: tuple[int, int] | None = None  # day, scale

    def observe(self, now: int, listed: Listed) -> Observation:
        """The scale from the closes of whole days before today's.

        Raises:
            LookupError: the file cannot be used or ends more than three days ago, or the methodology does not
                know the symbol.
        """
        scales = {self._underlying: self._scale(now // DAY * DAY)} if self._underlying in listed else {}
        return Observation(self.venue, now, 0, {}, {}, volatility_scales_ppm=scales)

    def _scale(self, today: int) -> int:
        if self._known is None or self._known[0] != today:
            self._known = (today, self._computed(today))
        return self._known[1]

    def _computed(self, today: int) -> int:
        parameters = self._methodology.expected_shortfall
        reference = self._methodology.scenarios.references.get(self._symbol)
        if reference is None:
            raise LookupError(f"{self.venue}: the methodology's scenarios do not know {self._symbol}")
        try:
            days = read_price(self._path).daily().between(0, today)
            volatilities = ewma(log_returns(days.close.tolist()), parameters.volatility_decay_ppm / PPM)
        except ValueError as error:
            raise LookupError(f"{self.venue}: {error}") from error
        behind = (today - int(days.timestamps[-1])) // DAY - 1
        if behind > _MAX_DAYS_BEHIND:
            raise LookupError(f"{self.venue}: {self._path} ends {behind} days ago, append the closes since")
        return scale_ppm(volatilities, reference, parameters)
