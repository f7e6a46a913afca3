"""Margins of many accounts: against packages that price each position, against the memory, and by size."""

from collections.abc import Iterable

import numpy as np

from tests.benchmarks.harness import ROOT, Context, Row, Run, SideFailedError
from tests.benchmarks.portfolio_sides import random_positions

_SIDES = "tests.benchmarks.portfolio_sides"
_PEERS = ("iv_engine", "pyvolr")
_ACCOUNTS, _LEGS, _INSTRUMENTS = 10_000, 20, 1_000
_MOVES = np.linspace(-0.15, 0.15, 11)
_VOL_MOVES = (0.5, 0.0, -0.25)
# of the exact sum against that of doubles, USD per account
_AGREEMENT = 1e-3
PLOT = ROOT / "build/bench-accounts.html"
_SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)


def rows(context: Context) -> Iterable[Row]:
    """All rows of portfolio margins."""
    yield from _scenario_margin(context)
    yield from _full_methodology(context)
    yield from _million(context)
    yield from _by_size(context)


def _scenario_margin(context: Context) -> Iterable[Row]:
    """10,000 accounts of 20 legs in 33 scenarios: pricing, quantising and summing."""
    arrays = context.save("scenario-margin", **_books())
    run = context.best(f"{_SIDES}:ours", arrays, repeats=50)
    yield Row("scenario_margin_ms", run.seconds * 1e3, "ms")
    yield Row("scenario_margin_threads", float(run.threads))
    peers: list[float] = []
    for name in _PEERS:
        try:
            peer = context.best(f"{_SIDES}:{name}", arrays)
        except SideFailedError as error:
            yield Row(f"scenario_margin_{name}", f"left out: {error}")
            continue
        error = float(np.max(np.abs(peer.outputs["loss"] - run.outputs["loss"]))) / 1e6
        if error > _AGREEMENT:
            raise ValueError(f"bench: scenario margins of {name} are {error} USD off")
        peers.append(peer.seconds)
        yield Row(f"scenario_margin_{name}_ms", peer.seconds * 1e3, "ms")
    if peers:
        yield Row("scenario_margin_vs_fastest_peer", min(peers) / run.seconds, "x")
    yield from _memory_bound(context, run)


def _memory_bound(context: Context, run: Run) -> Iterable[Row]:
    """What moving the data alone takes: every leg's row of profits from the second-level cache, and books,
    profits and results once from memory, at the bandwidths of a triad on as many threads.
    """
    scenarios = len(_MOVES) * len(_VOL_MOVES)
    gathered = 8 * _ACCOUNTS * _LEGS * scenarios
    # row number and quantity of each leg; offsets and results of accounts; profits
    once = (4 + 8) * _ACCOUNTS * _LEGS + (8 + 8) * _ACCOUNTS + 8 * _INSTRUMENTS * scenarios
    speeds = []
    for name, size, rounds in (("cache", 2**13, 2_000), ("memory", 2**25, 1)):
        arrays = context.save(f"bound-{name}", size=size, rounds=rounds)
        triad = context.run("tests.benchmarks.machine:triad", arrays, run.threads)
        speeds.append(3 * 8 * size * rounds * (run.threads if name == "cache" else 1) / triad.seconds)
    bound = gathered / speeds[0] + once / speeds[1]
    yield Row("scenario_margin_memory_bound_ms", bound * 1e3, "ms")
    yield Row("scenario_margin_vs_memory_bound", run.seconds / bound, "x")


def _books() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    random = np.random.default_rng(4)
    spot = 100_000.0
    years = random.choice([1, 2, 7, 14, 30, 60, 90, 180, 270, 365], _INSTRUMENTS) / 365
    base_vol = random.uniform(0.4, 1.2, _INSTRUMENTS)
    power = np.where(years < 30 / 365, 0.3, 0.13)
    scale = (30 / np.maximum(years * 365, 1.0)) ** power
    vol = base_vol[:, None] * np.maximum(1.0 + np.tile(_VOL_MOVES, len(_MOVES)) * scale[:, None], 0.05)
    indptr, positions, quantities = random_positions(random, _INSTRUMENTS, _ACCOUNTS, _LEGS)
    return {
        "spot": np.array(spot),
        "forward": spot * (1.0 + np.repeat(_MOVES, len(_VOL_MOVES)))[None, :],
        "strike": np.round(spot * np.exp(random.normal(0.0, 0.3, _INSTRUMENTS)), -2),
        "years": years,
        "is_call": random.random(_INSTRUMENTS) < 0.5,
        "base_vol": base_vol,
        "vol": vol,
        "indptr": indptr,
        "rows": positions,
        "quantities": quantities,
    }


def _full_methodology(context: Context) -> Iterable[Row]:
    """100,000 accounts of 10 legs: every charge and the breakdown; with the pricing, and without."""
    for prices, key in ((1, "full_methodology_100k_accounts_s"), (0, "full_methodology_priced_s")):
        arrays = context.save(f"full-{prices}", accounts=100_000, legs=10, prices=prices)
        run = context.best(f"{_SIDES}:full", arrays, repeats=3)
        yield Row(key, run.seconds, "s")
    yield Row("full_methodology_threads", float(run.threads))
    yield Row("full_methodology_instruments", float(run.outputs["instruments"]))
    yield Row("full_methodology_scan_columns", float(run.outputs["columns"]))
    yield Row("full_methodology_recomputed", float(run.outputs["recomputed"]), "accounts")


def _million(context: Context) -> Iterable[Row]:
    arrays = context.save("million", accounts=1_000_000, legs=10, columns=100, instruments=_INSTRUMENTS)
    run = context.best(f"{_SIDES}:million", arrays, repeats=3)
    yield Row("million_accounts_s", run.seconds, "s")
    yield Row("million_accounts_peak_gb", run.peak_gb, "GB")


def _by_size(context: Context) -> Iterable[Row]:
    """Seconds of the full methodology but for the pricing, which no account adds to; and a plot."""
    seconds = []
    for size in _SIZES:
        arrays = context.save(f"size-{size}", accounts=size, legs=10, prices=0)
        run = context.run(f"{_SIDES}:full", arrays, max(context.threads), repeats=2)
        yield Row(f"full_methodology_{size}_accounts_s", run.seconds, "s")
        yield Row(f"full_methodology_{size}_accounts_us_each", run.seconds / size * 1e6, "us")
        seconds.append(run.seconds)
    _plot(seconds)


def _plot(seconds: list[float]) -> None:
    """build/bench-accounts.html: seconds by accounts, beside a cost per account that stays the same."""
    import plotly.graph_objects as go

    each = seconds[0] / _SIZES[0]
    figure = go.Figure(layout={"title": "Margins of many accounts, 10 legs each, every charge"})
    figure.add_scatter(x=_SIZES, y=seconds, name="measured", mode="lines+markers")
    figure.add_scatter(x=_SIZES, y=[each * n for n in _SIZES], name="linear", line={"dash": "dot"})
    figure.update_xaxes(title="accounts", type="log")
    figure.update_yaxes(title="seconds", type="log")
    PLOT.parent.mkdir(exist_ok=True)
    figure.write_html(PLOT, include_plotlyjs=True)
