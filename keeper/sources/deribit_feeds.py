"""One coin's state at Deribit: asked for over REST, or as a stream has told it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from keeper.sources.deribit_messages import Ticker, quote_of_summary, quote_of_ticker
from keeper.sources.deribit_rest import DeribitError, DeribitRest
from keeper.sources.deribit_stream import DeribitStream, index_channel, ticker_channel
from keeper.sources.option_quote import OptionQuote

# coins whose options and perpetual are inverse; those of others are settled in USDC
_INVERSE = frozenset({"BTC", "ETH"})


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
        self, stream: DeribitStream, client: DeribitRest, coins: Sequence[str], seconds: int = 3_600
    ) -> None:
        """Args: coins: all that will be asked for; seconds: between two looks at the list of options."""
        self._stream = stream
        self._client = client
        self._coins = tuple(coins)
        self._seconds = seconds
        self._listed_at: dict[str, int] = {}
        self._options: dict[str, tuple[str, ...]] = dict.fromkeys(coins, ())
        self._watch()

    def state(self, coin: str, now: int, with_options: bool) -> CoinState:
        """As old as the older of index and perpetual. Raises DeribitError."""
        self._refresh(now)
        index = self._stream.board.indices().get(_index_of(coin))
        tickers = self._stream.board.tickers()
        ticker = tickers.get(perpetual_of(coin))
        if index is None or ticker is None:
            raise DeribitError(
                f"deribit: nothing of {coin} yet: {self._stream.problem or 'the stream is young'}"
            )
        names = self._options[coin] if with_options else ()
        found = [quote_of_ticker(tickers[name]) for name in names if name in tickers]
        time = min(index.timestamp, ticker.timestamp) // 1_000
        return _state(ticker, index.price, time, [q for q in found if q is not None])

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
