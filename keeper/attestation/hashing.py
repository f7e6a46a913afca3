"""Keccak-256 of thousands of messages: `eth_utils.keccak` of each, on all cores."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from eth_utils.crypto import keccak

from keeper.attestation import compiled_keccak
from keeper.risk.batch_blocks import in_blocks

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
_WORD = 8  # bytes
_DIGEST = 32
# below, loading the kernel costs more than it saves
_FEW = 32


def keccak_rows(rows: Bytes, threads: int | None = None) -> Bytes:
    """Digests of messages of one size, shape (n, 32).

    Args:
        rows: shape (n, size), contiguous; `size` a multiple of eight.
    """
    count, size = rows.shape
    starts = np.arange(count, dtype=np.int64) * (size // _WORD)
    return _digests(rows.reshape(-1), starts, np.full(count, size // _WORD, dtype=np.int64), threads)


def keccak_ragged(content: Bytes, indptr: Integers, threads: int | None = None) -> Bytes:
    """Digests of messages of different sizes, shape (n, 32).

    Args:
        content: all messages one after the other.
        indptr: where each begins and the last one ends, in bytes; multiples of eight.
    """
    starts = indptr // _WORD
    return _digests(content, starts[:-1].copy(), np.diff(starts), threads)


def parent_rows(nodes: Bytes, threads: int | None = None) -> Bytes:
    """Parents of nodes of shape (n, 32) in pairs, the smaller one first; an odd one at the end stays."""
    pairs = len(nodes) // 2
    out = np.empty((pairs + len(nodes) % 2, _DIGEST), dtype=np.uint8)
    out[pairs:] = nodes[2 * pairs :]
    if pairs < _FEW:
        for i in range(pairs):
            a, b = nodes[2 * i].tobytes(), nodes[2 * i + 1].tobytes()
            out[i] = np.frombuffer(keccak(min(a, b) + max(a, b)), dtype=np.uint8)
        return out
    words, result = nodes.view(np.uint64), out.view(np.uint64)
    _run(lambda span: compiled_keccak.parents(words, span, result), pairs, threads)
    return out


def _digests(content: Bytes, starts: Integers, sizes: Integers, threads: int | None) -> Bytes:
    out = np.empty((len(starts), _DIGEST), dtype=np.uint8)
    words, result = np.ascontiguousarray(content).view(np.uint64), out.view(np.uint64)
    if len(starts) < _FEW:
        for i, (start, size) in enumerate(zip(starts, sizes, strict=True)):
            out[i] = np.frombuffer(keccak(words[start : start + size].tobytes()), dtype=np.uint8)
        return out
    _run(lambda span: compiled_keccak.digests(words, starts, sizes, span, result), len(starts), threads)
    return out


def _run(work: Callable[[tuple[int, int]], None], size: int, threads: int | None) -> None:
    if size:
        in_blocks(work, size, threads)
