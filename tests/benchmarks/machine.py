"""The machine, the versions, and its memory bandwidth: what absolute seconds are to be read beside."""

import os
import platform
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from tests.benchmarks.harness import Context, Row
from tests.benchmarks.worker import Arrays

_PACKAGES = ("numpy", "numba", "scipy", "iv-engine", "pyvolr", "fast-vollib", "QuantLib")
# doubles of one array: 256 MB, far beyond any cache
_LARGE = 2**25
# three arrays of 256 KB: in the second-level cache of one core
_SMALL = 2**13


def rows(context: Context) -> Iterable[Row]:
    """Machine, versions and the bandwidth of a triad a[i] = b[i] + s * c[i] (after J. McCalpin's STREAM)."""
    yield Row("machine", _processor())
    yield Row("machine_cores", float(len(os.sched_getaffinity(0))))
    yield Row("machine_system", platform.platform())
    yield Row("version_python", platform.python_version())
    for package in _PACKAGES:
        try:
            yield Row(f"version_{package.lower().replace('-', '_')}", version(package))
        except PackageNotFoundError:
            continue
    for name, size, rounds in (("memory", _LARGE, 1), ("second_level_cache", _SMALL, 2_000)):
        arrays = context.save(f"triad-{name}", size=size, rounds=rounds)
        for threads in context.threads:
            run = context.run("tests.benchmarks.machine:triad", arrays, threads)
            moved = 3 * 8 * size * rounds * (1 if name == "memory" else threads)
            yield Row(f"triad_{name}_{threads}_threads_gb_per_s", moved / run.seconds / 1e9, "GB/s")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123 - not a file of ours
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def triad(arrays: Arrays) -> Callable[[], dict[str, float]]:
    """Large: all threads share three arrays. Small: each has its own three and sweeps them repeatedly."""
    import numba

    size, rounds = int(arrays["size"]), int(arrays["rounds"])
    parts = numba.get_num_threads()
    own = rounds > 1
    shape = (3, parts, size) if own else (3, parts, size // parts)
    a, b, c = np.ones(shape)

    @numba.njit(parallel=True, error_model="numpy")
    def sweep(a, b, c, scalar, rounds):  # type: ignore[no-untyped-def]
        for part in numba.prange(a.shape[0]):
            x, y, z = a[part], b[part], c[part]
            for turn in range(rounds):
                factor = scalar + turn
                for i in range(x.shape[0]):
                    x[i] = y[i] + factor * z[i]

    def call() -> dict[str, float]:
        sweep(a, b, c, 3.0, rounds)
        return {"last": float(a[0, 0])}

    return call
