"""What a process does again and again: each duty by itself, so that the failure of one does not hold up the
others, and no failure is silent."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from keeper.chain.index import IndexingError
from keeper.chain.keys import SigningError
from keeper.chain.node import NodeError
from keeper.jobs.observe import ObservationError
from keeper.network.server import Refusal, Unavailable
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.observability.names import CYCLES, DURATION, LAST_CYCLE
from keeper.store.database import BusyError, StoreError
from keeper.store.lease import LeaseLost

# over by themselves, or said to the operator
TRANSIENT = (NodeError, SigningError, ObservationError, Refusal, Unavailable, LeaseLost, BusyError)
FATAL = (IndexingError, StoreError)  # nothing may be decided or sent any more
_MAX_SURPRISES = 10  # in a row, of one duty


class DutyError(RuntimeError):
    """A duty fails again and again for a reason that nobody has foreseen: the process ends, loudly."""


@dataclass
class Duty:
    """One of them: `step` is one round."""

    name: str
    step: Callable[[], object]
    surprises: int = 0


@dataclass
class Duties:
    """All of a process, in the order of their importance. `problems`: by duty, why its last round failed."""

    metrics: Metrics
    all: list[Duty] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, step: Callable[[], object]) -> None:
        """The next one."""
        self.all.append(Duty(name, step))

    def round(self, stopping: Callable[[], bool] = lambda: False) -> dict[str, object]:
        """One round of each, until `stopping`; what each returned, by name.

        Raises:
            IndexingError, StoreError: at once, whatever the duty.
            DutyError: a duty has failed ten times running for an unforeseen reason.
        """
        return {duty.name: self._run(duty) for duty in self.all if not stopping()}

    def _run(self, duty: Duty) -> object:
        started = time.monotonic()
        try:
            found = duty.step()
        except TRANSIENT as error:
            self._failed(duty, str(error), started)
            duty.surprises = 0
            return None
        except FATAL:
            self._ended(duty, "fatal", started)
            raise
        except Exception as error:  # noqa: BLE001  counted, logged, and bounded
            self._surprised(duty, error, started)
            return None
        self.problems.pop(duty.name, None)
        duty.surprises = 0
        self._ended(duty, "success", started)
        return found

    def _failed(self, duty: Duty, reason: str, started: float) -> None:
        if self.problems.get(duty.name) != reason:
            logger(duty.name).warning("failed", reason=reason)
        self.problems[duty.name] = reason
        self._ended(duty, "failure", started)

    def _surprised(self, duty: Duty, error: Exception, started: float) -> None:
        duty.surprises += 1
        reason = f"{type(error).__name__}: {error}"
        logger(duty.name).exception("surprise", in_a_row=duty.surprises)
        self.problems[duty.name] = reason
        self._ended(duty, "surprise", started)
        if duty.surprises >= _MAX_SURPRISES:
            raise DutyError(f"{duty.name} failed {duty.surprises} times in a row: {reason}") from error

    def _ended(self, duty: Duty, result: str, started: float) -> None:
        self.metrics.count(CYCLES, duty=duty.name, result=result)
        self.metrics.set(LAST_CYCLE, time.time(), duty=duty.name, result=result)
        self.metrics.observe(DURATION, time.monotonic() - started, name=duty.name, status=result)
