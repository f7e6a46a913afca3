"""An application on a real socket, in a thread of this process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keeper.network.limits import Limits
from keeper.network.serving import server_of
from scripts._devnet import free_port

LIMITS = Limits()


@contextmanager
def serving(app: Any, limits: Limits = LIMITS) -> Iterator[int]:
    """Its port; the server has ended when this has."""
    port = free_port()
    server = server_of(app, "127.0.0.1", port, limits)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
