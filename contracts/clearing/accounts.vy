# pragma version 0.4.3
"""
@title Accounts: owner, cash, counters and the running hash of the book
@license AGPL-3.0-only
@notice Four words per account:
          identity  owner (160) | legs (8) << 160 | perps (32) << 168 | collateral tokens (8) << 200 | frozen (1) << 208
                    | credit tier (4) << 212 | underlying (6) << 216 and expiry / 300 (34) << 222 that it is isolated to
          money     cash (int128) << 128 | withdrawal nonce (32) << 96 | exempt (96)
          counters  U, added stand-alone margin (uint128) << 128 | Q, added mark (int128)
          hash      digest (208) << 48 | other changes (24) << 24 | fills (24)
"""

from ..markets import instrument as ins
from ..units import constants as c

# Constants

ADDRESS_MASK: constant(uint256) = 2**160 - 1
LOW_128: constant(uint256) = 2**128 - 1
LOW_40: constant(uint256) = 2**40 - 1
LEGS_SHIFT: constant(uint256) = 160
LEGS_MASK: constant(uint256) = 2**8 - 1
PERPS_SHIFT: constant(uint256) = 168
PERPS_MASK: constant(uint256) = 2**32 - 1
BOOK_MASK: constant(uint256) = (2**40 - 1) << 160  # legs and perps
TOKENS_SHIFT: constant(uint256) = 200
TOKENS_MASK: constant(uint256) = 2**8 - 1
FROZEN: constant(uint256) = 1 << 208
TIER_SHIFT: constant(uint256) = 212
TIER_MASK: constant(uint256) = 2**4 - 1
SCOPE_SHIFT: constant(uint256) = 216
SCOPE_MASK: constant(uint256) = 2**6 - 1
EXPIRY_SHIFT: constant(uint256) = 222
NONCE: constant(uint256) = 1 << 96
NONCE_SHIFT: constant(uint256) = 96
NONCE_MASK: constant(uint256) = 2**32 - 1
EXEMPT_MASK: constant(uint256) = 2**96 - 1
COUNT_BITS: constant(uint256) = 24
COUNT_MASK: constant(uint256) = 2**24 - 1
CHANGES_MASK: constant(uint256) = 2**48 - 1

# Storage

_identity: HashMap[uint256, uint256]
_money: HashMap[uint256, uint256]
_counters: HashMap[uint256, uint256]
_book_hash: HashMap[uint256, bytes32]
# How often an account has changed hands
_tenures: HashMap[uint256, uint256]
# account -> tenure -> operator -> scopes (8) << 40 | expiry (40): a grant dies with the ownership that gave it, even if
# the account comes back
_grants: HashMap[uint256, HashMap[uint256, HashMap[address, uint256]]]


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
def _with_exempt(money: uint256, exempt: uint256) -> uint256:
    """
    @notice The same cash and nonce with another exempt amount, WAD. Beyond its 96 bits it stays at their end: then the
            outflow limit counts what it need not.
    """
    return (money & ~EXEMPT_MASK) | min(exempt, EXEMPT_MASK)


@internal
@pure
def _with_cash(money: uint256, cash: int256) -> uint256:
    """
    @notice The same nonce and exempt amount with other cash, WAD.
    """
    return self._pack_signed(cash, money & LOW_128)


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
@pure
def _owner_of(identity: uint256) -> address:
    return convert(identity & ADDRESS_MASK, address)


@internal
@pure
def _perps_of(identity: uint256) -> uint256:
    """
    @notice Bit u - 1: the account holds the perp of underlying u.
    """
    return (identity >> PERPS_SHIFT) & PERPS_MASK


@internal
@pure
def _scope(underlying: uint256, expiry: uint256) -> uint256:
    """
    @notice Part of the identity of an account that is isolated to one underlying, one expiry or both.
    @param underlying Identifier; 0: any.
    @param expiry Unix seconds; 0: any.
    """
    assert underlying != 0 or expiry != 0, "accounts: isolated to nothing"
    assert underlying <= c.MAX_UNDERLYINGS, "accounts: unknown underlying"
    assert expiry % c.SETTLEMENT_GRID == 0 and expiry <= LOW_40, "accounts: bad expiry"
    return (underlying << SCOPE_SHIFT) | (expiry // c.SETTLEMENT_GRID << EXPIRY_SHIFT)


@internal
@pure
def _require_in_scope(identity: uint256, instrument: uint128):
    """
    @notice Reverts if the account is isolated to another underlying or expiry.
    """
    if identity >> SCOPE_SHIFT == 0:
        return
    underlying: uint256 = (identity >> SCOPE_SHIFT) & SCOPE_MASK
    expiry: uint256 = (identity >> EXPIRY_SHIFT) * c.SETTLEMENT_GRID
    assert underlying == 0 or underlying == ins._underlying(instrument), "accounts: isolated to another underlying"
    assert expiry == 0 or expiry == ins._expiry(instrument), "accounts: isolated to another expiry"


@internal
@view
def _may_act(account: uint256, identity: uint256, actor: address, scope: uint8) -> bool:
    """
    @notice Whether an address is the owner, or an operator whose grant covers the scope now.
    @param identity The account's word.
    @param scope SCOPE_* of constants.vy.
    """
    if actor == self._owner_of(identity):
        return actor != empty(address)
    grant: uint256 = self._grants[account][self._tenures[account]][actor]
    return (grant >> 40) & convert(scope, uint256) != 0 and block.timestamp <= grant & LOW_40


@internal
def _set_grant(account: uint256, operator: address, scopes: uint8, expiry: uint40):
    """
    @notice What an operator may do for the owner of now, and until when, unix seconds. No scopes: nothing any more.
    """
    assert operator != empty(address), "accounts: zero operator"
    assert scopes <= c.SCOPE_TRADE | c.SCOPE_WITHDRAW | c.SCOPE_DEPOSIT, "accounts: unknown scope"
    self._grants[account][self._tenures[account]][operator] = (convert(scopes, uint256) << 40) | convert(
        expiry, uint256
    )


@internal
@pure
def _require_active(identity: uint256):
    """
    @notice Reverts if the account does not exist or is in auction.
    """
    assert identity != 0, "clearing: no such account"
    assert identity & FROZEN == 0, "clearing: in auction"


@internal
@pure
def _ratchet(exempt: uint256, settled: int256) -> uint256:
    """
    @notice Realised losses leave the exempt amount for good: realised gains never re-enter it.
    """
    return min(exempt, convert(max(0, settled), uint256))
