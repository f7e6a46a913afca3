"""How rows are measured: saved arrays, one process per side and number of threads, best of five."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parents[2]
OLD_NUMBA = ROOT / ".build/bench-pvv-venv/bin/python"
_THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PATIENCE_SECONDS = 1_800


class Row(NamedTuple):
    """One entry of build/bench.json."""

    key: str
    value: float | str
    unit: str = ""


class Run(NamedTuple):
    """What one side took at its best number of threads, and what it returned."""

    seconds: float
    threads: int
    peak_gb: float
    outputs: Mapping[str, npt.NDArray[Any]]


class SideFailedError(Exception):
    """A side could not be run; the text is the last line of its error."""


@dataclass(frozen=True)
class Context:
    """What every module of rows gets."""

    repeats: int = 5
    threads: tuple[int, ...] = (1, 2)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="bench-")))

    def save(self, name: str, **arrays: npt.ArrayLike) -> Path:
        """Saves arrays for sides to read; the folder that `run` and `best` take."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for key, array in arrays.items():
            np.save(folder / f"{key}.npy", np.asarray(array))
        return folder

    def run(
        self, side: str, arrays: Path, threads: int, *, python: Path | None = None, repeats: int | None = None
    ) -> Run:
        """Runs `module:function` in a process of its own.

        The function takes the saved arrays by name and returns a call without arguments, which is timed and
        returns named arrays: see `worker`.

        Raises:
            SideFailedError: it stopped with an error, its package is missing, or it took too long.
        """
        environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads))
        output = self.folder / f"{side.replace(':', '.')}.{threads}.npz"
        program = [str(python or sys.executable), "-W", "ignore", "-m", "tests.benchmarks.worker"]
        arguments = [side, str(arrays), str(repeats or self.repeats), str(output)]
        try:
            done = subprocess.run(
                program + arguments,
                capture_output=True,
                text=True,
                cwd=ROOT,
                env=environment,
                timeout=_PATIENCE_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SideFailedError(str(error)) from error
        if done.returncode != 0:
            raise SideFailedError(f"{side}: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
        measured = json.loads(done.stdout.strip().splitlines()[-1])
        with np.load(output) as saved:
            outputs = {key: saved[key] for key in saved.files}
        return Run(measured["seconds"], threads, measured["peak_gb"], outputs)

    def best(self, side: str, arrays: Path, *, python: Path | None = None, repeats: int | None = None) -> Run:
        """The fastest of `run` over the numbers of threads."""
        runs = [self.run(side, arrays, n, python=python, repeats=repeats) for n in self.threads]
        return min(runs, key=lambda run: run.seconds)


def flat(rows: Iterable[Row]) -> dict[str, float | str]:
    """Rows as the flat object of bench.json.

    Raises:
        ValueError: two rows have the same key.
    """
    result: dict[str, float | str] = {}
    for row in rows:
        if row.key in result:
            raise ValueError(f"bench: two rows named {row.key}")
        result[row.key] = row.value
    return result
