# pragma version 0.4.3
"""
@title Positions: one word per account and instrument, funding of perps, open interest
@license AGPL-3.0-only
@notice Word: funding index at the last touch (int128) << 128 | quantity (int128, WAD). There is no list on-chain: a call
        that values the book brings the account's instruments in ascending order, and the number of legs proves that the
        list is complete.
        Funding word: index (int128, WAD) << 128 | rate (int80, WAD a second and unit) << 48 | unix seconds of both (40).
        Open interest is the sum of the long positions, WAD.
"""

from ..interfaces import IClearinghouse
from ..markets import instrument as ins
from ..units import constants as c
from ..units import fixed_point as fp
from . import accounts

SIGNED_WAD: constant(int256) = 10**18
LOW_128: constant(uint256) = 2**128 - 1
LOW_80: constant(uint256) = 2**80 - 1
LOW_40: constant(uint256) = 2**40 - 1
LOW_64: constant(uint256) = 2**64 - 1
RATE_SHIFT: constant(uint256) = 48
UNLIMITED: constant(uint256) = 2**64 - 1

# by account << 128 | instrument: one hash an access
_positions: HashMap[uint256, uint256]
# by underlying: what one long unit of its perp has paid since the start, and pays
_funding: HashMap[uint256, uint256]
# by underlying: when its perp ends, unix seconds; 0: it does not
_perp_ends: HashMap[uint256, uint256]
# open interest by instrument, and of all instruments of an underlying by its identifier
_interest: HashMap[uint256, uint256]


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
@pure
def _pack(quantity: int256, index: int256) -> uint256:
    """
    @notice A position's word. A closed one leaves none behind.
    @param index Funding index now; 0 of what is no perp.
    """
    if quantity == 0:
        return 0
    narrow: int128 = convert(quantity, int128)
    return accounts._pack_signed(index, convert(convert(convert(narrow, int256), bytes32), uint256) & LOW_128)


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
def _book(account: uint256, instruments: DynArray[uint256, c.MAX_LEGS], legs: uint256) -> DynArray[uint256, c.MAX_LEGS]:
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
    for key: uint256 in instruments:
        assert key > previous, "positions: book not ascending"
        quantity: uint256 = self._positions[own | key] & LOW_128
        assert quantity != 0, "positions: leg not held"
        book.append((key << 128) | quantity)
        previous = key
    # the last is the largest: none of them reaches into the keys of another account
    assert previous <= LOW_128, "positions: no instrument"
    return book


@internal
def _set_leg(
    account: uint256, identity: uint256, instrument: uint128, change: int256, limits: uint256
) -> (uint256, int256, int256):
    """
    @notice Changes a position. A perp's entry index becomes the index now.
    @param limits Of the position, see `_require_within`.
    @return The identity with the number of legs and the perps held afterwards, which the caller stores; the position
            before; funding that becomes cash.
    """
    key: uint256 = self._key(account, instrument)
    word: uint256 = self._positions[key]
    old: int256 = accounts._signed_low(word)
    new: int256 = old + change
    assert abs(new) <= convert(c.MAX_QUANTITY, int256), "clearing: position too large"
    self._require_within(limits, old, new)
    index: int256 = 0
    accrued: int256 = 0
    is_perp: bool = ins._kind(instrument) == c.PERP
    if is_perp:
        index = self._index(ins._underlying(instrument))
        accrued = self._accrued(word, index)
    self._positions[key] = self._pack(new, index)
    if (old == 0) == (new == 0):
        return identity, old, accrued
    return self._recounted(identity, convert(instrument, uint256), new != 0), old, accrued


@internal
def _receive(
    account: uint256, identity: uint256, key: uint256, quantity: int256, index: uint256
) -> (uint256, int256, int256):
    """
    @notice Adds to a position that was touched before, without a limit.
    @param key Instrument.
    @param index Funding index now in the upper half of a word; 0 of what is no perp.
    @return The identity with the number of legs and the perps held afterwards, which the caller stores; the position
            before and after.
    """
    slot: uint256 = (account << 128) | key
    old: int256 = convert(convert(self._positions[slot] << 128, bytes32), int256) >> 128
    new: int256 = old + quantity
    assert abs(new) <= convert(c.MAX_QUANTITY, int256), "clearing: position too large"
    word: uint256 = 0
    if new != 0:
        word = index | (convert(convert(new, bytes32), uint256) & LOW_128)
    self._positions[slot] = word
    changed: uint256 = identity
    if (old == 0) != (new == 0):
        changed = self._recounted(identity, key, new != 0)
    return changed, old, new


@internal
@pure
def _recounted(identity: uint256, key: uint256, is_held: bool) -> uint256:
    """
    @notice The identity after a position was opened or closed.
    """
    changed: uint256 = identity
    if is_held:
        assert (identity >> accounts.LEGS_SHIFT) & accounts.LEGS_MASK < c.MAX_LEGS, "clearing: too many legs"
        accounts._require_in_scope(identity, convert(key, uint128))
        changed += 1 << accounts.LEGS_SHIFT
    else:
        changed -= 1 << accounts.LEGS_SHIFT
    if key & ins.KIND_MASK == c.PERP:
        changed ^= 1 << (accounts.PERPS_SHIFT + (key >> ins.UNDERLYING_SHIFT) - 1)
    return changed


@internal
@pure
def _cash_of(quantity: int256, price: uint256) -> int256:
    """
    @notice quantity * price where both are multiples of 1e10: nothing is rounded.
    """
    product: int256 = quantity * convert(price, int256)
    result: int256 = product // SIGNED_WAD
    assert result * SIGNED_WAD == product, "clearing: inexact amount"
    return result


# Funding


@internal
@view
def _index(underlying: uint256) -> int256:
    """
    @notice Cash that one long unit of a perp has paid until now, WAD, rounded towards zero to a multiple of 1e8: times a
            quantity, which is a multiple of 1e10, it is exact. So funding adds up to nothing whoever is touched in which
            order.
    """
    return self._exact_index(self._funding[underlying]) // c.FUNDING_STEP * c.FUNDING_STEP


@internal
@view
def _exact_index(word: uint256) -> int256:
    """
    @notice The index before it is rounded: what the next rate goes on from, so that many updates round no more than one.
            A rate that nobody renews stops.
    @param word Of `_funding`.
    """
    rate: int256 = convert(convert((word >> RATE_SHIFT) << 176, bytes32), int256) >> 176
    elapsed: uint256 = min(block.timestamp - (word & LOW_40), c.MAX_FUNDING_GAP)
    return accounts._signed_high(word) + rate * convert(elapsed, int256)


@internal
def _set_rate(underlying: uint256, rate: int256) -> int256:
    """
    @notice What a long unit pays from now on.
    @param rate WAD a second.
    @return The index now.
    """
    index: int256 = self._exact_index(self._funding[underlying])
    narrow: int80 = convert(rate, int80)
    low: uint256 = convert(convert(convert(narrow, int256), bytes32), uint256) & LOW_80
    self._funding[underlying] = accounts._pack_signed(index, (low << RATE_SHIFT) | block.timestamp)
    return index // c.FUNDING_STEP * c.FUNDING_STEP


@internal
@pure
def _accrued(word: uint256, index: int256) -> int256:
    """
    @notice Funding that a perp position has received since its last touch, WAD.
    """
    return fp._signed_mul_down(accounts._signed_low(word), accounts._signed_high(word) - index)


@internal
@view
def _funding_of(account: uint256, perps: uint256) -> int256:
    """
    @notice Funding accrued to now on all perps: what the account receives, WAD.
    @param perps Bit u - 1: the account holds the perp of underlying u.
    """
    accrued: int256 = 0
    bits: uint256 = perps
    for i: uint256 in range(c.MAX_UNDERLYINGS):
        if bits == 0:
            break
        if bits & 1 != 0:
            underlying: uint256 = unsafe_add(i, 1)
            word: uint256 = self._positions[(account << 128) | (underlying << ins.UNDERLYING_SHIFT)]
            accrued += self._accrued(word, self._index(underlying))
        bits = bits >> 1
    return accrued


@internal
def _touch(account: uint256, perps: uint256) -> int256:
    """
    @notice Sets the entry index of every perp held to the index now.
    @return Funding accrued until then, which the caller turns into cash, WAD.
    """
    accrued: int256 = 0
    bits: uint256 = perps
    for i: uint256 in range(c.MAX_UNDERLYINGS):
        if bits == 0:
            break
        if bits & 1 != 0:
            underlying: uint256 = unsafe_add(i, 1)
            index: int256 = self._index(underlying)
            key: uint256 = (account << 128) | (underlying << ins.UNDERLYING_SHIFT)
            word: uint256 = self._positions[key]
            accrued += self._accrued(word, index)
            self._positions[key] = accounts._pack_signed(index, word & LOW_128)
        bits = bits >> 1
    return accrued


# Limits


@internal
@pure
def _require_within(limits: uint256, old: int256, new: int256):
    """
    @notice Reverts where a position beyond its limit grows.
    @param limits Position (64) << 128 | open interest of the instrument (64) << 64 | and of the underlying (64), 1e-8 units;
           2**64 - 1: none.
    """
    limit: uint256 = (limits >> 128) & LOW_64
    if limit == UNLIMITED:
        return
    most: int256 = max(convert(limit * c.PRICE_UNIT, int256), abs(old))
    assert abs(new) <= most, "positions: above the position limit"


@internal
def _add_interest(key: uint256, change: int256, cap: uint256):
    """
    @notice Reverts where open interest beyond its cap grows.
    @param key Instrument or underlying.
    @param cap 1e-8 units; 2**64 - 1: none.
    """
    interest: uint256 = convert(convert(self._interest[key], int256) + change, uint256)
    if change > 0 and cap != UNLIMITED:
        assert interest <= cap * c.PRICE_UNIT, "positions: above the open interest cap"
    self._interest[key] = interest


@internal
@pure
def _growth(old: int256, new: int256) -> int256:
    """
    @notice What a change of a position adds to the open interest, WAD.
    """
    return max(new, 0) - max(old, 0)
