"""One side of a comparison in a process of its own, with its own packages and number of threads.

Imports only NumPy besides the side's module: some peers live in environments without this project's packages.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]
Side = Callable[[Arrays], Callable[[], Mapping[str, Any]]]


def load(folder: Path) -> Arrays:
    """Saved arrays by name."""
    return {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}


def threads() -> int:
    """How many threads this side is to use."""
    return int(os.environ["NUMBA_NUM_THREADS"])


def best_of(call: Callable[[], Mapping[str, Any]], repeats: int) -> tuple[float, Mapping[str, Any]]:
    """Least seconds of `repeats` calls after one that warms up, and the last result."""
    result = call()
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - started)
    return best, result


def main(side: str, folder: str, repeats: str, output: str) -> None:
    """Runs `module:function` on the arrays of a folder and writes what it returned to `output` (.npz)."""
    module, name = side.split(":")
    prepare: Side = getattr(importlib.import_module(module), name)
    seconds, result = best_of(prepare(load(Path(folder))), int(repeats))
    np.savez(output, **{key: np.asarray(value) for key, value in result.items()})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    print(json.dumps({"seconds": seconds, "peak_gb": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
