# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title ClaimGate
@license AGPL-3.0-only
@notice Whether a claim on an account's margin holds: what attesters signed, and how the book came from there to its state
        now. A leaf outlives every fill, settlement and change of collateral, so that no account trades itself out of reach;
        a report is of the very book. Without storage: reads the account as it is at the Clearinghouse.
@custom:security Trusts the quorum for margins, but accepts no mark outside the no-arbitrage bracket and no margin beyond what
        the book can lose: a fully collateralised account is never below.
@custom:kill Replaced with the auction house, which names it for good.
"""

from ..attestation import typed_data
from ..interfaces import IBookValuer
from ..interfaces import IAttestation
from ..interfaces import IAttesterQuorum
from ..interfaces import IAuctionHouse
from ..interfaces import IClaimGate
from ..interfaces import IClearinghouse
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..interfaces import IVault
from ..markets import instrument as ins
from ..units import constants as c
from ..units import fixed_point as fp
from . import claim as claims

implements: IClaimGate

# Constants

FLAG_TYPEHASH: constant(bytes32) = keccak256("Flag(uint256 account)")  # the action that a report for a flag names

# Immutables

CLEARINGHOUSE: public(immutable(IClearinghouse))


@deploy
def __init__(clearinghouse: IClearinghouse):
    """
    @param clearinghouse Whose accounts the claims are on.
    """
    assert clearinghouse.address != empty(address), "claim: zero address"
    CLEARINGHOUSE = clearinghouse


@external
@view
@reentrant
def examine(claim: IAuctionHouse.Claim) -> IClaimGate.Examined:
    """
    @notice Holds a claim against its account as that is; reverts unless it is genuine and of the latest epoch.
    @param claim On the account of its leaf.
    @return The auction it would have from now on, and how the account stands.
    """
    account: uint256 = claim.leaf.account
    oracle: IRiskOracle = IRiskOracle(staticcall CLEARINGHOUSE.oracle())
    header: IRiskOracle.Header = staticcall oracle.header()
    assert claim.epoch == header.number, "claim: not the latest epoch"
    self._require_attested(oracle, claim.way, claim.epoch, claim.deadline, claim.leaf, claim.path, claim.signatures)
    if claim.way == c.WAY_REPORT:
        assert len(claim.changes) == 0, "claim: report of another book"
    assert len(claim.unitPaths) == len(claim.units), "claim: a path per instrument"
    for i: uint256 in range(len(claim.units), bound=8):
        assert staticcall oracle.require_in_epoch(
            claim.epoch,
            typed_data._leaf(typed_data._instrument_hash(claim.units[i])),
            claim.unitPaths[i],
        )
    standing: IMarginGate.Standing = staticcall CLEARINGHOUSE.standing(account, False)
    effect: claims.Effect = claims._replay(claim.leaf.bookHash, standing.bookHash, claim.changes, claim.units)
    # only an epoch after the expiry marks its legs at what they pay
    assert effect.settledUntil <= convert(header.timestamp, uint256), "claim: epoch before the settlement"
    bounds: claims.Bounds = claims._bounds(
        claim.leaf,
        claim.units,
        effect,
        self._slack(oracle, header.outside, effect.nets, claim.units),
        self._moved(oracle, effect.collateral, standing.collateral),
    )
    gate: IMarginGate = IMarginGate(staticcall CLEARINGHOUSE.gate())
    valuer: IBookValuer = IBookValuer(staticcall gate.valuer())
    value: IBookValuer.Valuation = staticcall valuer.value_of(CLEARINGHOUSE.address, account, claim.instruments)
    assert not value.expired, "claim: settle first"
    assert value.low <= bounds.mark and bounds.mark <= value.high, "claim: mark outside bracket"
    collateral: IBookValuer.CollateralValue = empty(IBookValuer.CollateralValue)
    posted: int256 = 0
    rate: uint256 = c.WAD
    if len(standing.collateral) != 0:
        collateral = staticcall valuer.collateral_value(standing.collateral)
        posted = (staticcall valuer.posted_value(standing.collateral)).maintenance
        rate = staticcall IVault(staticcall CLEARINGHOUSE.vault()).rate()
    verdict: claims.Verdict = claims._judge(bounds, standing.liquid, collateral, posted, rate, value.floor)
    return IClaimGate.Examined(
        account=account,
        auction=IAuctionHouse.Auction(
            epoch=claim.epoch,
            elapsed=0,
            touched=convert(block.timestamp, uint64),
            insolvent=verdict.worth <= 0,
            initialMargin=verdict.initial,
            maintenanceMargin=verdict.maintenance,
            mark=bounds.mark,
            linear=value.linear,
            earliest=value.earliest,
            added=bounds.added,
        ),
        worth=verdict.worth,
        deficit=verdict.deficit,
        below=verdict.below,
    )


@external
@view
@reentrant
def require_calm(grace: uint256) -> bool:
    """
    @notice Reverts within a grace after a gap between epochs: whoever could not act while there were none gets time.
            The oracle counts the seconds that epochs cover, apart by two minutes at most, between a boundary of five
            minutes and the latest epoch; it knows a boundary only where no gap lies over it. So from the last known
            boundary before the grace, what is not covered is at least as long as any gap since. Several short gaps count
            like a long one.
    @param grace Seconds; 0: none.
    @return True.
    """
    if grace == 0:
        return True
    oracle: IRiskOracle = IRiskOracle(staticcall CLEARINGHOUSE.oracle())
    latest: uint256 = convert((staticcall oracle.header()).timestamp, uint256)
    longest: uint256 = convert((staticcall oracle.limits()).frozenAfter, uint256)
    boundary: uint256 = (latest - grace) // c.SETTLEMENT_GRID * c.SETTLEMENT_GRID
    for _: uint256 in range(6):
        expiry: uint256 = boundary + c.SETTLEMENT_WINDOW
        if expiry <= block.timestamp:
            break
        doubled: uint256 = 0
        covered: uint256 = 0
        doubled, covered = staticcall oracle.settlement_window(1, convert(expiry, uint40))
        if covered != 0:
            assert latest - boundary - covered < longest, "claim: grace after a gap"
            return True
        boundary -= c.SETTLEMENT_GRID
    raise "claim: grace after a gap"


@internal
@view
def _require_attested(
    oracle: IRiskOracle,
    way: uint8,
    epoch: uint64,
    deadline: uint64,
    leaf: IAttestation.MarginLeaf,
    path: DynArray[bytes32, 32],
    signatures: IAttestation.Signatures,
):
    """
    @notice Reverts unless the margin is the quorum's: a leaf of the epoch, or a report for this very flag.
    """
    if way == c.WAY_LEAF:
        assert staticcall oracle.require_in_epoch(epoch, typed_data._leaf(typed_data._margin_hash(leaf)), path)
        return
    assert way == c.WAY_REPORT, "claim: neither leaf nor report"
    assert block.timestamp <= convert(deadline, uint256), "claim: report expired"
    quorum: IAttesterQuorum = IAttesterQuorum(staticcall oracle.quorum())
    assert staticcall quorum.require_signed(
        typed_data._reports_hash(
            epoch, keccak256(abi_encode(FLAG_TYPEHASH, leaf.account)), deadline, [typed_data._margin_hash(leaf)]
        ),
        signatures,
    )


@internal
@view
def _slack(
    oracle: IRiskOracle,
    outside: uint32,
    nets: DynArray[int256, 8],
    units: DynArray[IAttestation.InstrumentLeaf, 8],
) -> uint256:
    """
    @notice Most that the marks of net changes differ between effective and posted spots, WAD: no instrument moves more
            than its underlying.
    """
    if outside == 0:
        return 0
    total: uint256 = 0
    for i: uint256 in range(len(units), bound=8):
        underlying: uint256 = ins._underlying(units[i].instrument)
        spot: IRiskOracle.Spot = staticcall oracle.spot(convert(underlying, uint16))
        apart: uint256 = max(spot.posted, spot.effective) - min(spot.posted, spot.effective)
        total += fp._mul_up(convert(abs(nets[i]), uint256), apart * c.PRICE_UNIT)
    return total


@internal
@view
def _moved(oracle: IRiskOracle, changes: int256[8], held: DynArray[uint256, 8]) -> uint256:
    """
    @notice Value of the net change of collateral at the greater of both spots, WAD, rounded up.
    @param held Words of the collateral still held; a token that is gone needs a newer leaf.
    """
    total: uint256 = 0
    for i: uint256 in range(8):
        if changes[i] == 0:
            continue
        underlying: uint256 = 0
        for word: uint256 in held:
            if word >> 240 == i + 1:
                underlying = (word >> 224) & 65535
        assert underlying != 0, "claim: needs a newer leaf"
        spot: IRiskOracle.Spot = staticcall oracle.spot(convert(underlying, uint16))
        price: uint256 = max(spot.effective, spot.posted) * c.PRICE_UNIT
        total += fp._mul_up(convert(abs(changes[i]), uint256), price)
    return total
