"""The newest value of every channel that a stream has sent. Written by its thread, read by any."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from keeper.sources.deribit_messages import IndexUpdate, Ticker

_INDEX = "deribit_price_index."
_TICKER = "ticker."


class Board:
    """Values by instrument and by index. Nothing is ever re-stamped: a value is as old as the venue says.

    Attributes:
        counts: notifications taken, `late` (older than what is held, dropped), `malformed` and `unknown`.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._tickers: dict[str, Ticker] = {}
        self._indices: dict[str, IndexUpdate] = {}

    def take(self, parameters: Mapping[str, Any]) -> None:
        """One notification's `params`; what cannot be read is counted and changes nothing."""
        channel, data = parameters.get("channel"), parameters.get("data")
        try:
            if isinstance(channel, str) and channel.startswith(_INDEX):
                update = IndexUpdate.model_validate(data)
                self._keep(self._indices, update.index_name, update)
            elif isinstance(channel, str) and channel.startswith(_TICKER):
                ticker = Ticker.model_validate(data)
                self._keep(self._tickers, ticker.instrument_name, ticker)
            else:
                self.count("unknown")
        except ValidationError:
            self.count("malformed")

    def count(self, what: str) -> None:
        """One more of something."""
        with self._lock:
            self.counts[what] += 1

    def tickers(self) -> dict[str, Ticker]:
        """Newest ticker by instrument."""
        with self._lock:
            return dict(self._tickers)

    def indices(self) -> dict[str, IndexUpdate]:
        """Newest value by index name."""
        with self._lock:
            return dict(self._indices)

    def forget(self, keep: frozenset[str]) -> None:
        """Drop the tickers of instruments that are not watched any more."""
        with self._lock:
            self._tickers = {name: t for name, t in self._tickers.items() if name in keep}

    def _keep(self, held: dict[str, Any], name: str, new: Ticker | IndexUpdate) -> None:
        with self._lock:
            if name in held and new.timestamp < held[name].timestamp:
                self.counts["late"] += 1
                return
            held[name] = new
            self.counts["taken"] += 1
