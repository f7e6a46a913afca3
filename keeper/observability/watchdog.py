"""Which loops are alive: each says so every time round, and one that has been silent for too long makes the
process answer 503 at `/live`, so that whoever supervises it starts it again."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from keeper.observability.metrics import Metrics
from keeper.observability.names import LIVE, LOOP_LAG, LOOP_SILENCE

_ROUNDS = 5  # a slow loop may miss a few before it counts as silent


@dataclass(slots=True)
class _Loop:
    every: float
    last: float
    due: float


class Watchdog:
    """Times in seconds of a monotonic clock. Thread-safe."""

    def __init__(
        self, metrics: Metrics, silent_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`silent_seconds`: a loop may be silent so long, or five of its rounds where that is longer."""
        self._metrics = metrics
        self._silent_seconds = silent_seconds
        self._clock = clock
        self._loops: dict[str, _Loop] = {}
        self._lock = threading.Lock()

    def expect(self, loop: str, every: float) -> None:
        """From now on `loop` is to be heard of `every` so many seconds."""
        with self._lock:
            now = self._clock()
            self._loops[loop] = _Loop(every, now, now + every)

    def pat(self, loop: str) -> None:
        """A round begins. KeyError for a loop that is not expected."""
        with self._lock:
            found, now = self._loops[loop], self._clock()
            self._metrics.set(LOOP_LAG, max(0.0, now - found.due), loop=loop)
            found.last, found.due = now, now + found.every

    def leave(self, loop: str) -> None:
        """The loop has ended, as it should."""
        with self._lock:
            self._loops.pop(loop, None)

    def silent(self) -> dict[str, float]:
        """Loops that have been silent for too long, and for how long."""
        with self._lock:
            now = self._clock()
            ages = {name: now - loop.last for name, loop in self._loops.items()}
            limits = {n: max(self._silent_seconds, _ROUNDS * loop.every) for n, loop in self._loops.items()}
        for name, age in ages.items():
            self._metrics.set(LOOP_SILENCE, age, loop=name)
        found = {name: age for name, age in ages.items() if age > limits[name]}
        self._metrics.set(LIVE, not found)
        return found

    @property
    def problem(self) -> str:
        """The same in words; empty while all are heard of."""
        return ", ".join(f"loop {name} silent for {age:.0f} s" for name, age in self.silent().items())
