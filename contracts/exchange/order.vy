# pragma version 0.4.3
"""
@title Typed data, legs, flags, fees and fill slots of signed orders
@license AGPL-3.0-only
@notice Stateless. Quantities, cash and prices WAD. The Python twin is `keeper/exchange/order.py`.
        A nonce is generation (56 bits) << 8 | slot (8 bits). The word of a slot remembers how much is filled:
            generation (56 bits) << 128 | units filled (128 bits)
        so an account re-uses 256 words for ever instead of paying for a fresh one per order. The 24 high bits of a
        generation are a series, of which an account has one at a time.
"""
from ..interfaces import IClearinghouse
from ..interfaces import IExchange
from ..units import constants as c

_LEG_TYPEHASH: constant(bytes32) = keccak256("Leg(uint128 instrument,int128 quantity)")
_ORDER_TYPEHASH: constant(bytes32) = keccak256(
    "Order(uint256 account,Leg[] legs,uint256 units,int256 limit,uint256 maxFee,uint64 nonce,uint64 expiry,address taker,address matcher,uint8 flags)Leg(uint128 instrument,int128 quantity)"
)
_FILL_TYPEHASH: constant(bytes32) = keccak256(
    "Fill(bytes32 makerHash,bytes32 takerHash,int256 quantity,int256 price,uint64 fillNonce)"
)
_BATCH_TYPEHASH: constant(bytes32) = keccak256(
    "Batch(Fill[] fills)Fill(bytes32 makerHash,bytes32 takerHash,int256 quantity,int256 price,uint64 fillNonce)"
)
POST_ONLY: constant(uint8) = 1  # only as the maker
REDUCE_ONLY: constant(uint8) = 2  # every leg shrinks a position, none turns
IMMEDIATE_OR_CANCEL: constant(uint8) = 4  # only as the taker; what one transaction leaves is dead
FILL_OR_KILL: constant(uint8) = 8  # only as the taker; the whole order in one transaction
_ALL_FLAGS: constant(uint8) = 15
_UNITS_BITS: constant(uint256) = 128
_UNITS_MASK: constant(uint256) = 2**128 - 1
_SLOT_BITS: constant(uint256) = 8
_SLOT_MASK: constant(uint256) = 2**8 - 1
_SERIES_SHIFT: constant(uint256) = 40


# Typed data


@internal
@pure
def _leg_hash(leg: IExchange.Leg) -> bytes32:
    """
    @param leg One leg of an order.
    @return Its EIP-712 struct hash.
    """
    return keccak256(abi_encode(_LEG_TYPEHASH, leg.instrument, leg.quantity))


@internal
@pure
def _legs_hash(legs: DynArray[IExchange.Leg, c.MAX_ORDER_LEGS]) -> bytes32:
    """
    @dev Branches: cheaper than a loop that appends, for one leg above all.
    @param legs Reverts without any.
    @return Their EIP-712 encoding as a member: the hash of their struct hashes side by side.
    """
    count: uint256 = len(legs)
    assert count != 0, "exchange: no legs"
    first: bytes32 = self._leg_hash(legs[0])
    if count == 1:
        return keccak256(first)
    second: bytes32 = self._leg_hash(legs[1])
    if count == 2:
        return keccak256(concat(first, second))
    third: bytes32 = self._leg_hash(legs[2])
    if count == 3:
        return keccak256(concat(first, second, third))
    return keccak256(concat(first, second, third, self._leg_hash(legs[3])))


@internal
@pure
def _order_hash(terms: IExchange.Terms, legs_hash: bytes32) -> bytes32:
    """
    @param terms An order without its legs.
    @param legs_hash Of its legs.
    @return The order's EIP-712 struct hash.
    """
    return keccak256(
        abi_encode(
            _ORDER_TYPEHASH,
            terms.account,
            legs_hash,
            terms.units,
            terms.limit,
            terms.maxFee,
            terms.nonce,
            terms.expiry,
            terms.taker,
            terms.matcher,
            terms.flags,
        )
    )


@internal
@pure
def _terms_of(order: IExchange.Order) -> IExchange.Terms:
    """
    @param order Whole.
    @return It without its legs.
    """
    return IExchange.Terms(
        account=order.account,
        units=order.units,
        limit=order.limit,
        maxFee=order.maxFee,
        nonce=order.nonce,
        expiry=order.expiry,
        taker=order.taker,
        matcher=order.matcher,
        flags=order.flags,
    )


@internal
@pure
def _fill_hash(fill: IExchange.Fill) -> bytes32:
    """
    @param fill One match of two orders.
    @return Its EIP-712 struct hash: the action that a margin report is bound to.
    """
    return keccak256(
        abi_encode(
            _FILL_TYPEHASH,
            fill.makerHash,
            fill.takerHash,
            fill.quantity,
            fill.price,
            fill.fillNonce,
        )
    )


@internal
@pure
def _batch_hash(fills: DynArray[bytes32, 8]) -> bytes32:
    """
    @param fills Struct hashes of what one taker fills in one transaction.
    @return EIP-712 struct hash: the action that the taker's margin report is bound to.
    """
    return keccak256(abi_encode(_BATCH_TYPEHASH, keccak256(slice(abi_encode(fills), 64, 32 * len(fills)))))


# Legs and prices


@internal
@pure
def _mirrored(legs: DynArray[IExchange.Leg, c.MAX_ORDER_LEGS]) -> DynArray[IExchange.Leg, c.MAX_ORDER_LEGS]:
    """
    @param legs Of one side.
    @return Of the other side, in the same order.
    """
    mirror: DynArray[IExchange.Leg, c.MAX_ORDER_LEGS] = legs
    for i: uint256 in range(len(legs), bound=c.MAX_ORDER_LEGS):
        mirror[i].quantity = -legs[i].quantity

    return mirror


@internal
@pure
def _fills_of(
    legs: DynArray[IExchange.Leg, c.MAX_ORDER_LEGS],
    units: uint256,
    price: int256,
    prices: DynArray[uint256, c.MAX_ORDER_LEGS],
) -> DynArray[IClearinghouse.Fill, c.MAX_ORDER_LEGS]:
    """
    @notice What `units` of an order trade, leg by leg. Reverts unless the legs ascend and their prices make up the price
            of a unit exactly.
    @param legs Of the maker.
    @param units Filled, below 2**128.
    @param price Cash the maker pays per unit, WAD; negative: receives.
    @param prices Of one whole instrument per leg, WAD.
    @return The maker's side, in the order of the legs, without bands and limits.
    """
    count: uint256 = len(legs)
    assert count != 0, "exchange: no legs"
    assert len(prices) == count, "exchange: one price per leg"
    fills: DynArray[IClearinghouse.Fill, c.MAX_ORDER_LEGS] = []
    paid: int256 = 0
    last: uint128 = 0
    for i: uint256 in range(count, bound=c.MAX_ORDER_LEGS):
        instrument: uint128 = legs[i].instrument
        quantity: int256 = convert(legs[i].quantity, int256)
        assert instrument > last, "exchange: legs not ascending"
        assert quantity != 0, "exchange: empty leg"
        paid += quantity * convert(prices[i], int256)
        last = instrument
        fills.append(
            IClearinghouse.Fill(
                instrument=instrument,
                quantity=quantity * convert(units, int256),
                price=prices[i],
                band=0,
                limits=0,
            )
        )
    assert paid == price * convert(c.WAD, int256), "exchange: prices do not add up"

    return fills


# Flags


@internal
@pure
def _require_maker_flags(flags: uint8):
    """
    @param flags Of an order that others trade against.
    """
    assert flags <= _ALL_FLAGS, "exchange: unknown flag"
    assert flags & (IMMEDIATE_OR_CANCEL | FILL_OR_KILL) == 0, "exchange: immediate order as maker"


@internal
@pure
def _require_taker_flags(flags: uint8, units: uint256, order_units: uint256):
    """
    @param flags Of an order that trades against others.
    @param units Filled in this transaction.
    @param order_units In the whole order.
    """
    assert flags <= _ALL_FLAGS, "exchange: unknown flag"
    assert flags & POST_ONLY == 0, "exchange: post-only order as taker"
    assert flags & FILL_OR_KILL == 0 or units == order_units, "exchange: not the whole order"


@internal
@pure
def _is_reduction(held: int256, change: int256) -> bool:
    """
    @param held Position before, WAD, signed.
    @param change WAD, signed.
    @return Whether the position moves towards zero and not beyond.
    """
    return (held > 0) != (change > 0) and abs(change) <= abs(held)


# Fees


@internal
@pure
def _fee_of(rate: int256, quantity: uint256, spot: uint256) -> int256:
    """
    @param rate Share of the notional, WAD; negative: a rebate.
    @param quantity Absolute quantity, WAD.
    @param spot Effective spot, WAD.
    @return rate * quantity * spot, WAD, rounded up against the account in one step: a rebate towards zero.
    """
    square: int256 = convert(c.WAD * c.WAD, int256)
    product: int256 = rate * convert(quantity * spot, int256)
    fee: int256 = product // square

    return fee + 1 if product % square > 0 else fee


@internal
@pure
def _require_fee(fee: int256, max_fee: uint256, units: uint256, order_units: uint256):
    """
    @notice A partial fill may use the same part of the order's fee limit.
    @dev Divides the fee side, so an order without a limit (all bits set) does not overflow.
    @param fee Of this fill, WAD; a rebate is within any limit.
    @param max_fee Of the whole order, WAD.
    @param units Filled now, > 0.
    @param order_units In the whole order, below 2**128.
    """
    if fee > 0:
        whole: uint256 = convert(fee, uint256) * order_units
        assert (whole + units - 1) // units <= max_fee, "exchange: fee above limit"


# Fill slots


@internal
@pure
def _slot_of(nonce: uint64) -> uint256:
    """
    @param nonce Of an order.
    @return Its slot, 0 to 255.
    """
    return convert(nonce, uint256) & _SLOT_MASK


@internal
@pure
def _generation_of(nonce: uint64) -> uint256:
    """
    @param nonce Of an order.
    @return Its generation, below 2**56.
    """
    return convert(nonce, uint256) >> _SLOT_BITS


@internal
@pure
def _series_of(nonce: uint64) -> uint64:
    """
    @param nonce Of an order.
    @return Its series, below 2**24.
    """
    return convert(convert(nonce, uint256) >> _SERIES_SHIFT, uint64)


@internal
@pure
def _generation_in(word: uint256) -> uint256:
    """
    @param word Of a slot.
    @return Least generation alive in it.
    """
    return word >> _UNITS_BITS


@internal
@pure
def _filled_in(word: uint256, nonce: uint64) -> uint256:
    """
    @notice A generation above the slot's starts empty; one below it is dead.
    @param word Of the nonce's slot.
    @param nonce Of an order.
    @return Units of the nonce filled so far.
    """
    generation: uint256 = self._generation_of(nonce)
    current: uint256 = self._generation_in(word)
    assert generation >= current, "exchange: order dead"

    return word & _UNITS_MASK if generation == current else 0


@internal
@pure
def _slot_word(generation: uint256, units: uint256) -> uint256:
    """
    @param generation Below or at 2**56.
    @param units Filled, below 2**128.
    @return The slot's word.
    """
    return generation << _UNITS_BITS | units
