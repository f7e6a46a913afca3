# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title RiskOracle
@license AGPL-3.0-only
@notice One transaction an epoch, for any number of accounts and markets: the quorum's signed root, and one spot per
        underlying. Outside its band a spot is not refused but followed at the band's edge, so liquidations never stop.
        The trapezoidal average of the epochs' effective spots over the last half hour settles an expiry, by anyone.
@custom:security An epoch is bound to a block of this chain and rises strictly. What this contract knows of it - the hash
        of its block, the effective spots - it puts in itself, so signatures over anything else fail. With every attester
        hostile a spot still moves no faster than its ten-minute and hour bands; anchors tumble, so a rolling window sees
        at most three times their budget.
        What expired under a predecessor settles at the predecessor's price, for ever.
@custom:kill The owner replaces the quorum, which voids what the old one signed and did not post; without epochs nothing increases
        risk, while worst-case withdrawals, reductions and settlement go on.
"""

from snekmate.auth import ownable
from snekmate.utils import block_hash

from ..interfaces import IAttestation
from ..interfaces import IAttesterQuorum
from ..interfaces import IRiskOracle
from ..units import constants as c
from . import merkle
from . import typed_data

# the owner sets limits, quorum, methodology and bands
initializes: ownable
# `renounce_ownership` is not exported: a lost quorum could never be replaced
exports: (ownable.owner, ownable.transfer_ownership)

implements: IRiskOracle

# Constants

BASIS_POINTS: constant(uint256) = c.BASIS_POINTS
BAND_UNIT: constant(uint256) = 25  # basis points
MINUTE: constant(uint256) = 60
TEN_MINUTES: constant(uint256) = 600
HOUR: constant(uint256) = 3_600
MAX_SKIP: constant(uint256) = 65_535  # of epoch numbers: a hostile quorum cannot use up the numbers
WINDOW: constant(uint256) = c.SETTLEMENT_WINDOW
GRID: constant(uint256) = c.SETTLEMENT_GRID
RING: constant(uint256) = 512  # checkpoints kept: 42 hours
LAST_WINDOW: constant(uint256) = 288  # of the grid: 24 hours
LANES: constant(uint256) = 3  # underlyings per checkpoint word
LANE: constant(uint256) = 68  # bits
REQUIRE_SIGNED: constant(Bytes[4]) = method_id("require_signed(bytes32,(uint256,(bytes32,uint256)[]))")
MAX_AGE: constant(uint256) = 3_600  # bounds of the limits: 1 hour
MAX_FROZEN: constant(uint256) = 86_400  # 1 day
NOT_YET: constant(uint256) = 2**40 - 1

LOW_6: constant(uint256) = 2**6 - 1
LOW_7: constant(uint256) = 2**7 - 1
LOW_10: constant(uint256) = 2**10 - 1
LOW_12: constant(uint256) = 2**12 - 1
LOW_14: constant(uint256) = 2**14 - 1
LOW_16: constant(uint256) = 2**16 - 1
LOW_20: constant(uint256) = 2**20 - 1
LOW_24: constant(uint256) = 2**24 - 1
LOW_32: constant(uint256) = 2**32 - 1
LOW_40: constant(uint256) = 2**40 - 1
LOW_56: constant(uint256) = 2**56 - 1
LOW_68: constant(uint256) = 2**68 - 1
LOW_160: constant(uint256) = 2**160 - 1

# Immutables

# Oracle before this one, zero for the first
PREDECESSOR: immutable(IRiskOracle)

# Storage

# timestamp 40 | posted block 40 | number 40 | number less the previous 16 | posted block less snapshot block 14 |
# outside 32 | grace 1 | parity 1 | age of the ten-minute anchors 10 | of the hour anchors 12 | covered seconds 16 | seq 32
_header: uint256
# quorum 160 | max age 24 | stale after 24 | frozen after 24 | min blocks 16 | underlyings 8
_config: uint256
# Methodology of epochs, and the configuration again under it: one read tells both
_methodology: bytes32
_posting: HashMap[bytes32, uint256]
# Roots of the latest and the previous epoch, by parity: the node above market root and margin root
_roots: bytes32[2]
# effective 56 | ten-minute anchor 56 | hour anchor 56 | cumulative 68 (twice the integral of the spot, mod 2**68) |
# bands: minute 6, ten minutes 7, hour 7, in 25 basis points
_spots: uint256[c.MAX_UNDERLYINGS + 1]
# Posted spot, 1e-8 USD; only meaningful while outside the band
_posted: uint256[c.MAX_UNDERLYINGS + 1]
# group of LANES underlyings * RING + boundary % RING -> boundary 36 | covered 16 | cumulative 68 of each; a boundary is a
# multiple of GRID, over GRID
_checkpoints: HashMap[uint256, uint256]
# underlying -> first boundary whose checkpoint has it
_first_boundary: HashMap[uint256, uint256]
# underlying -> expiry -> 1e-8 USD; 0: not final
_settlement: HashMap[uint256, HashMap[uint256, uint256]]
# Expiries up to this time are the predecessor's; NOT_YET until this contract takes over
_took_over: uint256


# The header, unpacked.
struct State:
    timestamp: uint256
    posted_block: uint256
    number: uint256
    back: uint256
    block_delta: uint256
    outside: uint256
    grace: uint256
    parity: uint256
    ten_age: uint256
    hour_age: uint256
    covered: uint256
    seq: uint256


# One epoch's step, the same for every underlying.
struct Step:
    # seconds since the last epoch
    elapsed: uint256
    # ages of the anchors now; re-anchored ones start at the last epoch
    ten_age: uint256
    hour_age: uint256
    ten_anew: bool
    hour_anew: bool
    # the segment counts in settlement averages
    counts: bool
    # boundary to write a checkpoint for, 0: none; seconds from the last epoch to it
    boundary: uint256
    into: uint256


@deploy
def __init__(quorum: address, limits: IRiskOracle.Limits, predecessor: IRiskOracle):
    """
    @param quorum AttesterQuorum.
    @param limits Ages and distances.
    @param predecessor Oracle that this one is to replace; zero for the first, which is in force at once.
    """
    PREDECESSOR = predecessor
    if predecessor.address != empty(address):
        self._took_over = NOT_YET
    ownable.__init__()
    self._set_quorum(quorum)
    self._set_limits(limits)


# Permissionless functions


@external
@reentrant
def post_epoch(
    epoch: IRiskOracle.Posting,
    spots: DynArray[uint256, 32],
    signatures: IAttestation.Signatures,
):
    """
    @notice Makes a signed epoch the latest. Anyone may.
    @param epoch What the quorum signed, without what is known here.
    @param spots Posted spots, 1e-8 USD, of every underlying in the order of their identifiers.
    @param signatures Of the quorum over the EIP-712 Epoch.
    @dev Reentrant because nothing can enter: the one call is static.
    """
    last: State = self._state()
    config: uint256 = self._posting[epoch.methodologyHash]
    assert config != 0, "oracle: methodology not registered"
    assert epoch.number > last.number, "oracle: number not above the latest"
    assert epoch.number - last.number <= MAX_SKIP, "oracle: number too far ahead"
    assert epoch.timestamp >= last.timestamp, "oracle: timestamp before the latest"
    assert epoch.timestamp <= block.timestamp, "oracle: timestamp in the future"
    assert block.timestamp - epoch.timestamp <= (config >> 160) & LOW_24, "oracle: epoch too old"
    assert block.number - last.posted_block >= (config >> 232) & LOW_16, "oracle: too soon"
    assert epoch.blockNumber < block.number, "oracle: block not in the past"
    assert block.number - epoch.blockNumber <= LOW_14, "oracle: block too old"
    assert epoch.blockNumber + last.block_delta >= last.posted_block, "oracle: block before the latest"
    assert len(spots) == config >> 248, "oracle: wrong number of spots"
    assert epoch.marketRoot != empty(bytes32) and epoch.marginRoot != empty(bytes32), "oracle: zero root"

    step: Step = self._step(last, epoch.timestamp)
    next: State = last
    next.outside = 0
    next.grace = 1
    signed: DynArray[uint256, 32] = []
    pinned: uint256 = 0
    underlying: uint256 = 0
    for posted: uint256 in spots:
        lane: uint256 = underlying % LANES
        underlying = unsafe_add(underlying, 1)  # at most 32
        before: uint256 = self._spots[underlying]
        after: uint256 = self._moved(before, posted, step)
        self._spots[underlying] = after
        effective: uint256 = after >> 200
        signed.append((posted << 64) | effective)
        if effective != posted:
            self._posted[underlying] = posted
            next.outside |= 1 << unsafe_sub(underlying, 1)
        last_spot: uint256 = before >> 200
        moved: uint256 = unsafe_sub(max(last_spot, effective), min(last_spot, effective))
        # more than a quarter of the minute band; prices are below 2**56
        if unsafe_mul(moved, 4 * BASIS_POINTS) > unsafe_mul(last_spot, unsafe_mul((before >> 14) & LOW_6, BAND_UNIT)):
            next.grace = 0
        if step.boundary != 0:
            pinned |= self._cumulative_at(before, effective, step) << (lane * LANE)
            if lane == LANES - 1 or underlying == len(spots):
                self._pin(step, last.covered, (underlying - 1) // LANES, pinned)
                pinned = 0
    struct_hash: bytes32 = keccak256(
        abi_encode(
            typed_data.EPOCH_TYPEHASH,
            epoch.number,
            epoch.timestamp,
            epoch.blockNumber,
            self._block_hash(epoch.blockNumber),  # one that a reorganisation removed had another
            epoch.snapshotHash,
            epoch.methodologyHash,
            epoch.marketRoot,
            epoch.marginRoot,
            keccak256(slice(abi_encode(signed), 64, 32 * len(spots))),
        )
    )
    # a call through the interface would send room for every signer
    answer: Bytes[32] = raw_call(
        convert(config & LOW_160, address),
        abi_encode(struct_hash, signatures, method_id=REQUIRE_SIGNED),
        max_outsize=32,
        is_static_call=True,
    )
    assert convert(answer, uint256) == 1, "oracle: no quorum"
    next.number = epoch.number
    next.back = epoch.number - last.number
    next.timestamp = epoch.timestamp
    next.posted_block = block.number
    next.block_delta = block.number - epoch.blockNumber
    next.parity = 1 - last.parity
    next.ten_age = step.ten_age
    next.hour_age = step.hour_age
    if step.counts:
        next.covered = (last.covered + step.elapsed) & LOW_16
    next.seq = last.seq + 1
    self._roots[next.parity] = merkle._node(epoch.marketRoot, epoch.marginRoot)
    self._set_state(next)
    log IRiskOracle.EpochPosted(
        number=convert(epoch.number, uint64),
        seq=convert(next.seq, uint64),
        snapshotHash=epoch.snapshotHash,
        marketRoot=epoch.marketRoot,
        marginRoot=epoch.marginRoot,
    )


@external
def finalize_settlement(underlying: uint16, expiry: uint40) -> uint256:
    """
    @notice Fixes the settlement price of an expiry, once and for all: the average over the first complete window, the
            half hour before expiry or a later one on the five-minute grid; after 24 hours without, the last spot.
            Anyone may.
    @return 1e-8 USD, rounded down.
    """
    u: uint256 = convert(underlying, uint256)
    end: uint256 = convert(expiry, uint256)
    assert end != 0 and end % GRID == 0, "oracle: expiry off grid"
    assert end <= block.timestamp, "oracle: not expired"
    assert u != 0 and u <= self._config >> 248, "oracle: unknown underlying"
    assert end > self._took_over, "oracle: the predecessor's expiry"
    assert self._settlement[u][end] == 0, "oracle: already final"
    price: uint256 = 0
    window_end: uint256 = 0
    price, window_end = self._average(u, end)
    self._settlement[u][end] = price
    log IRiskOracle.SettlementFinalized(
        underlying=underlying,
        expiry=expiry,
        seq=self._next_seq(),
        price=price,
        windowEnd=convert(window_end, uint64),
    )
    return price


# Administration


@external
def add_underlying(spot: uint256, bands: IRiskOracle.Bands) -> uint16:
    """
    @notice Adds the next underlying; from then on every epoch has its spot. Only the owner.
    @param spot Where its bands start, 1e-8 USD.
    @param bands Moves allowed.
    @return Its identifier.
    """
    ownable._check_owner()
    assert 0 < spot and spot <= LOW_56, "oracle: price out of range"
    config: uint256 = self._config
    underlying: uint256 = (config >> 248) + 1
    assert underlying <= c.MAX_UNDERLYINGS, "oracle: too many underlyings"
    self._set_config(config + (1 << 248))
    self._first_boundary[underlying] = block.timestamp // GRID + 1
    self._spots[underlying] = self._pack_spot(spot, spot, spot, 0, self._pack_bands(bands))
    state: State = self._state()
    if state.number == 0:
        # else the first epoch's bands would be as wide as the time since 1970
        state.timestamp = block.timestamp
        self._set_state(state)
    log IRiskOracle.UnderlyingAdded(underlying=convert(underlying, uint16), seq=self._next_seq(), spot=spot)
    log IRiskOracle.BandsSet(
        underlying=convert(underlying, uint16),
        seq=self._next_seq(),
        bands=bands,
    )
    return convert(underlying, uint16)


@external
def set_bands(underlying: uint16, bands: IRiskOracle.Bands):
    """
    @notice Moves allowed, from the effective spot on. Only the owner.
    @param underlying Identifier.
    @param bands Basis points, multiples of 25: minute up to 1575, the others up to 3175, none below the one before.
    """
    ownable._check_owner()
    u: uint256 = convert(underlying, uint256)
    word: uint256 = self._word_of(u)
    assert word != 0, "oracle: unknown underlying"
    spot: uint256 = word >> 200
    self._spots[u] = self._pack_spot(spot, spot, spot, (word >> 20) & LOW_68, self._pack_bands(bands))
    log IRiskOracle.BandsSet(underlying=underlying, seq=self._next_seq(), bands=bands)


@external
def set_limits(limits: IRiskOracle.Limits):
    """
    @notice Ages in seconds and the least distance of epochs in blocks. Only the owner.
    """
    ownable._check_owner()
    self._set_limits(limits)


@external
def set_quorum(quorum: address):
    """
    @notice Switches to another attester set at once: what the old one signed is void. Only the owner.
    """
    ownable._check_owner()
    self._set_quorum(quorum)


@external
def set_methodology(methodology_hash: bytes32):
    """
    @notice The methodology that epochs name from now on; what was signed of another is void. Only the owner.
    """
    ownable._check_owner()
    assert methodology_hash != empty(bytes32), "oracle: zero methodology"
    self._posting[self._methodology] = 0
    self._methodology = methodology_hash
    self._set_config(self._config)
    log IRiskOracle.MethodologySet(methodologyHash=methodology_hash, seq=self._next_seq())


@external
def take_over():
    """
    @notice Puts this contract into the place of its predecessor: what has expired by now settles at the predecessor's
            price, the rest at this one's. Only the owner, once, in the transaction in which the Clearinghouse switches.
    @dev Nothing is final here before, so no expiry ever has two prices.
    """
    ownable._check_owner()
    assert self._took_over == NOT_YET, "oracle: in force already"
    self._took_over = block.timestamp
    log IRiskOracle.TakenOver(predecessor=PREDECESSOR.address, seq=self._next_seq())


# Views


@external
@view
@reentrant
def header() -> IRiskOracle.Header:
    """
    @notice The latest epoch; number 0 before the first.
    """
    state: State = self._state()
    return IRiskOracle.Header(
        number=convert(state.number, uint64),
        previous=convert(state.number - state.back, uint64),
        timestamp=convert(state.timestamp, uint64),
        blockNumber=convert(state.posted_block - state.block_delta, uint64),
        postedBlock=convert(state.posted_block, uint64),
        outside=convert(state.outside, uint32),
        grace=state.grace == 1,
        tenAge=convert(state.ten_age, uint64),
        hourAge=convert(state.hour_age, uint64),
        seq=convert(state.seq, uint64),
    )


@external
@view
@reentrant
def limits() -> IRiskOracle.Limits:
    """
    @notice Ages in seconds and the least distance of epochs in blocks.
    """
    config: uint256 = self._config
    return IRiskOracle.Limits(
        maxAge=convert((config >> 160) & LOW_24, uint32),
        staleAfter=convert((config >> 184) & LOW_24, uint32),
        frozenAfter=convert((config >> 208) & LOW_24, uint32),
        minBlocks=convert((config >> 232) & LOW_16, uint32),
    )


@external
@view
@reentrant
def quorum() -> address:
    """
    @notice The attester set in force.
    """
    return convert(self._config & LOW_160, address)


@external
@view
@reentrant
def underlying_count() -> uint16:
    """
    @notice Underlyings are numbered from 1 to this.
    """
    return convert(self._config >> 248, uint16)


@external
@view
@reentrant
def spot(underlying: uint16) -> IRiskOracle.Spot:
    """
    @notice Posted and effective spot and the anchors of the bands, 1e-8 USD; zeros where unknown.
    """
    u: uint256 = convert(underlying, uint256)
    word: uint256 = self._word_of(u)
    posted: uint256 = word >> 200
    if word != 0 and ((self._header >> 150) & LOW_32) >> (u - 1) & 1 != 0:
        posted = self._posted[u]
    return IRiskOracle.Spot(
        posted=posted,
        effective=word >> 200,
        tenAnchor=(word >> 144) & LOW_56,
        hourAnchor=(word >> 88) & LOW_56,
    )


@external
@view
@reentrant
def bands(underlying: uint16) -> IRiskOracle.Bands:
    """
    @notice Moves allowed, basis points.
    """
    word: uint256 = self._word_of(convert(underlying, uint256))
    return IRiskOracle.Bands(
        minute=convert(((word >> 14) & LOW_6) * BAND_UNIT, uint16),
        tenMinutes=convert(((word >> 7) & LOW_7) * BAND_UNIT, uint16),
        hour=convert((word & LOW_7) * BAND_UNIT, uint16),
    )


@external
@view
@reentrant
def effective_spots(underlyings: DynArray[uint16, 32]) -> DynArray[uint256, 32]:
    """
    @notice Effective spots, 1e-8 USD, in the order asked; 0 where unknown.
    """
    result: DynArray[uint256, 32] = []
    for underlying: uint16 in underlyings:
        result.append(self._word_of(convert(underlying, uint256)) >> 200)
    return result


@external
@view
@reentrant
def settlement_price(underlying: uint16, expiry: uint40) -> uint256:
    """
    @notice 1e-8 USD; 0 until it is final. Of an expiry before this contract took over: the predecessor's.
    """
    price: uint256 = self._settlement[convert(underlying, uint256)][convert(expiry, uint256)]
    if price == 0 and convert(expiry, uint256) <= self._took_over and PREDECESSOR.address != empty(address):
        return staticcall PREDECESSOR.settlement_price(underlying, expiry)
    return price


@external
@view
@reentrant
def predecessor() -> address:
    """
    @notice The oracle before this one; zero: none.
    """
    return PREDECESSOR.address


@external
@view
@reentrant
def took_over() -> uint256:
    """
    @notice When this contract took its predecessor's place, unix seconds; 0: it has none; 2**40 - 1: not yet.
    """
    return self._took_over


@external
@view
@reentrant
def settlement_window(underlying: uint16, expiry: uint40) -> (uint256, uint256):
    """
    @notice What the half hour before an expiry has averaged so far.
    @return Twice the integral of the spot, 1e-8 USD seconds, and the seconds covered; zeros outside the window.
    """
    u: uint256 = convert(underlying, uint256)
    start: uint256 = 0
    covered: uint256 = 0
    known: bool = False
    start, covered, known = self._checkpoint(u, (convert(expiry, uint256) - WINDOW) // GRID)
    if not known or block.timestamp >= convert(expiry, uint256):
        return 0, 0
    state: State = self._state()
    cumulative: uint256 = (self._word_of(u) >> 20) & LOW_68
    return (
        unsafe_sub(cumulative, start) & LOW_68,
        unsafe_sub(state.covered, covered) & LOW_16,
    )


@external
@view
@reentrant
def is_usable(number: uint64) -> bool:
    """
    @notice Whether statements of an epoch pass: the latest, or for two blocks its predecessor after a small move.
    """
    return self._is_usable(convert(number, uint256), self._header)


@external
@view
@reentrant
def is_fresh() -> bool:
    """
    @notice Whether the latest epoch is young enough to increase risk on.
    """
    return self._is_fresh(self._header)


@external
@view
@reentrant
def conditions(epochs: uint64[2]) -> (bool, uint256, bool):
    """
    @notice What an increase of risk depends on, in one answer.
    @param epochs That it rests on.
    @return Whether the latest epoch is young enough; the underlyings outside their bands, bit u - 1 each; whether both
            epochs are usable.
    """
    word: uint256 = self._header
    usable: bool = self._is_usable(convert(epochs[0], uint256), word)
    if usable and epochs[1] != epochs[0]:
        usable = self._is_usable(convert(epochs[1], uint256), word)
    return self._is_fresh(word), (word >> 150) & LOW_32, usable


@external
@view
@reentrant
def number() -> uint64:
    """
    @notice Number of the latest epoch, 0 before the first.
    """
    return convert((self._header >> 80) & LOW_40, uint64)


@external
@view
@reentrant
def require_in_epoch(number: uint64, leaf: bytes32, proof: DynArray[bytes32, 32]) -> bool:
    """
    @notice Reverts unless a leaf belongs to a usable epoch.
    @param number Epoch.
    @param leaf Hash of the hash of the struct.
    @param proof Siblings up to the root, the other one of market and margin root last.
    @return True.
    """
    word: uint256 = self._header
    assert self._is_usable(convert(number, uint256), word), "oracle: epoch not usable"
    parity: uint256 = (word >> 183) & 1
    if convert(number, uint256) != (word >> 80) & LOW_40:
        parity = 1 - parity
    assert len(proof) != 0, "oracle: proof too short"
    assert (merkle._root_from(leaf, proof) == self._roots[parity]), "oracle: not in the epoch"
    return True


@external
@view
@reentrant
def is_registered(methodology_hash: bytes32) -> bool:
    """
    @notice Whether epochs name this methodology.
    """
    return self._posting[methodology_hash] != 0


# Epoch


@internal
@view
def _block_hash(number: uint256) -> bytes32:
    """
    @notice Hash of a block of this chain; reverts where it is not known any more.
    """
    result: bytes32 = empty(bytes32)
    if block.number - number <= 256:
        result = blockhash(number)
    else:
        result = block_hash._block_hash(number)
    assert result != empty(bytes32), "oracle: block hash unknown"
    return result


@internal
@view
def _is_fresh(header: uint256) -> bool:
    """
    @notice Whether there is an epoch, young enough to increase risk on.
    """
    known: bool = (header >> 80) & LOW_40 != 0
    return known and block.timestamp - (header & LOW_40) <= (self._config >> 184) & LOW_24


@internal
@view
def _is_usable(number: uint256, header: uint256) -> bool:
    """
    @dev Every headroom trade asks this of the header word: unpacking all of it would cost more than the answer.
    """
    if number == 0:
        return False
    latest: uint256 = (header >> 80) & LOW_40
    if number == latest:
        return True
    grace: bool = (header >> 182) & 1 == 1
    previous: uint256 = latest - ((header >> 120) & LOW_16)
    return grace and number == previous and block.number <= ((header >> 40) & LOW_40) + c.GRACE_BLOCKS


@internal
@pure
def _step(last: State, timestamp: uint256) -> Step:
    """
    @notice What the time since the last epoch means for anchors and averages.
    """
    step: Step = empty(Step)
    step.elapsed = timestamp - last.timestamp
    step.ten_anew = last.ten_age > TEN_MINUTES
    step.hour_anew = last.hour_age > HOUR
    step.ten_age = step.elapsed
    if not step.ten_anew:
        step.ten_age += last.ten_age
    step.hour_age = step.elapsed
    if not step.hour_anew:
        step.hour_age += last.hour_age
    step.counts = last.number != 0 and step.elapsed <= c.SETTLEMENT_MAX_GAP
    boundary: uint256 = timestamp // GRID
    if boundary * GRID > last.timestamp:
        if step.counts:
            step.into = boundary * GRID - last.timestamp
            step.boundary = boundary
        elif boundary * GRID == timestamp:
            step.boundary = boundary
    return step


@internal
@pure
def _moved(word: uint256, posted: uint256, step: Step) -> uint256:
    """
    @notice One underlying's word after an epoch. The effective spot is the posted one, or the edge of the bands that it
            is beyond.
    """
    last: uint256 = word >> 200
    ten: uint256 = (word >> 144) & LOW_56
    if step.ten_anew:
        ten = last
    hour: uint256 = (word >> 88) & LOW_56
    if step.hour_anew:
        hour = last
    minute_bps: uint256 = unsafe_mul((word >> 14) & LOW_6, BAND_UNIT)
    ten_bps: uint256 = unsafe_mul((word >> 7) & LOW_7, BAND_UNIT)
    hour_bps: uint256 = unsafe_mul(word & LOW_7, BAND_UNIT)
    assert unsafe_sub(posted, 1) < LOW_56, "oracle: price out of range"
    effective: uint256 = posted
    # a silence only widens bands, so within all three as they are after none there is no edge to look for; prices
    # are below 2**56 and bands below 100 %, so nothing overflows
    scaled: uint256 = unsafe_mul(posted, BASIS_POINTS)
    if (
        scaled < unsafe_mul(last, unsafe_sub(BASIS_POINTS, minute_bps))
        or scaled > unsafe_mul(last, unsafe_add(BASIS_POINTS, minute_bps))
        or scaled < unsafe_mul(ten, unsafe_sub(BASIS_POINTS, ten_bps))
        or scaled > unsafe_mul(ten, unsafe_add(BASIS_POINTS, ten_bps))
        or scaled < unsafe_mul(hour, unsafe_sub(BASIS_POINTS, hour_bps))
        or scaled > unsafe_mul(hour, unsafe_add(BASIS_POINTS, hour_bps))
    ):
        lower: uint256 = 0
        upper: uint256 = 0
        lower, upper = self._edges(last, minute_bps, step.elapsed, MINUTE)
        low: uint256 = 0
        high: uint256 = 0
        low, high = self._edges(ten, ten_bps, step.ten_age, TEN_MINUTES)
        lower = max(lower, low)
        upper = min(upper, high)
        low, high = self._edges(hour, hour_bps, step.hour_age, HOUR)
        lower = max(lower, low)
        upper = min(upper, high)
        effective = min(max(posted, lower), min(upper, LOW_56))
    cumulative: uint256 = word >> 20
    if step.counts:
        # below 2**57 times two minutes
        cumulative = unsafe_add(cumulative, unsafe_mul(unsafe_add(last, effective), step.elapsed))
    return (effective << 200) | (ten << 144) | (hour << 88) | ((cumulative & LOW_68) << 20) | (word & LOW_20)


@internal
@pure
def _cumulative_at(word: uint256, effective: uint256, step: Step) -> uint256:
    """
    @notice Cumulative at the step's boundary.
    """
    cumulative: uint256 = (word >> 20) & LOW_68
    if not step.counts:
        return cumulative
    # spots move linearly between epochs; elapsed > 0, as a boundary lies between them
    doubled: uint256 = step.into * ((word >> 200) * (2 * step.elapsed - step.into) + effective * step.into)
    return (cumulative + doubled // step.elapsed) & LOW_68


@internal
def _pin(step: Step, covered: uint256, group: uint256, lanes: uint256):
    """
    @notice Keeps the checkpoint of a group of underlyings.
    """
    then: uint256 = covered
    if step.counts:
        then = (covered + step.into) & LOW_16
    self._checkpoints[group * RING + step.boundary % RING] = (
        (step.boundary << (LANES * LANE + 16)) | (then << (LANES * LANE)) | lanes
    )


@internal
@pure
def _edges(anchor: uint256, bps: uint256, age: uint256, window: uint256) -> (uint256, uint256):
    """
    @notice Edges of one band; after a silence longer than its window it is wider in proportion.
    """
    limit: uint256 = bps * max(window, age) // window
    return (
        max(
            1,
            anchor * (BASIS_POINTS - min(limit, BASIS_POINTS - 1)) // BASIS_POINTS,
        ),
        anchor * (BASIS_POINTS + limit) // BASIS_POINTS,
    )


# Settlement


@internal
@view
def _average(underlying: uint256, expiry: uint256) -> (uint256, uint256):
    """
    @notice Average over the first complete window and the window's end.
    """
    posted: uint256 = self._state().timestamp
    boundary: uint256 = expiry // GRID
    for k: uint256 in range(LAST_WINDOW + 1):
        end: uint256 = expiry + k * GRID
        if end > posted:
            break
        cumulative: uint256 = 0
        covered: uint256 = 0
        known: bool = False
        cumulative, covered, known = self._checkpoint(underlying, boundary + k)
        if not known:
            continue
        start: uint256 = 0
        covered_start: uint256 = 0
        start, covered_start, known = self._checkpoint(underlying, boundary + k - WINDOW // GRID)
        if not known:
            continue
        seconds: uint256 = unsafe_sub(covered, covered_start) & LOW_16
        if seconds >= c.SETTLEMENT_MIN_COVERED:
            return (unsafe_sub(cumulative, start) & LOW_68) // (2 * seconds), end
    assert (block.timestamp > expiry + c.SETTLEMENT_FALLBACK), "oracle: no complete window yet"
    return self._spots[underlying] >> 200, block.timestamp


@internal
@view
def _checkpoint(underlying: uint256, boundary: uint256) -> (uint256, uint256, bool):
    """
    @notice Cumulative and covered seconds at a boundary, and whether an epoch pinned it down.
    """
    u: uint256 = underlying - 1
    word: uint256 = self._checkpoints[u // LANES * RING + boundary % RING]
    return (
        (word >> (u % LANES * LANE)) & LOW_68,
        (word >> (LANES * LANE)) & LOW_16,
        word >> (LANES * LANE + 16) == boundary and boundary >= self._first_boundary[underlying],
    )


# Packing


@internal
@view
def _word_of(underlying: uint256) -> uint256:
    """
    @notice An underlying's word, 0 where unknown.
    """
    if underlying > c.MAX_UNDERLYINGS:
        return 0
    return self._spots[underlying]


@internal
@view
def _state() -> State:
    word: uint256 = self._header
    return State(
        timestamp=word & LOW_40,
        posted_block=(word >> 40) & LOW_40,
        number=(word >> 80) & LOW_40,
        back=(word >> 120) & LOW_16,
        block_delta=(word >> 136) & LOW_14,
        outside=(word >> 150) & LOW_32,
        grace=(word >> 182) & 1,
        parity=(word >> 183) & 1,
        ten_age=(word >> 184) & LOW_10,
        hour_age=(word >> 194) & LOW_12,
        covered=(word >> 206) & LOW_16,
        seq=word >> 222,
    )


@internal
def _set_state(state: State):
    """
    @dev Every field is below its width: times below 2**40, ages clamped here, differences checked in post_epoch.
    """
    assert (state.number <= LOW_40 and state.seq <= LOW_32), "oracle: out of numbers"
    self._header = (
        state.timestamp
        | (state.posted_block << 40)
        | (state.number << 80)
        | (state.back << 120)
        | (state.block_delta << 136)
        | (state.outside << 150)
        | (state.grace << 182)
        | (state.parity << 183)
        | (min(state.ten_age, TEN_MINUTES + 1) << 184)
        | (min(state.hour_age, HOUR + 1) << 194)
        | (state.covered << 206)
        | (state.seq << 222)
    )


@internal
@pure
def _pack_spot(
    effective: uint256,
    ten: uint256,
    hour: uint256,
    cumulative: uint256,
    packed_bands: uint256,
) -> uint256:
    return ((effective << 200) | (ten << 144) | (hour << 88) | (cumulative << 20) | packed_bands)


@internal
@pure
def _pack_bands(bands: IRiskOracle.Bands) -> uint256:
    minute: uint256 = convert(bands.minute, uint256)
    ten: uint256 = convert(bands.tenMinutes, uint256)
    hour: uint256 = convert(bands.hour, uint256)
    assert (minute % BAND_UNIT == 0 and ten % BAND_UNIT == 0 and hour % BAND_UNIT == 0), "oracle: band off 25 bp"
    assert (0 < minute and minute <= ten and ten <= hour), "oracle: bands not rising"
    assert (minute <= LOW_6 * BAND_UNIT and hour <= LOW_7 * BAND_UNIT), "oracle: band too wide"
    return ((minute // BAND_UNIT << 14) | (ten // BAND_UNIT << 7) | (hour // BAND_UNIT))


@internal
def _next_seq() -> uint64:
    word: uint256 = self._header + (1 << 222)
    self._header = word
    return convert(word >> 222, uint64)


@internal
def _set_config(config: uint256):
    """
    @notice Configures, also under the methodology in force.
    """
    self._config = config
    if self._methodology != empty(bytes32):
        self._posting[self._methodology] = config


@internal
def _set_limits(limits: IRiskOracle.Limits):
    max_age: uint256 = convert(limits.maxAge, uint256)
    stale: uint256 = convert(limits.staleAfter, uint256)
    frozen: uint256 = convert(limits.frozenAfter, uint256)
    distance: uint256 = convert(limits.minBlocks, uint256)
    assert 0 < max_age and max_age <= MAX_AGE, "oracle: bad max age"
    assert 0 < stale and stale <= MAX_AGE and stale <= frozen and frozen <= MAX_FROZEN, "oracle: bad staleness"
    assert distance <= LOW_16, "oracle: bad distance"
    config: uint256 = self._config
    self._set_config(
        (config & LOW_160)
        | (max_age << 160)
        | (stale << 184)
        | (frozen << 208)
        | (distance << 232)
        | ((config >> 248) << 248)
    )
    log IRiskOracle.LimitsSet(seq=self._next_seq(), limits=limits)


@internal
def _set_quorum(quorum: address):
    assert quorum.is_contract, "oracle: quorum is no contract"
    assert staticcall IAttesterQuorum(quorum).threshold() != 0, "oracle: no quorum"
    self._set_config(((self._config >> 160) << 160) | convert(quorum, uint256))
    log IRiskOracle.QuorumSet(quorum=quorum, seq=self._next_seq())
