# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exchange
@license AGPL-3.0-only
@notice Settles signed orders of one to four legs: a pair of them, or one taker's against up to eight makers'. Anybody may
        bring orders that match, unless they name a matcher: signatures, limits and evidence decide, not the sender. Holds
        no tokens and no positions.
        Cash, prices, quantities and rates are WAD; times unix seconds. EIP-712 domain ("Plimsoll", "1", chain id, this).
@custom:security The Clearinghouse checks that the signers may trade, the margin of all sides, limits and price bands, and
        holds the re-entrancy lock of every balance change. A signer's contract is only ever called statically.
@custom:kill The owner takes the module away at the Clearinghouse: every fill then reverts. Orders die by expiry or cancel.
"""
from ..interfaces import IAttestation
from ..interfaces import IClearinghouse
from ..interfaces import IExchange
from ..interfaces import IMarkets
from ..interfaces import IRiskOracle
from ..markets import instrument as instruments
from ..units import constants as c

# hashes, exact prices and slot words: stateless
from . import order as orders

# who signed, by key or by contract: stateless
from . import signer as signers

# fees are the one thing an owner sets here
from snekmate.auth import ownable

# what wallets show when they sign an order
from snekmate.utils import eip712_domain_separator as domain

implements: IExchange
initializes: ownable
initializes: domain


# `renounce_ownership` is not exported: fees would be fixed for ever by one careless call
exports: (
    ownable.owner,
    ownable.transfer_ownership,
    domain.eip712Domain,
)


# Public constants

MAX_FEE_RATE: public(constant(uint256)) = 10**16  # 1 % of the notional
MAX_MATCHES: public(constant(uint256)) = 8  # makers in one transaction


# Internal constants

# of IClearinghouse.trade and trade_many
_TRADE: constant(Bytes[4]) = method_id(
    "trade((uint256,uint256,(uint128,int256,uint256,uint256,uint256)[],int256,int256,address,address,bytes32),(uint8,bytes),(uint8,bytes),bytes)"
)
_TRADE_MANY: constant(Bytes[4]) = method_id(
    "trade_many((uint256,uint256,(uint128,int256,uint256,uint256,uint256)[],int256,int256,address,address,bytes32)[],(uint8,bytes),bytes)"
)
_RATE_MASK: constant(uint256) = 2**64 - 1
_SIGNED_MAX_RATE: constant(int256) = 10**16
_LAST_SERIES: constant(uint64) = 2**24 - 1
_ERC165: constant(bytes4) = 0x01ffc9a7
_ERC5267: constant(bytes4) = 0x84b0196e


# Immutables

CLEARINGHOUSE: public(immutable(address))
MARKETS: public(immutable(address))
ORACLE: public(immutable(address))


# Internal state

# seq (64) | taker rate (64) | maker rate (int64): the rates are read together by every fill
_state: uint256
# account -> slot -> generation (56) << 128 | units filled (128)
_slots: HashMap[uint256, HashMap[uint256, uint256]]
# account -> the one series of orders that lives
_series: HashMap[uint256, uint64]


# One side of a fill, once its order holds.
struct Accepted:
    struct_hash: bytes32
    signer: address


# The spot asked for last: legs lie together by underlying.
struct Spot:
    underlying: uint256
    price: uint256


@deploy
def __init__(
    clearinghouse: address,
    markets: address,
    oracle: address,
    maker_rate: int256,
    taker_rate: uint256,
):
    """
    @param clearinghouse Books the trades; must list this contract as a module.
    @param markets Contract specifications.
    @param oracle Effective spots, for fees and price bands.
    @param maker_rate Fee of the maker as a share of the notional, WAD; negative: a rebate.
    @param taker_rate Fee of the taker, likewise, not negative.
    """
    assert (
        clearinghouse != empty(address) and markets != empty(address) and oracle != empty(address)
    ), "exchange: zero address"
    ownable.__init__()
    domain.__init__("Plimsoll", "1")
    CLEARINGHOUSE = clearinghouse
    MARKETS = markets
    ORACLE = oracle
    self._set_fees(maker_rate, taker_rate)


# Permissionless functions


@external
def fill(
    legs: DynArray[IExchange.Leg, c.MAX_ORDER_LEGS],
    maker: IExchange.Terms,
    makerSignature: Bytes[signers.MAX_BYTES],
    taker: IExchange.Terms,
    takerSignature: Bytes[signers.MAX_BYTES],
    units: uint256,
    price: int256,
    prices: DynArray[uint256, c.MAX_ORDER_LEGS],
    fillNonce: uint64,
    makerEvidence: IAttestation.Evidence,
    takerEvidence: IAttestation.Evidence,
    statement: Bytes[6656],
):
    """
    @notice Trades `units` of two mirrored orders.
    @param legs Of the maker's order; the taker's has the same instruments and opposite quantities.
    @param maker The order that pays `price` per unit.
    @param makerSignature By the account's owner or an operator for trades.
    @param taker The order that receives `price` per unit.
    @param takerSignature Likewise.
    @param units Whole units, > 0.
    @param price Cash that the maker pays per unit, WAD; negative: receives.
    @param prices Of one whole instrument per leg, WAD; quantity times price over the legs makes up `price`, exactly.
    @param fillNonce Tells equal partial fills apart in what attesters sign.
    @param makerEvidence How the maker passes its margin check.
    @param takerEvidence How the taker passes its margin check.
    @param statement What both share: an encoded IAttestation.Statement.
    """
    orders._require_maker_flags(maker.flags)
    orders._require_taker_flags(taker.flags, units, taker.units)
    self._require_pair(maker, taker, price)
    made: Accepted = self._accept(maker, orders._legs_hash(legs), makerSignature, units)
    took: Accepted = self._accept(taker, orders._legs_hash(orders._mirrored(legs)), takerSignature, units)
    self._require_reduction(maker, legs, 0, convert(units, int256))
    self._require_reduction(taker, legs, 0, -convert(units, int256))

    trade: IClearinghouse.Trade = self._trade_of(legs, maker, made, taker, took, units, price, prices)
    trade.action = orders._fill_hash(
        IExchange.Fill(
            makerHash=made.struct_hash,
            takerHash=took.struct_hash,
            quantity=convert(units, int256),
            price=price,
            fillNonce=fillNonce,
        )
    )
    orders._require_fee(trade.takerFee, taker.maxFee, units, taker.units)

    # not through the interface, which sends the longest arguments there can be: memory is paid for by its length.
    # What does not answer with a number is no Clearinghouse
    answer: Bytes[32] = raw_call(
        CLEARINGHOUSE,
        abi_encode(trade, makerEvidence, takerEvidence, statement, method_id=_TRADE),
        max_outsize=32,
    )
    log IExchange.OrderFilled(
        maker=trade.maker,
        taker=trade.taker,
        makerHash=made.struct_hash,
        takerHash=took.struct_hash,
        units=units,
        price=price,
        makerFee=trade.makerFee,
        takerFee=trade.takerFee,
        fillNonce=fillNonce,
        seq=abi_decode(answer, uint64),
    )


@external
def fill_many(
    legs: DynArray[IExchange.Leg, c.MAX_ORDER_LEGS],
    taker: IExchange.Terms,
    takerSignature: Bytes[signers.MAX_BYTES],
    matches: DynArray[IExchange.Match, MAX_MATCHES],
    takerEvidence: IAttestation.Evidence,
    statement: Bytes[6656],
):
    """
    @notice Trades one order against several, all or none. Every account passes one margin check after all of it: the
            makers by headroom.
    @param legs Of the makers' orders; the taker's has the same instruments and opposite quantities.
    @param taker The order that receives.
    @param takerSignature By the account's owner or an operator for trades.
    @param matches Orders of makers, and how much of them at which prices; an account may appear more than once.
    @param takerEvidence How the taker passes; a report names the hash of the whole batch.
    @param statement Epoch, instruments' leaves and signatures: an encoded IAttestation.Statement.
    """
    units: uint256 = 0
    for match: IExchange.Match in matches:
        units += match.units
    orders._require_taker_flags(taker.flags, units, taker.units)
    took: Accepted = self._accept(taker, orders._legs_hash(orders._mirrored(legs)), takerSignature, units)
    self._require_reduction(taker, legs, 0, -convert(units, int256))

    legs_hash: bytes32 = orders._legs_hash(legs)
    trades: DynArray[IClearinghouse.Trade, MAX_MATCHES] = []
    hashes: DynArray[bytes32, MAX_MATCHES] = []
    makers: DynArray[bytes32, MAX_MATCHES] = []
    taker_fee: int256 = 0
    for i: uint256 in range(len(matches), bound=MAX_MATCHES):
        match: IExchange.Match = matches[i]
        orders._require_maker_flags(match.maker.flags)
        self._require_pair(match.maker, taker, match.price)
        made: Accepted = self._accept(match.maker, legs_hash, match.signature, match.units)
        before: uint256 = 0
        for j: uint256 in range(i, bound=MAX_MATCHES):
            if matches[j].maker.account == match.maker.account:
                before += matches[j].units
        self._require_reduction(match.maker, legs, convert(before, int256), convert(match.units, int256))
        trades.append(self._trade_of(legs, match.maker, made, taker, took, match.units, match.price, match.prices))
        taker_fee += trades[i].takerFee
        makers.append(made.struct_hash)
        hashes.append(
            orders._fill_hash(
                IExchange.Fill(
                    makerHash=made.struct_hash,
                    takerHash=took.struct_hash,
                    quantity=convert(match.units, int256),
                    price=match.price,
                    fillNonce=match.fillNonce,
                )
            )
        )
    orders._require_fee(taker_fee, taker.maxFee, units, taker.units)
    action: bytes32 = orders._batch_hash(hashes)
    for i: uint256 in range(len(trades), bound=MAX_MATCHES):
        trades[i].action = action

    answer: Bytes[32] = raw_call(
        CLEARINGHOUSE,
        abi_encode(trades, takerEvidence, statement, method_id=_TRADE_MANY),
        max_outsize=32,
    )
    for i: uint256 in range(len(trades), bound=MAX_MATCHES):
        log IExchange.OrderFilled(
            maker=trades[i].maker,
            taker=trades[i].taker,
            makerHash=makers[i],
            takerHash=took.struct_hash,
            units=matches[i].units,
            price=matches[i].price,
            makerFee=trades[i].makerFee,
            takerFee=trades[i].takerFee,
            fillNonce=matches[i].fillNonce,
            seq=abi_decode(answer, uint64),
        )


# Owners of accounts and their operators


@external
def cancel(account: uint256, nonces: DynArray[uint64, 32]):
    """
    @notice Kills every order of these nonces' slots up to and including their generations. By the owner or an operator.
    @param account Whose orders.
    @param nonces Of the orders; one that is dead already changes nothing.
    """
    self._require_may_cancel(account)
    for nonce: uint64 in nonces:
        self._cancel_slot(account, orders._slot_of(nonce), orders._generation_of(nonce))


@external
def cancel_slots(account: uint256, bitmap: uint256, generation: uint64):
    """
    @notice Kills every order of several slots up to and including a generation. By the owner or an operator.
    @param account Whose orders.
    @param bitmap Bit s: slot s.
    @param generation Below 2**56.
    """
    self._require_may_cancel(account)
    assert generation < 2**56, "exchange: generation too large"
    bits: uint256 = bitmap
    for slot: uint256 in range(256):
        if bits == 0:
            break
        if bits & 1 != 0:
            self._cancel_slot(account, slot, convert(generation, uint256))
        bits = bits >> 1


@external
def cancel_all(account: uint256):
    """
    @notice Kills every order of the account: orders signed from now on belong to the next series. By the owner or an
            operator.
    @param account Whose orders.
    """
    self._require_may_cancel(account)
    series: uint64 = self._series[account] + 1
    assert series <= _LAST_SERIES, "exchange: no series left"
    self._series[account] = series
    log IExchange.AllCancelled(account=account, series=series, seq=self._next_seq())


# Owner


@external
def set_fees(makerRate: int256, takerRate: uint256):
    """
    @notice Sets what later fills pay; orders are protected by their `maxFee`.
    @param makerRate Share of the notional, WAD, at most `MAX_FEE_RATE`; negative: a rebate, which the taker's fee covers.
    @param takerRate Likewise, not negative.
    """
    ownable._check_owner()
    self._set_fees(makerRate, takerRate)


# Views


@external
@view
def order_hash(order: IExchange.Order) -> bytes32:
    """
    @param order With one to four legs.
    @return Its EIP-712 struct hash.
    """
    return orders._order_hash(orders._terms_of(order), orders._legs_hash(order.legs))


@external
@view
def digest(struct_hash: bytes32) -> bytes32:
    """
    @param struct_hash Of an order.
    @return What its signer signs.
    """
    return domain._hash_typed_data_v4(struct_hash)


@external
@view
def filled(account: uint256, nonce: uint64) -> uint256:
    """
    @param account Whose order.
    @param nonce Its nonce. Reverts when it is dead.
    @return Units filled so far.
    """
    return self._filled(account, nonce)


@external
@view
def series(account: uint256) -> uint64:
    """
    @param account Any.
    @return The series that its live orders belong to.
    """
    return self._series[account]


@external
@view
def fee_rates() -> (int256, uint256):
    """
    @return Rates of the maker, negative for a rebate, and the taker as shares of the notional, WAD.
    """
    return self._rates()


@external
@view
def seq() -> uint64:
    """
    @return Number of the last event of cancels and fees; fills are numbered by the Clearinghouse.
    """
    return convert(self._state >> 128, uint64)


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @param interface_id As ERC-165 forms it.
    @return Whether it is ERC-165 or ERC-5267.
    """
    return interface_id == _ERC165 or interface_id == _ERC5267


# Orders


@internal
@view
def _require_pair(maker: IExchange.Terms, taker: IExchange.Terms, price: int256):
    """
    @notice What two orders demand of each other.
    @param maker The order that pays.
    @param taker The other.
    @param price Cash the maker pays per unit, WAD, signed.
    """
    assert maker.account != taker.account, "exchange: same account"
    assert price <= maker.limit and -price <= taker.limit, "exchange: price beyond limit"
    self._require_counterpart(maker.taker, taker.account)
    self._require_counterpart(taker.taker, maker.account)


@internal
@view
def _require_counterpart(demanded: address, account: uint256):
    """
    @param demanded Owner that an order trades with; zero: anyone.
    @param account Account of the other side.
    """
    if demanded != empty(address):
        owner: address = (staticcall IClearinghouse(CLEARINGHOUSE).account(account)).owner
        assert owner == demanded, "exchange: taker not allowed"


@internal
def _accept(
    terms: IExchange.Terms,
    legs_hash: bytes32,
    signature: Bytes[signers.MAX_BYTES],
    units: uint256,
) -> Accepted:
    """
    @notice What one order demands of a fill by itself; marks the units as filled.
    @param terms The order without its legs.
    @param legs_hash Of its legs.
    @param signature Of the order.
    @param units To fill.
    @return Its hash, and who signed it: the Clearinghouse checks that the signer may trade for the account.
    """
    assert block.timestamp <= convert(terms.expiry, uint256), "exchange: order expired"
    assert terms.matcher == empty(address) or terms.matcher == msg.sender, "exchange: not the matcher"
    assert terms.units < 2**128, "exchange: units too many"
    filled: uint256 = self._filled(terms.account, terms.nonce)
    assert units != 0 and units <= terms.units and filled + units <= terms.units, "exchange: units beyond order"
    generation: uint256 = orders._generation_of(terms.nonce)
    word: uint256 = orders._slot_word(generation, filled + units)
    if terms.flags & orders.IMMEDIATE_OR_CANCEL != 0:
        word = orders._slot_word(generation + 1, 0)
    self._slots[terms.account][orders._slot_of(terms.nonce)] = word

    struct_hash: bytes32 = orders._order_hash(terms, legs_hash)

    return Accepted(
        struct_hash=struct_hash,
        signer=signers._signer_of(domain._hash_typed_data_v4(struct_hash), signature),
    )


@internal
@view
def _filled(account: uint256, nonce: uint64) -> uint256:
    """
    @param account Whose order.
    @param nonce Its nonce; reverts when it is dead.
    @return Units filled so far.
    """
    assert orders._series_of(nonce) == self._series[account], "exchange: order dead"

    return orders._filled_in(self._slots[account][orders._slot_of(nonce)], nonce)


@internal
@view
def _require_reduction(
    terms: IExchange.Terms,
    legs: DynArray[IExchange.Leg, c.MAX_ORDER_LEGS],
    before: int256,
    units: int256,
):
    """
    @notice Reverts if the order only reduces and a leg would grow or turn a position.
    @param terms The order without its legs.
    @param legs Of the maker.
    @param before Units of the same legs that the account trades earlier in this transaction, signed.
    @param units Units, negative for the taker.
    """
    if terms.flags & orders.REDUCE_ONLY == 0:
        return
    for leg: IExchange.Leg in legs:
        quantity: int256 = convert(leg.quantity, int256)
        held: int256 = (staticcall IClearinghouse(CLEARINGHOUSE).position(terms.account, leg.instrument)).quantity
        assert orders._is_reduction(held + quantity * before, quantity * units), "exchange: does not reduce"


# Trades


@internal
@view
def _trade_of(
    legs: DynArray[IExchange.Leg, c.MAX_ORDER_LEGS],
    maker: IExchange.Terms,
    made: Accepted,
    taker: IExchange.Terms,
    took: Accepted,
    units: uint256,
    price: int256,
    prices: DynArray[uint256, c.MAX_ORDER_LEGS],
) -> IClearinghouse.Trade:
    """
    @notice What the Clearinghouse books, but for the action. Reverts unless every leg may be traded and the maker's fee
            is within its limit.
    @param legs Of the maker.
    @param maker Its order.
    @param made What came of accepting it.
    @param taker The other order.
    @param took What came of accepting it.
    @param units Filled.
    @param price Cash the maker pays per unit, WAD, signed.
    @param prices Of one whole instrument per leg, WAD.
    @return The trade.
    """
    trade: IClearinghouse.Trade = IClearinghouse.Trade(
        maker=maker.account,
        taker=taker.account,
        fills=orders._fills_of(legs, units, price, prices),
        makerFee=0,
        takerFee=0,
        makerSigner=made.signer,
        takerSigner=took.signer,
        action=empty(bytes32),
    )
    maker_rate: int256 = 0
    taker_rate: uint256 = 0
    maker_rate, taker_rate = self._rates()
    spot: Spot = empty(Spot)
    for i: uint256 in range(len(trade.fills), bound=c.MAX_ORDER_LEGS):
        fill: IClearinghouse.Fill = trade.fills[i]
        band: uint256 = 0
        trade.fills[i].limits, band = staticcall IMarkets(MARKETS).require_tradable(
            fill.instrument, fill.quantity, fill.price
        )
        underlying: uint256 = instruments._underlying(fill.instrument)
        if underlying != spot.underlying:
            spot = Spot(underlying=underlying, price=self._effective_spot(underlying))
        trade.fills[i].band = band * spot.price // c.WAD
        size: uint256 = convert(abs(fill.quantity), uint256)
        trade.makerFee += orders._fee_of(maker_rate, size, spot.price)
        trade.takerFee += orders._fee_of(convert(taker_rate, int256), size, spot.price)
    orders._require_fee(trade.makerFee, maker.maxFee, units, maker.units)

    return trade


@internal
@view
def _effective_spot(underlying: uint256) -> uint256:
    """
    @param underlying Identifier, below 2**16.
    @return Effective spot, WAD.
    """
    return (staticcall IRiskOracle(ORACLE).spot(convert(underlying, uint16))).effective * c.PRICE_UNIT


# Cancels


@internal
@view
def _require_may_cancel(account: uint256):
    """
    @param account Account that the sender must be the owner or an operator for trades of.
    """
    may_act: bool = staticcall IClearinghouse(CLEARINGHOUSE).may_act(account, msg.sender, c.SCOPE_TRADE)
    assert may_act, "exchange: not owner or operator"


@internal
def _cancel_slot(account: uint256, slot: uint256, generation: uint256):
    """
    @param account Whose orders.
    @param slot 0 to 255.
    @param generation Last one to die; where it is dead already nothing changes.
    """
    if generation >= orders._generation_in(self._slots[account][slot]):
        self._slots[account][slot] = orders._slot_word(generation + 1, 0)
        log IExchange.OrdersCancelled(
            account=account,
            slot=convert(slot, uint8),
            generation=convert(generation + 1, uint64),
            seq=self._next_seq(),
        )


# Fees


@internal
@view
def _rates() -> (int256, uint256):
    """
    @return Rates of the maker, signed, and the taker, WAD.
    """
    state: uint256 = self._state
    # the sign bit to the top, then back arithmetically
    maker_rate: int256 = convert(convert(state << 192, bytes32), int256) >> 192

    return (maker_rate, state >> 64 & _RATE_MASK)


@internal
def _set_fees(maker_rate: int256, taker_rate: uint256):
    """
    @param maker_rate Share of the notional, WAD, signed.
    @param taker_rate Likewise, not negative.
    """
    assert taker_rate <= MAX_FEE_RATE, "exchange: taker rate too high"
    assert maker_rate <= _SIGNED_MAX_RATE, "exchange: maker rate too high"
    assert maker_rate >= -convert(taker_rate, int256), "exchange: rebate above the taker rate"
    low: uint256 = convert(convert(maker_rate, bytes32), uint256) & _RATE_MASK
    self._state = self._state >> 128 << 128 | taker_rate << 64 | low
    log IExchange.FeesSet(makerRate=maker_rate, takerRate=taker_rate, seq=self._next_seq())


@internal
def _next_seq() -> uint64:
    """
    @return Number of the next event; a gap proves a missing event.
    """
    state: uint256 = self._state + (1 << 128)
    self._state = state

    return convert(state >> 128, uint64)
