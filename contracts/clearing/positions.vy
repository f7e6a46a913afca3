# pragma version 0.4.3
"""
@title Positions: one word per account and instrument
@license AGPL-3.0-only
@notice Word: funding index at the last touch (int128) << 128 | quantity (int128, WAD). There is no list on-chain: a call
        that values the book brings the account's instruments in ascending order, and the number of legs proves that the
        list is complete.
"""

from ..interfaces import IClearinghouse
from ..units import constants as c
from . import accounts

LOW_128: constant(uint256) = 2**128 - 1
PERP_SHIFT: constant(uint256) = 112

# by account << 128 | instrument: one hash an access
_positions: HashMap[uint256, uint256]
# cash per unit that longs have paid since the start, WAD. Its rate comes with a later release: until then it stays 0.
_funding_index: HashMap[uint256, int256]


@deploy
def __init__():
    pass


@internal
@pure
def _key(account: uint256, instrument: uint128) -> uint256:
    """
    @dev Accounts are counted up from one: 128 bits hold them.
    """
    return (account << 128) | convert(instrument, uint256)


@internal
@view
def _quantity(account: uint256, instrument: uint128) -> int256:
    return accounts._signed_low(self._positions[self._key(account, instrument)])


@internal
@view
def _position(account: uint256, instrument: uint128) -> IClearinghouse.Position:
    word: uint256 = self._positions[self._key(account, instrument)]
    return IClearinghouse.Position(
        quantity=accounts._signed_low(word),
        entryIndex=accounts._signed_high(word),
    )


@internal
@view
def _book(account: uint256, instruments: DynArray[uint128, c.MAX_LEGS], legs: uint256) -> DynArray[uint256, c.MAX_LEGS]:
    """
    @notice The account's whole book.
    @param account Account.
    @param instruments Every instrument it holds, ascending.
    @param legs How many it holds.
    @return Book words.
    """
    assert len(instruments) == legs, "positions: book incomplete"
    book: DynArray[uint256, c.MAX_LEGS] = []
    previous: uint256 = 0
    own: uint256 = account << 128
    for instrument: uint128 in instruments:
        key: uint256 = convert(instrument, uint256)
        assert key > previous, "positions: book not ascending"
        quantity: uint256 = self._positions[own | key] & LOW_128
        assert quantity != 0, "positions: leg not held"
        book.append((key << 128) | quantity)
        previous = key
    return book


@internal
@view
def _funding(account: uint256, perps: uint256) -> int256:
    """
    @notice Funding accrued to now on all perps: what the account receives, WAD, rounded down.
    @param perps Bit u - 1: the account holds the perp of underlying u.
    """
    accrued: int256 = 0
    bits: uint256 = perps
    for i: uint256 in range(c.MAX_UNDERLYINGS):
        if bits == 0:
            break
        if bits & 1 != 0:
            underlying: uint256 = unsafe_add(i, 1)
            accrued += self._accrued(account, underlying, convert(underlying << PERP_SHIFT, uint128))
        bits = bits >> 1
    return accrued


@internal
def _touch(account: uint256, perps: uint256) -> int256:
    """
    @notice Sets the entry index of every perp held to the index now.
    @return Funding accrued until then, which the caller turns into cash, WAD, rounded down.
    """
    accrued: int256 = 0
    bits: uint256 = perps
    for i: uint256 in range(c.MAX_UNDERLYINGS):
        if bits == 0:
            break
        if bits & 1 != 0:
            underlying: uint256 = unsafe_add(i, 1)
            instrument: uint128 = convert(underlying << PERP_SHIFT, uint128)
            accrued += self._accrued(account, underlying, instrument)
            self._set(account, instrument, underlying, self._quantity(account, instrument), True)
        bits = bits >> 1
    return accrued


@internal
@view
def _accrued(account: uint256, underlying: uint256, instrument: uint128) -> int256:
    word: uint256 = self._positions[self._key(account, instrument)]
    moved: int256 = (accounts._signed_high(word) - self._funding_index[underlying])
    if moved == 0:
        return 0
    product: int256 = accounts._signed_low(word) * moved
    wad: int256 = 10**18
    result: int256 = product // wad
    if product % wad < 0:
        result -= 1
    return result


@internal
def _set(
    account: uint256,
    instrument: uint128,
    underlying: uint256,
    quantity: int256,
    is_perp: bool,
):
    """
    @notice Writes a position; a perp's entry index becomes the index now. A closed one leaves no word behind.
    """
    if quantity == 0:
        self._positions[self._key(account, instrument)] = 0
        return
    index: int256 = 0
    if is_perp:
        index = self._funding_index[underlying]
    narrow: int128 = convert(quantity, int128)
    low: uint256 = (convert(convert(convert(narrow, int256), bytes32), uint256) & LOW_128)
    self._positions[self._key(account, instrument)] = accounts._pack_signed(index, low)
