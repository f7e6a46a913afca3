# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exchange
@license AGPL-3.0-only
@notice Settles pairs of signed orders of one to four legs. Anybody may bring two orders that match: their signatures,
        limits and evidence decide, not the sender. Holds no tokens and no positions.
        Cash, prices, quantities and rates are WAD; times unix seconds. EIP-712 domain ("Plimsoll", "1", chain id, this).
@custom:security The Clearinghouse checks the margin of both sides and holds the re-entrancy lock of every balance change.
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

# refuses high-s signatures and the zero signer: stateless
from snekmate.utils import ecdsa

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


# Internal constants

# of IClearinghouse.trade
_TRADE: constant(Bytes[4]) = method_id(
    "trade((uint256,uint256,(uint128,int256,uint256)[],uint256,uint256,bytes32),(uint8,bytes),(uint8,bytes),bytes)"
)
_RATE_MASK: constant(uint256) = 2**64 - 1


# Immutables

CLEARINGHOUSE: public(immutable(address))
MARKETS: public(immutable(address))
ORACLE: public(immutable(address))


# Internal state

# seq (64) | taker rate (64) | maker rate (64): read and written together by every fill
_state: uint256
# account -> slot -> generation (56) << 128 | units filled (128)
_slots: HashMap[uint256, HashMap[uint256, uint256]]


@deploy
def __init__(
    clearinghouse: address,
    markets: address,
    oracle: address,
    maker_rate: uint256,
    taker_rate: uint256,
):
    """
    @param clearinghouse Books the trades; must list this contract as a module.
    @param markets Contract specifications.
    @param oracle Effective spots, for fees.
    @param maker_rate Fee of the maker as a share of the notional, WAD.
    @param taker_rate Fee of the taker, likewise.
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
    maker: IExchange.Order,
    makerSignature: IAttestation.CompactSignature,
    taker: IExchange.Order,
    takerSignature: IAttestation.CompactSignature,
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
    @param maker The order that pays `price` per unit.
    @param makerSignature EIP-2098, by the account's owner or an operator.
    @param taker The order with the opposite legs in the same order; it receives `price` per unit.
    @param takerSignature Likewise.
    @param units Whole units, > 0.
    @param price Cash that the maker pays per unit, WAD; negative: receives.
    @param prices Of one whole instrument per leg, WAD; quantity times price over the legs makes up `price`, exactly.
    @param fillNonce Tells equal partial fills apart in what attesters sign.
    @param makerEvidence How the maker passes its margin check.
    @param takerEvidence How the taker passes its margin check.
    @param statement What both share: an encoded IAttestation.Statement.
    """
    assert maker.account != taker.account, "exchange: same account"
    maker_hash: bytes32 = self._accept(maker, makerSignature, units, price, taker.account)
    taker_hash: bytes32 = self._accept(taker, takerSignature, units, -price, maker.account)

    trade: IClearinghouse.Trade = IClearinghouse.Trade(
        maker=maker.account,
        taker=taker.account,
        fills=orders._fills_of(maker.legs, taker.legs, units, price, prices),
        makerFee=0,
        takerFee=0,
        action=orders._fill_hash(
            IExchange.Fill(
                makerHash=maker_hash,
                takerHash=taker_hash,
                quantity=convert(units, int256),
                price=price,
                fillNonce=fillNonce,
            )
        ),
    )
    trade.makerFee, trade.takerFee = self._fees_of(trade.fills)
    orders._require_fee(trade.makerFee, maker.maxFee, units, maker.units)
    orders._require_fee(trade.takerFee, taker.maxFee, units, taker.units)

    # not through the interface, which sends the longest arguments there can be: memory is paid for by its length.
    # `may_act` has shown that there is a contract
    raw_call(CLEARINGHOUSE, abi_encode(trade, makerEvidence, takerEvidence, statement, method_id=_TRADE))
    self._log_fill(trade, maker_hash, taker_hash, units, price, fillNonce)


@external
def cancel(account: uint256, nonces: DynArray[uint64, 32]):
    """
    @notice Kills every order of these nonces' slots up to and including their generations. By the owner or an operator.
    @param account Whose orders.
    @param nonces Of the orders; one that is dead already changes nothing.
    """
    assert staticcall IClearinghouse(CLEARINGHOUSE).may_act(account, msg.sender), "exchange: not owner or operator"
    for nonce: uint64 in nonces:
        slot: uint256 = orders._slot_of(nonce)
        generation: uint256 = orders._generation_of(nonce) + 1
        if generation > orders._generation_in(self._slots[account][slot]):
            self._slots[account][slot] = orders._slot_word(generation, 0)
            log IExchange.OrdersCancelled(
                account=account,
                slot=convert(slot, uint8),
                generation=convert(generation, uint64),
                seq=self._next_seq(),
            )


# Owner


@external
def set_fees(makerRate: uint256, takerRate: uint256):
    """
    @notice Sets what later fills pay; orders are protected by their `maxFee`.
    @param makerRate Share of the notional, WAD, at most `MAX_FEE_RATE`.
    @param takerRate Likewise.
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
    assert len(order.legs) != 0, "exchange: no legs"

    return orders._order_hash(order)


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
    return orders._filled_in(self._slots[account][orders._slot_of(nonce)], nonce)


@external
@view
def fee_rates() -> (uint256, uint256):
    """
    @return Rates of the maker and the taker as shares of the notional, WAD.
    """
    rates: uint256 = self._state

    return (rates & _RATE_MASK, rates >> 64 & _RATE_MASK)


@external
@view
def seq() -> uint64:
    """
    @return Number of the last event.
    """
    return convert(self._state >> 128, uint64)


# Internal functions


@internal
def _accept(
    order: IExchange.Order,
    signature: IAttestation.CompactSignature,
    units: uint256,
    price: int256,
    counterpart: uint256,
) -> bytes32:
    """
    @notice Everything one order demands of a fill except its legs and fees; marks the units as filled.
    @param order Of one side.
    @param signature By one who may act for its account.
    @param units To fill.
    @param price Cash this side pays per unit, WAD, signed.
    @param counterpart Account of the other side.
    @return The order's struct hash.
    """
    assert len(order.legs) != 0, "exchange: no legs"
    assert order.flags == 0, "exchange: unknown flag"
    assert block.timestamp <= convert(order.expiry, uint256), "exchange: order expired"
    assert price <= order.limit, "exchange: price beyond limit"
    assert order.units < 2**128, "exchange: units too many"
    if order.taker != empty(address):
        owner: address = (staticcall IClearinghouse(CLEARINGHOUSE).account(counterpart)).owner
        assert owner == order.taker, "exchange: taker not allowed"

    slot: uint256 = orders._slot_of(order.nonce)
    filled: uint256 = orders._filled_in(self._slots[order.account][slot], order.nonce)
    assert (units != 0 and units <= order.units and filled + units <= order.units), "exchange: units beyond order"
    self._slots[order.account][slot] = orders._slot_word(orders._generation_of(order.nonce), filled + units)

    struct_hash: bytes32 = orders._order_hash(order)
    signer: address = ecdsa._try_recover_r_vs(
        domain._hash_typed_data_v4(struct_hash),
        convert(signature.r, uint256),
        signature.vs,
    )
    assert staticcall IClearinghouse(CLEARINGHOUSE).may_act(order.account, signer), "exchange: signer may not act"

    return struct_hash


@internal
@view
def _fees_of(fills: DynArray[IClearinghouse.Fill, c.MAX_ORDER_LEGS]) -> (uint256, uint256):
    """
    @notice Reverts unless every leg may be traded.
    @dev Ascending instruments lie together by underlying, so each spot is asked for once.
    @param fills The legs.
    @return Fees of the maker and the taker, WAD; each leg's are rounded up.
    """
    rates: uint256 = self._state
    maker_fee: uint256 = 0
    taker_fee: uint256 = 0
    underlying: uint256 = 0
    spot: uint256 = 0
    for fill: IClearinghouse.Fill in fills:
        assert staticcall IMarkets(MARKETS).require_tradable(fill.instrument, fill.quantity, fill.price)
        if instruments._underlying(fill.instrument) != underlying:
            underlying = instruments._underlying(fill.instrument)
            spot = self._effective_spot(underlying)
        size: uint256 = convert(abs(fill.quantity), uint256)
        maker_fee += orders._fee_of(rates & _RATE_MASK, size, spot)
        taker_fee += orders._fee_of(rates >> 64 & _RATE_MASK, size, spot)

    return (maker_fee, taker_fee)


@internal
@view
def _effective_spot(underlying: uint256) -> uint256:
    """
    @param underlying Identifier, below 2**16.
    @return Effective spot, WAD.
    """
    return (staticcall IRiskOracle(ORACLE).spot(convert(underlying, uint16))).effective * c.PRICE_UNIT


@internal
def _log_fill(
    trade: IClearinghouse.Trade,
    maker_hash: bytes32,
    taker_hash: bytes32,
    units: uint256,
    price: int256,
    fill_nonce: uint64,
):
    """
    @param trade As the Clearinghouse has booked it.
    @param maker_hash Struct hash of the maker's order.
    @param taker_hash Struct hash of the taker's order.
    @param units Filled.
    @param price Cash the maker paid per unit, WAD, signed.
    @param fill_nonce As the sender chose it.
    """
    codes: DynArray[uint128, c.MAX_ORDER_LEGS] = []
    quantities: DynArray[int256, c.MAX_ORDER_LEGS] = []
    prices: DynArray[uint256, c.MAX_ORDER_LEGS] = []
    for fill: IClearinghouse.Fill in trade.fills:
        codes.append(fill.instrument)
        quantities.append(fill.quantity)
        prices.append(fill.price)
    log IExchange.OrderFilled(
        maker=trade.maker,
        taker=trade.taker,
        makerHash=maker_hash,
        takerHash=taker_hash,
        units=units,
        instruments=codes,
        quantities=quantities,
        prices=prices,
        price=price,
        makerFee=trade.makerFee,
        takerFee=trade.takerFee,
        fillNonce=fill_nonce,
        seq=self._next_seq(),
    )


@internal
def _set_fees(maker_rate: uint256, taker_rate: uint256):
    """
    @param maker_rate Share of the notional, WAD.
    @param taker_rate Likewise.
    """
    assert maker_rate <= MAX_FEE_RATE, "exchange: maker rate too high"
    assert taker_rate <= MAX_FEE_RATE, "exchange: taker rate too high"
    self._state = self._state >> 128 << 128 | taker_rate << 64 | maker_rate
    log IExchange.FeesSet(makerRate=maker_rate, takerRate=taker_rate, seq=self._next_seq())


@internal
def _next_seq() -> uint64:
    """
    @return Number of the next event; a gap proves a missing event.
    """
    state: uint256 = self._state + (1 << 128)
    self._state = state

    return convert(state >> 128, uint64)
