"""Mills ratios and their drop against mpmath at eighty digits."""

import mpmath as mp
import numpy as np

from keeper.pricing.mills import START, mills_pair


def ratio(z: mp.mpf) -> mp.mpf:
    return mp.sqrt(mp.pi / 2) * mp.exp(z * z / 2) * mp.erfc(z / mp.sqrt(2))


def test_mills_pair__any_start_and_gap__relative_3e_15() -> None:
    random = np.random.default_rng(1)
    z = np.concatenate([random.uniform(-START, 3, 150), random.uniform(0, 40, 150)])
    gap = 10.0 ** random.uniform(-12, 1.5, 300)
    first, second, drop = mills_pair(z, gap)
    with mp.workdps(80):
        for i in range(300):
            start, end = mp.mpf(float(z[i])), mp.mpf(float(z[i])) + mp.mpf(float(gap[i]))
            true = ratio(start), ratio(end), (ratio(start) - ratio(end)) / mp.mpf(float(gap[i]))
            for found, expected in zip((first[i], second[i], drop[i]), true, strict=True):
                assert abs(mp.mpf(float(found)) / expected - 1) < 3e-15


def test_mills_pair__no_gap__the_slope() -> None:
    z = np.array([-START, 0.0, 1.0, 30.0])
    first, second, drop = mills_pair(z, np.zeros(4))
    assert np.array_equal(first, second)
    # R'(z) = z R(z) - 1, which cancels for large z
    assert np.allclose(drop, 1 - z * first, rtol=1e-12)
