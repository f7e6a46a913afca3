# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token with ERC-2612 permits that anyone may mint
@license AGPL-3.0-only
@notice Tests only.
"""

from snekmate.auth import ownable
from snekmate.tokens import erc20

initializes: ownable
initializes: erc20[ownable := ownable]
exports: (
    erc20.allowance,
    erc20.approve,
    erc20.balanceOf,
    erc20.decimals,
    erc20.nonces,
    erc20.permit,
    erc20.transfer,
    erc20.transferFrom,
)


@deploy
def __init__(decimals: uint8):
    """
    @param decimals Shown to whoever asks.
    """
    ownable.__init__()
    erc20.__init__("Permitted", "PMT", decimals, "Permitted", "1")


@external
def mint(receiver: address, amount: uint256):
    """
    @notice Creates tokens for anyone.
    """
    erc20._mint(receiver, amount)
