"""Margins of ten thousand accounts on other processors and numbers of threads: the same bits."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from keeper.risk.batch import batch_margins
from keeper.risk.batch_table import batch_table
from keeper.risk.margin import build_table
from keeper.risk.methodology import Methodology
from tests.support.random_books import random_books, smile_market, universe

ROOT = Path(__file__).resolve().parents[4]
ACCOUNTS = 10_000
PROGRAM = "from tests.unit.keeper.risk.test_batch_determinism import digest; print(digest({threads}))"
HASWELL = "+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+popcnt,+sse3,+ssse3,+sse4.1,+sse4.2,+f16c,+movbe"

# vectors of 16 and of 32 bytes, without and with fused multiply-add; NumPy without its widest kernels
MACHINES: dict[str, Mapping[str, str]] = {
    "generic": {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX2 FMA3",
    },
    "haswell": {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": HASWELL,
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX",
    },
}


def digest(threads: int) -> str:
    """SHA-256 over marks, margins, charges and binding scenarios of all accounts."""
    market = smile_market()
    table = batch_table(build_table(market, Methodology.default(), universe(market)))
    found = batch_margins(table, random_books(len(table.instruments), ACCOUNTS, 10, seed=11), threads=threads)
    result = hashlib.sha256()
    for exact in (found.mark, found.initial, found.maintenance):
        result.update(",".join(map(str, exact)).encode())
    for array in (*found.greeks, *found.scan, *found.shortfalls, table.cells.values, table.history.values):
        result.update(array.tobytes())
    return result.hexdigest()


@pytest.fixture(scope="module")
def expected() -> str:
    return digest(1)


@pytest.mark.parametrize(("machine", "threads"), [("generic", 2), ("haswell", 1)])
def test_margins__another_processor__same_digest(machine: str, threads: int, expected: str) -> None:
    environment = {**os.environ, **MACHINES[machine], "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(threads=threads)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected


def test_margins__two_threads__same_digest(expected: str) -> None:
    assert digest(2) == expected
