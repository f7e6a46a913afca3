"""How much this process takes in: rates by token bucket, bodies bounded in size and time while they stream,
and only so many requests at once. What is too much is refused at once: peers are never kept waiting by it.
"""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

_KEPT = 4_096  # buckets remembered; the one unused for longest is forgotten first

Receive = Callable[[], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process serves.

    Attributes:
        requests_per_second, burst: of one address, and of one authenticated peer.
        max_body_bytes, body_seconds: of one request.
        header_seconds: from a connection's first byte to the end of a request's headers.
        concurrent_reads, concurrent_signings: requests worked on at once; peers have room of their own.
        connections, connections_per_address: open at once.
    """

    requests_per_second: float = 50.0
    burst: int = 200
    max_body_bytes: int = 8 * 1024 * 1024
    body_seconds: float = 10.0
    header_seconds: float = 5.0
    concurrent_reads: int = 24
    concurrent_signings: int = 8
    connections: int = 512
    connections_per_address: int = 64


class Refused(Exception):  # noqa: N818  an answer, not a fault
    """A request is refused before it is looked at."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Buckets:
    """A token bucket for each key: `burst` at once, then `rate` a second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str, cost: int = 1) -> bool:
        """Whether `key` has `cost` tokens left, and take them."""
        now = self._clock()
        with self._lock:
            level, since = self._levels.pop(key, (float(self._burst), now))
            level = min(self._burst, level + (now - since) * self._rate)
            taken = level >= cost
            self._levels[key] = (level - cost if taken else level, now)
            if len(self._levels) > _KEPT:
                self._levels.popitem(last=False)
        return taken


class Room:
    """So many at once, and no queue."""

    def __init__(self, size: int) -> None:
        self._free = size

    def __enter__(self) -> None:
        if not self._free:
            raise Refused(503, "too many requests at once: try again")
        self._free -= 1

    def __exit__(self, *_error: object) -> None:
        self._free += 1


async def read_body(receive: Receive, limits: Limits) -> bytes:
    """A request's whole body. Refused when it grows too large or takes too long, whatever its headers say."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Refused(400, "the request broke off")
                size += len(message.get("body", b""))
                if size > limits.max_body_bytes:
                    raise Refused(413, f"request larger than {limits.max_body_bytes} bytes")
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise Refused(408, "request took too long to arrive") from None
