"""Makes the functions of `elementary` and `mills` compilable: import before compiling what calls them.

No fastmath: the compiler then contracts nothing and reorders nothing, and results keep the bits of NumPy.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit, types
from numba.extending import intrinsic, overload, register_jitable

from keeper.pricing import IMPORTED_AT, elementary, mills

P = ParamSpec("P")
R = TypeVar("R")

# options of one block: its scratch stays in the caches next to the core
BLOCK = 512

# "numpy": division by zero gives an infinity rather than an exception, whose check would stop vectorising
_INLINED = {"error_model": "numpy", "forceinline": True}


def compilable(*functions: Callable[..., Any]) -> None:
    """Lets compiled code call these plain functions."""
    for function in functions:
        register_jitable(**_INLINED)(function)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A part of a compiled function."""
    return cast(Callable[P, R], njit(**_INLINED)(function))


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """A compiled function without the interpreter's lock, so that parts of arrays run on threads.

    Compiled at the first call, or loaded from what an earlier process compiled.
    """
    sources = _sources({Path(function.__code__.co_filename).parent, Path(__file__).parent})
    # what was edited after it was imported must not be kept under the name of the edited sources
    kept = all(changed < IMPORTED_AT for _, _, changed in sources)
    dispatcher = njit(nogil=True, cache=kept, error_model="numpy")(function)
    if kept:
        # numba watches the function's own file; the formulas it calls are in others
        dispatcher._cache._cache_file._source_stamp = sources
    return cast(Callable[P, R], dispatcher)


def _sources(packages: set[Path]) -> tuple[tuple[str, int, int], ...]:
    """Changes with every edit of a module of these packages."""
    paths = sorted(path for package in packages for path in package.glob("*.py"))
    found = ((path.name, path.stat()) for path in paths)
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)


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
    size = target.shape[0]
    if source.shape[0] == 1:
        for i in range(size):
            target[i] = source[0]
    else:
        # a slice first: an index the compiler cannot know to be positive would stop vectorising
        block = source[start : start + size]
        for i in range(size):
            target[i] = block[i]
