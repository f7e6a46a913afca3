"""Spots of any venue that ccxt knows. Optional: `pip install plimsoll[ccxt]`."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Protocol

from keeper.sources.source import Listed, Observation

_PRICE_UNIT = 10**8
_MAX_AHEAD_SECONDS = 60


class Exchange(Protocol):
    """As much of ccxt's exchanges as is used."""

    def fetch_ticker(self, symbol: str) -> dict[str, Any]:
        """ccxt's unified ticker: bid, ask, last in the quote currency, timestamp in milliseconds."""
        ...


def open_exchange(name: str, timeout_seconds: float = 5.0) -> Exchange:
    """ccxt's exchange of that name, without keys, within its rate limit.

    Raises:
        LookupError: ccxt is not installed, or knows no such exchange.
    """
    try:
        import ccxt
    except ImportError:
        raise LookupError(f"ccxt: not installed, {name} needs it: pip install 'plimsoll[ccxt]'") from None
    if name not in ccxt.exchanges:
        raise LookupError(f"ccxt: no exchange {name}, see ccxt.exchanges for the names")
    options = {"timeout": int(timeout_seconds * 1_000), "enableRateLimit": True}
    exchange: Exchange = getattr(ccxt, name)(options)
    return exchange


class CcxtSource:
    """Spots only: the middle of the best bid and ask, or the last price where a side is missing."""

    def __init__(
        self,
        name: str,
        symbols: Mapping[int, str],
        connect: Callable[[str], Exchange] = open_exchange,
    ) -> None:
        """Args: symbols: ccxt's unified symbol of each underlying, as {2: "ETH/USD"}."""
        self.venue = name
        self._symbols = dict(symbols)
        self._exchange = connect(name)

    def observe(self, now: int, listed: Listed) -> Observation:
        """Spots of the listed underlyings that it has symbols of; as old as the oldest ticker.

        Raises:
            LookupError: the venue gives no usable ticker of one of them.
        """
        spots, ages = {}, [0]
        for underlying in sorted(set(listed) & set(self._symbols)):
            symbol = self._symbols[underlying]
            ticker = self._ticker(symbol)
            spots[underlying] = self._price(symbol, ticker)
            ages.append(self._age(symbol, ticker, now))
        return Observation(self.venue, now, max(ages), spots, {})

    def _ticker(self, symbol: str) -> Mapping[str, Any]:
        try:
            ticker = self._exchange.fetch_ticker(symbol)
        except Exception as error:  # noqa: BLE001  ccxt's tree of errors, and its parsers' own
            words = " ".join(str(error).split())[:200]
            raise LookupError(
                f"{self.venue}: no ticker of {symbol}: {words or type(error).__name__}"
            ) from error
        if not isinstance(ticker, Mapping):
            raise LookupError(f"{self.venue}: the ticker of {symbol} is malformed")
        return ticker

    def _price(self, symbol: str, ticker: Mapping[str, Any]) -> int:
        bid, ask, last = (_positive(ticker.get(name)) for name in ("bid", "ask", "last"))
        if bid is not None and ask is not None:
            if bid > ask:
                raise LookupError(f"{self.venue}: the quote of {symbol} is crossed, {bid} over {ask}")
            return round((bid + ask) / 2.0 * _PRICE_UNIT)
        if last is None:
            raise LookupError(f"{self.venue}: the ticker of {symbol} holds no price")
        return round(last * _PRICE_UNIT)

    def _age(self, symbol: str, ticker: Mapping[str, Any], now: int) -> int:
        milliseconds = _positive(ticker.get("timestamp"))
        if milliseconds is None:
            raise LookupError(f"{self.venue}: the ticker of {symbol} names no time, so its age is not known")
        age = now - int(milliseconds // 1_000)
        if age < -_MAX_AHEAD_SECONDS:
            raise LookupError(f"{self.venue}: the ticker of {symbol} is {-age} seconds ahead of our chain")
        return max(age, 0)


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) and value > 0 else None
