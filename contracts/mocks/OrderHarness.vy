# pragma version 0.4.3
"""
@title Outside access to order.vy
@license AGPL-3.0-only
@notice Tests only.
"""
from ..exchange import order
from ..interfaces import IExchange


@external
@pure
def fill_hash(fill: IExchange.Fill) -> bytes32:
    return order._fill_hash(fill)
