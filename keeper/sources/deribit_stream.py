"""Deribit's websocket: one thread that subscribes, answers heartbeats, and connects again when it must.

The venue asks with `test_request` whether we are there and closes when it gets no `public/test`
(docs.deribit.com, public/set_heartbeat); as it also sends a heartbeat at least every ten seconds, silence for
longer than that means that the connection is dead, whatever TCP believes.
"""

import json
import random
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from keeper.sources.deribit_board import Board
from keeper.sources.deribit_rest import DeribitError

MAINNET = "wss://www.deribit.com/ws/api/v2"
_HEARTBEAT = 10  # seconds, the least that the venue takes
_BATCH = 250  # channels of one request
_MALFORMED = 20  # in a row, until the connection is given up
_MAX_FRAME = 4 * 2**20
_LOOK_SECONDS = 0.2  # how soon a new wish is seen


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Seconds: silence that ends a connection, and the pause before the next, which doubles up to a limit."""

    silence: float = 30.0
    first_pause: float = 0.5
    longest_pause: float = 60.0
    open_timeout: float = 10.0


def ticker_channel(instrument: str) -> str:
    """The aggregated ticker of an instrument; raw ones are for logged-in users."""
    return f"ticker.{instrument}.agg2"


def index_channel(index: str) -> str:
    """The price index, as "btc_usd"."""
    return f"deribit_price_index.{index}"


class DeribitStream:
    """Keeps `board` filled from `start` until `close`."""

    def __init__(self, url: str = MAINNET, reconnect: Reconnect = Reconnect()) -> None:  # noqa: B008  immutable
        self.board = Board()
        self.connections = 0
        self.problem = "not started"
        self._url = url
        self._reconnect = reconnect
        self._wanted: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deribit", daemon=True)
        self._request = 0

    def watch(self, channels: Iterable[str]) -> None:
        """The channels wanted from now on; others are given up."""
        self._wanted = frozenset(channels)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._reconnect.open_timeout + 1)

    def _run(self) -> None:
        pause = self._reconnect.first_pause
        while not self._stop.is_set():
            taken = self.board.counts["taken"]
            try:
                self._connected()
            except (OSError, WebSocketException, DeribitError) as error:
                self.problem = f"deribit: stream: {str(error) or type(error).__name__}"
            if self.board.counts["taken"] > taken:  # it worked for a while
                pause = self._reconnect.first_pause
            self._stop.wait(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, self._reconnect.longest_pause)

    def _connected(self) -> None:
        """One connection, from its beginning to its end."""
        timeout = self._reconnect.open_timeout
        with connect(
            self._url, open_timeout=timeout, close_timeout=1, max_size=_MAX_FRAME, proxy=None
        ) as socket:
            self.connections += 1
            self._send(socket, "public/set_heartbeat", {"interval": _HEARTBEAT})
            self._listen(socket)

    def _listen(self, socket: Connection) -> None:
        subscribed: frozenset[str] = frozenset()
        heard, malformed = time.monotonic(), 0
        while not self._stop.is_set():
            if subscribed != self._wanted:
                subscribed = self._change(socket, subscribed, self._wanted)
            try:
                frame = socket.recv(timeout=_LOOK_SECONDS)
            except TimeoutError:
                if time.monotonic() - heard > self._reconnect.silence:
                    raise DeribitError(f"nothing heard for {self._reconnect.silence:g} seconds") from None
                continue
            heard = time.monotonic()
            malformed = 0 if self._take(socket, frame) else malformed + 1
            if malformed >= _MALFORMED:
                raise DeribitError(f"{malformed} frames in a row cannot be read")

    def _take(self, socket: Connection, frame: str | bytes) -> bool:
        """Deal with one frame; False when it cannot be read."""
        try:
            message = json.loads(frame)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self.board.count("malformed")
            return False
        method, parameters = message.get("method"), message.get("params")
        if method == "subscription" and isinstance(parameters, dict):
            self.board.take(parameters)
            self.problem = ""
        elif method == "heartbeat" and isinstance(parameters, dict):
            if parameters.get("type") == "test_request":
                self._send(socket, "public/test", {})
        elif isinstance(message.get("error"), dict):
            error = message["error"]
            raise DeribitError(f"refused with {error.get('code')} {error.get('message', '')}")
        return True

    def _change(self, socket: Connection, before: frozenset[str], wanted: frozenset[str]) -> frozenset[str]:
        for method, channels in (
            ("public/unsubscribe", sorted(before - wanted)),
            ("public/subscribe", sorted(wanted - before)),
        ):
            for start in range(0, len(channels), _BATCH):
                self._send(socket, method, {"channels": channels[start : start + _BATCH]})
        self.board.forget(frozenset(_instruments(sorted(wanted))))
        return wanted

    def _send(self, socket: Connection, method: str, parameters: dict[str, Any]) -> None:
        self._request += 1
        message = {"jsonrpc": "2.0", "id": self._request, "method": method, "params": parameters}
        socket.send(json.dumps(message))


def _instruments(channels: Sequence[str]) -> list[str]:
    return [channel.split(".")[1] for channel in channels if channel.startswith("ticker.")]
