"""Several endpoints as one node.

They are asked in turn, dropped when they fail, lag or are on another chain, and taken back when they recover;
what moves money is read from as many as must agree.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from keeper.chain.endpoint import Budget, Endpoint, State
from keeper.chain.node import BlockRef, CallError, Node, NodeError, Request, Rpc, block_ref
from keeper.observability.metrics import Metrics
from keeper.observability.names import NODE_STATES, RPC_DISAGREEMENTS

_STUMBLE_SECONDS = 0.5  # what fails later than that has had its chance
_GRACE_SECONDS = 0.25  # that a head waits for the slower endpoints once enough have answered
# Of these answers only what the chain fixes is compared: nodes add fields of their own
_FIXED = {
    "eth_getTransactionReceipt": ("transactionHash", "blockHash", "status", "gasUsed"),
    "eth_getBlockByNumber": ("number", "hash"),
    "eth_getBlockByHash": ("number", "hash"),
}
_Answers = list[Any] | CallError


@dataclass(frozen=True, slots=True)
class Settings:
    """How endpoints are judged.

    agree: endpoints that must say the same of anything that moves money.
    lag: blocks that one may be behind the highest.
    timeout: seconds, of each request.
    """

    agree: int = 1
    lag: int = 3
    timeout: float = 5.0
    budget: Budget = Budget()


class Pool(Rpc):
    """All of Node's methods over several endpoints. Thread-safe."""

    def __init__(
        self,
        urls: Sequence[str],
        chain_id: int,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Nothing is asked yet. ValueError if fewer endpoints are named than must agree.

        chain_id: an endpoint on another chain is never asked for anything else.
        """
        self._settings = settings or Settings()
        if not 1 <= self._settings.agree <= len(urls):
            raise ValueError(f"{self._settings.agree} of {len(urls)} endpoints can never agree")
        self._metrics = metrics or Metrics()
        nodes = [Node(url, self._settings.timeout) for url in urls]
        self.endpoints = [Endpoint(node, chain_id, self._settings.budget, self._metrics) for node in nodes]
        self._first = self.endpoints[0]
        self._probes: dict[Endpoint, Future[None]] = {}
        self._lock = threading.Lock()
        self._looked = False

    @property
    def url(self) -> str:
        """Of the endpoint asked first."""
        return self._first.node.url

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The endpoints that may be asked, the one asked first in front."""
        return tuple(endpoint.node for endpoint in self._endpoints())

    def request(self, method: str, *parameters: Any) -> Any:
        """One request's result, from the first endpoint that answers."""
        return self._in_turn(lambda node: node.request(method, *parameters))

    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Results of many requests, all from one endpoint."""
        found: list[Any] = self._in_turn(lambda node: node.batch(requests))
        return found

    def agreed(self, method: str, *parameters: Any) -> Any:
        """The result on which enough endpoints agree. NodeError if they do not."""
        return self.agreed_batch([(method, parameters)])[0]

    def agreed_batch(self, requests: Sequence[Request]) -> list[Any]:
        """The same for many requests, of each endpoint at once. An error answer counts as an answer."""
        if self._settings.agree == 1:
            return self.batch(requests)
        found = self._agree(requests)
        if isinstance(found, CallError):
            raise found
        return found

    def send(self, raw: str) -> None:
        """Hand signed bytes to every endpoint: one that swallows them does not hold them up. Returns with the
        first that takes them; CallError if all refuse."""
        tasks = [endpoint.submit(lambda node: node.send(raw)) for endpoint in self._endpoints()]
        errors: list[NodeError] = []
        for task in _as_done(tasks, self._settings.timeout):
            error = task.exception()
            if error is None:
                return
            if not isinstance(error, NodeError):
                raise error
            errors.append(error)
        refusals = [error for error in errors if isinstance(error, CallError) and not error.is_busy]
        raise refusals[0] if refusals else self._nobody(errors)

    def head(self) -> BlockRef:
        """The highest block that as many endpoints as must agree have with the same hash. Looks at every
        endpoint's health on the way."""
        self.look()
        heads = sorted((e.head for e in self._endpoints() if e.head), key=lambda h: -h.number)
        if len(heads) < self._settings.agree:
            raise self._nobody([])
        reference = heads[self._settings.agree - 1]
        if self._settings.agree == 1:
            return reference
        return block_ref(self.agreed("eth_getBlockByNumber", hex(reference.number), False))

    def nonce(self, address: str, number: int | None = None) -> int:
        """Number of mined transactions, up to a block or the latest one; agreed upon."""
        if number is None and self._settings.agree > 1:
            number = self.head().number
        return super().nonce(address, number)

    def look(self) -> None:
        """Ask every endpoint that is due for its chain and head, and judge them against each other."""
        with self._lock:
            due = [e for e in self.endpoints if e.is_due() and e not in self._probes]
            started = {endpoint: endpoint.submit_probe() for endpoint in due}
            self._probes |= started
            tasks = list((started or self._probes).values())  # one that hangs since before holds nobody up
        self._wait_for(tasks)
        with self._lock:
            self._probes = {e: task for e, task in self._probes.items() if not task.done()}
            self._looked = True
            self._judge()

    def distrust(self, url: str, reason: str) -> None:
        """Put an endpoint out for a while: it gave an answer that was proved wrong."""
        for endpoint in self.endpoints:
            if endpoint.node.url == url:
                endpoint.put_out(State.UNREACHABLE, reason)

    def states(self) -> dict[str, str]:
        """State of every endpoint by its address, with what is wrong."""
        return {e.node.url: f"{e.state}: {e.problem}" if e.problem else str(e.state) for e in self.endpoints}

    def close(self) -> None:
        """Give threads and connections back."""
        for endpoint in self.endpoints:
            endpoint.close()

    def _wait_for(self, tasks: list[Future[None]]) -> None:
        """Until enough endpoints have answered, and a little for the others."""
        deadline, left = time.monotonic() + self._settings.timeout, set(tasks)
        while left and (remaining := deadline - time.monotonic()) > 0:
            _, left = wait(left, timeout=remaining, return_when=FIRST_COMPLETED)
            if sum(e.is_usable for e in self.endpoints) >= self._settings.agree:
                deadline = min(deadline, time.monotonic() + _GRACE_SECONDS)

    def _judge(self) -> None:
        """Where several must agree, one that runs ahead of all others is no measure of them."""
        heads = sorted((e.head.number for e in self.endpoints if e.head and e.has_answered), reverse=True)
        if len(heads) >= self._settings.agree:
            for endpoint in self.endpoints:
                endpoint.compare(heads[self._settings.agree - 1], self._settings.lag)
        prompt = [e for e in self.endpoints if e.is_usable and e not in self._probes]
        if prompt and (self._first not in prompt or _height(self._first) < max(map(_height, prompt))):
            self._first = max(prompt, key=_height)
        for state in State:
            self._metrics.set(NODE_STATES, sum(e.state == state for e in self.endpoints), state=state)

    def _endpoints(self) -> list[Endpoint]:
        """Endpoints to ask, the one asked first in front, those that owe an answer last. Nothing is asked of
        one whose chain has not been seen."""
        if not self._looked:
            self.look()
        usable = [e for e in self.endpoints if e.is_usable]
        return sorted(usable, key=lambda e: (e in self._probes, e is not self._first))

    def _in_turn(self, ask: Callable[[Node], Any]) -> Any:
        """The first answer; an endpoint's own trouble, or a block that it lacks, leads to the next. Where all
        have stumbled at once, the first is asked once more."""
        if not self._endpoints():
            self.look()
        errors: list[NodeError] = []
        asked, started = self._endpoints(), time.monotonic()
        for turn, endpoint in enumerate((*asked, *asked[:1])):
            if turn == len(asked) and time.monotonic() - started > _STUMBLE_SECONDS:
                break
            try:
                return endpoint.call(ask)
            except CallError as error:
                if not (error.is_busy or error.is_missing_block):
                    raise
                errors.append(error)
            except NodeError as error:
                errors.append(error)
        raise errors[0] if len(errors) == 1 else self._nobody(errors)

    def _agree(self, requests: Sequence[Request]) -> _Answers:
        tasks = [endpoint.submit(lambda node: node.batch(requests)) for endpoint in self._endpoints()]
        votes: dict[str, int] = {}
        for task in _as_done(tasks, 2 * self._settings.timeout):
            answer = _answer(task)
            if answer is None:
                continue
            key = _key(requests, answer)
            votes[key] = votes.get(key, 0) + 1
            if votes[key] >= self._settings.agree:
                return answer
        methods = ", ".join(dict.fromkeys(method for method, _ in requests))
        self._metrics.count(RPC_DISAGREEMENTS, method=methods)
        raise NodeError(
            f"{self._settings.agree} of {len(self.endpoints)} nodes must agree on {methods}:"
            f" {max(votes.values(), default=0)} of {sum(votes.values())} that answered do"
        )

    def _nobody(self, errors: Iterable[NodeError]) -> NodeError:
        said = "; ".join(str(error) for error in errors)
        known = ", ".join(f"{url} is {state}" for url, state in self.states().items())
        return NodeError(f"no node answers: {said or known}")


def _answer(task: Future[Any]) -> _Answers | None:
    """What an endpoint says, a refusal included; None if nothing."""
    try:
        found: list[Any] = task.result()
    except CallError as error:
        return None if error.is_busy or error.is_missing_block else error
    except NodeError:
        return None
    return found


def _key(requests: Sequence[Request], answer: _Answers) -> str:
    """The same for answers that say the same."""
    if isinstance(answer, CallError):
        return f"error {answer.reason}"
    fixed = [_fixed(method, item) for (method, _), item in zip(requests, answer, strict=True)]
    return json.dumps(fixed, sort_keys=True).lower()


def _fixed(method: str, item: Any) -> Any:
    names = _FIXED.get(method)
    return [item.get(name) for name in names] if names and isinstance(item, dict) else item


def _as_done(tasks: list[Future[Any]], seconds: float) -> Iterable[Future[Any]]:
    """Tasks as they finish; those that have not in time are left to themselves."""
    deadline, left = time.monotonic() + seconds, set(tasks)
    while left and (remaining := deadline - time.monotonic()) > 0:
        done, left = wait(left, timeout=remaining, return_when=FIRST_COMPLETED)
        yield from done


def _height(endpoint: Endpoint) -> int:
    return endpoint.head.number if endpoint.head else -1


__all__ = ["Budget", "Pool", "Settings", "State"]
