"""A price feed on a chain, by the AggregatorV3 interface of Chainlink and others: a source of one spot.

What is checked of a round is what the interface leaves to its reader (docs.chain.link, "Data Feeds API" and
"L2 sequencer feeds"): a positive answer, a complete round, no answer carried over from an earlier one, an
age, and on a rollup a sequencer that has run for a while, so that everybody could react to what it missed.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from keeper.chain.abi_codec import Function
from keeper.chain.node import NodeError, Rpc
from keeper.sources.source import Listed, Observation

_ROUND = Function(
    "latestRoundData",
    bytes.fromhex("feaf968c"),
    (),
    ("uint80", "int256", "uint256", "uint256", "uint80"),
)
_DECIMALS = Function("decimals", bytes.fromhex("313ce567"), (), ("uint8",))
_PRICE_DECIMALS = 8
_UP = 0
_MAX_AHEAD_SECONDS = 60  # of the protocol's chain, whose clock is another


class _Round(NamedTuple):
    number: int
    answer: int
    started_at: int
    updated_at: int
    answered_in: int


@dataclass(frozen=True, slots=True)
class Feed:
    """Where it is, and when not to believe it.

    Attributes:
        name: of the source, as "chainlink ETH".
        underlying: whose spot it gives.
        address: of the proxy.
        sequencer: status feed of a rollup's sequencer, None elsewhere.
        grace_seconds: a sequencer must have run for so long.
    """

    name: str
    underlying: int
    address: str
    sequencer: str | None = None
    grace_seconds: int = 3_600


class PriceFeedSource:
    """One feed; knows no expiries. How old it may be is for whoever combines the sources to say."""

    def __init__(self, node: Rpc, feed: Feed) -> None:
        """Args: node: of the chain that the feed is on, which may be another than the protocol's."""
        self.venue = feed.name
        self._node = node
        self._feed = feed
        self._decimals: int | None = None

    def observe(self, now: int, listed: Listed) -> Observation:
        """The latest round's answer, if its underlying is listed.

        Raises:
            LookupError: the node does not answer, there is no feed, or its round cannot be used.
        """
        if self._feed.underlying not in listed:
            return Observation(self.venue, now, 0, {}, {})
        try:
            latest, status = self._rounds()
        except NodeError as error:
            raise LookupError(f"{self.venue}: {error}") from error
        if status is not None:
            self._check_sequencer(status, now)
        self._check_round(latest, now)
        price = latest.answer * 10**_PRICE_DECIMALS // 10 ** self._scale()
        if price == 0:
            raise self._unusable(f"its answer {latest.answer} is below the smallest price")
        age = max(now - latest.updated_at, 0)
        return Observation(self.venue, now, age, {self._feed.underlying: price}, {})

    def _rounds(self) -> tuple[_Round, _Round | None]:
        """The feed's round and the sequencer's, at one block."""
        addresses = [self._feed.address, *([self._feed.sequencer] if self._feed.sequencer else [])]
        at = {"blockHash": self._node.head().hash}
        calls = [("eth_call", [{"to": a, "data": _ROUND.encode()}, at]) for a in addresses]
        if self._decimals is None:
            calls.append(("eth_call", [{"to": self._feed.address, "data": _DECIMALS.encode()}, at]))
        answers = self._node.batch(calls)
        rounds = [_Round(*self._decoded(_ROUND, a)) for a in answers[: len(addresses)]]
        if self._decimals is None:
            self._decimals = int(self._decoded(_DECIMALS, answers[-1]))
        return rounds[0], rounds[1] if len(rounds) > 1 else None

    def _decoded(self, function: Function, answer: str) -> Any:
        try:
            return function.decode(bytes.fromhex(answer[2:]))
        except Exception as error:  # noqa: BLE001  whatever eth_abi makes of foreign bytes
            raise self._unusable(f"no {function.name} at its address: is it a feed?") from error

    def _check_round(self, latest: _Round, now: int) -> None:
        if latest.updated_at == 0:
            raise self._unusable(f"round {latest.number} is not complete")
        if latest.answered_in < latest.number:
            raise self._unusable(f"round {latest.number} carries the answer of round {latest.answered_in}")
        if latest.answer <= 0:
            raise self._unusable(f"its answer is {latest.answer}")
        if latest.updated_at > now + _MAX_AHEAD_SECONDS:
            raise self._unusable(f"its round is {latest.updated_at - now} seconds ahead of our chain")

    def _check_sequencer(self, status: _Round, now: int) -> None:
        if status.started_at == 0:
            raise self._unusable("the sequencer's status is not known yet")
        if status.answer != _UP:
            raise self._unusable("the sequencer is down")
        running = now - status.started_at
        if running <= self._feed.grace_seconds:
            least = self._feed.grace_seconds
            raise self._unusable(f"the sequencer runs for {running} seconds only, not for {least} yet")

    def _scale(self) -> int:
        assert self._decimals is not None  # read with the first round
        return self._decimals

    def _unusable(self, why: str) -> LookupError:
        return LookupError(f"{self.venue}: {why}")
