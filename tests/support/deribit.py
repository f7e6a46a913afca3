"""A venue on this machine: replays recorded answers over HTTP and websocket, and misbehaves when told to."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

VECTORS = Path(__file__).parents[1] / "vectors"
MESSAGES: dict[str, Any] = json.loads((VECTORS / "deribit_messages.json").read_text())
NOW = 1_704_712_781  # seconds, when the chain was recorded
INDEX = 2222.19


def summaries() -> list[dict[str, Any]]:
    """The recorded ETH chain, as public/get_book_summary_by_currency gives it."""
    table = json.loads((VECTORS / "deribit_eth_options.json").read_text())
    common = {
        "base_currency": "ETH",
        "quote_currency": "ETH",
        "estimated_delivery_price": INDEX,
        "interest_rate": 0.0,
    }
    return [dict(zip(table["columns"], row, strict=True)) | common for row in table["rows"]]


def perpetual(index: float = INDEX, mark: float = INDEX, now: int = NOW) -> dict[str, Any]:
    """public/ticker of ETH-PERPETUAL: the recorded shape with these prices."""
    prices = {"index_price": index, "mark_price": mark, "timestamp": now * 1_000}
    return {**MESSAGES["perpetual"]["result"], "instrument_name": "ETH-PERPETUAL", **prices}


def option_tickers() -> list[dict[str, Any]]:
    """The recorded chain as option tickers: the example's fields with each option's own prices."""
    return [
        {
            "instrument_name": s["instrument_name"],
            "timestamp": s["creation_timestamp"],
            "state": "open",
            "index_price": INDEX,
            "underlying_price": s["underlying_price"],
            "mark_price": s["mark_price"],
            "best_bid_price": s["bid_price"] or 0.0,
            "best_ask_price": s["ask_price"] or 0.0,
        }
        for s in summaries()
    ]


class Answer:
    """One HTTP answer; a `body` of None closes the connection without one."""

    def __init__(
        self, body: Any, status: int = 200, headers: dict[str, str] | None = None, delay: float = 0
    ) -> None:
        self.body = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.headers = headers or {}
        self.delay = delay


class Rest:
    """Answers by method; `queue` comes first, answer by answer."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.queue: deque[Answer] = deque()
        self.methods: dict[str, Callable[[dict[str, str]], Any]] = {
            "get_book_summary_by_currency": lambda p: summaries() if p["currency"] == "ETH" else [],
            "ticker": lambda p: perpetual(),
            "get_index_price": lambda p: MESSAGES["index_price"]["result"],
        }

    def answer(self, method: str, parameters: dict[str, str]) -> Answer:
        """What to say now."""
        self.requests.append((method, parameters))
        if self.queue:
            return self.queue.popleft()
        if method not in self.methods:
            return Answer(MESSAGES["bad_argument"], 400)
        return Answer({"jsonrpc": "2.0", "result": self.methods[method](parameters)})


@contextmanager
def rest() -> Iterator[Rest]:
    """The HTTP side."""
    venue, stop = Rest(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802  the library's name
            path = urlsplit(self.path)
            answer = venue.answer(path.path.split("/")[-1], dict(parse_qsl(path.query)))
            stop.wait(answer.delay)
            if answer.body is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    venue.url = f"http://127.0.0.1:{server.server_address[1]}/api/v2"
    try:
        yield venue
    finally:
        stop.set()
        server.shutdown()
        server.server_close()


class Stream:
    """The websocket side: what each connection was asked, and what is sent after a subscription."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[list[dict[str, Any]]] = []
        self.scripts: deque[Callable[[ServerConnection, list[dict[str, Any]]], None]] = deque()
        self.frames: list[str | bytes] = []

    def handle(self, socket: ServerConnection) -> None:
        """Serve one connection: its script, or else acknowledge everything and send `frames` once."""
        asked: list[dict[str, Any]] = []
        self.asked.append(asked)
        script = self.scripts.popleft() if self.scripts else self._plain
        with suppress(ConnectionClosed):
            script(socket, asked)

    def _plain(self, socket: ServerConnection, asked: list[dict[str, Any]]) -> None:
        for text in socket:
            request = json.loads(text)
            asked.append(request)
            socket.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "ok"}))
            if request["method"] == "public/subscribe":
                for frame in self.frames:
                    socket.send(frame)


def subscription(channel: str, data: dict[str, Any]) -> str:
    """A notification."""
    parameters = {"channel": channel, "data": data}
    return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": parameters})


@contextmanager
def stream() -> Iterator[Stream]:
    """The websocket side."""
    venue = Stream()
    with serve(venue.handle, "127.0.0.1", 0) as server:
        venue.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/ws/api/v2"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield venue
        finally:
            server.shutdown()
