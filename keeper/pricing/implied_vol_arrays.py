"""Black-76 implied vol on NumPy arrays; `compiled_implied_vol` gives the same bits faster."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing import implied_vol_formulas as formulas
from keeper.pricing.kernels import Floats

_REASONS = {
    formulas.NOT_FINITE: "an argument is not finite",
    formulas.NO_TIME: "no time is left",
    formulas.NOT_POSITIVE: "forward, strike and discount must be positive",
    formulas.AT_PAYOFF: "the price is not above the discounted payoff by more than rounding",
    formulas.AT_BOUND: "the price is not below the discounted forward (call) or strike (put)",
}


class Quotes(NamedTuple):
    """Flat arrays of length n, or of length 1 where all options share the value."""

    is_call: npt.NDArray[np.bool_]
    forward: Floats
    strike: Floats
    years: Floats
    price: Floats
    discount: Floats


def implied_vol(x: Quotes, size: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Vols, nan where there is none, and the status of each option."""
    with np.errstate(all="ignore"):
        call, f, k, years, price, discount = x
        value = formulas.time_value(call, f, k, price, discount)
        status = np.broadcast_to(formulas.status(f, k, years, price, discount, value), size)
        valid = status == formulas.VALID
        f, k, value = (np.where(valid, y, stand_in) for y, stand_in in ((f, 1.0), (k, 1.0), (value, 0.1)))
        total_vol = _total_vol(f, k, value)
        return np.where(valid, total_vol / np.sqrt(years), np.nan), status


def _total_vol(f: Floats, k: Floats, value: Floats) -> Floats:
    x = formulas.log_moneyness(f, k)
    share, rest = formulas.log_share(f, k, value), formulas.log_rest(f, k, value)
    high = formulas.is_high(share)
    s = np.where(high, formulas.high_guess(x, rest), formulas.low_guess(x, share))
    change = s
    for _ in range(formulas.ROUNDS):
        change = formulas.step(x, s, share, rest)
        s = s + change
    for _ in range(formulas.MORE_ROUNDS):
        left = np.nonzero(formulas.unsettled(change, s))[0]
        if left.size == 0:
            break
        change[left] = formulas.step(x[left], s[left], share[left], rest[left])
        s[left] += change[left]
    return np.asarray(s)


def refusal(x: Quotes, status: npt.NDArray[np.int64]) -> str:
    """The sentence that says how many options have no implied vol, and which is the first and why."""
    wrong = np.nonzero(status)[0]
    first = int(wrong[0])
    names = ("call" if np.broadcast_to(x.is_call, status.shape)[first] else "put", *Quotes._fields[1:])
    numbers = ", ".join(
        f"{name} {np.broadcast_to(array, status.shape)[first]:g}"
        for name, array in zip(names[1:], x[1:], strict=True)
    )
    return (
        f"pricing: no implied vol for {wrong.size} of {status.size} prices, first at index {first}: "
        f"{_REASONS[int(status[first])]} ({names[0]}, {numbers})"
    )
