# pragma version 0.4.3
"""
@title What a leaf still proves of an account that has changed since
@license AGPL-3.0-only
@notice The changes between the leaf's book hash and the present one are brought by the caller, and folding them proves
        that none is missing, forged or out of order. Netted per instrument and marked at the epoch's instrument leaves,
        they move the mark exactly. Margins are subadditive, so undoing a net change costs at most its stand-alone
        margin times m: the leaf's margin less that is a lower bound of the margin now. A dust trade moves it by dust.
        Everything is rounded in favour of the account: who is below by these bounds is below in truth.
        Cash, margins, quantities WAD. Without storage. The Python twin is `keeper/liquidation/claim.py`, bit for bit.
"""

from ..clearing import accounts
from ..interfaces import IBookValuer
from ..interfaces import IAttestation
from ..interfaces import IAuctionHouse
from ..markets import instrument as ins
from ..units import constants as c
from ..units import fixed_point as fp

NO_BOUND: constant(int256) = min_value(int256)
WAD: constant(uint256) = c.WAD


# What the changes did.
struct Effect:
    # net quantity per unit leaf, in their order
    nets: DynArray[int256, 8]
    # net amount by the token's index, less one
    collateral: int256[8]
    # mark that settlements have turned into cash, < 0 where it was worth something
    settled: int256
    # latest expiry settled, unix seconds; 0: none
    settledUntil: uint256


# Of the account now. Margins uncapped.
struct Bounds:
    # at the effective spots, and an upper bound at the posted ones
    mark: int256
    markPosted: int256
    # lower bounds
    maintenance: uint256
    maintenancePosted: uint256
    initial: uint256
    # upper bound of the initial margin, which a buyer's counter U takes over
    added: uint256


# The bounds held against what the account has.
struct Verdict:
    # V: with the collateral at full value
    worth: int256
    # initial margin less the equity that counts towards it
    deficit: int256
    # capped at what the book can lose
    initial: uint256
    maintenance: uint256
    # equity below maintenance margin, at the effective and at the posted spots
    below: bool


@internal
@pure
def _replay(
    then: bytes32,
    now: bytes32,
    changes: DynArray[IAuctionHouse.Change, 64],
    units: DynArray[IAttestation.InstrumentLeaf, 8],
) -> Effect:
    """
    @notice What the changes between two book hashes did; reverts unless they lead from one to the other.
    @param then Hash of the leaf.
    @param now Hash of the account.
    @param changes All of them, in order.
    @param units Ascending; one for every instrument that was filled.
    """
    effect: Effect = empty(Effect)
    previous: uint128 = 0
    for unit: IAttestation.InstrumentLeaf in units:
        assert unit.instrument > previous, "claim: instruments not ascending"
        previous = unit.instrument
        effect.nets.append(0)
    folded: bytes32 = then
    for change: IAuctionHouse.Change in changes:
        folded = accounts._fold(folded, change.kind, change.instrument, change.quantity, change.price)
        if change.kind == c.CHANGE_FILL or change.kind == c.CHANGE_UNCOUNTED_FILL:
            effect.nets[self._find(change.instrument, units)] += change.quantity
        elif change.kind == c.CHANGE_SETTLEMENT:
            effect.settled += fp._signed_mul_up(change.quantity, convert(change.price, int256))
            effect.settledUntil = max(effect.settledUntil, ins._expiry(change.instrument))
        else:
            assert (
                change.kind == c.CHANGE_COLLATERAL
                or change.kind == c.CHANGE_WITHDRAWAL
                or change.kind == c.CHANGE_CONVERSION
            ), "claim: needs a newer leaf"
            effect.collateral[convert(change.instrument, uint256) - 1] += change.quantity
    assert folded == now, "claim: changes do not lead to the book"
    return effect


@internal
@pure
def _find(instrument: uint128, units: DynArray[IAttestation.InstrumentLeaf, 8]) -> uint256:
    """
    @notice Place of an instrument's leaf.
    """
    place: uint256 = 0
    for unit: IAttestation.InstrumentLeaf in units:
        if unit.instrument == instrument:
            return place
        place += 1
    raise "claim: instrument without a leaf"


@internal
@pure
def _bounds(
    leaf: IAttestation.MarginLeaf,
    units: DynArray[IAttestation.InstrumentLeaf, 8],
    effect: Effect,
    slack: uint256,
    moved: uint256,
) -> Bounds:
    """
    @notice Mark and margins of the account now.
    @param leaf What attesters said.
    @param units Leaves of the instruments filled since.
    @param effect Of all changes since.
    @param slack Most that the marks of the net changes differ between effective and posted spots, WAD.
    @param moved Value of the net change of collateral, whichever way: collateral is spot, and spot is in the margin.
    """
    marked: int256 = effect.settled
    undo: uint256 = 0
    undo_maintenance: uint256 = 0
    again: uint256 = 0
    for i: uint256 in range(len(units), bound=8):
        net: int256 = effect.nets[i]
        unit: IAttestation.InstrumentLeaf = units[i]
        size: uint256 = convert(abs(net), uint256)
        marked += fp._signed_mul_up(net, convert(unit.mark, int256))
        if net > 0:
            undo += fp._mul_up(size, convert(unit.imShort, uint256))
            undo_maintenance += fp._mul_up(size, convert(unit.mmShort, uint256))
            again += fp._mul_up(size, convert(unit.imLong, uint256))
        elif net < 0:
            undo += fp._mul_up(size, convert(unit.imLong, uint256))
            undo_maintenance += fp._mul_up(size, convert(unit.mmLong, uint256))
            again += fp._mul_up(size, convert(unit.imShort, uint256))
    assert max(undo, again) <= convert(leaf.maxAddedIM, uint256), "claim: beyond the leaf's reach"
    marginal: uint256 = convert(leaf.marginal, uint256)
    assert marginal >= WAD, "claim: bad marginal multiplier"
    lowered: uint256 = fp._mul_up(undo_maintenance, marginal) + moved
    initial: uint256 = convert(leaf.initialMargin, uint256)
    return Bounds(
        mark=convert(leaf.markToMarket, int256) + marked,
        markPosted=convert(leaf.markPosted, int256) + marked + convert(slack, int256),
        maintenance=self._less(convert(leaf.maintenanceMargin, uint256), lowered),
        maintenancePosted=self._less(convert(leaf.maintenancePosted, uint256), lowered),
        initial=self._less(initial, fp._mul_up(undo, marginal) + moved),
        added=initial + fp._mul_up(again, marginal) + moved,
    )


@internal
@pure
def _judge(
    bounds: Bounds,
    liquid: int256,
    collateral: IBookValuer.CollateralValue,
    posted: int256,
    rate: uint256,
    least: int256,
) -> Verdict:
    """
    @notice Whether the account is below its margins, and by how much. A book needs no more margin than it can lose: a
            fully collateralised account is never below.
    @param bounds Of the account now.
    @param liquid Cash and funding, WAD.
    @param collateral At the effective spots.
    @param posted Of it, what counts towards maintenance margin at the posted spots, WAD.
    @param rate What one unit of cash withdraws, WAD.
    @param least Least payoff of the book at expiry, summed; min_value(int256): without end.
    """
    maintenance: uint256 = self._capped(bounds.maintenance, bounds.mark, least)
    # bounds of both margins by different sums: neither may cross the other
    initial: uint256 = max(maintenance, self._capped(bounds.initial, bounds.mark, least))
    posted_margin: uint256 = self._capped(bounds.maintenancePosted, bounds.markPosted, least)
    return Verdict(
        worth=self._worth(liquid + bounds.mark, collateral.full, rate),
        deficit=convert(initial, int256) - liquid - bounds.mark - collateral.initial,
        initial=initial,
        maintenance=maintenance,
        below=liquid + bounds.mark + collateral.maintenance < convert(maintenance, int256)
        and liquid + bounds.markPosted + posted < convert(posted_margin, int256),
    )


@internal
@pure
def _worth(equity: int256, full: int256, rate: uint256) -> int256:
    """
    @notice V, rounded up. Collateral counts at its price over the rate: it is not cash that a shortfall devalues.
    @param equity Cash, funding and mark, WAD.
    @param full Value of the collateral, not negative, WAD.
    @param rate What one unit of cash withdraws, WAD, > 0.
    """
    if full == 0:
        return equity
    value: uint256 = convert(full, uint256) * WAD
    return equity + convert((value + rate - 1) // rate, int256)


@internal
@pure
def _capped(margin: uint256, mark: int256, least: int256) -> uint256:
    """
    @notice A margin, at most what a book of this mark can lose.
    """
    if least == NO_BOUND:
        return margin
    return min(margin, convert(max(0, mark - least), uint256))


@internal
@pure
def _less(a: uint256, b: uint256) -> uint256:
    """
    @notice a - b, not below zero.
    """
    return a - min(a, b)
