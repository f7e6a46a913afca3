"""Blocks of accounts on all cores."""

from collections.abc import Callable

from keeper.pricing.threads import cores, pool

Span = tuple[int, int]

# accounts of a block, at most: so many that calling a kernel costs nothing, so few that threads end together
_BLOCK = 8_192
# below, a thread costs more than it saves
_LEAST_BLOCK = 512


def in_blocks(work: Callable[[Span], None], size: int, threads: int | None) -> None:
    """Run `work` on blocks of accounts, on threads: compiled kernels release the interpreter's lock."""
    count = max(min(threads or cores(), size // _LEAST_BLOCK), 1)
    blocks = count * -(-size // (count * _BLOCK))
    spans = [(size * i // blocks, size * (i + 1) // blocks) for i in range(blocks)]
    if count == 1:
        for span in spans:
            work(span)
        return
    list(pool(count).map(work, spans))
