# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title InsuranceFund
@license AGPL-3.0-only
@notice ERC-4626 shares of the settlement token. Its stakers bear deficits of liquidations before everybody else does. Shares
        are priced at the net asset value: tokens held less the deficits of open insolvent auctions. While such an auction
        is open nobody stakes and nobody leaves. Leaving takes a request, a cooldown and a use within two days, at the
        lower of the values at request and at exit: whoever sees a loss coming cannot run from it.
        Assets are in the token's decimals, shares have six more, shares of one WAD, times unix seconds.
@custom:security Virtual shares make it pointless to inflate the price before a first stake. `cover` and the plain views call
        the token only, never the Vault: that one's re-entrancy lock is held while it calls them.
@custom:kill Cannot be switched off. The Vault's owner may name another fund; exits stay open here.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC4626

from ..interfaces import IInsuranceFund
from ..interfaces import IVault
from ..units import constants as c

# rounding of 512-bit products, as ERC-4626 does it there
from snekmate.utils import math

# initialised by erc4626
from snekmate.auth import ownable

uses: ownable
from snekmate.tokens import erc20

uses: erc20

# shares, permits, conversions
from snekmate.extensions import erc4626

initializes: erc4626

# `renounce_ownership` is not exported, nor are the token's minting and burning
exports: (
    ownable.owner,
    ownable.transfer_ownership,
    erc20.DOMAIN_SEPARATOR,
    erc20.allowance,
    erc20.approve,
    erc20.balanceOf,
    erc20.decimals,
    erc20.eip712Domain,
    erc20.name,
    erc20.nonces,
    erc20.permit,
    erc20.symbol,
    erc20.totalSupply,
    erc4626.asset,
)

implements: IERC20
implements: IERC4626
implements: IInsuranceFund

# Public constants

# how long a matured exit may be used
EXIT_WINDOW: public(constant(uint256)) = 172_800  # 2 days
MIN_COOLDOWN: public(constant(uint256)) = 86_400  # 1 day
MAX_COOLDOWN: public(constant(uint256)) = 2_592_000  # 30 days

# Internal constants

DAY: constant(uint256) = 86_400
MIN_DAILY_SHARE: constant(uint256) = 10**16  # 1 %
VIRTUAL_DECIMALS: constant(uint8) = 6
VIRTUAL_SHARES: constant(uint256) = 10**6
LOW_64: constant(uint256) = 2**64 - 1

# Immutables

VAULT: public(immutable(address))
# WAD per smallest unit of the token
SCALE: immutable(uint256)

# Public state

# seconds between a request and its exit
cooldown: public(uint256)
# share of the assets that may be paid out in a day, WAD
daily_share: public(uint256)

# Internal state

_seq: uint64
# share of the assets paid out and not yet refilled, WAD (192) << 64 | unix seconds of that level
_paid_out: uint256
_exits: HashMap[address, IInsuranceFund.Exit]


@deploy
def __init__(vault: address, daily_share: uint256, cooldown: uint256):
    """
    @param vault Whose deficits are covered, in its settlement token.
    @param daily_share See `set_daily_share`.
    @param cooldown See `set_cooldown`.
    """
    token: address = staticcall IVault(vault).settlement_token()
    erc4626.__init__(
        "Plimsoll Insurance Fund",
        "PLIF",
        IERC20(token),
        VIRTUAL_DECIMALS,
        "Plimsoll Insurance Fund",
        "1",
    )
    VAULT = vault
    SCALE = 10**convert(18 - erc4626._UNDERLYING_DECIMALS, uint256)
    self._set_daily_share(daily_share)
    self._set_cooldown(cooldown)


# Staking


@external
def deposit(assets: uint256, receiver: address) -> uint256:
    """
    @notice Stakes assets at the net asset value. Refused while an insolvent auction is open.
    @param assets Exactly these are taken from the caller.
    @param receiver Who gets the shares.
    @return Shares, rounded down, never zero.
    """
    shares: uint256 = self._shares_for(assets, self._require_no_deficit(), False)
    self._stake(receiver, assets, shares)
    return shares


@external
def mint(shares: uint256, receiver: address) -> uint256:
    """
    @notice Stakes what a number of shares costs. Refused while an insolvent auction is open.
    @param shares Exactly these are created.
    @param receiver Who gets them.
    @return Assets taken from the caller, rounded up.
    """
    assets: uint256 = self._assets_for(shares, self._require_no_deficit(), True)
    self._stake(receiver, assets, shares)
    return assets


# Leaving


@external
def request_exit(shares: uint256):
    """
    @notice Asks to leave. Replaces an earlier request, whose cooldown is lost. The shares cannot be transferred until the
            exit is used, cancelled or expired.
    @param shares At most the caller's balance.
    """
    assert shares != 0, "fund: no shares"
    assert shares <= erc20.balanceOf[msg.sender], "fund: balance too low"
    matures: uint256 = block.timestamp + self.cooldown
    exit: IInsuranceFund.Exit = IInsuranceFund.Exit(
        shares=shares,
        assets=self._assets_for(shares, self._net_assets(), False),
        matures=matures,
        expires=matures + EXIT_WINDOW,
    )
    self._exits[msg.sender] = exit
    log IInsuranceFund.ExitRequested(
        owner=msg.sender,
        shares=shares,
        assets=exit.assets,
        matures=exit.matures,
        expires=exit.expires,
        seq=self._next_seq(),
    )


@external
def cancel_exit():
    """
    @notice Stays. The shares may be transferred again.
    """
    assert self._exits[msg.sender].shares != 0, "fund: no exit"
    self._exits[msg.sender] = empty(IInsuranceFund.Exit)
    log IInsuranceFund.ExitCancelled(owner=msg.sender, seq=self._next_seq())


@external
def redeem(shares: uint256, receiver: address, owner: address) -> uint256:
    """
    @notice Uses a matured exit, whole or in part, at the lower of the values at request and now.
    @param shares Exactly these are burned.
    @param receiver Who is paid.
    @param owner Whose exit it is; others need its allowance.
    @return Assets paid, rounded down.
    """
    net: uint256 = self._require_no_deficit()
    exit: IInsuranceFund.Exit = self._require_open(owner)
    assert shares <= exit.shares, "fund: more than requested"
    assets: uint256 = self._worth(shares, exit, net)
    self._leave(receiver, owner, assets, shares, exit)
    return assets


@external
def withdraw(assets: uint256, receiver: address, owner: address) -> uint256:
    """
    @notice Uses a matured exit for an amount of assets. See `redeem`.
    @param assets Exactly these are paid.
    @param receiver Who is paid.
    @param owner Whose exit it is; others need its allowance.
    @return Shares burned, rounded up.
    """
    net: uint256 = self._require_no_deficit()
    exit: IInsuranceFund.Exit = self._require_open(owner)
    assert assets <= self._worth(exit.shares, exit, net), "fund: more than requested"
    shares: uint256 = self._cost(assets, exit, net)
    self._leave(receiver, owner, assets, shares, exit)
    return shares


# Shares


@external
def transfer(to: address, amount: uint256) -> bool:
    """
    @notice Moves shares that are not in an exit.
    """
    self._require_free(msg.sender, amount)
    erc20._transfer(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    """
    @notice Moves shares that are not in an exit, within the caller's allowance.
    """
    self._require_free(owner, amount)
    erc20._spend_allowance(owner, msg.sender, amount)
    erc20._transfer(owner, to, amount)
    return True


# Covering


@external
def cover(amount: uint256) -> uint256:
    """
    @notice Pays a deficit to the Vault, as far as the daily share reaches. Only the Vault.
    @param amount Asked for.
    @return Paid.
    """
    assert msg.sender == VAULT, "fund: not the vault"
    assets: uint256 = erc4626._total_assets()
    level: uint256 = self._level()
    paid: uint256 = min(amount, self._left(assets, level))
    if paid != 0:
        level += math._mul_div(paid, c.WAD, assets, True)
    self._paid_out = (level << 64) | block.timestamp
    log IInsuranceFund.DeficitCovered(asked=amount, paid=paid, seq=self._next_seq())
    assert extcall erc4626._ASSET.transfer(VAULT, paid, default_return_value=True), "fund: transfer failed"
    return paid


# Owner


@external
def set_daily_share(share: uint256):
    """
    @notice Sets how much may be paid out at once. It refills evenly over a day, so that within any one day up to twice the
            share may leave. Only the owner.
    @param share Of the assets, 1 % to 100 %, WAD.
    """
    ownable._check_owner()
    self._set_daily_share(share)


@external
def set_cooldown(cooldown: uint256):
    """
    @notice Sets how long an exit takes. Requests made before keep their time. Only the owner.
    @param cooldown 1 to 30 days, seconds.
    """
    ownable._check_owner()
    self._set_cooldown(cooldown)


# Views


@external
@view
def totalAssets() -> uint256:
    """
    @return Tokens held, before any open deficit.
    """
    return erc4626._total_assets()


@external
@view
def available() -> uint256:
    """
    @return What `cover` would pay at most now.
    """
    return self._left(erc4626._total_assets(), self._level())


@external
@view
def exit_of(owner: address) -> IInsuranceFund.Exit:
    """
    @return What is left of the owner's last request, expired or not; zeros if there is none.
    """
    return self._exits[owner]


@external
@view
def convertToShares(assets: uint256) -> uint256:
    """
    @return Shares at the net asset value, rounded down.
    """
    return self._shares_for(assets, self._net_assets(), False)


@external
@view
def convertToAssets(shares: uint256) -> uint256:
    """
    @return Assets at the net asset value, rounded down.
    """
    return self._assets_for(shares, self._net_assets(), False)


@external
@view
def maxDeposit(receiver: address) -> uint256:
    """
    @return No limit, or 0 while an insolvent auction is open.
    """
    return self._most(receiver)


@external
@view
def maxMint(receiver: address) -> uint256:
    """
    @return No limit, or 0 while an insolvent auction is open.
    """
    return self._most(receiver)


@external
@view
def previewDeposit(assets: uint256) -> uint256:
    """
    @return Shares for a stake at the net asset value.
    """
    return self._shares_for(assets, self._net_assets(), False)


@external
@view
def previewMint(shares: uint256) -> uint256:
    """
    @return Assets that a stake for shares takes.
    """
    return self._assets_for(shares, self._net_assets(), True)


@external
@view
def maxRedeem(owner: address) -> uint256:
    """
    @return Shares that the owner may redeem now: those of a matured exit, while no insolvent auction is open.
    """
    if not self._is_open(owner):
        return 0
    return self._exits[owner].shares


@external
@view
def maxWithdraw(owner: address) -> uint256:
    """
    @return Assets that the owner may withdraw now.
    """
    if not self._is_open(owner):
        return 0
    exit: IInsuranceFund.Exit = self._exits[owner]
    return self._worth(exit.shares, exit, self._net_assets())


@external
@view
def previewRedeem(shares: uint256) -> uint256:
    """
    @notice Counts the caller's own request, if there is one: what others would get differs.
    @return Assets at the lower of the values at request and now.
    """
    return self._worth(shares, self._exits[msg.sender], self._net_assets())


@external
@view
def previewWithdraw(assets: uint256) -> uint256:
    """
    @notice Counts the caller's own request, if there is one: what others would burn differs.
    @return Shares burned for assets.
    """
    return self._cost(assets, self._exits[msg.sender], self._net_assets())


# Standards


@external
@pure
@reentrant
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @notice ERC-165: itself, ERC-20, ERC-2612, ERC-4626 and ERC-5267.
    """
    return interface_id in [0x01ffc9a7, 0x36372b07, 0x9d8ff7da, 0x87dfe5a0, 0x84b0196e]


# Value


@internal
@view
def _deficit() -> uint256:
    """
    @return Deficits of open insolvent auctions, the token's decimals, rounded up.
    """
    deficit: uint256 = staticcall IVault(VAULT).open_deficit()
    return (deficit + SCALE - 1) // SCALE


@internal
@view
def _net_assets() -> uint256:
    """
    @return Assets less open deficits, not below zero.
    """
    assets: uint256 = erc4626._total_assets()
    return assets - min(assets, self._deficit())


@internal
@view
def _require_no_deficit() -> uint256:
    """
    @notice Reverts while an insolvent auction is open: nobody knows yet what a share is worth.
    @return Assets, which then are the net ones.
    """
    assert self._deficit() == 0, "fund: open deficit"
    return erc4626._total_assets()


@internal
@view
def _shares_for(assets: uint256, net: uint256, up: bool) -> uint256:
    return math._mul_div(assets, erc20.totalSupply + VIRTUAL_SHARES, net + 1, up)


@internal
@view
def _assets_for(shares: uint256, net: uint256, up: bool) -> uint256:
    return math._mul_div(shares, net + 1, erc20.totalSupply + VIRTUAL_SHARES, up)


@internal
@view
def _worth(shares: uint256, exit: IInsuranceFund.Exit, net: uint256) -> uint256:
    """
    @notice Assets for shares of an exit, rounded down; without one at the value now.
    """
    assets: uint256 = self._assets_for(shares, net, False)
    if exit.shares == 0:
        return assets
    return min(assets, math._mul_div(shares, exit.assets, exit.shares, False))


@internal
@view
def _cost(assets: uint256, exit: IInsuranceFund.Exit, net: uint256) -> uint256:
    """
    @notice Shares of an exit for assets, rounded up; without one at the value now.
    """
    shares: uint256 = self._shares_for(assets, net, True)
    if exit.assets == 0:
        return shares
    return max(shares, math._mul_div(assets, exit.shares, exit.assets, True))


# Moves


@internal
def _stake(receiver: address, assets: uint256, shares: uint256):
    assert shares != 0, "fund: no shares"
    before: uint256 = erc4626._total_assets()
    erc4626._deposit(msg.sender, receiver, assets, shares)
    assert erc4626._total_assets() - before == assets, "fund: amount differs"


@internal
def _leave(
    receiver: address,
    owner: address,
    assets: uint256,
    shares: uint256,
    exit: IInsuranceFund.Exit,
):
    """
    @notice Takes shares off an exit and pays for them. What is left of the exit keeps its share of the value at request.
    """
    left: IInsuranceFund.Exit = empty(IInsuranceFund.Exit)
    if shares != exit.shares:
        left = exit
        left.shares = exit.shares - shares
        left.assets = math._mul_div(exit.assets, left.shares, exit.shares, False)
    self._exits[owner] = left
    erc4626._withdraw(msg.sender, receiver, owner, assets, shares)


@internal
@view
def _require_open(owner: address) -> IInsuranceFund.Exit:
    """
    @notice Reverts unless the owner's exit may be used now.
    """
    exit: IInsuranceFund.Exit = self._exits[owner]
    assert exit.shares != 0, "fund: no exit"
    assert block.timestamp >= exit.matures, "fund: cooling down"
    assert block.timestamp <= exit.expires, "fund: exit expired"
    return exit


@internal
@view
def _is_open(owner: address) -> bool:
    exit: IInsuranceFund.Exit = self._exits[owner]
    in_time: bool = exit.matures <= block.timestamp and block.timestamp <= exit.expires
    return in_time and self._deficit() == 0


@internal
@view
def _most(receiver: address) -> uint256:
    """
    @notice What may be staked for a receiver now.
    """
    if receiver == empty(address) or self._deficit() != 0:
        return 0
    return max_value(uint256)


@internal
@view
def _require_free(owner: address, amount: uint256):
    """
    @notice Reverts if shares of a live exit would move: their owner could leave with others bought meanwhile.
    """
    exit: IInsuranceFund.Exit = self._exits[owner]
    if block.timestamp <= exit.expires:
        assert amount + exit.shares <= erc20.balanceOf[owner], "fund: shares are in an exit"


# Daily share


@internal
@view
def _level() -> uint256:
    """
    @notice Share of the assets paid out and not yet refilled, WAD; the daily share refills in a day.
    """
    word: uint256 = self._paid_out
    refilled: uint256 = self.daily_share * (block.timestamp - (word & LOW_64)) // DAY
    return (word >> 64) - min(word >> 64, refilled)


@internal
@view
def _left(assets: uint256, level: uint256) -> uint256:
    """
    @notice Assets that may be paid out at a level, rounded down.
    """
    share: uint256 = self.daily_share
    return math._mul_div(assets, share - min(share, level), c.WAD, False)


# Small things


@internal
def _set_daily_share(share: uint256):
    assert MIN_DAILY_SHARE <= share and share <= c.WAD, "fund: bad daily share"
    self.daily_share = share
    log IInsuranceFund.DailyShareSet(share=share, seq=self._next_seq())


@internal
def _set_cooldown(cooldown: uint256):
    assert MIN_COOLDOWN <= cooldown and cooldown <= MAX_COOLDOWN, "fund: bad cooldown"
    self.cooldown = cooldown
    log IInsuranceFund.CooldownSet(cooldown=cooldown, seq=self._next_seq())


@internal
def _next_seq() -> uint64:
    self._seq += 1
    return self._seq
