# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Treasury
@license AGPL-3.0-only
@notice Receives the fees of the protocol and splits them: a part for the stakers of the insurance fund, a part for the pot
        of the bounties as far as it is not full, the rest a reserve that the owner spends. Anyone may distribute.
        The fund's part is given evenly over seven days: raising the value of its shares at once would pay whoever staked
        a moment before. Amounts are in the settlement token's decimals.
@custom:security Holds fees only. Trusts the Vault, and names as fund whom the Vault names. Nobody but the owner takes
        anything out, and never what the fund is owed.
@custom:kill The Vault's owner names another fee recipient; what is here stays with the owner.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

from ..interfaces import IClearinghouse
from ..interfaces import ITreasury
from ..interfaces import IVault
from ..units import constants as c

# sets the split, spends the reserve: the Timelock
from snekmate.auth import ownable

initializes: ownable
# `renounce_ownership` is not exported: the reserve would be stuck
exports: (ownable.owner, ownable.transfer_ownership)

implements: ITreasury

# Constants

STREAM_SECONDS: constant(uint256) = 604_800  # 7 days: the default cooldown of the insurance fund
MAX_POT: constant(uint256) = 1_000_000  # whole tokens

# Immutables

VAULT: public(immutable(IVault))
TOKEN: immutable(IERC20)
CLEARINGHOUSE: immutable(IClearinghouse)
# smallest units of the token in one token, and WAD per smallest unit
ONE: immutable(uint256)
SCALE: immutable(uint256)

# Storage

# whose pot is filled
bounties: public(address)
_split: ITreasury.Split
_stream: ITreasury.Stream
# number of the last event
_seq: uint64


@deploy
def __init__(clearinghouse: IClearinghouse, bounties: address, split: ITreasury.Split):
    """
    @param clearinghouse Whose Vault collects the fees; that one must name this contract its fee recipient.
    @param bounties Whose pot is filled.
    @param split See `set_split`.
    """
    ownable.__init__()
    vault: IVault = IVault(staticcall clearinghouse.vault())
    VAULT = vault
    TOKEN = IERC20(staticcall vault.settlement_token())
    CLEARINGHOUSE = clearinghouse
    decimals: uint256 = convert(staticcall IERC20Detailed(TOKEN.address).decimals(), uint256)
    ONE = 10**decimals
    SCALE = 10**(18 - decimals)
    self._set_bounties(bounties)
    self._set_split(split, 10**decimals)


@external
def distribute():
    """
    @notice Collects the fees, splits what arrived, and pays the insurance fund what is due to it. Anyone may, at any time:
            calling more often changes nobody's part.
    """
    self._pay_fund()
    if staticcall CLEARINGHOUSE.fees() < SCALE:
        return
    before: uint256 = staticcall TOKEN.balanceOf(self)
    extcall VAULT.collect_fees()
    # while cash is worth less than its face the Vault keeps the fees for it, and nothing arrives
    collected: uint256 = staticcall TOKEN.balanceOf(self) - before
    if collected != 0:
        self._share_out(collected)


# Owner


@external
def set_split(split: ITreasury.Split):
    """
    @notice Sets how fees are split from now on. Only the owner.
    @param split Parts of fund and bounties, together at most 1; the pot at most a million tokens.
    """
    ownable._check_owner()
    self._set_split(split, ONE)


@external
def set_bounties(bounties: address):
    """
    @notice Names whose pot is filled. Only the owner.
    @param bounties A contract.
    """
    ownable._check_owner()
    self._set_bounties(bounties)


@external
def spend(token: address, recipient: address, amount: uint256):
    """
    @notice Pays out of the reserve, or gives back another token that came by mistake. Only the owner.
    @param token Any token; of the settlement token no more than the reserve.
    @param recipient Who is paid.
    @param amount In the token's decimals.
    """
    ownable._check_owner()
    assert recipient != empty(address), "treasury: zero recipient"
    assert amount != 0, "treasury: zero amount"
    if token == TOKEN.address:
        assert amount <= self._reserve(), "treasury: more than the reserve"
    log ITreasury.Spent(token=token, recipient=recipient, amount=amount, seq=self._next_seq())
    self._transfer(IERC20(token), recipient, amount)


# Views


@external
@view
def split() -> ITreasury.Split:
    """
    @notice How fees are split.
    """
    return self._split


@external
@view
def stream() -> ITreasury.Stream:
    """
    @notice What the insurance fund has still to get, as of the last payment.
    """
    return self._stream


@external
@view
def reserve() -> uint256:
    """
    @notice What the owner may spend, in the token's decimals; donations count.
    """
    return self._reserve()


@external
@view
def seq() -> uint64:
    """
    @notice Number of the last event: a gap proves a missing event.
    """
    return self._seq


# Splitting


@internal
def _share_out(collected: uint256):
    """
    @notice Splits fees that arrived. Parts are rounded down; what that leaves is reserve.
    """
    split: ITreasury.Split = self._split
    fund: uint256 = collected * convert(split.fund, uint256) // c.BASIS_POINTS
    self._extend_stream(fund)
    pot: uint256 = staticcall TOKEN.balanceOf(self.bounties)
    target: uint256 = convert(split.pot, uint256)
    part: uint256 = collected * convert(split.bounties, uint256) // c.BASIS_POINTS
    part = min(part, target - min(target, pot))
    log ITreasury.FeesSplit(
        collected=collected,
        fund=fund,
        bounties=part,
        reserve=collected - fund - part,
        seq=self._next_seq(),
    )
    if part != 0:
        self._transfer(TOKEN, self.bounties, part)


@internal
def _extend_stream(amount: uint256):
    """
    @notice Adds to what the fund gets. Old and new end together, after the mean of their times, weighted by amount: a
            small distribution hardly delays what is under way.
    @dev `_pay_fund` has run in this block.
    """
    if amount == 0:
        return
    stream: ITreasury.Stream = self._stream
    weighted: uint256 = amount * STREAM_SECONDS + stream.remaining * (
        max(stream.ends, block.timestamp) - block.timestamp
    )
    total: uint256 = stream.remaining + amount
    self._stream = ITreasury.Stream(
        remaining=total,
        updated=block.timestamp,
        # rounded up
        ends=block.timestamp + (weighted + total - 1) // total,
    )


@internal
def _pay_fund():
    """
    @notice Gives the insurance fund what is due, rounded down; it raises the value of the fund's shares.
    """
    stream: ITreasury.Stream = self._stream
    due: uint256 = stream.remaining
    if block.timestamp < stream.ends:
        due = stream.remaining * (block.timestamp - stream.updated) // (stream.ends - stream.updated)
    if due == 0:
        return
    stream.remaining -= due
    stream.updated = block.timestamp
    self._stream = stream
    fund: address = staticcall VAULT.insurance_fund()
    log ITreasury.FundPaid(fund=fund, amount=due, seq=self._next_seq())
    self._transfer(TOKEN, fund, due)


@internal
@view
def _reserve() -> uint256:
    return staticcall TOKEN.balanceOf(self) - self._stream.remaining


# Small things


@internal
def _set_split(split: ITreasury.Split, one: uint256):
    assert convert(split.fund, uint256) + convert(split.bounties, uint256) <= c.BASIS_POINTS, "treasury: shares above 1"
    assert convert(split.pot, uint256) <= MAX_POT * one, "treasury: pot too large"
    self._split = split
    log ITreasury.SplitSet(split=split, seq=self._next_seq())


@internal
def _set_bounties(bounties: address):
    assert bounties.is_contract, "treasury: bounties is no contract"
    self.bounties = bounties
    log ITreasury.BountiesSet(bounties=bounties, seq=self._next_seq())


@internal
def _transfer(token: IERC20, recipient: address, amount: uint256):
    assert extcall token.transfer(recipient, amount, default_return_value=True), "treasury: transfer failed"


@internal
def _next_seq() -> uint64:
    self._seq += 1
    return self._seq
