"""New blocks by websocket. They only wake the process: what has happened is read from the cursor on, so that
a notice lost, repeated or invented changes nothing but the pace.
"""

import json
import random
import threading
from collections.abc import Callable

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from keeper.observability.logs import logger

_SUBSCRIBE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})
_MAX_MESSAGE = 1 << 16
_FIRST_SECONDS, _LAST_SECONDS = 0.25, 30.0
_POLL_SECONDS = 0.25  # how soon `close` is noticed


class Heads:
    """A subscription in a thread of its own, taken up again when it is lost."""

    def __init__(
        self, url: str, wake: Callable[[], None], silence: float = 60.0, timeout: float = 5.0
    ) -> None:
        """
        url: ws:// or wss://.
        wake: called at every notice, from the thread.
        silence: seconds without a notice after which the connection counts as dead.
        timeout: seconds, to connect and subscribe.
        """
        self.connected = False
        self._url, self._wake = url, wake
        self._silence, self._timeout = silence, timeout
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="heads")

    def start(self) -> None:
        """Begin. Errors are logged and tried again: nothing depends on them."""
        self._thread.start()

    def close(self) -> None:
        """End, within a moment."""
        self._stop.set()
        self._thread.join(self._timeout)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                with connect(
                    self._url, open_timeout=self._timeout, close_timeout=1, max_size=_MAX_MESSAGE
                ) as socket:
                    self._subscribe(socket)
                    self.connected, failures = True, 0
                    self._listen(socket)
                problem = f"silent for {self._silence:g} s"
            except (OSError, WebSocketException, ValueError) as error:
                problem = str(error) or type(error).__name__
            self.connected = False
            if not self._stop.is_set():
                logger("heads").warning("websocket lost: polling goes on", reason=problem)
                wait = min(_FIRST_SECONDS * 2**failures, _LAST_SECONDS) * random.uniform(0.75, 1)  # noqa: S311
                failures = min(failures + 1, 16)
                self._stop.wait(wait)

    def _subscribe(self, socket: Connection) -> None:
        """ValueError if the node refuses."""
        socket.send(_SUBSCRIBE)
        answer = json.loads(socket.recv(self._timeout))
        if not isinstance(answer, dict) or "result" not in answer:
            raise ValueError("the node refuses to subscribe to newHeads")

    def _listen(self, socket: Connection) -> None:
        """Until the node falls silent or we are closed."""
        quiet = 0.0
        while not self._stop.is_set() and quiet < self._silence:
            try:
                socket.recv(_POLL_SECONDS)
            except TimeoutError:
                quiet += _POLL_SECONDS
            else:
                quiet = 0.0
                self._wake()
