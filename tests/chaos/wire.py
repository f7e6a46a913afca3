"""The line between proposers and one attester: passes requests on, keeps every signature that went over it,
and spoils answers by script.

    with Wire(attester_url) as wire:
        with wire.spoiled(delayed(3)):
            ...
        wire.signed[signer, number]     # digests under which a valid signature of that member was seen
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from keeper.attestation.typed_data import recover
from keeper.network.server import SIGN_EPOCH

_PASSED_ON = ("authorization", "content-type", "accept")


@dataclass(frozen=True)
class Exchange:
    """One request and its answer."""

    path: str
    asked: bytes
    status: int
    answered: bytes

    @property
    def answer(self) -> Any:
        """JSON of the answer."""
        return json.loads(self.answered)

    def with_answer(self, status: int = 200, **changed: Any) -> "Exchange":
        """Another answer: fields changed."""
        return replace(self, status=status, answered=json.dumps(self.answer | changed).encode())


Spoil = Callable[[Exchange], Exchange]


class Wire:
    """One line; a context manager. `exchanges`: every epoch that was asked for, as the attester answered."""

    def __init__(self, upstream: str) -> None:
        """`upstream`: the attester's API; it need not be there yet."""
        self.exchanges: list[Exchange] = []
        self.signed: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._upstream, self._spoil = upstream, _unspoiled
        self._lock, self._client = threading.Lock(), httpx.Client(timeout=30)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Wire":
        threading.Thread(target=self._server.serve_forever, daemon=True, name="wire").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

    @contextmanager
    def spoiled(self, spoil: Spoil) -> Iterator[None]:
        """Answers to requests for epochs, changed on their way back."""
        self._spoil = spoil
        try:
            yield
        finally:
            self._spoil = _unspoiled

    def carry(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Exchange:
        """What the other side gets. Raises httpx.HTTPError where the attester does not answer."""
        response = self._client.request(method, self._upstream + path, headers=headers, content=body)
        exchange = Exchange(path, body, response.status_code, response.content)
        if path != SIGN_EPOCH:
            return exchange
        self._keep(exchange)
        return self._spoil(exchange)

    def _keep(self, exchange: Exchange) -> None:
        with self._lock:
            self.exchanges.append(exchange)
            if exchange.status == 200:
                answer, number = exchange.answer, json.loads(exchange.asked)["epoch"]["number"]
                signer = recover(_bytes(answer["digest"]), _bytes(answer["r"]), int(answer["vs"]))
                self.signed[signer, number].add(answer["digest"])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # noqa: N802  the library's name
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
                try:
                    exchange = wire.carry(self.command, self.path, headers, body)
                except httpx.HTTPError:
                    self.close_connection = True
                    return
                with suppress(OSError):  # whoever asked has gone
                    self.send_response(exchange.status)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(exchange.answered)))
                    self.end_headers()
                    self.wfile.write(exchange.answered)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler


def delayed(seconds: float) -> Spoil:
    """Comes late."""

    def spoil(exchange: Exchange) -> Exchange:
        time.sleep(seconds)
        return exchange

    return spoil


def _unspoiled(exchange: Exchange) -> Exchange:
    return exchange


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
