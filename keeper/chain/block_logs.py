"""Logs of whole blocks, by block hash: from a node's log index, or out of the blocks' receipts.

A header's bloom says which blocks cannot hold a log of ours: those are not asked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from keeper.chain.node import BlockRef, NodeError, Rpc, block_ref

Log = Mapping[str, Any]
_BLOOM_BITS = 2048


@dataclass(frozen=True, slots=True)
class BlockLogs:
    """A block and its logs of the watched contracts, in order; `may_hold`: the header's bloom allows some."""

    ref: BlockRef
    logs: Sequence[Log]
    may_hold: bool


class LogReader:
    """Reads the logs of some contracts."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = sorted(address.lower() for address in addresses)
        self._masks = [_bloom(bytes.fromhex(address[2:])) for address in self._addresses]

    def read(self, rpc: Rpc, first: int, last: int) -> list[BlockLogs]:
        """Blocks of a range, both ends included.

        Raises NodeError: no answer, a block is missing, or a log of another block.
        """
        headers = rpc.batch([("eth_getBlockByNumber", [hex(n), False]) for n in range(first, last + 1)])
        if any(header is None for header in headers):
            raise NodeError(f"node {rpc.url} has no block between {first} and {last}")
        blocks = [BlockLogs(block_ref(header), (), self._may_hold(header)) for header in headers]
        found = self._logs(rpc, [block.ref for block in blocks if block.may_hold])
        return [BlockLogs(b.ref, found.get(b.ref.hash, ()), b.may_hold) for b in blocks]

    def again(self, rpc: Rpc, blocks: Sequence[BlockLogs]) -> list[BlockLogs]:
        """The same blocks' logs as `rpc` has them, whatever the blooms say."""
        found = self._logs(rpc, [block.ref for block in blocks])
        return [BlockLogs(b.ref, found[b.ref.hash], b.may_hold) for b in blocks]

    def from_receipts(self, rpc: Rpc, blocks: Sequence[BlockLogs]) -> list[BlockLogs]:
        """The same, out of the receipts of every transaction: what a node's log index is made from."""
        answers = rpc.batch([("eth_getBlockReceipts", [block.ref.hash]) for block in blocks])
        return [self._of_receipts(rpc, b, answer) for b, answer in zip(blocks, answers, strict=True)]

    def _of_receipts(self, rpc: Rpc, block: BlockLogs, receipts: Any) -> BlockLogs:
        if not isinstance(receipts, list):
            raise NodeError(f"node {rpc.url} has no receipts of block {block.ref.number}")
        logs = [log for receipt in receipts for log in receipt["logs"]]
        ours = [log for log in logs if log["address"].lower() in self._addresses]
        return BlockLogs(block.ref, _in_order(rpc, block.ref, ours), block.may_hold)

    def _logs(self, rpc: Rpc, refs: Sequence[BlockRef]) -> dict[str, Sequence[Log]]:
        """By block hash."""
        asked = [("eth_getLogs", [{"blockHash": ref.hash, "address": self._addresses}]) for ref in refs]
        answers = rpc.batch(asked) if asked else []
        return {ref.hash: _in_order(rpc, ref, logs) for ref, logs in zip(refs, answers, strict=True)}

    def _may_hold(self, header: Mapping[str, Any]) -> bool:
        bloom = int(header["logsBloom"], 16)
        return any(bloom & mask == mask for mask in self._masks)


def _in_order(rpc: Rpc, ref: BlockRef, logs: Any) -> list[Log]:
    try:
        if any(log["blockHash"] != ref.hash for log in logs):
            raise NodeError(f"node {rpc.url} gave a log of another block than {ref.number}")
        return sorted(logs, key=lambda log: int(log["logIndex"], 16))
    except (TypeError, KeyError, ValueError) as error:
        raise NodeError(f"node {rpc.url} gave something else than logs of block {ref.number}") from error


def _bloom(item: bytes) -> int:
    """The three bits that an item sets."""
    digest = keccak(item)
    bits = (int.from_bytes(digest[i : i + 2]) % _BLOOM_BITS for i in (0, 2, 4))
    return sum({1 << bit for bit in bits})
