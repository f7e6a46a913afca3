"""How the kernels of large books are compiled.

Without `fastmath` no operation is reordered, fused or dropped, so the results are the bits that NumPy and
Python give. The interpreter's lock is released, so that blocks of accounts run on threads of one's own: no
thread pool of a library comes between them.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy.typing as npt
from numba import njit

# elements are machine numbers inside a kernel: neither NumPy's scalars nor Python's integers
Array = npt.NDArray[Any]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile at the first call, or load what an earlier process compiled."""
    return cast(Callable[P, R], njit(cache=True, nogil=True, error_model="numpy")(function))
