# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The little of the Vault that the insurance fund knows
@license AGPL-3.0-only
@notice Test only.
@custom:security None: anyone sets the open deficit and asks for cover.
@custom:kill Nothing to switch off.
"""

from ..interfaces import IInsuranceFund

settlement_token: public(address)
# WAD
open_deficit: public(uint256)


@deploy
def __init__(token: address):
    """
    @param token Settlement token.
    """
    self.settlement_token = token


@external
def set_open_deficit(deficit: uint256):
    """
    @param deficit WAD.
    """
    self.open_deficit = deficit


@external
def ask(fund: address, amount: uint256) -> uint256:
    """
    @notice Has a deficit covered, under this contract's re-entrancy lock as in a liquidation.
    @return What the fund says it paid.
    """
    return extcall IInsuranceFund(fund).cover(amount)
