"""The options that prices, Greeks and vols are measured on, and how far a sample is from sixty digits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import numpy.typing as npt

from tests.benchmarks.harness import Context
from tests.support.black76_reference import DIGITS, Options, exact

COUNT = 1_000_000
_SAMPLE = 200
_SECONDS_PER_YEAR = 31_536_000.0
# name: years from and to, standard deviations between strike and forward from and to
REGIMES = {
    "normal": ((3 / 365, 2.0), (0.0, 3.0)),
    "wings": ((3 / 365, 2.0), (3.0, 8.0)),
    "short": ((60 / _SECONDS_PER_YEAR, 1 / 365), (0.0, 3.0)),
}


def save(context: Context, regime: str) -> Path:
    """Random options out of the money, and their prices by our own NumPy path."""
    from keeper.pricing import black76_arrays

    years, away = REGIMES[regime]
    random = np.random.default_rng(11)
    t = np.exp(random.uniform(np.log(years[0]), np.log(years[1]), COUNT))
    vol = random.uniform(0.2, 1.5, COUNT)
    forward = random.uniform(50.0, 150.0, COUNT)
    call = random.random(COUNT) < 0.5
    strike = forward * np.exp(random.uniform(*away, COUNT) * np.where(call, 1.0, -1.0) * vol * np.sqrt(t))
    terms = black76_arrays.Arguments(call, forward, strike, t, vol, np.ones(1))
    price = np.empty((1, COUNT))
    black76_arrays.sheet(terms, price)
    return context.save(
        f"options-{regime}", is_call=call, forward=forward, strike=strike, years=t, vol=vol, price=price[0]
    )


def _sample(folder: Path) -> tuple[Options, npt.NDArray[np.int64]]:
    rows = np.linspace(0, COUNT - 1, _SAMPLE).astype(np.int64)
    names = ("is_call", "forward", "strike", "years", "vol")
    columns = [np.load(folder / f"{name}.npy", mmap_mode="r")[rows] for name in names]
    return Options(*columns, np.ones(_SAMPLE)), rows


def worst_greek(folder: Path, outputs: Mapping[str, npt.NDArray[Any]]) -> float:
    """Largest relative error of a sample of prices and Greeks."""
    options, rows = _sample(folder)
    with mp.workdps(DIGITS):
        return max(
            float(abs(mp.mpf(float(column[row])) / exact(options, i)[name] - 1))
            for name, column in outputs.items()
            for i, row in enumerate(rows)
        )


def worst_vol(folder: Path, outputs: Mapping[str, npt.NDArray[Any]]) -> tuple[float, float]:
    """Share of vols that are not back within 1e-6, and the largest relative error of the others."""
    error = np.abs(outputs["vol"] / np.load(folder / "vol.npy") - 1.0)
    back = error <= 1e-6
    return 1.0 - float(np.mean(back)), float(np.max(error[back], initial=0.0))
