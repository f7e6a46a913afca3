# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the packing of auctions and terms to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Stateless: nothing to switch off.
"""

from ..interfaces import IAuctionHouse
from ..liquidation import auction_words as words


@external
@pure
def there_and_back(auction: IAuctionHouse.Auction) -> IAuctionHouse.Auction:
    """
    @notice An auction, packed and unpacked.
    """
    return words._unpack(words._pack(auction))


@external
@pure
def terms_there_and_back(terms: IAuctionHouse.Terms) -> IAuctionHouse.Terms:
    """
    @notice Terms, packed and unpacked.
    """
    return words._unpack_terms(words._pack_terms(terms))
