"""HTTP for web3's provider: one kept connection per thread. `requests`, which it uses otherwise, spends more
time on cookies, proxies and environment variables than a node nearby on most answers.
"""

import http.client
import threading
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_CLOSED = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
_Connection = http.client.HTTPConnection


class TransportError(OSError):
    """The node answered with an HTTP error."""


@dataclass(frozen=True)
class Answer:
    """As much of a response as web3 reads."""

    status: int
    content: bytes

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *_: object) -> None:
        """It is read already: nothing is left open."""

    def raise_for_status(self) -> None:
        """TransportError unless the status says success."""
        if not 200 <= self.status < 300:
            raise TransportError(f"HTTP status {self.status}")


class Session:
    """As much of a session as web3 uses. Safe to share between threads."""

    def __init__(self) -> None:
        self._kept = threading.local()

    def post(
        self,
        url: str,
        data: bytes,
        timeout: float = 10.0,
        headers: dict[str, str] | None = None,
        stream: bool = False,
    ) -> Answer:
        """One request; a kept connection that the node has closed meanwhile is opened again. Raises OSError
        or http.client.HTTPException.

        timeout: seconds, for connecting and for every wait for data.
        stream: web3 never asks for it here.
        """
        parts = urlsplit(url)
        kept = self._connections().pop(url, None)
        if kept is not None:
            try:
                return self._exchange(kept, parts, url, data, headers)
            except _CLOSED:
                kept.close()
        return self._exchange(_opened(parts, timeout), parts, url, data, headers)

    def _exchange(
        self,
        connection: _Connection,
        parts: SplitResult,
        url: str,
        data: bytes,
        headers: dict[str, str] | None,
    ) -> Answer:
        """The connection is kept only after a whole answer."""
        try:
            connection.request("POST", _target(parts), data, headers or {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = Answer(response.status, response.read())
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._connections()[url] = connection
        return answer

    def _connections(self) -> dict[str, _Connection]:
        """This thread's, by URL."""
        if not hasattr(self._kept, "connections"):
            self._kept.connections = {}
        found: dict[str, _Connection] = self._kept.connections
        return found


def _opened(parts: SplitResult, timeout: float) -> _Connection:
    if not parts.hostname:
        raise TransportError("the node's address has no host")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=timeout)


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
