# pragma version 0.4.3
"""
@title An auction in three words, and the terms of all auctions in two
@license AGPL-3.0-only
@notice Auction: added margin (96) << 160 | epoch (40) << 120 | touched (40) << 80 | elapsed (32) << 48 | insolvent (1) << 40
                 | earliest expiry (40)
                 initial margin (128) << 128 | maintenance margin (128)
                 mark (int128) << 128 | linear (int128)
        Terms:   start (64) << 192 | floor (64) << 128 | bonus (64) << 64 | least bid (64)
                 dust (128) << 128 | duration (32) << 64 | bonus duration (32) << 32 | grace (32)
        Packing reverts where a number does not fit.
"""

from ..clearing import accounts
from ..interfaces import IAuctionHouse
from ..units import constants as c

LOW_128: constant(uint256) = 2**128 - 1
LOW_64: constant(uint256) = 2**64 - 1
LOW_40: constant(uint256) = 2**40 - 1
LOW_32: constant(uint256) = 2**32 - 1
INSOLVENT: constant(uint256) = 1 << 40

# Bounds of the terms
LEAST_FLOOR: constant(uint256) = 5 * 10**17  # a false flag costs at most half of what it sells
MAX_BONUS: constant(uint256) = 10**18
MAX_MINIMUM_BID: constant(uint256) = 5 * 10**17
MAX_DUST: constant(uint256) = 10_000 * 10**18
LEAST_DURATION: constant(uint32) = 60
MAX_DURATION: constant(uint32) = 604_800  # a week
MAX_GRACE: constant(uint32) = 900  # the oracle's checkpoints reach no further back


@internal
@pure
def _pack(auction: IAuctionHouse.Auction) -> uint256[3]:
    """
    @notice The three words of an auction; zeros without one.
    """
    flags: uint256 = 0
    if auction.insolvent:
        flags = INSOLVENT
    assert auction.earliest <= LOW_40, "auction: bad expiry"
    return [
        (convert(convert(auction.added, uint96), uint256) << 160)
        | (convert(convert(auction.epoch, uint40), uint256) << 120)
        | (convert(convert(auction.touched, uint40), uint256) << 80)
        | (convert(convert(auction.elapsed, uint32), uint256) << 48)
        | flags
        | auction.earliest,
        (convert(convert(auction.initialMargin, uint128), uint256) << 128)
        | convert(convert(auction.maintenanceMargin, uint128), uint256),
        self._pair(auction.mark, auction.linear),
    ]


@internal
@pure
def _unpack(words: uint256[3]) -> IAuctionHouse.Auction:
    """
    @notice The auction of three words.
    """
    return IAuctionHouse.Auction(
        epoch=convert((words[0] >> 120) & LOW_40, uint64),
        elapsed=convert((words[0] >> 48) & LOW_32, uint64),
        touched=convert((words[0] >> 80) & LOW_40, uint64),
        insolvent=words[0] & INSOLVENT != 0,
        initialMargin=words[1] >> 128,
        maintenanceMargin=words[1] & LOW_128,
        mark=accounts._signed_high(words[2]),
        linear=accounts._signed_low(words[2]),
        earliest=words[0] & LOW_40,
        added=words[0] >> 160,
    )


@internal
@pure
def _pack_terms(terms: IAuctionHouse.Terms) -> uint256[2]:
    """
    @notice The two words of terms that are within bounds; reverts otherwise.
    """
    assert LEAST_FLOOR <= terms.floor and terms.floor <= terms.start and terms.start <= c.WAD, "auction: bad discount"
    assert terms.bonus <= MAX_BONUS, "auction: bonus too high"
    assert terms.minimumBid <= MAX_MINIMUM_BID, "auction: least bid too high"
    assert terms.dust <= MAX_DUST, "auction: dust too high"
    for duration: uint32 in [terms.duration, terms.bonusDuration]:
        assert LEAST_DURATION <= duration and duration <= MAX_DURATION, "auction: bad duration"
    assert terms.grace <= MAX_GRACE, "auction: grace too long"
    return [
        (terms.start << 192) | (terms.floor << 128) | (terms.bonus << 64) | terms.minimumBid,
        (terms.dust << 128)
        | (convert(terms.duration, uint256) << 64)
        | (convert(terms.bonusDuration, uint256) << 32)
        | convert(terms.grace, uint256),
    ]


@internal
@pure
def _unpack_terms(words: uint256[2]) -> IAuctionHouse.Terms:
    """
    @notice The terms of two words.
    """
    return IAuctionHouse.Terms(
        start=words[0] >> 192,
        floor=(words[0] >> 128) & LOW_64,
        duration=convert((words[1] >> 64) & LOW_32, uint32),
        bonus=(words[0] >> 64) & LOW_64,
        bonusDuration=convert((words[1] >> 32) & LOW_32, uint32),
        minimumBid=words[0] & LOW_64,
        dust=words[1] >> 128,
        grace=convert(words[1] & LOW_32, uint32),
    )


@internal
@pure
def _pair(high: int256, low: int256) -> uint256:
    """
    @notice Two signed 128-bit numbers.
    """
    narrow: int128 = convert(low, int128)
    return accounts._pack_signed(high, convert(convert(convert(narrow, int256), bytes32), uint256) & LOW_128)
