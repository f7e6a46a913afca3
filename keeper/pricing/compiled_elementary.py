"""Makes the functions of `elementary` and `mills` compilable: import before compiling what calls them.

No fastmath: the compiler then contracts nothing and reorders nothing, and results keep the bits of NumPy.
"""

import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit, types
from numba.extending import intrinsic, overload, register_jitable

from keeper.pricing import elementary, mills

P = ParamSpec("P")
R = TypeVar("R")

# "numpy": division by zero gives an infinity rather than an exception, whose check would stop vectorising
_INLINED = {"error_model": "numpy", "forceinline": True}
# a parallel section of numba is not safe to enter from two threads
ENTRANCE = threading.Lock()


def compilable(*functions: Callable[..., Any]) -> None:
    """Lets compiled code call these plain functions."""
    for function in functions:
        register_jitable(**_INLINED)(function)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A part of a compiled function."""
    return cast(Callable[P, R], njit(**_INLINED)(function))


def parallel(function: Callable[P, R]) -> Callable[P, R]:
    """A compiled function whose `prange` loops run on all cores; call it inside ENTRANCE."""
    return cast(Callable[P, R], njit(parallel=True, cache=True, error_model="numpy")(function))


def _reinterpret(_: Any, x: Any) -> Any:
    target = types.float64 if x == types.int64 else types.int64

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(target))

    return target(x), code


_bits = intrinsic(_reinterpret)


def _teach(function: Callable[..., Any], compiled: Callable[..., Any]) -> None:
    """Compiled code runs `compiled` where it calls `function`."""
    overload(function, jit_options=_INLINED, strict=False)(compiled)


_teach(elementary.as_bits, lambda x: lambda x: _bits(x))
_teach(elementary.from_bits, lambda bits: lambda bits: _bits(bits))
_teach(
    elementary.select,
    lambda condition, chosen, other: lambda condition, chosen, other: chosen if condition else other,
)
compilable(elementary.exp, elementary.log_ratio, mills.mills_pair, mills._polynomial)


@inlined
def take(source: Any, start: int, target: Any) -> None:
    """Copies a block, or repeats the one value that all options share."""
    if source.shape[0] == 1:
        target[:] = source[0]
    else:
        for i in range(target.shape[0]):
            target[i] = source[start + i]
