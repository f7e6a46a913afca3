"""Elementary functions on arrays from IEEE-754 basic operations alone: the same bits on every machine.

See `elementary`. One rule keeps it true: every step is one NumPy ufunc, never a dot product or a sum whose
order the library may choose.
"""

import numpy as np
import numpy.typing as npt

from keeper.pricing import elementary

Floats = npt.NDArray[np.float64]

INVERSE_SQRT_TWO_PI = 0.3989422804014327
LEAST_NORMAL = 2.3e-308


def exp(x: npt.ArrayLike) -> Floats:
    """e**x, within 2 units in the last place; 0 below -708, clamped to e**709 above."""
    value = np.atleast_1d(np.asarray(x, dtype=np.float64))
    result = elementary.exp(np.minimum(value, elementary.LARGEST_EXPONENT))
    return np.asarray(result.reshape(np.shape(x)))


def log(x: npt.ArrayLike) -> Floats:
    """Natural logarithm of positive normal numbers, within 2 units in the last place.

    Raises:
        ValueError: an argument is not a positive normal number.
    """
    value = np.atleast_1d(np.asarray(x, dtype=np.float64))
    if not np.all((value >= LEAST_NORMAL) & (value < np.inf)):
        raise ValueError("pricing: logarithm of a number that is not positive")
    return np.asarray(elementary.log_ratio(value, 1.0).reshape(np.shape(x)))


def power(base: npt.ArrayLike, exponent: npt.ArrayLike) -> Floats:
    """base**exponent for positive bases."""
    return exp(np.asarray(exponent, dtype=np.float64) * log(base))
