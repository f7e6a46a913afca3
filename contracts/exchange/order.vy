# pragma version 0.4.3
"""
@title Typed data, legs, fees and fill slots of signed orders
@license AGPL-3.0-only
@notice Stateless. Quantities, cash and prices WAD. The Python twin is `keeper/exchange/order.py`.
        A nonce is generation (56 bits) << 8 | slot (8 bits). The word of a slot remembers how much is filled:
            generation (56 bits) << 128 | units filled (128 bits)
        so an account re-uses 256 words for ever instead of paying for a fresh one per order.
"""
from ..interfaces import IClearinghouse
from ..interfaces import IExchange
from ..units import constants as c

_LEG_TYPEHASH: constant(bytes32) = keccak256("Leg(uint128 instrument,int128 quantity)")
_ORDER_TYPEHASH: constant(bytes32) = keccak256(
    "Order(uint256 account,Leg[] legs,uint256 units,int256 limit,uint256 maxFee,uint64 nonce,uint64 expiry,address taker,uint8 flags)Leg(uint128 instrument,int128 quantity)"
)
_FILL_TYPEHASH: constant(bytes32) = keccak256(
    "Fill(bytes32 makerHash,bytes32 takerHash,int256 quantity,int256 price,uint64 fillNonce)"
)
_UNITS_BITS: constant(uint256) = 128
_UNITS_MASK: constant(uint256) = 2**128 - 1
_SLOT_BITS: constant(uint256) = 8
_SLOT_MASK: constant(uint256) = 2**8 - 1


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
    @param legs At least one.
    @return Their EIP-712 encoding as a member: the hash of their struct hashes side by side.
    """
    count: uint256 = len(legs)
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
def _order_hash(order: IExchange.Order) -> bytes32:
    """
    @param order With at least one leg.
    @return Its EIP-712 struct hash.
    """
    return keccak256(
        abi_encode(
            _ORDER_TYPEHASH,
            order.account,
            self._legs_hash(order.legs),
            order.units,
            order.limit,
            order.maxFee,
            order.nonce,
            order.expiry,
            order.taker,
            order.flags,
        )
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


# Legs, prices and fees


@internal
@pure
def _fills_of(
    legs: DynArray[IExchange.Leg, c.MAX_ORDER_LEGS],
    mirror: DynArray[IExchange.Leg, c.MAX_ORDER_LEGS],
    units: uint256,
    price: int256,
    prices: DynArray[uint256, c.MAX_ORDER_LEGS],
) -> DynArray[IClearinghouse.Fill, c.MAX_ORDER_LEGS]:
    """
    @notice What `units` of two orders trade, leg by leg. Reverts unless the legs mirror each other and ascend, and
            their prices make up the price of a unit exactly.
    @param legs Of the maker.
    @param mirror Of the taker.
    @param units Filled, below 2**128.
    @param price Cash the maker pays per unit, WAD; negative: receives.
    @param prices Of one whole instrument per leg, WAD.
    @return The maker's side, in the order of the legs.
    """
    count: uint256 = len(legs)
    assert len(prices) == count, "exchange: one price per leg"
    assert count != 0, "exchange: no legs"
    assert len(mirror) == count, "exchange: legs do not mirror"
    fills: DynArray[IClearinghouse.Fill, c.MAX_ORDER_LEGS] = []
    paid: int256 = 0
    last: uint128 = 0
    for i: uint256 in range(count, bound=c.MAX_ORDER_LEGS):
        instrument: uint128 = legs[i].instrument
        quantity: int256 = convert(legs[i].quantity, int256)
        assert instrument > last, "exchange: legs not ascending"
        assert quantity != 0, "exchange: empty leg"
        assert mirror[i].instrument == instrument, "exchange: instruments differ"
        assert convert(mirror[i].quantity, int256) == -quantity, "exchange: legs do not mirror"
        paid += quantity * convert(prices[i], int256)
        last = instrument
        fills.append(
            IClearinghouse.Fill(instrument=instrument, quantity=quantity * convert(units, int256), price=prices[i])
        )
    assert paid == price * convert(c.WAD, int256), "exchange: prices do not add up"

    return fills


@internal
@pure
def _fee_of(rate: uint256, quantity: uint256, spot: uint256) -> uint256:
    """
    @param rate Share of the notional, WAD.
    @param quantity Absolute quantity, WAD.
    @param spot Effective spot, WAD.
    @return rate * quantity * spot, WAD, rounded up against the account in one step.
    """
    square: uint256 = c.WAD * c.WAD

    return (rate * quantity * spot + square - 1) // square


@internal
@pure
def _require_fee(fee: uint256, max_fee: uint256, units: uint256, order_units: uint256):
    """
    @notice A partial fill may use the same part of the order's fee limit.
    @dev Divides the fee side, so an order without a limit (all bits set) does not overflow.
    @param fee Of this fill, WAD.
    @param max_fee Of the whole order, WAD.
    @param units Filled now, > 0.
    @param order_units In the whole order, below 2**128.
    """
    assert (fee * order_units + units - 1) // units <= max_fee, "exchange: fee above limit"


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
