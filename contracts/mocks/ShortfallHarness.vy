# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the shortfall module to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Nothing to switch off.
"""

from ..clearing import shortfall

initializes: shortfall


@external
@view
def is_whole() -> bool:
    """
    @notice See `shortfall._is_whole`.
    """
    return shortfall._is_whole()


@external
@view
def state() -> (uint256, uint256, uint256):
    """
    @return Shortfall, recovery, open deficit.
    """
    return shortfall._shortfall(), shortfall._recovery(), shortfall._open_deficit()


@external
@view
def uncovered(fund_pays: uint256) -> uint256:
    """
    @notice See `shortfall._uncovered`.
    """
    return shortfall._uncovered(fund_pays)


@external
@view
def pool(held: uint256, fees: uint256) -> uint256:
    """
    @notice See `shortfall._pool`.
    """
    return shortfall._pool(held, fees)


@external
@view
def rate(pool: uint256) -> uint256:
    """
    @notice See `shortfall._rate`.
    """
    return shortfall._rate(pool)


@external
@view
def withdrawal_rate(pool: uint256, fund_pays: uint256) -> uint256:
    """
    @notice See `shortfall._withdrawal_rate`.
    """
    return shortfall._withdrawal_rate(pool, fund_pays)


@external
def credit(tokens: uint256, pool: uint256) -> uint256:
    """
    @notice See `shortfall._credit`.
    """
    return shortfall._credit(tokens, pool)


@external
def pay(cash: uint256, pool: uint256, uncovered: uint256, unit: uint256) -> uint256:
    """
    @notice See `shortfall._pay`.
    """
    return shortfall._pay(cash, pool, uncovered, unit)


@external
def add(loss: uint256):
    """
    @notice See `shortfall._add`.
    """
    shortfall._add(loss)


@external
def give(amount: uint256):
    """
    @notice See `shortfall._give`.
    """
    shortfall._give(amount)


@external
def release() -> uint256:
    """
    @notice See `shortfall._release`.
    """
    return shortfall._release()


@external
def set_open_deficit(deficit: uint256):
    """
    @notice See `shortfall._set_open_deficit`.
    """
    shortfall._set_open_deficit(deficit)
