"""Deribit's public REST API: one answer per call, with a timeout, and a bounded number of retries.

The venue limits requests by credits and refuses with code 10028 when they are spent
(docs.deribit.com/articles/rate-limits); such refusals, lost connections, timeouts and the server's own faults
are retried after a growing pause, anything else is not: a wrong name does not become right.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from keeper.sources.deribit_messages import BookSummary, IndexPrice, Instrument, Ticker

MAINNET = "https://www.deribit.com/api/v2"

_TOO_MANY_REQUESTS = 10028
# retry, matching_engine_queue_full, too_many_concurrent_requests, system_maintenance, temporarily_unavailable
_PASSING = frozenset({_TOO_MANY_REQUESTS, 10040, 10047, 10066, 11051, 13028})
_LIMITED = 429
_SERVER_FAULT = 500

_T = TypeVar("_T")


class DeribitError(LookupError):
    """The venue gave no answer that can be used."""


class RateLimitError(DeribitError):
    """The venue refuses further requests for a while."""


class _PassingError(Exception):
    """May be gone at the next attempt; `pause` is what the venue asks for, in seconds."""

    def __init__(self, error: DeribitError, pause: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take. Seconds.

    Attributes:
        timeout: of one attempt.
        attempts: in all.
        first_pause: before the second attempt; doubles each time, less up to half of it at random.
        budget: of all attempts and pauses of one call together.
    """

    timeout: float = 5.0
    attempts: int = 4
    first_pause: float = 0.5
    budget: float = 15.0


class DeribitRest:
    """Typed answers of the public methods. Safe to share between threads."""

    def __init__(
        self,
        url: str = MAINNET,
        patience: Patience = Patience(),  # noqa: B008  immutable
        parallel: int = 8,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Args: url: up to and with /api/v2; parallel: requests at once in a batch; sleep: for tests."""
        self._url = url.rstrip("/")
        self._patience = patience
        self._parallel = parallel
        self._sleep = sleep
        self._client = httpx.Client(
            timeout=patience.timeout, limits=httpx.Limits(max_connections=parallel), trust_env=False
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def book_summaries(self, currency: str, kind: str = "option") -> list[BookSummary]:
        """All instruments of a currency ("BTC", "USDC") in one answer. Raises DeribitError, as all calls."""
        return self._call(
            "get_book_summary_by_currency",
            {"currency": currency, "kind": kind},
            TypeAdapter(list[BookSummary]),
        )

    def instruments(self, currency: str, kind: str = "option") -> list[Instrument]:
        """Instruments of a currency that have not expired."""
        parameters = {"currency": currency, "kind": kind, "expired": "false"}
        return self._call("get_instruments", parameters, TypeAdapter(list[Instrument]))

    def ticker(self, instrument: str) -> Ticker:
        """One instrument's quote."""
        return self._call("ticker", {"instrument_name": instrument}, TypeAdapter(Ticker))

    def tickers(self, instruments: Sequence[str]) -> list[Ticker]:
        """Many tickers, in order, a few requests at a time: the API takes no JSON-RPC batches."""
        with ThreadPoolExecutor(max_workers=self._parallel) as pool:
            return list(pool.map(self.ticker, instruments))

    def index_price(self, index: str) -> float:
        """An index ("btc_usd"), USD."""
        return self._call("get_index_price", {"index_name": index}, TypeAdapter(IndexPrice)).index_price

    def _call(self, method: str, parameters: Mapping[str, str], shape: TypeAdapter[_T]) -> _T:
        result = self._retried(method, parameters)
        try:
            return shape.validate_python(result)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise DeribitError(
                f"deribit: {method}: malformed answer at {where}: {first['msg'].lower()}"
            ) from None

    def _retried(self, method: str, parameters: Mapping[str, str]) -> Any:
        started, pause = time.monotonic(), self._patience.first_pause
        for attempt in range(1, self._patience.attempts + 1):
            try:
                return self._request(method, parameters)
            except _PassingError as passing:
                wait = max(passing.pause, pause * random.uniform(0.5, 1.0))
                is_late = time.monotonic() - started + wait > self._patience.budget
                if attempt == self._patience.attempts or is_late:
                    raise type(passing.error)(f"{passing.error} ({attempt} attempts)") from None
                self._sleep(wait)
                pause *= 2
        raise AssertionError("at least one attempt is made")

    def _request(self, method: str, parameters: Mapping[str, str]) -> Any:
        try:
            response = self._client.get(f"{self._url}/public/{method}", params=dict(parameters))
        except httpx.TransportError as error:
            raise _PassingError(
                DeribitError(f"deribit: {method}: no answer, {type(error).__name__}")
            ) from None
        if response.status_code == _LIMITED:
            pause = _seconds(response.headers.get("Retry-After", ""))
            raise _PassingError(RateLimitError(f"deribit: {method}: too many requests"), pause)
        try:
            content = response.json()
        except ValueError:
            content = None
        if isinstance(content, dict) and isinstance(content.get("error"), dict):
            raise _refusal(method, content["error"])
        if response.status_code >= _SERVER_FAULT:
            raise _PassingError(DeribitError(f"deribit: {method}: HTTP status {response.status_code}"))
        if not isinstance(content, dict) or "result" not in content:
            raise DeribitError(
                f"deribit: {method}: the answer (HTTP {response.status_code}) is no JSON-RPC result"
            )
        return content["result"]


def _refusal(method: str, error: Mapping[str, Any]) -> Exception:
    code, data = error.get("code"), error.get("data")
    reason = f" ({data['reason']})" if isinstance(data, dict) and data.get("reason") else ""
    text = f"deribit: {method}: refused with {code} {error.get('message', '')}{reason}"
    if code == _TOO_MANY_REQUESTS:
        return _PassingError(RateLimitError(text))
    return _PassingError(DeribitError(text)) if code in _PASSING else DeribitError(text)


def _seconds(text: str) -> float:
    return float(text) if text.isdigit() else 0.0
