"""JSON-RPC: what is asked of one node or of several, and one node with a hard timeout on every request."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from eth_abi.abi import decode
from web3.providers.rpc import HTTPProvider
from web3.types import RPCEndpoint

from keeper.chain.transport import Session, TransportError

_BATCH = 100
_ERROR_SELECTOR = "0x08c379a0"  # Error(string)
_MAX_REASON = 300  # a hostile contract may revert with anything
_BUSY_CODES = (-32005, -32016, 429)  # limits of node operators
_INTERNAL = -32603
_BUSY_WORDS = ("rate limit", "too many requests", "limit exceeded", "capacity exceeded")
_MISSING_WORDS = ("header not found", "unknown block", "block not found", "blockoutofrange", "hash not found")

Request = tuple[str, Sequence[Any]]


class NodeError(RuntimeError):
    """The node did not answer, or not with what was asked for."""


class CallError(NodeError):
    """The node answered with an error; `reason` is a contract's revert reason where there is one."""

    def __init__(self, reason: str, code: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code

    @property
    def is_busy(self) -> bool:
        """The node refuses for now, whatever is asked."""
        return self.code in _BUSY_CODES or any(words in self.reason.lower() for words in _BUSY_WORDS)

    @property
    def is_transient(self) -> bool:
        """About the node, not about what was asked: the same may succeed later."""
        return self.is_busy or self.is_missing_block or self.code == _INTERNAL

    @property
    def is_missing_block(self) -> bool:
        """The node does not have the block: another one may."""
        return any(words in self.reason.lower() for words in _MISSING_WORDS)


@dataclass(frozen=True, slots=True)
class BlockRef:
    """One block; hashes 0x text."""

    number: int
    hash: str
    parent: str
    timestamp: int
    base_fee: int = 0


class Rpc(ABC):
    """One node or a pool of them. Everything raises CallError for an error answer, NodeError for none."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, to be shown: without what may be secret in it."""

    @abstractmethod
    def request(self, method: str, *parameters: Any) -> Any:
        """One request's result."""

    @abstractmethod
    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Results of many requests, in order; raises on the first that failed."""

    @abstractmethod
    def agreed(self, method: str, *parameters: Any) -> Any:
        """The result on which as many endpoints agree as are configured to. For what moves money; the
        parameters name a block by number or hash, because endpoints differ in their latest one."""

    @abstractmethod
    def agreed_batch(self, requests: Sequence[Request]) -> list[Any]:
        """The same for many requests."""

    @abstractmethod
    def send(self, raw: str) -> None:
        """Hand signed bytes to the chain. CallError if they are refused everywhere."""

    def chain_id(self) -> int:
        """Chain id."""
        return int(self.request("eth_chainId"), 16)

    def head(self) -> BlockRef:
        """The latest block."""
        return block_ref(self.request("eth_getBlockByNumber", "latest", False))

    def block(self, number: int) -> BlockRef | None:
        """The canonical block of a number, None if there is none."""
        found = self.request("eth_getBlockByNumber", hex(number), False)
        return None if found is None else block_ref(found)

    def blocks(self, first: int, last: int) -> list[BlockRef]:
        """Canonical blocks of a range, both ends included. NodeError if one is missing."""
        found = self.batch([("eth_getBlockByNumber", [hex(n), False]) for n in range(first, last + 1)])
        if any(item is None for item in found):
            raise NodeError(f"node {self.url} has no block between {first} and {last}")
        return [block_ref(item) for item in found]

    def code(self, address: str) -> bytes:
        """Runtime code at an address."""
        return bytes.fromhex(self.request("eth_getCode", address, "latest")[2:])

    def balance(self, address: str) -> int:
        """Wei."""
        return int(self.request("eth_getBalance", address, "latest"), 16)

    def nonce(self, address: str, number: int | None = None) -> int:
        """Number of mined transactions of an address, up to a block or the latest one; agreed upon."""
        until = "latest" if number is None else hex(number)
        return int(self.agreed("eth_getTransactionCount", address, until), 16)

    def receipt(self, hash: str) -> dict[str, Any] | None:
        """Of a mined transaction, None of any other; agreed upon."""
        found: dict[str, Any] | None = self.agreed("eth_getTransactionReceipt", hash)
        return found


class Node(Rpc):
    """JSON-RPC over HTTP to one endpoint."""

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        """`timeout` in seconds holds for every request."""
        self._url = _shown(url)
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": timeout}, session=Session(), exception_retry_configuration=None
        )

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return self._url

    def request(self, method: str, *parameters: Any) -> Any:
        """One request's result."""
        try:
            response = self._provider.make_request(RPCEndpoint(method), list(parameters))
        except Exception as error:  # connection, HTTP and decoding errors alike
            raise NodeError(f"node {self.url} does not answer: {_why(error)}") from error
        return self._result(response)

    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Results of many requests, in order; raises on the first that failed."""
        results: list[Any] = []
        for start in range(0, len(requests), _BATCH):
            part = [
                (RPCEndpoint(method), list(parameters))
                for method, parameters in requests[start : start + _BATCH]
            ]
            try:
                responses = self._provider.make_batch_request(part)
                ordered = sorted(cast(list[Any], responses), key=lambda response: int(response["id"]))
            except Exception as error:
                raise NodeError(f"node {self.url} does not answer: {_why(error)}") from error
            if len(ordered) != len(part):
                raise NodeError(f"node {self.url} gave an incomplete answer to a batch")
            results.extend(self._result(response) for response in ordered)
        return results

    def agreed(self, method: str, *parameters: Any) -> Any:
        """There is nobody else to ask."""
        return self.request(method, *parameters)

    def agreed_batch(self, requests: Sequence[Request]) -> list[Any]:
        """There is nobody else to ask."""
        return self.batch(requests)

    def send(self, raw: str) -> None:
        """Hand signed bytes to the node."""
        self.request("eth_sendRawTransaction", raw)

    def _result(self, response: Any) -> Any:
        if not isinstance(response, dict) or not response.keys() & {"result", "error"}:
            raise NodeError(f"node {self.url} answered with something that is not JSON-RPC")
        error = response.get("error")
        if error is not None:
            raise CallError(_reason(error), _code(error))
        return response.get("result")


def block_ref(raw: Any) -> BlockRef:
    """A block out of a node's answer. Raises NodeError if it is none."""
    try:
        return BlockRef(
            int(raw["number"], 16),
            raw["hash"],
            raw["parentHash"],
            int(raw["timestamp"], 16),
            int(raw.get("baseFeePerGas", "0x0"), 16),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NodeError("a node answered with something that is not a block") from None


def _why(error: Exception) -> str:
    """Never the error's own text, which may show the whole URL, but for those of ours."""
    return str(error) if isinstance(error, TransportError) else type(error).__name__


def _shown(url: str) -> str:
    """Where it is, without user, path and query: providers put their keys there."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _code(error: Any) -> int:
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else 0


def _reason(error: Any) -> str:
    """Revert reason, bounded in length; the node's message where there is none."""
    if not isinstance(error, dict):
        return str(error)[:_MAX_REASON]
    data = error.get("data")
    if isinstance(data, str) and data.startswith(_ERROR_SELECTOR):
        try:
            return str(decode(["string"], bytes.fromhex(data[10:]))[0])[:_MAX_REASON]
        except Exception:  # noqa: BLE001
            return "malformed revert reason"
    return str(error.get("message", error))[:_MAX_REASON]
