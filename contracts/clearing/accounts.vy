# pragma version 0.4.3
"""
@title Accounts: owner, cash, counters and the running hash of the book
@license AGPL-3.0-only
@notice Four words per account:
          identity  owner (160) | legs (8) << 160 | withdrawal nonce (32) << 168 | perps (32) << 200
                    | collateral tokens (8) << 232 | frozen (1) << 240
          money     cash (int128) << 128 | exempt (uint128)
          counters  U, added stand-alone margin (uint128) << 128 | Q, added mark (int128)
          hash      digest (208) << 48 | other changes (24) << 24 | fills (24)
"""

from ..units import constants as c

# Constants

ADDRESS_MASK: constant(uint256) = 2**160 - 1
LOW_128: constant(uint256) = 2**128 - 1
LEGS_SHIFT: constant(uint256) = 160
NONCE_SHIFT: constant(uint256) = 168
PERPS_SHIFT: constant(uint256) = 200
PERPS_MASK: constant(uint256) = 2**32 - 1
TOKENS_SHIFT: constant(uint256) = 232
TOKENS_MASK: constant(uint256) = 2**8 - 1
FROZEN: constant(uint256) = 1 << 240
COUNT_BITS: constant(uint256) = 24
COUNT_MASK: constant(uint256) = 2**24 - 1
CHANGES_MASK: constant(uint256) = 2**48 - 1

# Storage

_identity: HashMap[uint256, uint256]
_money: HashMap[uint256, uint256]
_counters: HashMap[uint256, uint256]
_book_hash: HashMap[uint256, bytes32]
# account -> owner at the time of the grant -> operator: a grant dies with the ownership that gave it
_operators: HashMap[uint256, HashMap[address, HashMap[address, bool]]]


@deploy
def __init__():
    pass


@internal
@pure
def _pack_signed(high: int256, low: uint256) -> uint256:
    """
    @notice A signed 128-bit number above an unsigned one; reverts where either does not fit.
    """
    narrow: int128 = convert(high, int128)
    upper: uint256 = convert(convert(convert(narrow, int256), bytes32), uint256)
    return (upper << 128) | convert(convert(low, uint128), uint256)


@internal
@pure
def _signed_high(word: uint256) -> int256:
    return convert(convert(word, bytes32), int256) >> 128


@internal
@pure
def _signed_low(word: uint256) -> int256:
    return convert(convert(word << 128, bytes32), int256) >> 128


@internal
@pure
def _pack_signed_low(high: uint256, low: int256) -> uint256:
    """
    @notice An unsigned 128-bit number above a signed one; reverts where either does not fit.
    """
    narrow: int128 = convert(low, int128)
    lower: uint256 = (convert(convert(convert(narrow, int256), bytes32), uint256) & LOW_128)
    return (convert(convert(high, uint128), uint256) << 128) | lower


@internal
@pure
def _fold(
    book_hash: bytes32,
    kind: uint8,
    instrument: uint128,
    quantity: int256,
    price: uint256,
) -> bytes32:
    """
    @notice The book hash after one more change. The digest gives up 48 bits to two counters, so that a leaf itself
            says how many changes of either sort lie between it and now.
    """
    digest: uint256 = convert(
        keccak256(abi_encode(book_hash, kind, instrument, quantity, price)),
        uint256,
    )
    word: uint256 = convert(book_hash, uint256)
    fills: uint256 = word & COUNT_MASK
    others: uint256 = (word >> COUNT_BITS) & COUNT_MASK
    # a record outlives these: what they add is in U and Q, or only ever lowers the margin
    if kind == c.CHANGE_FILL or kind == c.CHANGE_COLLATERAL or kind == c.CHANGE_PURCHASE:
        fills = (fills + 1) & COUNT_MASK
    else:
        others = (others + 1) & COUNT_MASK
    return convert((digest & ~CHANGES_MASK) | (others << COUNT_BITS) | fills, bytes32)


@internal
@view
def _owner(account: uint256) -> address:
    return convert(self._identity[account] & ADDRESS_MASK, address)


@internal
@view
def _may_act(account: uint256, actor: address) -> bool:
    owner: address = self._owner(account)
    return actor != empty(address) and (actor == owner or self._operators[account][owner][actor])
