"""One node: JSON-RPC with a hard timeout, batches, and reads that are pinned to a block's hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth_abi.abi import decode
from web3.providers.rpc import HTTPProvider
from web3.types import RPCEndpoint

from keeper.chain.transport import Session

_BATCH = 100
_ERROR_SELECTOR = "0x08c379a0"  # Error(string)
_MAX_REASON = 300  # a hostile contract may revert with anything


class NodeError(RuntimeError):
    """The node did not answer, or not with what was asked for."""


class CallError(NodeError):
    """The node answered with an error; `reason` is a contract's revert reason where there is one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class BlockRef:
    """One block; hashes 0x text."""

    number: int
    hash: str
    parent: str
    timestamp: int
    base_fee: int = 0


class Node:
    """JSON-RPC over HTTP."""

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        """`timeout` in seconds holds for every request."""
        self.url = url
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": timeout}, session=Session(), exception_retry_configuration=None
        )

    def request(self, method: str, *parameters: Any) -> Any:
        """One request's result. Raises CallError for an error answer, NodeError for none."""
        try:
            response = self._provider.make_request(RPCEndpoint(method), list(parameters))
        except Exception as error:  # requests, decoding and connection errors alike
            raise NodeError(f"node {self.url} does not answer: {type(error).__name__}") from error
        return _result(cast(dict[str, Any], response))

    def batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Results of many requests, in order; raises on the first that failed."""
        results: list[Any] = []
        for start in range(0, len(requests), _BATCH):
            part = [
                (RPCEndpoint(method), list(parameters))
                for method, parameters in requests[start : start + _BATCH]
            ]
            try:
                responses = self._provider.make_batch_request(part)
            except Exception as error:
                raise NodeError(f"node {self.url} does not answer: {type(error).__name__}") from error
            if not isinstance(responses, list) or len(responses) != len(part):
                raise NodeError(f"node {self.url} gave an incomplete answer to a batch")
            ordered = sorted(responses, key=lambda response: cast(int, response["id"]))
            results.extend(_result(cast(dict[str, Any], response)) for response in ordered)
        return results

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
        """Number of mined transactions of an address, up to a block or the latest one."""
        until = "latest" if number is None else hex(number)
        return int(self.request("eth_getTransactionCount", address, until), 16)


def block_ref(raw: dict[str, Any]) -> BlockRef:
    """A block out of a node's answer."""
    return BlockRef(
        int(raw["number"], 16),
        raw["hash"],
        raw["parentHash"],
        int(raw["timestamp"], 16),
        int(raw.get("baseFeePerGas", "0x0"), 16),
    )


def _result(response: dict[str, Any]) -> Any:
    error = response.get("error")
    if error is not None:
        raise CallError(_reason(error))
    return response.get("result")


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
