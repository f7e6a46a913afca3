"""Rows: implied vol of a million options out of the money, ordinary, in the wings and close to expiry."""

from collections.abc import Iterable

from tests.benchmarks import sides_implied_vol
from tests.benchmarks.greeks import peers, side_rows
from tests.benchmarks.harness import Context, Row
from tests.benchmarks.options import COUNT, REGIMES, save, worst_vol

ACCURATE = 1e-10


def rows(context: Context) -> Iterable[Row]:
    """Seconds, share of failures (off by more than 1e-6) and worst error of the rest, by regime and side.

    The headline is the least of the three ratios to the fastest peer.

    Raises:
        SystemExit: ours is less accurate than it must be; speed is then not looked at.
    """
    least = float("inf")
    for regime in REGIMES:
        arrays = save(context, regime)
        ours = context.best("tests.benchmarks.sides_implied_vol:ours", arrays)
        failed, worst = worst_vol(arrays, ours.outputs)
        if failed or worst > ACCURATE:
            raise SystemExit(f"bench: vols ({regime}) fail for {failed:.1%} and are off by {worst:.1e}")
        name = f"implied_vol_{regime}"
        yield from side_rows(f"{name}_ours", ours, ours.seconds)
        yield Row(f"{name}_ours_worst_error", worst)
        fastest = float("inf")
        for peer, run in peers(context, sides_implied_vol, arrays):
            if isinstance(run, str):
                yield Row(f"{name}_{peer}", run)
                continue
            seconds = run.seconds * COUNT / sides_implied_vol.SCALED.get(peer, COUNT)
            yield from side_rows(f"{name}_{peer}", run, seconds)
            failed, worst = worst_vol(arrays, run.outputs)
            yield Row(f"{name}_{peer}_failed_share", failed)
            yield Row(f"{name}_{peer}_worst_error", worst)
            fastest = min(fastest, seconds)
        yield Row(f"{name}_vs_fastest_peer", fastest / ours.seconds, "x")
        least = min(least, fastest / ours.seconds)
    yield Row("implied_vol_vs_fastest_peer", least, "x")
