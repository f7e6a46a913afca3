"""From a price to the mined epoch that has it, and the parts of that.

What is real: the contracts on anvil with a block each second, keepers as processes of their own with HTTP,
SQLite and keystores between them, every check they make. What is not: no trades led to the accounts, which
are written into the chain's storage and the index alike (`tests.support.crowd`); prices are recorded ones,
moved by a file; all of it shares the cores, the node included.

EPOCH_TICKS: ticks of each race, 60 when left out.
"""

import json
import os
import subprocess
from collections.abc import Iterable

import numpy as np

from tests.benchmarks.harness import ROOT, Context, Row, Run, SideFailedError

_SIDES = "tests.benchmarks.epoch_sides"
# the project's own environment: it has the node, the compiler and the workers
PYTHON = ROOT / ".venv/bin/python"
_TICKS = int(os.environ.get("EPOCH_TICKS", "60"))
_SIZES = {"10k": 10_000, "100k": 100_000}
_PATIENCE_SECONDS = 3_600


def rows(context: Context) -> Iterable[Row]:
    """All rows of epochs."""
    yield from _parts(context)
    yield from _engine(context)
    for name, accounts in _SIZES.items():
        yield from _race(f"tick_to_epoch_{{}}_s_{name}", accounts, attesters=1)
    yield from _race("tick_to_epoch_3_attesters_{}_s_100k", 100_000, attesters=3)


def _parts(context: Context) -> Iterable[Row]:
    leaves = context.save("leaves", leaves=1_000_000)
    yield Row("merkle_million_s", context.best(f"{_SIDES}:merkle", leaves).seconds, "s")
    count = 20_000
    signed = context.save("signed", count=count)
    yield Row("recoveries_per_s", count / context.best(f"{_SIDES}:recoveries", signed).seconds, "1/s")


def _engine(context: Context) -> Iterable[Row]:
    """100,000 accounts of 10 legs on one thread, on two, and on two Dask workers of one thread each."""
    arrays = context.save("engine", accounts=100_000, legs=10)
    runs: dict[str, Run] = {}
    for name, side, threads in (
        ("1_thread", "engine", 1),
        ("2_threads", "engine", 2),
        ("2_workers", "shards", 1),
    ):
        try:
            runs[name] = context.run(f"{_SIDES}:{side}", arrays, threads, python=PYTHON)
        except SideFailedError as error:
            yield Row(f"engine_{name}_s", f"left out: {error}")
            continue
        yield Row(f"engine_{name}_s", runs[name].seconds, "s")
    if len({run.outputs["breakdown"].tobytes() for run in runs.values()}) > 1:
        raise ValueError("bench: the engine's figures differ between threads and workers")
    if {"1_thread", "2_workers"} <= runs.keys():
        yield Row("engine_speed_up_2_workers", runs["1_thread"].seconds / runs["2_workers"].seconds, "x")


def _race(key: str, accounts: int, attesters: int) -> Iterable[Row]:
    program = [str(PYTHON), "-W", "ignore", "-m", "tests.benchmarks.epoch_race"]
    done = subprocess.run(
        [*program, str(accounts), str(attesters), str(_TICKS)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=_PATIENCE_SECONDS,
    )
    if done.returncode != 0:
        yield Row(key.format("p99"), f"left out: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
        return
    seconds = json.loads(done.stdout.strip().splitlines()[-1])
    for name, share in (("p50", 50), ("p99", 99)):
        yield Row(key.format(name), float(np.percentile(seconds, share)), "s")
