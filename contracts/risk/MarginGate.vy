# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title MarginGate
@license AGPL-3.0-only
@notice What a book is worth at least and at most, and whether a statement about it is genuine. Without storage: the
        Clearinghouse asks it with a book it has read itself. Three nested truths: the worst case needs nothing, the
        no-arbitrage bracket a spot price and the carry band, the attested margin a quorum.
@custom:security Trusts the RiskOracle for spots, roots and the quorum, and Markets for the carry band. Holds nothing.
@custom:kill Replaced in the Clearinghouse by its owner, behind the timelock.
"""

from ..attestation import typed_data
from ..interfaces import IAttestation
from ..interfaces import IAttesterQuorum
from ..interfaces import IMarginGate
from ..interfaces import IMarkets
from ..interfaces import IRiskOracle
from ..markets import instrument as ins
from ..units import constants as c
from ..units import fixed_point as fp
from . import payoff
from . import record as records

implements: IMarginGate

WAD: constant(uint256) = c.WAD
SIGNED_WAD: constant(int256) = 10**18
PRICE_UNIT: constant(int256) = 10**10
NO_BOUND: constant(int256) = min_value(int256)
LOW_128: constant(uint256) = 2**128 - 1
WINDOW: constant(uint256) = c.SETTLEMENT_WINDOW
# of the running hash: change counters
COUNT_BITS: constant(uint256) = 24
COUNT_MASK: constant(uint256) = 2**24 - 1
CHANGES_MASK: constant(uint256) = 2**48 - 1
NEVER: constant(uint256) = 2**40 - 1

# Spots, prices and windows
ORACLE: public(immutable(IRiskOracle))
# Carry bands
MARKETS: public(immutable(IMarkets))


# One underlying while a book is walked.
struct Band:
    underlying: uint256
    # 1e-8 USD
    spot: uint256
    # WAD
    basis: uint256
    # WAD per year
    carry: uint256


@deploy
def __init__(oracle: IRiskOracle, markets: IMarkets):
    """
    @param oracle Spots, epoch roots, settlement windows.
    @param markets Carry bands.
    """
    assert oracle.address != empty(address) and markets.address != empty(address), "gate: zero address"
    ORACLE = oracle
    MARKETS = markets


@external
@view
@reentrant
def worst_case(book: DynArray[uint256, 128]) -> int256:
    """
    @notice The least that the book can ever pay, cash aside: the sum over expiries of min(0, least payoff). A sure
            gain of one expiry is not lent against. Reads no oracle.
    @param book Words, ascending.
    @return WAD, rounded down; reverts where a perp is held, a profile falls without end or a leg has expired.
    """
    total: int256 = 0
    index: uint256 = 0
    for _: uint256 in range(c.MAX_LEGS):
        if index == len(book):
            break
        expiry: uint256 = ins._expiry(ins._instrument_of(book[index]))
        assert expiry != 0, "gate: a perp has no worst case"
        assert block.timestamp < expiry, "gate: expired leg"
        bounds: payoff.Bounds = payoff._expiry_bounds(book, index, 0, 0)
        assert bounds.finite, "gate: no worst case"
        total += min(0, bounds.worst)
        index = bounds.next_index
    return total


@external
@view
@reentrant
def value(book: DynArray[uint256, 128]) -> IMarginGate.Valuation:
    """
    @notice Bounds of a book without its cash, at the effective spots, worst over the carry band.
    @param book Words, ascending.
    @return See IMarginGate; WAD, rounded against the account.
    """
    return self._value(book)


@external
@view
@reentrant
def assess(
    account: uint256,
    epoch: uint64,
    evidence: IAttestation.Evidence,
    book: DynArray[uint256, 128],
    bookHash: bytes32,
    addedMark: int256,
) -> IMarginGate.Adoption:
    """
    @notice Holds an attested margin against the account's book. A report is of this very book. A leaf outlives later
            fills, which the counters have priced: the bracket then bounds the mark carried forward from above, and from
            below only that of an untouched book, since Q carries the adverse of price and mark.
    @param account Account.
    @param epoch Epoch of the leaf; of a report, whose signatures have been checked already, too.
    @param evidence Leaf and proof, or report.
    @param book The account's whole book now.
    @param bookHash Its running hash now.
    @param addedMark Its counter Q now, WAD.
    @return The record to store.
    """
    leaf: IAttestation.MarginLeaf = evidence.leaf
    assert leaf.account == account, "gate: margin of another account"
    assert (convert(leaf.marginal, uint256) >= WAD), "gate: bad marginal multiplier"
    now: uint256 = convert(bookHash, uint256)
    then: uint256 = convert(leaf.bookHash, uint256)
    if evidence.way == c.WAY_LEAF:
        assert staticcall ORACLE.require_in_epoch(
            epoch,
            typed_data._leaf(typed_data._margin_hash(leaf)),
            evidence.proof,
        )
        assert (now >> COUNT_BITS) & COUNT_MASK == (then >> COUNT_BITS) & COUNT_MASK, "gate: book changed otherwise"
        assert (unsafe_sub(now, then) & COUNT_MASK <= c.MAX_FILLS_SINCE_LEAF), "gate: too many fills since the leaf"
    else:
        assert now == then, "gate: report of another book"
    valuation: IMarginGate.Valuation = self._value(book)
    assert not valuation.expired, "gate: expired leg"
    base: int256 = convert(leaf.markToMarket, int256) - convert(leaf.addedMark, int256)
    mark: int256 = base + addedMark
    assert mark <= valuation.high, "gate: mark outside bracket"
    if now == then:
        assert valuation.low <= mark, "gate: mark outside bracket"
    return IMarginGate.Adoption(
        words=records._pack(
            IMarginGate.Record(
                epoch=epoch,
                marginal=convert(leaf.marginal, uint256),
                initialMargin=convert(leaf.initialMargin, uint256),
                addedIM=convert(leaf.addedIM, uint256),
                markBase=base,
                maintenanceMargin=convert(leaf.maintenanceMargin, uint256),
                maxAddedIM=convert(leaf.maxAddedIM, uint256),
                changes=then & CHANGES_MASK,
                expiry=valuation.earliest,
                linear=valuation.linear,
            )
        ),
        floor=valuation.floor,
    )


@external
@view
@reentrant
def require_headroom(
    words: uint256[4],
    bookHash: bytes32,
    counters: uint256,
    liquid: int256,
    least: int256,
) -> int256:
    """
    @notice Reverts unless equity covers the initial margin. That is at most the record's plus m times the stand-alone
            margin of the fills since, as margins are subadditive: nothing about the book itself is needed.
    @param words The account's record.
    @param bookHash Its running hash now.
    @param counters U (128) << 128 | Q (int128), now.
    @param liquid Cash and funding, WAD.
    @param least Least payoff of the book now, where known: no book needs more than the most it can lose. Applied last,
           as a capped margin is not subadditive. min_value(int256): no cap.
    @return Lower bound of settled cash, WAD.
    """
    record: IMarginGate.Record = records._unpack(words)
    assert staticcall ORACLE.is_usable(record.epoch), "gate: record of another epoch"
    assert staticcall ORACLE.is_fresh(), "gate: epoch too old"
    now: uint256 = convert(bookHash, uint256)
    assert (now >> COUNT_BITS) & COUNT_MASK == record.changes >> COUNT_BITS, "gate: book changed otherwise"
    assert (
        unsafe_sub(now, record.changes) & COUNT_MASK <= c.MAX_FILLS_SINCE_LEAF
    ), "gate: too many fills since the leaf"
    assert block.timestamp < record.expiry, "gate: expired leg"
    added: uint256 = (counters >> 128) - record.addedIM
    assert added <= record.maxAddedIM, "gate: beyond the record's reach"
    required: uint256 = record.initialMargin + fp._mul_up(added, record.marginal)
    mark: int256 = record.markBase + records._signed(counters)
    if least != NO_BOUND:
        required = min(required, convert(max(0, mark - least), uint256))
    assert liquid + mark >= convert(required, int256), "gate: below initial margin"
    return liquid + record.linear


@external
@view
@reentrant
def measure(words: uint256[4], bookHash: bytes32, counters: uint256, liquid: int256) -> IMarginGate.Health:
    """
    @notice Equity, maintenance margin and settled cash by a record; reverts unless it is of the present book and epoch.
    """
    record: IMarginGate.Record = records._unpack(words)
    assert staticcall ORACLE.is_usable(record.epoch), "gate: record of another epoch"
    assert (record.changes == convert(bookHash, uint256) & CHANGES_MASK), "gate: record of another book"
    return IMarginGate.Health(
        equity=liquid + record.markBase + records._signed(counters),
        maintenance=record.maintenanceMargin,
        settled=liquid + record.linear,
    )


@external
@pure
def unpack(words: uint256[4]) -> IMarginGate.Record:
    """
    @notice The record that the Clearinghouse stores, field by field.
    """
    return records._unpack(words)


@external
@view
@reentrant
def require_succeeds(oracle: address, previous: address) -> bool:
    """
    @notice Reverts unless this gate speaks of an oracle, and that one's epochs are numbered above its predecessor's:
            else an old record would pass again once the new oracle came to its number.
    @param oracle The oracle to come.
    @param previous The oracle so far; the zero address: none.
    @return True.
    """
    assert oracle == ORACLE.address, "gate: of another oracle"
    if previous != empty(address) and previous != oracle:
        last: uint64 = (staticcall IRiskOracle(previous).header()).number
        assert (staticcall ORACLE.header()).number > last, "gate: oracle numbers below the old one"
    return True


@external
@view
@reentrant
def require_shrinks_at_mark(
    leaf: IAttestation.InstrumentLeaf,
    legs: uint256,
    held: int256,
    quantity: int256,
    price: uint256,
    liquid: int256,
) -> bool:
    """
    @notice Reverts unless the book is this one leg, shrinks, at exactly its last attested mark, and equity at that mark
            is not negative: a transfer of risk at the protocol's own price, which needs no attester to be awake.
    @param leaf Of the traded instrument, verified.
    @param legs Number of legs of the account.
    @param held Quantity before, WAD.
    @param quantity Traded, WAD.
    @param price Per unit, WAD.
    @param liquid Cash and funding less the fee, WAD.
    """
    assert leaf.instrument != 0, "gate: no instrument leaf"
    assert price == convert(leaf.mark, uint256), "gate: not at the mark"
    assert legs == 1, "gate: not the whole book"
    assert (held > 0) != (quantity > 0) and abs(quantity) <= abs(held), "gate: does not shrink"
    assert (liquid + fp._signed_mul_down(held, convert(price, int256)) >= 0), "gate: equity below zero"
    return True


@external
@view
@reentrant
def require_reduced(
    equityBefore: int256,
    maintenanceBefore: uint256,
    equityAfter: int256,
    maintenanceAfter: uint256,
    fee: uint256,
) -> bool:
    """
    @notice Reverts unless equity falls by no more than the fee and the buffer above maintenance margin does not fall.
    """
    assert (equityAfter + convert(fee, int256) >= equityBefore), "gate: equity falls"
    assert (
        equityAfter - convert(maintenanceAfter, int256) >= equityBefore - convert(maintenanceBefore, int256)
    ), "gate: risk not reduced"
    return True


@external
@view
@reentrant
def require_instrument(
    epoch: uint64,
    leaf: IAttestation.InstrumentLeaf,
    proof: DynArray[bytes32, 32],
) -> bool:
    """
    @notice Reverts unless the instrument leaf belongs to a usable epoch and, of a perp or future, its mark lies inside
            the carry band: it moves settled cash.
    """
    if ins._kind(leaf.instrument) <= c.FUTURE:
        low: uint256 = 0
        high: uint256 = 0
        band: Band = self._band(ins._underlying(leaf.instrument))
        if ins._kind(leaf.instrument) == c.PERP:
            low, high = self._widen(band.spot, band.basis)
        else:
            low, high = self._forwards(band, ins._expiry(leaf.instrument))
        mark: uint256 = convert(leaf.mark, uint256)
        assert low * c.PRICE_UNIT <= mark and mark <= high * c.PRICE_UNIT, "gate: mark outside its band"
    return staticcall ORACLE.require_in_epoch(epoch, typed_data._leaf(typed_data._instrument_hash(leaf)), proof)


@external
@view
@reentrant
def require_reports(
    epoch: uint64,
    action: bytes32,
    deadline: uint64,
    leaves: DynArray[IAttestation.MarginLeaf, 2],
    signatures: IAttestation.Signatures,
) -> bool:
    """
    @notice Reverts unless the quorum signed these margins, after this action, on a usable epoch.
    """
    assert block.timestamp <= convert(deadline, uint256), "gate: report expired"
    assert staticcall ORACLE.is_usable(epoch), "gate: report of another epoch"
    quorum: address = staticcall ORACLE.quorum()
    return staticcall IAttesterQuorum(quorum).require_signed(
        typed_data._reports_hash(epoch, action, deadline, leaves), signatures
    )


@internal
@view
def _value(book: DynArray[uint256, 128]) -> IMarginGate.Valuation:
    """
    @notice See `value`.
    """
    result: IMarginGate.Valuation = empty(IMarginGate.Valuation)
    result.earliest = NEVER
    band: Band = empty(Band)
    index: uint256 = 0
    for _: uint256 in range(c.MAX_LEGS):
        if index == len(book):
            break
        first: uint128 = ins._instrument_of(book[index])
        underlying: uint256 = ins._underlying(first)
        if underlying != band.underlying:
            band = self._band(underlying)
        expiry: uint256 = ins._expiry(first)
        if expiry == 0:
            perp: int256 = ins._quantity_of(book[index])
            low: uint256 = 0
            high: uint256 = 0
            low, high = self._widen(band.spot, band.basis)
            result.low += self._linear_low(perp, low, high)
            result.high -= self._linear_low(-perp, low, high)
            result.linear += self._linear_low(perp, low, high)
            result.worstCase = NO_BOUND
            result.floor = NO_BOUND
            index += 1
            continue
        result.earliest = min(result.earliest, expiry)
        if expiry <= block.timestamp:
            result.expired = True
        low: uint256 = 0
        high: uint256 = 0
        low, high = self._forwards(band, expiry)
        bounds: payoff.Bounds = payoff._expiry_bounds(book, index, low, high)
        result.low += bounds.low
        result.high += bounds.high
        if not bounds.finite:
            result.worstCase = NO_BOUND
            result.floor = NO_BOUND
        if result.worstCase != NO_BOUND:
            result.worstCase += min(0, bounds.worst)
        if result.floor != NO_BOUND:
            result.floor += bounds.worst
        # a future sorts before the options of its expiry
        if ins._kind(first) == c.FUTURE:
            result.linear += self._linear_low(ins._quantity_of(book[index]), low, high)
        index = bounds.next_index
    return result


@internal
@view
def _band(underlying: uint256) -> Band:
    """
    @notice Effective spot and carry band of one underlying.
    """
    ids: DynArray[uint16, 32] = [convert(underlying, uint16)]
    spots: DynArray[uint256, 32] = staticcall ORACLE.effective_spots(ids)
    packed: DynArray[uint256, 32] = staticcall MARKETS.forward_bands(ids)
    assert spots[0] != 0, "gate: no spot"
    return Band(
        underlying=underlying,
        spot=spots[0],
        basis=packed[0] >> 128,
        carry=packed[0] & LOW_128,
    )


@internal
@view
def _forwards(band: Band, expiry: uint256) -> (uint256, uint256):
    """
    @notice Least and largest forward of an expiry, 1e-8 USD. Inside the settlement window the part already averaged
            is fixed, and spot and its band act on the remaining share; after expiry the settlement price is exact.
    """
    if expiry <= block.timestamp:
        settled: uint256 = staticcall ORACLE.settlement_price(convert(band.underlying, uint16), convert(expiry, uint40))
        if settled != 0:
            return settled, settled
        return self._widen(band.spot, band.basis)
    left: uint256 = expiry - block.timestamp
    width: uint256 = band.basis + band.carry * left // c.SECONDS_PER_YEAR
    low: uint256 = 0
    high: uint256 = 0
    low, high = self._widen(band.spot, width)
    if left >= WINDOW:
        return low, high
    doubled: uint256 = 0
    covered: uint256 = 0
    doubled, covered = staticcall ORACLE.settlement_window(convert(band.underlying, uint16), convert(expiry, uint40))
    if covered == 0:
        return low, high
    covered = min(covered, WINDOW)
    rest: uint256 = WINDOW - covered
    return (
        (doubled // 2 + low * rest) // WINDOW,
        ((doubled + 1) // 2 + high * rest + WINDOW - 1) // WINDOW,
    )


@internal
@pure
def _widen(spot: uint256, width: uint256) -> (uint256, uint256):
    """
    @notice spot * (1 -+ width), rounded outwards, not below zero.
    """
    low: uint256 = 0
    if width < WAD:
        low = spot * (WAD - width) // WAD
    return low, (spot * (WAD + width) + WAD - 1) // WAD


@internal
@pure
def _linear_low(quantity: int256, low: uint256, high: uint256) -> int256:
    """
    @notice Least value of a linear position, WAD, rounded down.
    """
    price: uint256 = low
    if quantity < 0:
        price = high
    product: int256 = quantity * convert(price, int256) * PRICE_UNIT
    result: int256 = product // SIGNED_WAD
    if product % SIGNED_WAD < 0:
        result -= 1
    return result
