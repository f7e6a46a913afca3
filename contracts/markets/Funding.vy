# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Funding
@license AGPL-3.0-only
@notice Turns the premium of a perp's attested mark over the effective spot into the rate that its longs pay its shorts:
            premium = mark / spot - 1, clamped to the market's basis and to `maxPremium`
            funding of eight hours = (premium moved towards zero by `deadZone`, clamped to `cap`) * spot
        Anyone may update a market once an epoch. A rate that nobody renews stops: see MAX_FUNDING_GAP.
        The Python twin is `keeper/markets/funding.py`.
@custom:security Holds nothing and moves no cash: the Clearinghouse accrues what this contract tells it. A mark is the
        quorum's, not a trade's; with every attester hostile a rate stays within `cap`, and the premium within the basis
        that also bounds what a perp may be marked at.
@custom:kill The owner sets zero terms, or names another contract at the Clearinghouse; a rate then stops by itself.
"""

# owner: the deployer, then the Timelock
from snekmate.auth import ownable

from ..attestation import typed_data
from ..interfaces import IAttestation
from ..interfaces import IClearinghouse
from ..interfaces import IFunding
from ..interfaces import IMarkets
from ..interfaces import IRiskOracle
from ..units import constants as c

initializes: ownable

implements: IFunding

exports: (
    ownable.owner,
    ownable.transfer_ownership,
)


# Public constants

MAX_PREMIUM: public(constant(uint256)) = 5 * 10**17  # as the largest basis of a market
MAX_CAP: public(constant(uint256)) = 5 * 10**16  # 5 % of the spot in eight hours
PERIOD: public(constant(uint256)) = 28_800  # eight hours, seconds


# Internal constants

SIGNED_WAD: constant(int256) = 10**18
SIGNED_PERIOD: constant(int256) = 28_800
PERP_SHIFT: constant(uint256) = 112
LOW_64: constant(uint256) = 2**64 - 1


# Immutables

CLEARINGHOUSE: public(immutable(IClearinghouse))
MARKETS: public(immutable(IMarkets))


# Internal state

_seq: uint64
_terms: HashMap[uint16, IFunding.Terms]
_last_epochs: HashMap[uint16, uint64]


@deploy
def __init__(clearinghouse: IClearinghouse, markets: IMarkets):
    """
    @param clearinghouse Accrues the rates; must name this contract. Names the oracle.
    @param markets Contract specifications, for the basis.
    """
    assert clearinghouse.address != empty(address) and markets.address != empty(address), "funding: zero address"
    ownable.__init__()
    CLEARINGHOUSE = clearinghouse
    MARKETS = markets


# Permissionless functions


@external
def update(
    underlying: uint16,
    leaf: IAttestation.InstrumentLeaf,
    path: DynArray[bytes32, 32],
    epoch: uint64,
) -> int256:
    """
    @notice Sets what the longs of a perp pay from now on, by its mark in an epoch. Anyone may.
    @param underlying Identifier.
    @param leaf Of the perp.
    @param path From the leaf to the epoch's root.
    @param epoch Number, later than that of the last update.
    @return The rate, WAD per second and unit.
    """
    assert convert(leaf.instrument, uint256) == convert(underlying, uint256) << PERP_SHIFT, "funding: not the perp"
    assert epoch > self._last_epochs[underlying], "funding: epoch used already"
    oracle: IRiskOracle = IRiskOracle(staticcall CLEARINGHOUSE.oracle())
    assert staticcall oracle.is_fresh(), "funding: oracle stale"
    assert staticcall oracle.require_in_epoch(epoch, typed_data._leaf(typed_data._instrument_hash(leaf)), path)
    self._last_epochs[underlying] = epoch
    premium: int256 = 0
    rate: int256 = 0
    premium, rate = self._rate_of(oracle, underlying, convert(leaf.mark, uint256))
    extcall CLEARINGHOUSE.set_funding_rate(underlying, rate)
    log IFunding.RateUpdated(underlying=underlying, epoch=epoch, premium=premium, rate=rate, seq=self._next_seq())

    return rate


# Owner


@external
def set_terms(underlying: uint16, terms: IFunding.Terms):
    """
    @notice Sets how later premiums become funding.
    @param underlying Identifier of a listed market.
    @param terms Dead zone not above the largest premium, that one and the cap within their bounds.
    """
    ownable._check_owner()
    assert underlying != 0 and underlying <= staticcall MARKETS.underlying_count(), "funding: unknown underlying"
    assert terms.maxPremium <= MAX_PREMIUM, "funding: premium too large"
    assert terms.deadZone <= terms.maxPremium, "funding: dead zone too wide"
    assert terms.cap <= MAX_CAP, "funding: cap too high"
    self._terms[underlying] = terms
    log IFunding.TermsSet(underlying=underlying, seq=self._next_seq(), terms=terms)


# Views


@external
@view
def terms(underlying: uint16) -> IFunding.Terms:
    """
    @param underlying Identifier.
    @return How its premium becomes funding; zeros: it pays none.
    """
    return self._terms[underlying]


@external
@view
def rate_of(underlying: uint16, mark: uint256) -> (int256, int256):
    """
    @param underlying Identifier.
    @param mark Of the perp, WAD.
    @return Premium as it counts, WAD; the rate it would make now, WAD per second and unit.
    """
    return self._rate_of(IRiskOracle(staticcall CLEARINGHOUSE.oracle()), underlying, mark)


@external
@view
def last_epoch(underlying: uint16) -> uint64:
    """
    @param underlying Identifier.
    @return Number of the epoch of the last update.
    """
    return self._last_epochs[underlying]


# Internal functions


@internal
@view
def _rate_of(oracle: IRiskOracle, underlying: uint16, mark: uint256) -> (int256, int256):
    """
    @param oracle Effective spots.
    @param underlying Identifier.
    @param mark Of the perp, WAD.
    @return Premium as it counts, WAD; rate, WAD per second and unit. Both rounded towards zero.
    """
    spot: uint256 = (staticcall oracle.spot(underlying)).effective * c.PRICE_UNIT
    assert spot != 0, "funding: no spot"
    terms: IFunding.Terms = self._terms[underlying]
    bands: DynArray[uint256, c.MAX_UNDERLYINGS] = staticcall MARKETS.forward_bands([underlying])
    widest: uint256 = min(terms.maxPremium, bands[0] >> 128 & LOW_64)
    signed_spot: int256 = convert(spot, int256)
    premium: int256 = self._clamp((convert(mark, int256) - signed_spot) * SIGNED_WAD // signed_spot, widest)
    paying: int256 = self._clamp(premium - self._clamp(premium, terms.deadZone), terms.cap)

    return premium, paying * signed_spot // (SIGNED_WAD * SIGNED_PERIOD)


@internal
@pure
def _clamp(amount: int256, bound: uint256) -> int256:
    """
    @param amount Signed.
    @param bound Largest absolute value, below 2**255.
    @return The amount, not beyond the bound on either side.
    """
    limit: int256 = convert(bound, int256)

    return max(-limit, min(limit, amount))


@internal
def _next_seq() -> uint64:
    """
    @return Number of the next event; a gap proves a missing event.
    """
    self._seq += 1

    return self._seq
