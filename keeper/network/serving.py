"""The HTTP server's settings: a connection that sends slowly, or an address with many, holds nobody up."""

import asyncio
from collections import Counter
from typing import Any, ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from keeper.network.limits import Limits

_KEEP_ALIVE_SECONDS = 5
_MAX_HEADER_BYTES = 16 * 1024


def server_of(app: Any, host: str, port: int, limits: Limits = Limits()) -> uvicorn.Server:  # noqa: B008  frozen
    """A server that is not yet running; port 0 takes a free one."""
    settings = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol_of(limits),
        ws="none",
        log_config=None,  # its errors take the way of all lines: nothing secret passes there
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # an address that a client claims is no address
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
    )
    return uvicorn.Server(settings)


def protocol_of(limits: Limits) -> type[asyncio.Protocol]:
    """The protocol of one server."""
    return type("BoundedProtocol", (_Bounded,), {"limits": limits, "open": Counter()})


class _Bounded(H11Protocol):
    """uvicorn's HTTP with what it lacks: a deadline for headers, and a bound of connections per address."""

    limits: ClassVar[Limits]
    open: ClassVar[Counter[str]]  # connections by address
    _deadline: asyncio.TimerHandle | None = None
    _address: str = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self.open[self._address] += 1
        if self.open[self._address] > self.limits.connections_per_address:
            transport.close()
        else:
            self._expect_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_idle():
            self._expect_headers()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.open[self._address] -= 1
        if not self.open[self._address]:
            del self.open[self._address]
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        """No request is complete up to the end of its headers."""
        return self.cycle is None or self.cycle.response_complete

    def _expect_headers(self) -> None:
        """The deadline runs from the first byte: more bytes do not move it."""
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.limits.header_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()
