"""Large arrays take compiled loops: the same bits as NumPy, on every processor and number of threads."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from keeper.pricing import black76, black76_arrays, compiled_black76, compiled_implied_vol, implied_vol_arrays
from keeper.pricing.black76_arrays import Arguments
from keeper.pricing.implied_vol_arrays import Quotes

ROOT = Path(__file__).parents[4]
WIDE = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
COUNT = 150_001

# run in processes of their own; prints a hash of prices, Greeks and vols
PROGRAM = """
import hashlib, sys
import numpy as np
from keeper.pricing import black76, threads
count, cores = int(sys.argv[1]), int(sys.argv[2])
threads.cpu_count = lambda: cores
random = np.random.default_rng(5)
strike = np.array([random.integers(1, 2_000, count), np.full(count, 1_000)]).T.ravel() / 10
years = random.integers(0, 1_000, 2 * count) / 500
vol = random.integers(1, 3_000, 2 * count) / 1_000
terms = dict(is_call=random.integers(0, 2, 2 * count) == 1, forward=100.0, strike=strike, years=years)
price = black76.price(**terms, vol=vol)
found = [price, *black76.greeks(**terms, vol=vol), black76.implied_vol(**terms, price=price, invalid="nan")]
bits = np.array(found)
bits[np.isnan(bits)] = 0.0
print(hashlib.sha256(bits.tobytes()).hexdigest(), "numba" in sys.modules)
"""


def arguments() -> Arguments:
    random = np.random.default_rng(1)

    def some(edges: list[float], usual: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(random.random(COUNT) < 0.05, random.choice(edges, COUNT), usual)

    forward = np.exp(random.normal(4, 2, COUNT))
    far = np.exp(random.normal(0, 0.5, COUNT) * 10.0 ** random.uniform(-9, 1, COUNT))
    return Arguments(
        random.random(COUNT) < 0.5,
        some([0.0, 1e-310, 1e-300, 1.0, 1e300], forward),
        some([0.0, -5.0, 1e-310, 1e-300, 1.0, 1e300], forward * far),
        some([0.0, 1e-300, 1e-12, 400.0], np.exp(random.uniform(-17, 1, COUNT))),
        some([0.0, 1e-300, 1e-9, 50.0], np.exp(random.uniform(-3, 1, COUNT))),
        some([0.0, 1.0], random.uniform(0.5, 1.0, COUNT)),
    )


def same_bits(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> bool:
    # which nan a machine makes is not defined by IEEE 754
    return (
        bool(np.array_equal(np.isnan(x), np.isnan(y)))
        and np.nan_to_num(x).tobytes() == np.nan_to_num(y).tobytes()
    )


@pytest.mark.parametrize("rows", [1, 5, 8])
def test_sheet__edges_and_random_options__bits_of_numpy(rows: int) -> None:
    x = arguments()
    plain, compiled = np.empty((2, rows, COUNT))
    assert black76_arrays.sheet(x, plain)
    assert compiled_black76.sheet(x, compiled)
    for ours, theirs in zip(compiled, plain, strict=True):
        assert same_bits(ours, theirs)


def test_sheet__shared_values__bits_of_repeated_ones() -> None:
    x = arguments()
    shared = Arguments(
        *(array[:1] if name in ("forward", "vol") else array for name, array in x._asdict().items())
    )
    repeated = Arguments(*(np.ascontiguousarray(np.broadcast_to(array, COUNT)) for array in shared))
    found, again = np.empty((2, 8, COUNT))
    compiled_black76.sheet(shared, found)
    compiled_black76.sheet(repeated, again)
    assert same_bits(found, again)


def test_sheet__own_array__filled_with_the_same_bits() -> None:
    terms = arguments()._asdict()
    own = np.empty((5, COUNT))
    filled, fresh = black76.sheet(**terms, out=own), black76.sheet(**terms)
    assert all(np.shares_memory(row, own) for row in filled)
    assert same_bits(own, np.array(fresh))


@pytest.mark.parametrize(
    "own", [np.empty((8, COUNT)), np.empty((5, COUNT), np.float32), np.empty((COUNT, 5)).T]
)
def test_sheet__own_array_of_another_form__refused(own: npt.NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="pricing: out must be C-contiguous float64 of shape"):
        black76.sheet(**arguments()._asdict(), out=own)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("name", ["forward", "years", "vol"])
def test_price__one_wrong_argument_among_many__refused(name: str, wrong: float) -> None:
    terms = {"forward": np.full(COUNT, 100.0), "years": np.ones(COUNT), "vol": np.full(COUNT, 0.5)}
    terms[name][COUNT - 3] = wrong
    with pytest.raises(ValueError, match="pricing: (negative|argument is not finite)"):
        black76.price(is_call=True, strike=100.0, **terms)


def test_implied_vol__edges_and_random_quotes__bits_of_numpy() -> None:
    x = arguments()
    price = np.empty(COUNT)
    black76_arrays.sheet(x, price[None])
    price[::50] = np.resize([np.nan, np.inf, -1.0, 0.0, 1e300], price[::50].size)
    quotes = Quotes(x.is_call, x.forward, x.strike, x.years, price, x.discount)
    plain, status = implied_vol_arrays.implied_vol(quotes, COUNT)
    compiled, also_status = compiled_implied_vol.implied_vol(quotes, COUNT)
    assert same_bits(compiled, plain)
    assert np.array_equal(status, also_status)
    assert set(np.unique(status)) == set(range(6))


def test_price__around_the_threshold__same_bits_and_shapes() -> None:
    strike = np.linspace(50, 150, 2 * black76.COMPILED_FROM).reshape(2, -1)
    terms = {"is_call": [[True], [False]], "forward": 100.0, "years": 0.1, "vol": 0.6}
    whole = black76.price(**terms, strike=strike)
    halves = [black76.price(**terms, strike=part) for part in np.array_split(strike, 5, axis=1)]
    assert whole.shape == strike.shape
    assert np.array_equal(whole, np.concatenate(halves, axis=1))


def digest(count: int, cores: int, **environment: str) -> tuple[str, bool]:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(count), str(cores)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
    )
    bits, numba = run.stdout.split()
    return bits, numba == "True"


def test_processors_and_threads__same_bits() -> None:
    large = black76.COMPILED_FROM
    expected, compiled = digest(large, 1)
    assert compiled
    assert digest(large, 2, NUMBA_CPU_NAME="generic", NPY_DISABLE_CPU_FEATURES=WIDE) == (expected, True)
    assert digest(large, 2, NUMBA_CPU_NAME="haswell") == (expected, True)


def test_small_arrays__numba_not_loaded_and_same_bits() -> None:
    expected, compiled = digest(500, 2)
    assert not compiled
    assert digest(500, 2, NPY_DISABLE_CPU_FEATURES=WIDE) == (expected, False)
