"""What can be wrong with a node's answers; `fault_proxy` carries it out. Each fault concerns some methods,
for a number of requests or until it is taken back.

A fault of the transport spoils the whole HTTP answer (a batch with it); one of the answer changes what a
single request gets.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

Ask = Callable[[str, Sequence[Any]], Awaitable[Any]]  # of the node behind the proxy; raises RpcError
Keep = Callable[[int, dict[str, Any]], bool]
_TAGS = ("latest", "pending", "safe", "finalized")
_BUMP = 110  # per cent of both fees that geth asks of a replacement


class RpcError(Exception):
    """An error answer."""

    def __init__(self, message: str, code: int = -32000, data: Any = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message} | ({} if data is None else {"data": data})


@dataclass(eq=False)
class Fault:
    """Attributes:
    methods: that it concerns; none: all.
    times: requests that it still spoils; None: until it is removed.
    after: requests that pass before the first.
    share: probability with which a request is spoiled, by a generator of its own seeded with `seed`.
    """

    methods: tuple[str, ...] = ()
    times: int | None = None
    after: int = 0
    share: float = 1.0
    seed: int = 0
    hits: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def strikes(self, method: str) -> bool:
        """Whether it spoils this request; counts it."""
        if (self.methods and method not in self.methods) or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        if self.share < 1 and self._random.random() >= self.share:
            return False
        if self.times is not None:
            self.times -= 1
        self.hits += 1
        return True


# Transport


@dataclass(eq=False)
class Reset(Fault):
    """The connection is torn down instead of an answer."""


@dataclass(eq=False)
class Hang(Fault):
    """Taken, and never answered."""


@dataclass(eq=False)
class Latency(Fault):
    """Answered later, seconds."""

    seconds: float = 0.1


@dataclass(eq=False)
class Status(Fault):
    """An HTTP error: 500, 429."""

    code: int = 500
    body: bytes = b"upstream error"


@dataclass(eq=False)
class Truncated(Fault):
    """Half of the answer, then the end."""


@dataclass(eq=False)
class Garbage(Fault):
    """An answer that is not JSON."""

    body: bytes = b"<html>502 Bad Gateway</html>"


@dataclass(eq=False)
class Drip(Fault):
    """One byte at a time, `seconds` apart."""

    seconds: float = 0.2


TRANSPORT = (Reset, Hang, Latency, Status, Truncated, Garbage, Drip)


# Answers


class Answering(Fault):
    """Changes what one request gets."""

    async def answer(self, ask: Ask, method: str, params: list[Any]) -> Any:
        """Result instead of the node's. Raises RpcError."""
        raise NotImplementedError


@dataclass(eq=False)
class Refused(Answering):
    """An error answer."""

    message: str = "internal error"
    code: int = -32000

    async def answer(self, ask: Ask, method: str, params: list[Any]) -> Any:
        raise RpcError(self.message, self.code)


@dataclass(eq=False)
class Changed(Answering):
    """Another result: `change(params, result)` of the node's own."""

    change: Callable[[list[Any], Any], Any] = lambda _params, result: result

    async def answer(self, ask: Ask, method: str, params: list[Any]) -> Any:
        return self.change(params, await ask(method, params))


def wrong_chain(chain_id: int = 1) -> Changed:
    """Another chain behind the address."""
    return Changed(("eth_chainId",), change=lambda _p, _r: hex(chain_id))


def syncing() -> Changed:
    """A node that says it is still syncing."""
    return Changed(("eth_syncing",), change=lambda _p, _r: {"currentBlock": "0x1", "highestBlock": "0xffff"})


def null_receipts(**options: Any) -> Changed:
    """No transaction ever has a receipt."""
    return Changed(("eth_getTransactionReceipt",), change=lambda _p, _r: None, **options)


def missing_logs(keep: Keep = lambda _i, _log: False, **options: Any) -> Changed:
    """Logs left out: all, or those for which keep(position, log) is false."""
    return _logs(lambda logs: [log for i, log in enumerate(logs) if keep(i, log)], options)


def duplicate_logs(**options: Any) -> Changed:
    """Every log twice."""
    return _logs(lambda logs: [log for log in logs for _ in range(2)], options)


def reordered_logs(**options: Any) -> Changed:
    """The last log first."""
    return _logs(lambda logs: logs[::-1], options)


def _logs(change: Callable[[list[Any]], list[Any]], options: dict[str, Any]) -> Changed:
    return Changed(("eth_getLogs",), change=lambda _p, logs: change(logs), **options)


@dataclass(eq=False)
class LyingSend(Answering):
    """Transactions are taken with a hash, and go nowhere."""

    methods: tuple[str, ...] = ("eth_sendRawTransaction",)

    async def answer(self, ask: Ask, method: str, params: list[Any]) -> Any:
        return "0x" + keccak(hexstr=params[0]).hex()


@dataclass(eq=False)
class DroppedTransactions(Answering):
    """Transactions reach the pool and are dropped from it at once (anvil without automine)."""

    methods: tuple[str, ...] = ("eth_sendRawTransaction",)

    async def answer(self, ask: Ask, method: str, params: list[Any]) -> Any:
        hash = await ask(method, params)
        await ask("anvil_dropTransaction", [hash])
        return hash


@dataclass(eq=False)
class GethPool(Answering):
    """Replacements and repetitions as geth treats them: anvil takes any replacement."""

    methods: tuple[str, ...] = ("eth_sendRawTransaction",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._pending: dict[tuple[str, int], tuple[str, int, int]] = {}

    async def answer(self, ask: Ask, method: str, params: list[Any]) -> Any:
        raw = HexBytes(params[0])
        fields = TypedTransaction.from_bytes(raw).as_dict()
        sender, nonce = str(Account.recover_transaction(raw)), int(fields["nonce"])
        hash, max_fee, tip = "0x" + keccak(raw).hex(), fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]
        known = self._pending.get((sender, nonce))
        if known is not None and await ask("eth_getTransactionByHash", [known[0]]) is not None:
            if known[0] == hash:
                raise RpcError("already known")
            is_mined = int(await ask("eth_getTransactionCount", [sender, "latest"]), 16) > nonce
            if not is_mined and (max_fee * 100 < known[1] * _BUMP or tip * 100 < known[2] * _BUMP):
                raise RpcError("replacement transaction underpriced")
        found = await ask(method, params)
        self._pending[sender, nonce] = (hash, max_fee, tip)
        return found


@dataclass(eq=False)
class Stale(Answering):
    """A node that is `behind` blocks late, or stands at block `at`: it knows nothing newer."""

    behind: int = 50
    at: int | None = None

    async def answer(self, ask: Ask, method: str, params: list[Any]) -> Any:
        head = int(await ask("eth_blockNumber", []), 16)
        top = min(head, self.at) if self.at is not None else max(head - self.behind, 0)
        if method == "eth_blockNumber":
            return hex(top)
        if method in ("eth_sendRawTransaction", "eth_chainId", "eth_syncing", "eth_estimateGas"):
            return await ask(method, params)
        if method == "eth_getBlockByNumber" and _number(params[0]) > top:
            return None
        result = await ask(method, [await self._shifted(ask, item, top) for item in params])
        if method in ("eth_getBlockByHash", "eth_getTransactionReceipt", "eth_getTransactionByHash"):
            return None if _height(result) > top else result
        return result

    async def _shifted(self, ask: Ask, item: Any, top: int) -> Any:
        """A parameter with every name of the head replaced; an error for a block that is not known yet."""
        if item in _TAGS:
            return hex(top)
        if isinstance(item, dict) and "blockHash" in item:
            block = await ask("eth_getBlockByHash", [item["blockHash"], False])
            if block is None or _height(block) > top:
                raise RpcError("header not found")
        return item


def _number(tag: Any) -> int:
    return -1 if tag in _TAGS else 0 if tag == "earliest" else int(tag, 16)


def _height(found: Any) -> int:
    """Block of a receipt, a transaction or a block itself; -1 if there is none."""
    if not isinstance(found, dict):
        return -1
    value = found.get("blockNumber", found.get("number"))
    return int(value, 16) if isinstance(value, str) else -1
