"""One coin's state at Deribit: asked for over REST, or as a stream has told it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from keeper.sources.deribit_messages import IndexUpdate, Ticker, quote_of_summary, quote_of_ticker
from keeper.sources.deribit_rest import DeribitError, DeribitRest
from keeper.sources.deribit_stream import DeribitStream, index_channel, ticker_channel
from keeper.sources.option_quote import OptionQuote

# coins whose options and perpetual are inverse; those of others are settled in USDC
_INVERSE = frozenset({"BTC", "ETH"})
_LEAST_SHARE = 0.5  # of the options, before a surface is made of them
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class CoinState:
    """One coin at the venue. Prices USD, times unix seconds."""

    index: float
    perpetual: float
    time: int
    options: tuple[OptionQuote, ...]


class Feed(Protocol):
    """Where the source gets a coin's state from."""

    def state(self, coin: str, now: int, with_options: bool) -> CoinState:
        """The newest known at chain time `now`. Raises LookupError without one."""
        ...


def perpetual_of(coin: str) -> str:
    """Name of a coin's perpetual."""
    return f"{coin}-PERPETUAL" if coin in _INVERSE else f"{coin}_USDC-PERPETUAL"


def _state(ticker: Ticker, index: float, time: int, options: Sequence[OptionQuote]) -> CoinState:
    return CoinState(index, ticker.mark_price, time, tuple(options))


class RestFeed:
    """Asks the REST API every time: two requests a coin."""

    def __init__(self, client: DeribitRest) -> None:
        self._client = client

    def state(self, coin: str, now: int, with_options: bool) -> CoinState:
        """The perpetual's ticker, which carries the index and a time, and the summaries of all options."""
        ticker = self._client.ticker(perpetual_of(coin))
        summaries = self._client.book_summaries(_currency(coin)) if with_options else []
        quotes = [q for s in summaries if (q := quote_of_summary(s)) is not None and q.underlying == coin]
        return _state(ticker, ticker.index_price, ticker.timestamp // 1_000, quotes)


class StreamFeed:
    """Reads what a stream has sent; which options there are is asked over REST, now and then."""

    def __init__(
        self,
        stream: DeribitStream,
        client: DeribitRest,
        coins: Sequence[str],
        seconds: int = 3_600,
        patience: float = 5.0,
    ) -> None:
        """Args:
        coins: all that will be asked for.
        seconds: between two looks at the list of options.
        patience: seconds from now that the first words are waited for.
        """
        self._stream = stream
        self._client = client
        self._coins = tuple(coins)
        self._seconds = seconds
        self._deadline = time.monotonic() + patience
        self._listed_at: dict[str, int] = {}
        self._options: dict[str, tuple[str, ...]] = dict.fromkeys(coins, ())
        self._watch()

    def state(self, coin: str, now: int, with_options: bool) -> CoinState:
        """As old as the older of index and perpetual. Raises DeribitError, also while half of the options
        have not been told of yet: a surface of a part of them would be another one.
        """
        self._refresh(now)
        index, perpetual, tickers = self._told(coin)
        names = self._options[coin] if with_options else ()
        told = [name for name in names if name in tickers]
        if len(told) < _LEAST_SHARE * len(names):
            raise DeribitError(f"deribit: only {len(told)} of {len(names)} options of {coin} told of yet")
        found = [quote_of_ticker(tickers[name]) for name in told]
        moment = min(index.timestamp, perpetual.timestamp) // 1_000
        return _state(perpetual, index.price, moment, [q for q in found if q is not None])

    def _told(self, coin: str) -> tuple[IndexUpdate, Ticker, dict[str, Ticker]]:
        """Index, perpetual and all tickers; waits a little for the stream's first words."""
        while True:
            tickers = self._stream.board.tickers()
            index, ticker = self._stream.board.indices().get(_index_of(coin)), tickers.get(perpetual_of(coin))
            if index is not None and ticker is not None:
                return index, ticker, tickers
            if time.monotonic() > self._deadline:
                reason = self._stream.problem or "the stream is young"
                raise DeribitError(f"deribit: nothing of {coin} yet: {reason}")
            time.sleep(_LOOK_SECONDS)

    def _refresh(self, now: int) -> None:
        """Look for new options when it is time."""
        due = [c for c in self._coins if now - self._listed_at.get(c, -self._seconds) >= self._seconds]
        for coin in due:
            found = self._client.instruments(_currency(coin))
            self._options[coin] = tuple(i.instrument_name for i in found if _is_of(i.instrument_name, coin))
            self._listed_at[coin] = now
        if due:
            self._watch()

    def _watch(self) -> None:
        channels = [index_channel(_index_of(c)) for c in self._coins]
        channels += [ticker_channel(perpetual_of(c)) for c in self._coins]
        channels += [ticker_channel(name) for names in self._options.values() for name in names]
        self._stream.watch(channels)


def _currency(coin: str) -> str:
    return coin if coin in _INVERSE else "USDC"


def _index_of(coin: str) -> str:
    return f"{coin.lower()}_usd" if coin in _INVERSE else f"{coin.lower()}_usdc"


def _is_of(name: str, coin: str) -> bool:
    return name.startswith(f"{coin}-" if coin in _INVERSE else f"{coin}_USDC-")
