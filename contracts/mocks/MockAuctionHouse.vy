# pragma version 0.4.3
"""
@title An auction house that auctions nothing; tests act in its name
@license AGPL-3.0-only
"""

open_auctions: public(uint256)


@external
def set_open(count: uint256):
    self.open_auctions = count
