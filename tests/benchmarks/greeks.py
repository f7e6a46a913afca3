"""Rows: price, delta, gamma, vega and theta of a million options."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from tests.benchmarks import sides_greeks
from tests.benchmarks.harness import OLD_NUMBA, Context, Row, Run, SideFailedError
from tests.benchmarks.options import COUNT, save, worst_greek

PEERS = ("iv_engine", "pyvolr", "fast_vollib", "py_vollib_vectorized", "quantlib")
ACCURATE = 1e-12


def rows(context: Context) -> Iterable[Row]:
    """Seconds and worst error of each side, and how many times our seconds the fastest peer takes.

    Raises:
        SystemExit: ours is less accurate than it must be; speed is then not looked at.
    """
    arrays = save(context, "normal")
    ours = context.best("tests.benchmarks.sides_greeks:ours", arrays)
    worst = worst_greek(arrays, ours.outputs)
    if worst > ACCURATE:
        raise SystemExit(f"bench: prices and Greeks are off by {worst:.1e}, more than {ACCURATE:.0e}")
    yield from side_rows("greeks_ours", ours, ours.seconds)
    yield Row("greeks_ours_worst_error", worst)
    fastest = float("inf")
    for peer, run in peers(context, sides_greeks, arrays):
        if isinstance(run, str):
            yield Row(f"greeks_{peer}", run)
            continue
        seconds = run.seconds * COUNT / sides_greeks.SCALED.get(peer, COUNT)
        yield from side_rows(f"greeks_{peer}", run, seconds)
        if peer not in sides_greeks.SCALED:
            yield Row(f"greeks_{peer}_worst_error", worst_greek(arrays, run.outputs))
        fastest = min(fastest, seconds)
    yield Row("greeks_vs_fastest_peer", fastest / ours.seconds, "x")


def peers(context: Context, sides: ModuleType, arrays: Path) -> Iterator[tuple[str, Run | str]]:
    """Each peer with its best run, or why it could not be run."""
    for peer in PEERS:
        python = OLD_NUMBA if peer == "py_vollib_vectorized" else None
        try:
            yield peer, context.best(f"{sides.__name__}:{peer}", arrays, python=python)
        except SideFailedError as error:
            yield peer, f"not run: {error}"


def side_rows(name: str, run: Run, seconds: float) -> Iterator[Row]:
    """Seconds and the number of threads that gave them."""
    yield Row(f"{name}_s", seconds, "s")
    yield Row(f"{name}_threads", float(run.threads))
