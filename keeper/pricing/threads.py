"""Blocks of large arrays on all cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from os import cpu_count, getpid

_limit = 0

# blocks per part, at least: below, a thread costs more than it saves
_LEAST_PART = 32


def in_parts(work: Callable[[int, int], object], blocks: int, threads: int | None = None) -> None:
    """Calls `work(first, last)` on ranges that cover the blocks 0 to `blocks`, each on a thread of its own.

    The work must release the interpreter's lock, write nowhere but to its blocks, and not depend on how the
    whole is cut.
    """
    count = max(min(threads or cores(), blocks // _LEAST_PART), 1)
    bounds = [blocks * i // count for i in range(count + 1)]
    if count == 1:
        work(0, blocks)
        return
    parts = zip(bounds[1:], bounds[2:], strict=False)
    others = [pool(count).submit(work, start, stop) for start, stop in parts]
    work(bounds[0], bounds[1])
    for other in others:
        other.result()


def cores() -> int:
    """How many threads to use: as many as there are cores, or as `limit` says."""
    return _limit or cpu_count() or 1


def limit(count: int) -> None:
    """Use no more threads from now on: where several processes share the cores."""
    global _limit
    _limit = count


def pool(count: int) -> ThreadPoolExecutor:
    """Threads that stay: to start them would cost more than a small array."""
    return _pool(count, getpid())


@cache
def _pool(count: int, process: int) -> ThreadPoolExecutor:
    # of this process: one that was forked has none of its parent's threads
    return ThreadPoolExecutor(count, thread_name_prefix=f"arrays-{process}")
