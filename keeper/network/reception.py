"""What every request passes before the application sees it: rate, size, time, and who asks for signatures."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from keeper.network.limits import Buckets, Limits, Receive, Refused, Room, read_body
from keeper.network.peers import Door, Peer, Unauthenticated

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Counted = Callable[[str, int], None]

# a supervisor must hear of a process under load that it is alive
_ALWAYS = frozenset({"/live", "/ready"})
_PEER = "plimsoll.peer"


class Reception:
    """ASGI middleware."""

    def __init__(
        self,
        app: App,
        limits: Limits,
        door: Door | None,
        signing: frozenset[str],
        costs: Mapping[str, int] | None = None,
        counted: Counted | None = None,
    ) -> None:
        """
        Args:
            door: lets peers in; None where nobody may ask for signatures.
            signing: paths that only peers may ask.
            costs: tokens that a request to a path takes, where it is more than one.
            counted: told path template and status of every answer.
        """
        self._app, self._limits, self._door, self._signing = app, limits, door, signing
        self._counted, self._costs = counted, costs or {}
        self._addresses = Buckets(limits.requests_per_second, limits.burst)
        self._peers = Buckets(limits.requests_per_second, limits.burst)
        self._reading, self._signings = Room(limits.concurrent_reads), Room(limits.concurrent_signings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noted(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._receive(scope, receive, noted)
        except Refused as refused:
            status = refused.status
            await _answer(send, refused.status, str(refused))
        finally:
            if self._counted is not None:
                self._counted(_template(scope), status)

    async def _receive(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        cost = self._costs.get(path, 1)
        if path not in _ALWAYS and not self._addresses.take(_host(scope), cost):
            raise Refused(429, "too many requests from this address: slow down")
        body = await read_body(receive, self._limits)
        is_signing = path in self._signing
        if is_signing:
            scope[_PEER] = self._admit(scope, body)
        with self._signings if is_signing else self._reading:
            await self._app(scope, _again(body, receive), send)

    def _admit(self, scope: Scope, body: bytes) -> Peer:
        if self._door is None:
            raise Refused(404, "nothing is signed here")
        header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        try:
            peer = self._door.admit(scope["method"], _target(scope), body, header)
        except Unauthenticated as error:
            raise Refused(401, str(error)) from None
        if not self._peers.take(peer.address):
            raise Refused(429, "too many requests of this peer: slow down")
        return peer


def peer_of(scope: Any) -> Peer:
    """Who asks on a signing path."""
    found: Peer = scope[_PEER]
    return found


def _target(scope: Scope) -> str:
    """Path with its query: all that says what is asked."""
    query = scope.get("query_string", b"").decode("latin-1")
    path: str = scope["path"]
    return path + (f"?{query}" if query else "")


def _host(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _template(scope: Scope) -> str:
    """The route's path with its parameters' names: as many as there are routes, whatever is asked for."""
    return str(getattr(scope.get("route"), "path", "other"))


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was read, as if it came now; then whatever the client does next."""
    waiting: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replay


async def _answer(send: Send, status: int, reason: str) -> None:
    """A refusal; the connection ends with it, as the rest of the request may still be on its way."""
    body = json.dumps({"detail": reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if status in (429, 503):
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
