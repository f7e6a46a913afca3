"""What a share of an account in auction costs, and how much of it is on offer, bit for bit as
`contracts/liquidation/auction_price.vy`.

`worth` (V) is what the account is worth with its collateral at full value, `deficit` (D) its initial margin
less the equity that counts towards it. All WAD; times in seconds.
"""

from keeper.units.constants import WAD
from keeper.units.fixed_point import mul_down, mul_up, signed_mul_down


def falling(start: int, end: int, elapsed: int, duration: int) -> int:
    """From `start` down to `end` on a straight line, then flat; rounded up."""
    return start - (start - end) * min(elapsed, duration) // duration


def rising(top: int, elapsed: int, duration: int) -> int:
    """From zero up to `top` on a straight line, then flat; rounded down."""
    return top * min(elapsed, duration) // duration


def asked(worth: int, maintenance: int, discounted: int, bonus: int) -> int:
    """Price of the whole account, rounded against the buyer; below zero: what the buyer is paid.

    Args:
        discounted: share of `worth` asked for, while that is above zero.
        bonus: share of the maintenance margin paid on top of the deficit otherwise.
    """
    return mul_up(worth, discounted) if worth > 0 else worth - mul_down(maintenance, bonus)


def largest(worth: int, deficit: int, price: int, dust: int) -> int:
    """Largest fraction on offer at `price` of the whole, rounded up: the rest stands at initial margin.

    Everything where the account, or what would be left of it, is worth less than `dust`.
    """
    if deficit <= 0:
        return 0
    if worth <= 0 or worth < dust:
        return WAD
    fraction = -(-deficit * WAD // (deficit + price))
    return WAD if mul_down(worth, WAD - fraction) < dust else fraction


def taken(wanted: int, most: int, minimum: int) -> int:
    """Fraction that a bid for `wanted` gets of `most`; zero where it is less than `minimum` of `most`."""
    fraction = min(wanted, most)
    return fraction if fraction >= mul_up(most, minimum) else 0


def cost(fraction: int, price: int) -> tuple[int, int]:
    """Cash that the buyer pays, rounded up, and is paid, rounded down: one of them is zero."""
    return (mul_up(price, fraction), 0) if price > 0 else (0, mul_down(-price, fraction))


def rest_up(amount: int, fraction: int) -> int:
    """What a sale of `fraction` leaves of a margin, rounded up."""
    return mul_up(amount, WAD - fraction)


def signed_rest_down(amount: int, fraction: int) -> int:
    """What a sale of `fraction` leaves of a value, rounded down."""
    return signed_mul_down(amount, WAD - fraction)


def rest_of_deficit(worth: int, fraction: int) -> int:
    """What a sale of `fraction` leaves of the deficit of an account worth less than nothing, rounded up."""
    return mul_up(max(0, -worth), WAD - fraction)
