# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title MarginGate
@license AGPL-3.0-only
@notice Whether an account passes: by headroom over its record, by a leaf or a report of the quorum, by its worst case, or
        because it reduces its risk. Without storage: it reads accounts from the ledger named.
@custom:security Trusts the RiskOracle for epochs and the quorum, and the BookValuer for brackets. Holds nothing. What it says
        is worth as much as the ledger named: the Clearinghouse and the Vault name the Clearinghouse.
@custom:kill Replaced in the Clearinghouse by its owner, behind the timelock.
"""

from ..attestation import typed_data
from ..interfaces import IAttestation
from ..interfaces import IAttesterQuorum
from ..interfaces import IBookValuer
from ..interfaces import IClearinghouse
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..markets import instrument as ins
from ..units import constants as c
from ..units import fixed_point as fp
from . import record as records

implements: IMarginGate

WAD: constant(uint256) = c.WAD
NO_BOUND: constant(int256) = min_value(int256)
# of the running hash: change counters
COUNT_BITS: constant(uint256) = 24
# a reduction at the mark takes at least this part of the position
LEAST_PART: constant(int256) = 16
# of an encoded Proof: where the leaf stands, and how long it is
LEAF_AT: constant(uint256) = 64
LEAF_BYTES: constant(uint256) = 384
COUNT_MASK: constant(uint256) = 2**24 - 1
CHANGES_MASK: constant(uint256) = 2**48 - 1

# Epochs
ORACLE: public(immutable(IRiskOracle))
# Brackets, worst cases, collateral
VALUER: immutable(IBookValuer)


# A record, and what caps its initial margin.
struct Adoption:
    words: uint256[4]
    # least payoff of the book; min_value(int256): no cap
    least: int256


@deploy
def __init__(oracle: IRiskOracle, valuer: IBookValuer):
    """
    @param oracle Epochs and the quorum.
    @param valuer Of the same oracle.
    """
    assert oracle.address != empty(address) and valuer.address != empty(address), "gate: zero address"
    ORACLE = oracle
    VALUER = valuer


# Passing


@external
@view
@reentrant
def require_headroom(ledger: address, underlyings: uint256, accounts: DynArray[uint256, 2]) -> DynArray[int256, 2]:
    """
    @notice Reverts unless every account passes by headroom over its record: what most actions come to, and cheaper than
            the general way, which must hold evidence in memory.
    @param ledger Clearinghouse that keeps the accounts.
    @param underlyings Bits of those whose spot must be inside its band.
    @param accounts Accounts.
    @return Lower bound of the settled cash of each, WAD, not negative.
    """
    self._require_open(underlyings)
    settled: DynArray[int256, 2] = []
    for account: uint256 in accounts:
        standing: IMarginGate.Standing = self._standing(ledger, account, True)
        settled.append(self._require_headroom(standing, standing.record, NO_BOUND))
    return settled


@external
@view
@reentrant
def require_trade(
    ledger: address,
    action: bytes32,
    underlyings: uint256,
    maker: IMarginGate.Side,
    makerEvidence: IAttestation.Evidence,
    taker: IMarginGate.Side,
    takerEvidence: IAttestation.Evidence,
    statement: Bytes[6656],
) -> IMarginGate.Passed[2]:
    """
    @notice Reverts unless both sides of a trade pass, each by its way, after the trade.
    @param ledger Clearinghouse that keeps the accounts.
    @param action Struct hash of the fill, which reports name.
    @param underlyings Bits of those whose spot must be inside its band.
    @param maker First side.
    @param makerEvidence How it passes.
    @param taker Second side.
    @param takerEvidence How it passes.
    @param statement What both share.
    @return What follows for each.
    """
    if min(makerEvidence.way, takerEvidence.way) < c.WAY_WORST_CASE:
        self._require_open(underlyings)
    leaves: DynArray[IAttestation.MarginLeaf, 2] = []
    if self._is_report(makerEvidence.way):
        leaves.append(self._leaf_in(slice(makerEvidence.data, LEAF_AT, LEAF_BYTES)))
    if self._is_report(takerEvidence.way):
        leaves.append(self._leaf_in(slice(takerEvidence.data, LEAF_AT, LEAF_BYTES)))
    if len(leaves) != 0:
        self._require_signed(action, leaves, statement)
    epoch: uint64 = self._epoch(statement)
    mark: uint256 = 0
    if max(makerEvidence.way, takerEvidence.way) == c.WAY_REDUCE_AT_MARK:
        mark = self._only_mark(statement)
    return [
        self._pass(ledger, maker, makerEvidence.way, makerEvidence.data, epoch, mark),
        self._pass(ledger, taker, takerEvidence.way, takerEvidence.data, epoch, mark),
    ]


@external
@view
@reentrant
def require_pass(
    ledger: address,
    action: bytes32,
    underlyings: uint256,
    account: uint256,
    evidence: IAttestation.Evidence,
    statement: Bytes[6656],
) -> IMarginGate.Passed:
    """
    @notice Reverts unless one account passes, as it is now, by headroom, leaf, report or worst case.
    @param ledger Clearinghouse that keeps the account.
    @param action Struct hash of what was done, which a report names.
    @param underlyings Bits of those whose spot must be inside its band.
    @param account Account.
    @param evidence How it passes.
    @param statement Epoch and signatures of a leaf or report.
    @return What follows.
    """
    assert evidence.way <= c.WAY_WORST_CASE, "gate: unknown way"
    if evidence.way < c.WAY_WORST_CASE:
        self._require_open(underlyings)
    if evidence.way == c.WAY_REPORT:
        self._require_signed(action, [self._leaf_in(slice(evidence.data, LEAF_AT, LEAF_BYTES))], statement)
    side: IMarginGate.Side = empty(IMarginGate.Side)
    side.account = account
    return self._pass(ledger, side, evidence.way, evidence.data, self._epoch(statement), 0)


@external
@view
@reentrant
def adopt(
    ledger: address,
    account: uint256,
    evidence: IAttestation.Evidence,
    statement: Bytes[6656],
) -> uint256[4]:
    """
    @notice The record that a leaf makes. Reverts unless the leaf belongs to a usable epoch and bounds the book now.
    @param ledger Clearinghouse that keeps the account.
    @param account Account.
    @param evidence By WAY_LEAF.
    @param statement Its epoch.
    """
    standing: IMarginGate.Standing = self._standing(ledger, account, False)
    return (self._assess(ledger, standing, c.WAY_LEAF, self._epoch(statement), evidence.data)).words


@external
@view
@reentrant
def measure(ledger: address, account: uint256) -> IMarginGate.Health:
    """
    @notice Equity, maintenance margin and settled cash by the record; reverts unless it is of the present book and epoch.
    @param ledger Clearinghouse that keeps the account.
    """
    standing: IMarginGate.Standing = self._standing(ledger, account, True)
    return self._measure(standing, standing.record)


@external
@view
@reentrant
def units(statement: Bytes[6656], instruments: DynArray[uint128, 4]) -> DynArray[IMarginGate.Unit, 4]:
    """
    @notice Marks and stand-alone margins of instruments, if the statement shows them, else nothing. Reverts unless the
            leaves belong to a usable epoch and marks of perps and futures lie inside the carry band.
    @param statement Shows one leaf per instrument, in the same order, or none.
    @param instruments What is traded.
    """
    found: DynArray[IMarginGate.Unit, 4] = []
    if not self._shows_instruments(statement):
        return found
    shared: IAttestation.Statement = self._shared(statement)
    assert len(shared.instruments) == len(instruments), "gate: instruments differ"
    assert len(shared.paths) == len(instruments), "gate: paths differ"
    for i: uint256 in range(len(instruments), bound=4):
        leaf: IAttestation.InstrumentLeaf = shared.instruments[i]
        assert leaf.instrument == instruments[i], "gate: leaf of another instrument"
        if ins._kind(leaf.instrument) <= c.FUTURE:
            # the mark of a perp or future moves settled cash
            low: uint256 = 0
            high: uint256 = 0
            low, high = staticcall VALUER.linear_band(leaf.instrument)
            mark: uint256 = convert(leaf.mark, uint256)
            assert low <= mark and mark <= high, "gate: mark outside its band"
        assert staticcall ORACLE.require_in_epoch(
            shared.epoch, typed_data._leaf(typed_data._instrument_hash(leaf)), shared.paths[i]
        )
        found.append(
            IMarginGate.Unit(
                mark=convert(leaf.mark, uint256),
                imLong=convert(leaf.imLong, uint256),
                imShort=convert(leaf.imShort, uint256),
            )
        )
    return found


@external
@view
def valuer() -> address:
    """
    @notice What books are worth.
    """
    return VALUER.address


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
        last: uint64 = staticcall IRiskOracle(previous).number()
        assert staticcall ORACLE.number() > last, "gate: oracle numbers below the old one"
    return True


# Ways


@internal
@view
def _pass(
    ledger: address,
    side: IMarginGate.Side,
    way: uint8,
    data: Bytes[6144],
    epoch: uint64,
    mark: uint256,
) -> IMarginGate.Passed:
    """
    @notice By any way. Signatures of reports have been checked. An increase of risk leaves settled cash not negative.
    @param mark Of the one instrument traded, for a reduction at the mark, WAD.
    """
    passed: IMarginGate.Passed = empty(IMarginGate.Passed)
    standing: IMarginGate.Standing = self._standing(ledger, side.account, way == c.WAY_HEADROOM)
    if way == c.WAY_HEADROOM:
        passed.settled = self._require_headroom(standing, standing.record, NO_BOUND)
    elif way == c.WAY_WORST_CASE:
        passed.settled = self._require_worst_case(ledger, standing, data)
    elif way == c.WAY_REDUCE_AT_MARK:
        passed.settled = self._shrink(ledger, standing, side, mark)
    else:
        assert way <= c.WAY_REDUCE_REPORT, "gate: unknown way"
        adopted: Adoption = self._assess(ledger, standing, way, epoch, data)
        passed.record = adopted.words
        if way == c.WAY_REDUCE_REPORT:
            passed.settled = self._reduce(standing, side, adopted.words)
        elif way == c.WAY_REPORT:
            passed.settled = self._require_headroom(standing, adopted.words, adopted.least)
        else:
            passed.settled = self._require_headroom(standing, adopted.words, NO_BOUND)
    return passed


@internal
@view
def _require_worst_case(ledger: address, standing: IMarginGate.Standing, data: Bytes[6144]) -> int256:
    """
    @notice Cash and the least that the book can ever pay are not negative.
    @return Cash, WAD.
    """
    least: int256 = 0
    if standing.legs != 0:
        instruments: DynArray[uint128, 128] = abi_decode(data, DynArray[uint128, 128])
        least = staticcall VALUER.worst_case(self._book(ledger, standing.account, instruments))
    assert standing.liquid >= 0, "gate: settled cash below zero"
    assert standing.liquid + least >= 0, "gate: not fully collateralised"
    return standing.liquid


@internal
@view
def _reduce(standing: IMarginGate.Standing, side: IMarginGate.Side, words: uint256[4]) -> int256:
    """
    @notice By report: the buffer above maintenance margin does not fall, and equity by no more than the fee.
    @return Lower bound of settled cash, WAD.
    """
    after: IMarginGate.Health = self._measure(standing, words)
    before: IMarginGate.Health = side.before
    assert (after.equity + convert(side.fee, int256) >= before.equity), "gate: equity falls"
    assert (
        after.equity - convert(after.maintenance, int256) >= before.equity - convert(before.maintenance, int256)
    ), "gate: risk not reduced"
    assert after.settled >= min(0, before.settled), "gate: settled cash below zero"
    return after.settled


@internal
@view
def _shrink(ledger: address, standing: IMarginGate.Standing, side: IMarginGate.Side, mark: uint256) -> int256:
    """
    @notice Reverts unless the book was this one leg and has shrunk, at exactly its last attested mark, and equity at that
            mark is not negative: a transfer of risk at the protocol's own price, which needs no attester to be awake.
            Collateral does not count. The ledger has had the mark verified by `units`.
    @return Cash and funding, WAD.
    """
    assert side.price == mark, "gate: not at the mark"
    held: int256 = (staticcall IClearinghouse(ledger).position(side.account, side.instrument)).quantity
    legs: uint256 = 0
    if held != 0:
        legs = 1
    assert standing.legs == legs, "gate: not the whole book"
    before: int256 = held - side.quantity
    assert (before > 0) != (side.quantity > 0) and abs(side.quantity) <= abs(before), "gate: does not shrink"
    # each trade changes the book hash: in dust, they would outrun what a flag can replay
    assert abs(side.quantity) * LEAST_PART >= abs(before), "gate: reduces too little"
    assert (standing.liquid + fp._signed_mul_down(held, convert(side.price, int256)) >= 0), "gate: equity below zero"
    return standing.liquid


@internal
@view
def _assess(
    ledger: address,
    standing: IMarginGate.Standing,
    way: uint8,
    epoch: uint64,
    data: Bytes[6144],
) -> Adoption:
    """
    @notice Holds an attested margin against the account's book. A report is of this very book. A leaf outlives later
            fills, which the counters have priced: the bracket then bounds the mark carried forward from above, and from
            below only that of an untouched book, since Q carries the adverse of price and mark.
    """
    self._require_plain(extract32(data, 0, output_type=uint256))
    proof: IAttestation.Proof = abi_decode(data, IAttestation.Proof)
    leaf: IAttestation.MarginLeaf = proof.leaf
    assert leaf.account == standing.account, "gate: margin of another account"
    assert (convert(leaf.marginal, uint256) >= WAD), "gate: bad marginal multiplier"
    now: uint256 = convert(standing.bookHash, uint256)
    then: uint256 = convert(leaf.bookHash, uint256)
    if way == c.WAY_LEAF:
        assert staticcall ORACLE.require_in_epoch(
            epoch,
            typed_data._leaf(typed_data._margin_hash(leaf)),
            proof.path,
        )
        assert (now >> COUNT_BITS) & COUNT_MASK == (then >> COUNT_BITS) & COUNT_MASK, "gate: book changed otherwise"
        assert (unsafe_sub(now, then) & COUNT_MASK <= c.MAX_FILLS_SINCE_LEAF), "gate: too many fills since the leaf"
    else:
        assert now == then, "gate: report of another book"
    valuation: IBookValuer.Valuation = staticcall VALUER.value(self._book(ledger, standing.account, proof.instruments))
    assert not valuation.expired, "gate: expired leg"
    base: int256 = convert(leaf.markToMarket, int256) - convert(leaf.addedMark, int256)
    mark: int256 = base + records._signed(standing.counters)
    assert mark <= valuation.high, "gate: mark outside bracket"
    if now == then:
        assert valuation.low <= mark, "gate: mark outside bracket"
    return Adoption(
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
        least=valuation.floor,
    )


@internal
@view
def _require_headroom(standing: IMarginGate.Standing, words: uint256[4], least: int256) -> int256:
    """
    @notice Reverts unless equity covers the initial margin. That is at most the record's plus m times the stand-alone
            margin of the fills since, as margins are subadditive: nothing about the book itself is needed.
    @param words The account's record, or the one of the leaf or report presented.
    @param least Least payoff of the book now, where known: no book needs more than the most it can lose. Applied last,
           as a capped margin is not subadditive. min_value(int256): no cap.
    @return Lower bound of settled cash, WAD.
    """
    record: IMarginGate.Record = records._unpack(words)
    assert staticcall ORACLE.is_usable(record.epoch), "gate: record of another epoch"
    now: uint256 = convert(standing.bookHash, uint256)
    assert (now >> COUNT_BITS) & COUNT_MASK == record.changes >> COUNT_BITS, "gate: book changed otherwise"
    assert (
        unsafe_sub(now, record.changes) & COUNT_MASK <= c.MAX_FILLS_SINCE_LEAF
    ), "gate: too many fills since the leaf"
    assert block.timestamp < record.expiry, "gate: expired leg"
    added: uint256 = (standing.counters >> 128) - record.addedIM
    assert added <= record.maxAddedIM, "gate: beyond the record's reach"
    required: uint256 = record.initialMargin + fp._mul_up(added, record.marginal)
    mark: int256 = record.markBase + records._signed(standing.counters)
    if least != NO_BOUND:
        required = min(required, convert(max(0, mark - least), uint256))
    equity: int256 = standing.liquid + mark
    if len(standing.collateral) != 0:
        equity += (staticcall VALUER.collateral_value(standing.collateral)).initial
    assert equity >= convert(required, int256), "gate: below initial margin"
    settled: int256 = standing.liquid + record.linear
    assert settled >= 0, "gate: settled cash below zero"
    return settled


@internal
@view
def _measure(standing: IMarginGate.Standing, words: uint256[4]) -> IMarginGate.Health:
    """
    @notice See `measure`.
    """
    record: IMarginGate.Record = records._unpack(words)
    assert staticcall ORACLE.is_usable(record.epoch), "gate: record of another epoch"
    assert (record.changes == convert(standing.bookHash, uint256) & CHANGES_MASK), "gate: record of another book"
    equity: int256 = standing.liquid + record.markBase + records._signed(standing.counters)
    if len(standing.collateral) != 0:
        equity += (staticcall VALUER.collateral_value(standing.collateral)).maintenance
    return IMarginGate.Health(
        equity=equity,
        maintenance=record.maintenanceMargin,
        settled=standing.liquid + record.linear,
    )


# Statements


@internal
@pure
def _epoch(statement: Bytes[6656]) -> uint64:
    """
    @notice The epoch of an encoded statement, its first field behind the offset of the struct; 0 of an empty one.
    """
    if len(statement) == 0:
        return 0
    self._require_plain(extract32(statement, 0, output_type=uint256))
    return convert(extract32(statement, 32, output_type=uint256), uint64)


@internal
@view
def _standing(ledger: address, account: uint256, recorded: bool) -> IMarginGate.Standing:
    return staticcall IClearinghouse(ledger).standing(account, recorded)


@internal
@view
def _book(ledger: address, account: uint256, instruments: DynArray[uint128, 128]) -> DynArray[uint256, 128]:
    return staticcall IClearinghouse(ledger).book(account, instruments)


@internal
@pure
def _shared(statement: Bytes[6656]) -> IAttestation.Statement:
    return abi_decode(statement, IAttestation.Statement)


@internal
@pure
def _is_report(way: uint8) -> bool:
    return way == c.WAY_REPORT or way == c.WAY_REDUCE_REPORT


@internal
@pure
def _leaf_in(encoded: Bytes[LEAF_BYTES]) -> IAttestation.MarginLeaf:
    return abi_decode(encoded, IAttestation.MarginLeaf)


@internal
@pure
def _only_mark(statement: Bytes[6656]) -> uint256:
    """
    @notice The mark of the one instrument that a statement shows.
    """
    shared: IAttestation.Statement = self._shared(statement)
    assert len(shared.instruments) == 1, "gate: no instrument leaf"
    return convert(shared.instruments[0].mark, uint256)


@internal
@pure
def _shows_instruments(statement: Bytes[6656]) -> bool:
    """
    @notice Whether an encoded statement shows any instrument leaf, without decoding the rest.
    """
    self._require_plain(extract32(statement, 0, output_type=uint256))
    offset: uint256 = extract32(statement, 128, output_type=uint256)
    return extract32(statement, 32 + offset, output_type=uint256) != 0


@internal
@pure
def _require_plain(offset: uint256):
    """
    @notice A decoder follows any offset, but what was read at a fixed place must be what is decoded.
    """
    assert offset == 32, "gate: encoding"


@internal
@view
def _require_open(underlyings: uint256):
    """
    @notice Reverts if the latest epoch is too old for more risk, or a spot is outside its band.
    """
    fresh: bool = False
    outside: uint256 = 0
    fresh, outside = staticcall ORACLE.conditions()
    assert fresh, "gate: epoch too old"
    assert outside & underlyings == 0, "gate: spot outside its band"


@internal
@view
def _require_signed(
    action: bytes32,
    leaves: DynArray[IAttestation.MarginLeaf, 2],
    statement: Bytes[6656],
):
    """
    @notice Reverts unless the quorum signed these margins, after this action, on a usable epoch: one signature set covers
            the reports of both sides.
    """
    shared: IAttestation.Statement = self._shared(statement)
    assert block.timestamp <= convert(shared.deadline, uint256), "gate: report expired"
    assert staticcall ORACLE.is_usable(shared.epoch), "gate: report of another epoch"
    quorum: address = staticcall ORACLE.quorum()
    assert staticcall IAttesterQuorum(quorum).require_signed(
        typed_data._reports_hash(shared.epoch, action, shared.deadline, leaves), shared.signatures
    )
