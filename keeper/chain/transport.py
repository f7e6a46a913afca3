"""HTTP for web3's provider and remote signers: one kept connection per thread. `requests`, which web3 uses
otherwise, spends more time on cookies, proxies and environment variables than a node nearby on most answers.
"""

import http.client
import ssl
import threading
import time
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

_CLOSED = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
_Connection = http.client.HTTPConnection
_CHUNK = 1 << 16
_MAX_BYTES = 1 << 28
_JSON = {"Content-Type": "application/json"}


class TransportError(OSError):
    """The other side answered with an HTTP error, with too much, or too slowly."""


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

    def __init__(self, context: ssl.SSLContext | None = None, max_bytes: int = _MAX_BYTES) -> None:
        """
        context: TLS of https addresses; by default the system's authorities and no certificate of ours.
        max_bytes: of one answer; a longer one is refused.
        """
        self._context = context
        self._max_bytes = max_bytes
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

        timeout: seconds, for connecting, for every wait for data, and for a body that comes in drops.
        stream: web3 never asks for it here.
        """
        return self._send("POST", url, data, timeout, headers or _JSON)

    def get(self, url: str, timeout: float = 10.0) -> Answer:
        """The same, without a body."""
        return self._send("GET", url, None, timeout, {})

    def _send(
        self, method: str, url: str, data: bytes | None, timeout: float, headers: dict[str, str]
    ) -> Answer:
        parts = urlsplit(url)
        request = (method, _target(parts), data, headers | _credentials(parts))
        kept = self._connections().pop(parts.netloc, None)
        if kept is not None:
            try:
                return self._exchange(kept, parts, request, timeout)
            except _CLOSED:
                kept.close()
        return self._exchange(self._opened(parts, timeout), parts, request, timeout)

    def _exchange(
        self,
        connection: _Connection,
        parts: SplitResult,
        request: tuple[str, str, bytes | None, dict[str, str]],
        timeout: float,
    ) -> Answer:
        """The connection is kept only after a whole answer."""
        try:
            connection.request(*request)
            response = connection.getresponse()
            answer = Answer(response.status, self._body(response, timeout))
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._connections()[parts.netloc] = connection
        return answer

    def _body(self, response: http.client.HTTPResponse, timeout: float) -> bytes:
        """All of it, within the time and size allowed: who drips or floods is cut off."""
        deadline, chunks, size = time.monotonic() + timeout, [], 0
        while chunk := response.read1(_CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_bytes:
                raise TransportError(f"more than {self._max_bytes} bytes")
            if time.monotonic() > deadline:
                raise TransportError(f"not done in {timeout:g} s")
        if response.length:  # a body cut short ends without an error when it is read in pieces
            raise http.client.IncompleteRead(b"", response.length)
        response.close()  # or the connection believes that there is more to come
        return b"".join(chunks)

    def _connections(self) -> dict[str, _Connection]:
        """This thread's, by host and port."""
        if not hasattr(self._kept, "connections"):
            self._kept.connections = {}
        found: dict[str, _Connection] = self._kept.connections
        return found

    def _opened(self, parts: SplitResult, timeout: float) -> _Connection:
        if not parts.hostname:
            raise TransportError("the node's address has no host")
        if parts.scheme == "https":
            return http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=self._context
            )
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)


def _credentials(parts: SplitResult) -> dict[str, str]:
    """The header of a user and password in the address."""
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + b64encode(pair.encode()).decode()}


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
