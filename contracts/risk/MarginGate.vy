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
@dev Evidence and statements are read where their encoding puts things and passed on as they came: to decode them whole
     would cost more than most of the checks. Every read is of a place, checked to lie within, and nothing is read twice
     by different rules, so no encoding shows one thing to one check and another thing to the next.
"""

from ..attestation import typed_data
from ..interfaces import IAttestation
from ..interfaces import IBookValuer
from ..interfaces import IClearinghouse
from ..interfaces import ICollateralSale
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..interfaces import IVault
from ..markets import instrument as ins
from ..units import constants as c
from ..units import fixed_point as fp
from . import record as records

implements: IMarginGate

WAD: constant(uint256) = c.WAD
NO_BOUND: constant(int256) = min_value(int256)
# of the running hash: change counters
COUNT_BITS: constant(uint256) = 24
COUNT_MASK: constant(uint256) = 2**24 - 1
CHANGES_MASK: constant(uint256) = 2**48 - 1
# a reduction at the mark takes at least this part of the position
LEAST_PART: constant(int256) = 16
# an encoded struct starts here, behind its own offset, and the offsets inside count from here
START: constant(uint256) = 32
# of an encoded Proof
INSTRUMENTS_AT: constant(uint256) = 32
LEAF_AT: constant(uint256) = 64
PATH_AT: constant(uint256) = 448
LEAF_BYTES: constant(uint256) = 384
# of an encoded Statement
EPOCH_AT: constant(uint256) = 32
DEADLINE_AT: constant(uint256) = 64
SIGNATURES_AT: constant(uint256) = 96
SHOWN_AT: constant(uint256) = 128
PATHS_AT: constant(uint256) = 160
SHOWN_BYTES: constant(uint256) = 192
# of calls that pass an encoded array on: the function, and where the last argument stands
VALUE: constant(bytes4) = method_id("value_of(address,uint256,uint256[])", output_type=bytes4)
WORST_CASE: constant(bytes4) = method_id("worst_case_of(address,uint256,uint256[])", output_type=bytes4)
REQUIRE_SIGNED: constant(bytes4) = method_id(
    "require_signed(bytes32,(uint256,(bytes32,uint256)[]))", output_type=bytes4
)
ARRAY_AT: constant(uint256) = 96  # behind three words
SIGNATURES_OFFSET: constant(bytes32) = 0x0000000000000000000000000000000000000000000000000000000000000040

# Epochs
ORACLE: public(immutable(IRiskOracle))
# Brackets, worst cases, collateral
VALUER: immutable(IBookValuer)


# What evidence shows of a book, as far as its way needs it.
struct Shown:
    leaf: IAttestation.MarginLeaf
    valuation: IBookValuer.Valuation


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
def require_headroom(underlyings: uint256, standings: DynArray[IMarginGate.Standing, 2]) -> DynArray[int256, 2]:
    """
    @notice Reverts unless every account passes by headroom over its record: what most actions come to, and cheaper than
            the general way, which must hold evidence in memory.
    @param underlyings Bits of those whose spot must be inside its band.
    @param standings The accounts after the action, with their records, as the caller's ledger knows them.
    @return Lower bound of the settled cash of each, WAD, not negative.
    """
    first: uint64 = records._epoch(standings[0].record)
    last: uint64 = records._epoch(standings[len(standings) - 1].record)
    self._require_epochs([first, last], underlyings, True)
    settled: DynArray[int256, 2] = []
    for standing: IMarginGate.Standing in standings:
        settled.append(self._require_headroom(standing, records._unpack(standing.record), NO_BOUND))
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
    ways: uint8[2] = [makerEvidence.way, takerEvidence.way]
    assert max(ways[0], ways[1]) <= c.WAY_REDUCE_AT_MARK, "gate: unknown way"
    margins: DynArray[bytes32, 2] = []
    if self._is_report(ways[0]):
        margins.append(typed_data._encoded_margin_hash(slice(makerEvidence.data, LEAF_AT, LEAF_BYTES)))
    if self._is_report(ways[1]):
        margins.append(typed_data._encoded_margin_hash(slice(takerEvidence.data, LEAF_AT, LEAF_BYTES)))
    if len(margins) != 0:
        self._require_signed(action, margins, statement)
    standings: IMarginGate.Standing[2] = [
        self._standing(ledger, maker.account, ways[0] == c.WAY_HEADROOM),
        self._standing(ledger, taker.account, ways[1] == c.WAY_HEADROOM),
    ]
    epoch: uint64 = 0
    if len(statement) != 0:
        epoch = extract32(statement, EPOCH_AT, output_type=uint64)
    self._require_epochs_of(ways, standings, epoch, underlyings)
    mark: uint256 = 0
    if max(ways[0], ways[1]) == c.WAY_REDUCE_AT_MARK:
        mark = self._only_mark(statement)
    if ways[0] == c.WAY_LEAF:
        self._require_leaf(epoch, makerEvidence.data)
    if ways[1] == c.WAY_LEAF:
        self._require_leaf(epoch, takerEvidence.data)
    shown: Shown[2] = [
        self._read(ledger, standings[0], ways[0], makerEvidence.data),
        self._read(ledger, standings[1], ways[1], takerEvidence.data),
    ]
    return [
        self._pass(ledger, standings[0], maker, ways[0], epoch, mark, shown[0]),
        self._pass(ledger, standings[1], taker, ways[1], epoch, mark, shown[1]),
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
    if evidence.way == c.WAY_REPORT:
        self._require_signed(
            action, [typed_data._encoded_margin_hash(slice(evidence.data, LEAF_AT, LEAF_BYTES))], statement
        )
    standing: IMarginGate.Standing = self._standing(ledger, account, evidence.way == c.WAY_HEADROOM)
    epoch: uint64 = 0
    if len(statement) != 0:
        epoch = extract32(statement, EPOCH_AT, output_type=uint64)
    self._require_epochs_of([evidence.way, evidence.way], [standing, standing], epoch, underlyings)
    if evidence.way == c.WAY_LEAF:
        self._require_leaf(epoch, evidence.data)
    shown: Shown = self._read(ledger, standing, evidence.way, evidence.data)
    return self._pass(ledger, standing, empty(IMarginGate.Side), evidence.way, epoch, 0, shown)


@external
@view
@reentrant
def adopt(
    ledger: address,
    account: uint256,
    bookHash: bytes32,
    counters: uint256,
    evidence: IAttestation.Evidence,
    statement: Bytes[6656],
) -> uint256[3]:
    """
    @notice The record that a leaf makes. Reverts unless the leaf belongs to a usable epoch and bounds the book now.
    @param ledger Clearinghouse that keeps the account.
    @param account Account.
    @param bookHash Its running hash now.
    @param counters Its U and Q now. Cash and collateral are in no record.
    @param evidence By WAY_LEAF.
    @param statement Its epoch.
    """
    standing: IMarginGate.Standing = empty(IMarginGate.Standing)
    standing.account = account
    standing.bookHash = bookHash
    standing.counters = counters
    epoch: uint64 = extract32(statement, EPOCH_AT, output_type=uint64)
    self._require_leaf(epoch, evidence.data)
    shown: Shown = self._read(ledger, standing, c.WAY_LEAF, evidence.data)
    return records._pack(self._assess(standing, c.WAY_LEAF, epoch, shown))


@external
@view
@reentrant
def measure(ledger: address, account: uint256) -> IMarginGate.Health:
    """
    @notice Equity, maintenance margin and settled cash by the record; reverts unless it is of the present book and epoch.
    @param ledger Clearinghouse that keeps the account.
    """
    standing: IMarginGate.Standing = self._standing(ledger, account, True)
    record: IMarginGate.Record = records._unpack(standing.record)
    assert staticcall ORACLE.is_usable(record.epoch), "gate: record of another epoch"
    assert record.changes == convert(standing.bookHash, uint256) & CHANGES_MASK, "gate: record of another book"
    return self._health(standing, record)


@external
@view
@reentrant
def units(statement: Bytes[6656], instruments: DynArray[uint128, 4]) -> DynArray[IMarginGate.Unit, 4]:
    """
    @notice Marks and stand-alone margins of instruments, if the statement shows them, else nothing. Reverts unless the
            leaves belong to a usable epoch, and marks and margins of perps and futures lie inside their bounds.
    @param statement Shows one leaf per instrument, in the same order, or none.
    @param instruments What is traded.
    """
    found: DynArray[IMarginGate.Unit, 4] = []
    shown: uint256 = START + extract32(statement, SHOWN_AT, output_type=uint256)
    paths: uint256 = START + extract32(statement, PATHS_AT, output_type=uint256)
    count: uint256 = extract32(statement, shown, output_type=uint256)
    if count == 0:
        return found
    assert count == len(instruments), "gate: instruments differ"
    assert extract32(statement, paths, output_type=uint256) == count, "gate: paths differ"
    shown += 32
    paths += 32
    epoch: uint64 = extract32(statement, EPOCH_AT, output_type=uint64)
    for i: uint256 in range(count, bound=4):
        encoded: Bytes[SHOWN_BYTES] = slice(statement, shown + i * SHOWN_BYTES, SHOWN_BYTES)
        leaf: IAttestation.InstrumentLeaf = abi_decode(encoded, IAttestation.InstrumentLeaf)
        assert leaf.instrument == instruments[i], "gate: leaf of another instrument"
        hashed: bytes32 = typed_data._leaf(typed_data._encoded_instrument_hash(encoded))
        self._require_in_epoch(
            epoch, hashed, statement, paths + extract32(statement, paths + i * 32, output_type=uint256)
        )
        if ins._kind(leaf.instrument) <= c.FUTURE:
            self._require_linear(leaf)
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
def unpack(words: uint256[3]) -> IMarginGate.Record:
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
        # in this very block: else an expiry in between would have two prices, or none
        assert staticcall ORACLE.predecessor() == previous, "gate: oracle succeeds another"
        assert staticcall ORACLE.took_over() == block.timestamp, "gate: oracle has not taken over now"
    return True


# Ways


@internal
@view
def _pass(
    ledger: address,
    standing: IMarginGate.Standing,
    side: IMarginGate.Side,
    way: uint8,
    epoch: uint64,
    mark: uint256,
    shown: Shown,
) -> IMarginGate.Passed:
    """
    @notice By any way. Epochs and signatures of reports have been checked. An increase of risk leaves settled cash not
            negative.
    @param mark Of the one instrument traded, for a reduction at the mark, WAD.
    """
    passed: IMarginGate.Passed = empty(IMarginGate.Passed)
    if way == c.WAY_HEADROOM:
        passed.settled = self._require_headroom(standing, records._unpack(standing.record), NO_BOUND)
    elif way == c.WAY_WORST_CASE:
        passed.settled = self._require_worst_case(standing.liquid, shown.valuation.worstCase)
    elif way == c.WAY_REDUCE_AT_MARK:
        passed.settled = self._shrink(ledger, standing, side, mark)
    else:
        record: IMarginGate.Record = self._assess(standing, way, epoch, shown)
        if way == c.WAY_REDUCE_REPORT:
            passed.settled = self._reduce(ledger, side, self._health(standing, record))
        elif way == c.WAY_REPORT:
            passed.settled = self._require_headroom(standing, record, shown.valuation.floor)
        else:
            # measured from what is stored, rounded
            passed.record = records._pack(record)
            passed.settled = self._require_headroom(standing, records._unpack(passed.record), NO_BOUND)
    return passed


@internal
@pure
def _require_worst_case(liquid: int256, least: int256) -> int256:
    """
    @notice Cash, and cash with the least that the book can ever pay, are not negative.
    @return Cash, WAD.
    """
    assert liquid >= 0, "gate: settled cash below zero"
    assert liquid + least >= 0, "gate: not fully collateralised"
    return liquid


@internal
@view
def _reduce(ledger: address, side: IMarginGate.Side, after: IMarginGate.Health) -> int256:
    """
    @notice By report: the buffer above maintenance margin does not fall, and equity by no more than the fee. Settled cash
            below zero may fall only as far as collateral may be owed against.
    @return Lower bound of settled cash, WAD.
    """
    before: IMarginGate.Health = side.before
    assert after.equity + side.fee >= before.equity, "gate: equity falls"
    assert (
        after.equity - convert(after.maintenance, int256) >= before.equity - convert(before.maintenance, int256)
    ), "gate: risk not reduced"
    if after.settled < min(0, before.settled):
        assert after.settled + self._debt_limit(ledger, side.account) >= 0, "gate: settled cash below zero"
    return after.settled


@internal
@view
def _debt_limit(ledger: address, account: uint256) -> int256:
    """
    @notice How far an account's settled cash may be below zero, WAD: 0 where nothing is lent.
    """
    sale: address = staticcall IVault(staticcall IClearinghouse(ledger).vault()).collateral_sale()
    if sale == empty(address):
        return 0
    return convert(staticcall ICollateralSale(sale).debt_limit(account), int256)


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
@pure
def _assess(standing: IMarginGate.Standing, way: uint8, epoch: uint64, shown: Shown) -> IMarginGate.Record:
    """
    @notice Holds an attested margin against the account's book. A report is of this very book. A leaf outlives later
            fills, which the counters have priced: the bracket then bounds the mark carried forward from above, and from
            below only that of an untouched book, since Q carries the adverse of price and mark.
    """
    leaf: IAttestation.MarginLeaf = shown.leaf
    valuation: IBookValuer.Valuation = shown.valuation
    assert leaf.account == standing.account, "gate: margin of another account"
    assert (convert(leaf.marginal, uint256) >= WAD), "gate: bad marginal multiplier"
    now: uint256 = convert(standing.bookHash, uint256)
    then: uint256 = convert(leaf.bookHash, uint256)
    if way == c.WAY_LEAF:
        assert (now >> COUNT_BITS) & COUNT_MASK == (then >> COUNT_BITS) & COUNT_MASK, "gate: book changed otherwise"
        assert (unsafe_sub(now, then) & COUNT_MASK <= c.MAX_FILLS_SINCE_LEAF), "gate: too many fills since the leaf"
    else:
        assert now == then, "gate: report of another book"
    assert not valuation.expired, "gate: expired leg"
    base: int256 = convert(leaf.markToMarket, int256) - convert(leaf.addedMark, int256)
    mark: int256 = base + records._signed(standing.counters)
    assert mark <= valuation.high, "gate: mark outside bracket"
    if now == then:
        assert valuation.low <= mark, "gate: mark outside bracket"
    return IMarginGate.Record(
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


@internal
@view
def _require_headroom(standing: IMarginGate.Standing, record: IMarginGate.Record, least: int256) -> int256:
    """
    @notice Reverts unless equity covers the initial margin. That is at most the record's plus m times the stand-alone
            margin of the fills since, as margins are subadditive: nothing about the book itself is needed. The record's
            epoch has been checked.
    @param record The account's record, or the one of the leaf or report presented.
    @param least Least payoff of the book now, where known: no book needs more than the most it can lose. Applied last,
           as a capped margin is not subadditive. min_value(int256): no cap.
    @return Lower bound of settled cash, WAD.
    """
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
def _health(standing: IMarginGate.Standing, record: IMarginGate.Record) -> IMarginGate.Health:
    """
    @notice Equity, maintenance margin and settled cash by a record of the present book.
    """
    equity: int256 = standing.liquid + record.markBase + records._signed(standing.counters)
    if len(standing.collateral) != 0:
        equity += (staticcall VALUER.collateral_value(standing.collateral)).maintenance
    return IMarginGate.Health(
        equity=equity,
        maintenance=record.maintenanceMargin,
        settled=standing.liquid + record.linear,
    )


# Epochs and signatures


@internal
@view
def _require_epochs_of(ways: uint8[2], standings: IMarginGate.Standing[2], epoch: uint64, underlyings: uint256):
    """
    @notice Reverts unless the epochs that two ways rest on are usable and, where one increases risk, spots allow it.
    @param epoch Of the statement.
    """
    epochs: DynArray[uint64, 2] = []
    for i: uint256 in range(2):
        if ways[i] == c.WAY_HEADROOM:
            epochs.append(records._epoch(standings[i].record))
        elif ways[i] != c.WAY_WORST_CASE and ways[i] != c.WAY_REDUCE_AT_MARK:
            epochs.append(epoch)
    if len(epochs) != 0:
        increases: bool = min(ways[0], ways[1]) < c.WAY_WORST_CASE
        self._require_epochs([epochs[0], epochs[len(epochs) - 1]], underlyings, increases)


@internal
@view
def _require_epochs(epochs: uint64[2], underlyings: uint256, increases: bool):
    """
    @notice Reverts unless both epochs are usable; for an increase of risk also if the latest epoch is too old, or a spot
            outside its band.
    """
    fresh: bool = False
    outside: uint256 = 0
    usable: bool = False
    fresh, outside, usable = staticcall ORACLE.conditions(epochs)
    if increases:
        assert fresh, "gate: epoch too old"
        assert outside & underlyings == 0, "gate: spot outside its band"
    assert usable, "gate: epoch not usable"


@internal
@view
def _require_signed(action: bytes32, margins: DynArray[bytes32, 2], statement: Bytes[6656]):
    """
    @notice Reverts unless the quorum signed these margins, after this action: one signature set covers the reports of both
            sides.
    """
    epoch: uint64 = extract32(statement, EPOCH_AT, output_type=uint64)
    deadline: uint256 = extract32(statement, DEADLINE_AT, output_type=uint256)
    assert block.timestamp <= deadline, "gate: report expired"
    reports: bytes32 = typed_data._reports_hash(epoch, action, convert(deadline, uint64), margins)
    at: uint256 = START + extract32(statement, SIGNATURES_AT, output_type=uint256)
    assert extract32(statement, at + 32, output_type=uint256) == 64, "gate: encoding"
    # bitmap, offset and length before the pairs of words
    length: uint256 = 96 + 64 * extract32(statement, at + 64, output_type=uint256)
    assert convert(
        raw_call(
            staticcall ORACLE.quorum(),
            concat(
                REQUIRE_SIGNED,
                reports,
                SIGNATURES_OFFSET,
                slice(statement, at, length),
            ),
            max_outsize=32,
            is_static_call=True,
        ),
        bool,
    )


@internal
@view
def _require_leaf(epoch: uint64, proof: Bytes[6144]):
    """
    @notice Reverts unless the margin that a proof shows belongs to a usable epoch.
    """
    leaf: bytes32 = typed_data._leaf(typed_data._encoded_margin_hash(slice(proof, LEAF_AT, LEAF_BYTES)))
    self._require_in_epoch(epoch, leaf, proof, START + extract32(proof, PATH_AT, output_type=uint256))


@internal
@view
def _require_in_epoch(epoch: uint64, leaf: bytes32, encoding: Bytes[6656], start: uint256):
    """
    @notice Reverts unless a leaf belongs to a usable epoch.
    @param encoding Holds the path to the root.
    @param start Where the path starts.
    """
    path: DynArray[bytes32, c.MAX_PROOF] = []
    at: uint256 = start
    for _: uint256 in range(extract32(encoding, start, output_type=uint256), bound=c.MAX_PROOF):
        at += 32
        path.append(extract32(encoding, at))
    assert staticcall ORACLE.require_in_epoch(epoch, leaf, path)


@internal
@view
def _require_linear(leaf: IAttestation.InstrumentLeaf):
    """
    @notice Reverts unless the mark of a perp or future, which moves settled cash, lies inside the carry band, and its
            stand-alone margins are not below what the leverage limit asks for.
    """
    low: uint256 = 0
    high: uint256 = 0
    margin: uint256 = 0
    low, high, margin = staticcall VALUER.linear_band(leaf.instrument)
    mark: uint256 = convert(leaf.mark, uint256)
    assert low <= mark and mark <= high, "gate: mark outside its band"
    alone: uint256 = convert(min(leaf.imLong, leaf.imShort), uint256)
    assert alone >= fp._mul_up(mark, margin), "gate: leverage above limit"


# Encodings


@internal
@view
def _read(
    ledger: address,
    standing: IMarginGate.Standing,
    way: uint8,
    data: Bytes[6144],
) -> Shown:
    """
    @notice What evidence shows: a margin, and the bounds of the account's whole book; for the worst case only its least
            payoff. The valuer gets the instruments as they stand encoded, and where they start: to cut them out would cost
            as much memory again.
    """
    shown: Shown = empty(Shown)
    if way == c.WAY_HEADROOM or way == c.WAY_REDUCE_AT_MARK or (way == c.WAY_WORST_CASE and standing.legs == 0):
        return shown
    what: bytes4 = WORST_CASE
    at: uint256 = START
    if way != c.WAY_WORST_CASE:
        shown.leaf = abi_decode(slice(data, LEAF_AT, LEAF_BYTES), IAttestation.MarginLeaf)
        what = VALUE
        at = START + extract32(data, INSTRUMENTS_AT, output_type=uint256)
    answer: Bytes[256] = raw_call(
        VALUER.address,
        concat(
            what,
            convert(ledger, bytes32),
            convert(standing.account, bytes32),
            convert(ARRAY_AT + at, bytes32),
            data,
        ),
        max_outsize=256,
        is_static_call=True,
    )
    if way == c.WAY_WORST_CASE:
        shown.valuation.worstCase = abi_decode(answer, int256)
    else:
        shown.valuation = abi_decode(answer, IBookValuer.Valuation)
    return shown


@internal
@pure
def _only_mark(statement: Bytes[6656]) -> uint256:
    """
    @notice The mark of the one instrument that a statement shows.
    """
    shown: uint256 = START + extract32(statement, SHOWN_AT, output_type=uint256)
    assert extract32(statement, shown, output_type=uint256) == 1, "gate: no instrument leaf"
    return extract32(statement, shown + 64, output_type=uint256)


@internal
@view
def _standing(ledger: address, account: uint256, recorded: bool) -> IMarginGate.Standing:
    return staticcall IClearinghouse(ledger).standing(account, recorded)


@internal
@pure
def _is_report(way: uint8) -> bool:
    return way == c.WAY_REPORT or way == c.WAY_REDUCE_REPORT
