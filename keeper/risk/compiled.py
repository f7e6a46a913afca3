"""How the kernels of large books are compiled: as those of pricing, bit for bit what NumPy and Python give.

The interpreter's lock is released, so that blocks of accounts run on threads of one's own: no thread pool of
a library comes between them.
"""

from typing import Any

import numpy.typing as npt

from keeper.pricing.compiled_elementary import compiled

__all__ = ["Array", "compiled"]

# elements are machine numbers inside a kernel: neither NumPy's scalars nor Python's integers
Array = npt.NDArray[Any]
