# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Bounties
@license AGPL-3.0-only
@notice Makes "anyone may" true when nobody gains by it: forwards the calls that keep the protocol going and pays who made
        them a fixed reward out of its own pot. Each function has the signature of the core contract's: a keeper only
        changes the address that it sends to. The core knows nothing of this contract, and everything works without it.
          kind              what a call must be worth to be paid (`minimum`)
          0 epoch           seconds since the oracle's latest epoch, whoever posted that one
          1 settlement      nothing more: only listed expiries count, and each is final once
          2 settle          value of the legs that it closes at the settlement price, WAD
          3 flag            maintenance margin of the account, WAD; an account is paid for once in thirty days
          4 debt            fees that it brings in, WAD
          5 funding         seconds since the last paid update of the underlying
@custom:security A call that is not worth its reward is refused as a whole: the core takes it directly, for nothing. Copying
        a call in the mempool takes the reward from its author but does the same work. A reward never exceeds what
        bringing the call about oneself costs in trading fees and interest, see `WASH_*`; beyond that the calls of a kind
        are capped a day, and all of them by the pot. Holds nothing but the pot.
@custom:kill The owner sets rewards to zero, or takes the pot out.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

from ..interfaces import IAttestation
from ..interfaces import IAuctionHouse
from ..interfaces import IBounties
from ..interfaces import IClearinghouse
from ..interfaces import IMarkets
from ..interfaces import IRiskOracle
from ..interfaces import IVault
from ..markets import instrument as ins
from ..risk import payoff
from ..units import constants as c

# sets rewards: the Timelock
from snekmate.auth import ownable

initializes: ownable
# `renounce_ownership` is not exported: the pot would be stuck
exports: (ownable.owner, ownable.transfer_ownership)

implements: IBounties

# Public constants

KIND_EPOCH: public(constant(uint8)) = 0
KIND_SETTLEMENT: public(constant(uint8)) = 1
KIND_SETTLE: public(constant(uint8)) = 2
KIND_FLAG: public(constant(uint8)) = 3
KIND_DEBT: public(constant(uint8)) = 4
KIND_FUNDING: public(constant(uint8)) = 5

# Least `minimum` per reward. Who trades with himself pays at least one basis point of the notional on both sides together:
# legs worth V cost that much of V and settle on two accounts.
WASH_SETTLE: public(constant(uint256)) = 20_000
# A maintenance margin of M takes fees of more than M / 1000 to build, and the market must then move against it.
WASH_FLAG: public(constant(uint256)) = 1_000
# Interest is paid by the debtor: at most half of it goes to who notes it.
WASH_DEBT: public(constant(uint256)) = 2

# Internal constants

KINDS: constant(uint8) = 6
DAY: constant(uint256) = 86_400
MIN_DISTANCE: constant(uint256) = 10  # of two paid epochs or funding updates, seconds
FLAG_PAUSE: constant(
    uint256
) = 2_592_000  # 30 days: flagged and topped up again and again, an account would pay its owner
MAX_REWARD: constant(uint256) = 1_000  # whole tokens
MAX_CALLS: constant(uint32) = 10_000
MAX_MINIMUM: constant(uint256) = 10**27  # a billion dollars
LOW_128: constant(uint256) = 2**128 - 1

# Immutables

CLEARINGHOUSE: public(immutable(IClearinghouse))
MARKETS: public(immutable(IMarkets))
TOKEN: public(immutable(IERC20))
# WAD per smallest unit of the token
SCALE: immutable(uint256)

# Storage

_bounties: HashMap[uint8, IBounties.Bounty]
# kind -> day since 1970 (128) | calls paid on it (128)
_days: HashMap[uint8, uint256]
# account -> when a flag of it was last paid, unix seconds
_flagged: HashMap[uint256, uint256]
# underlying -> when an update of its funding was last paid, unix seconds
_funded: HashMap[uint16, uint256]
# number of the last event
_seq: uint64


@deploy
def __init__(clearinghouse: IClearinghouse, markets: IMarkets):
    """
    @notice Pays nothing until rewards are set and the pot is filled.
    @param clearinghouse Whose modules are called; asked for them each time, so a replaced one is followed.
    @param markets Which expiries are listed.
    """
    ownable.__init__()
    CLEARINGHOUSE = clearinghouse
    MARKETS = markets
    TOKEN = IERC20(staticcall IVault(staticcall clearinghouse.vault()).settlement_token())
    SCALE = 10**(18 - convert(staticcall IERC20Detailed(TOKEN.address).decimals(), uint256))


# Calls that are paid


@external
def post_epoch(
    epoch: IRiskOracle.Posting,
    spots: DynArray[uint256, 32],
    signatures: IAttestation.Signatures,
):
    """
    @notice RiskOracle.post_epoch.
    @param epoch Far enough from the latest one.
    """
    oracle: IRiskOracle = self._oracle()
    last: uint256 = convert((staticcall oracle.header()).timestamp, uint256)
    # an older epoch is the oracle's to refuse
    distance: uint256 = max(epoch.timestamp, last) - last
    self._count(KIND_EPOCH, distance)
    raw_call(oracle.address, msg.data)
    self._pay(KIND_EPOCH)


@external
def finalize_settlement(underlying: uint16, expiry: uint40):
    """
    @notice RiskOracle.finalize_settlement.
    @param expiry Listed: the oracle would fix a price for any moment.
    """
    assert (staticcall MARKETS.strike_grid(underlying, expiry)).step != 0, "bounties: expiry not listed"
    self._count(KIND_SETTLEMENT, 0)
    oracle: IRiskOracle = self._oracle()
    raw_call(oracle.address, msg.data)
    self._pay(KIND_SETTLEMENT)


@external
def settle(account: uint256, instruments: DynArray[uint256, c.MAX_LEGS]):
    """
    @notice Clearinghouse.settle.
    @param instruments The account's whole book, ascending.
    """
    self._count(KIND_SETTLE, self._expired_value(account, instruments))
    raw_call(CLEARINGHOUSE.address, msg.data)
    self._pay(KIND_SETTLE)


@external
def flag(account: uint256, claim: Bytes[26_624]):
    """
    @notice AuctionHouse.flag.
    @param account Account of which no flag was paid for thirty days.
    """
    assert block.timestamp >= self._flagged[account] + FLAG_PAUSE, "bounties: flagged not long ago"
    self._flagged[account] = block.timestamp
    house: IAuctionHouse = IAuctionHouse(staticcall CLEARINGHOUSE.auction_house())
    raw_call(house.address, msg.data)
    self._count(KIND_FLAG, (staticcall house.auction(account)).maintenanceMargin)
    self._pay(KIND_FLAG)


@external
def note_debt(account: uint256, instruments: DynArray[uint256, c.MAX_LEGS]):
    """
    @notice CollateralSale.note_debt.
    @param account Account whose interest is due.
    """
    before: uint256 = staticcall CLEARINGHOUSE.fees()
    vault: IVault = IVault(staticcall CLEARINGHOUSE.vault())
    raw_call(staticcall vault.collateral_sale(), msg.data)
    self._count(KIND_DEBT, staticcall CLEARINGHOUSE.fees() - before)
    self._pay(KIND_DEBT)


@external
def update(
    underlying: uint16,
    leaf: IAttestation.InstrumentLeaf,
    path: DynArray[bytes32, c.MAX_PROOF],
    epoch: uint64,
):
    """
    @notice Funding.update.
    @param underlying Whose perp pays funding; the others say what its leaf of the epoch is.
    """
    self._count(KIND_FUNDING, block.timestamp - self._funded[underlying])
    self._funded[underlying] = block.timestamp
    funding: address = staticcall CLEARINGHOUSE.funding()
    raw_call(funding, msg.data)
    self._pay(KIND_FUNDING)


# Owner


@external
def set_bounty(kind: uint8, bounty: IBounties.Bounty):
    """
    @notice Sets what a kind of call is paid. Only the owner.
    @param kind KIND_*.
    @param bounty At most 1,000 tokens a call and 10,000 calls a day; a minimum from which farming does not pay.
    """
    ownable._check_owner()
    assert kind < KINDS, "bounties: unknown kind"
    reward: uint256 = convert(bounty.reward, uint256) * SCALE
    assert reward <= MAX_REWARD * c.WAD, "bounties: reward too large"
    assert bounty.calls <= MAX_CALLS, "bounties: too many calls"
    assert bounty.minimum <= MAX_MINIMUM, "bounties: minimum too large"
    assert bounty.minimum >= self._least(kind, reward), "bounties: farming would pay"
    self._bounties[kind] = bounty
    log IBounties.BountySet(kind=kind, bounty=bounty, seq=self._next_seq())


@external
def withdraw(token: address, recipient: address, amount: uint256):
    """
    @notice Takes the pot out, or a token that came by mistake. Only the owner.
    @param amount In the token's decimals.
    """
    ownable._check_owner()
    assert recipient != empty(address), "bounties: zero recipient"
    assert amount != 0, "bounties: zero amount"
    log IBounties.Withdrawn(token=token, recipient=recipient, amount=amount, seq=self._next_seq())
    self._transfer(IERC20(token), recipient, amount)


# Views


@external
@view
def bounty(kind: uint8) -> IBounties.Bounty:
    """
    @notice What a kind of call is paid.
    """
    return self._bounties[kind]


@external
@view
def paid_today(kind: uint8) -> uint256:
    """
    @notice Calls of a kind that were paid on this day (UTC).
    """
    return self._paid_today(kind)


@external
@view
def seq() -> uint64:
    """
    @notice Number of the last event: a gap proves a missing event.
    """
    return self._seq


# What a call is worth


@internal
@view
def _expired_value(account: uint256, instruments: DynArray[uint256, c.MAX_LEGS]) -> uint256:
    """
    @notice Value of the expired legs with a final price, long or short, rounded down. A leg counts no more than its
            notional, of which its fees were a share: a put far in the money would be worth more.
    @return WAD.
    """
    oracle: IRiskOracle = self._oracle()
    book: DynArray[uint256, c.MAX_LEGS] = staticcall CLEARINGHOUSE.book(account, instruments)
    value: uint256 = 0
    group: uint256 = 0
    price: uint256 = 0
    for word: uint256 in book:
        instrument: uint128 = ins._instrument_of(word)
        expiry: uint256 = ins._expiry(instrument)
        if expiry == 0 or expiry > block.timestamp:
            continue
        if convert(instrument, uint256) >> 72 != group:
            group = convert(instrument, uint256) >> 72
            price = staticcall oracle.settlement_price(
                convert(ins._underlying(instrument), uint16), convert(expiry, uint40)
            )
        unit: uint256 = min(convert(payoff._payoff(instrument, price), uint256), price * c.PRICE_UNIT)
        value += convert(abs(ins._quantity_of(word)), uint256) * unit // c.WAD
    return value


@internal
@view
def _least(kind: uint8, reward: uint256) -> uint256:
    """
    @notice The minimum from which on a reward (WAD) is not worth farming.
    """
    if kind == KIND_EPOCH or kind == KIND_FUNDING:
        return MIN_DISTANCE
    if kind == KIND_SETTLE:
        return WASH_SETTLE * reward
    if kind == KIND_FLAG:
        return WASH_FLAG * reward
    if kind == KIND_DEBT:
        return WASH_DEBT * reward
    return 0


# Paying


@internal
def _count(kind: uint8, worth: uint256):
    """
    @notice Reverts unless a call worth that much is to be paid today; counts it.
    """
    bounty: IBounties.Bounty = self._bounties[kind]
    assert bounty.reward != 0, "bounties: no reward"
    assert worth >= bounty.minimum, "bounties: not worth a reward"
    calls: uint256 = self._paid_today(kind)
    assert calls < convert(bounty.calls, uint256), "bounties: none left today"
    self._days[kind] = (block.timestamp // DAY << 128) | (calls + 1)


@internal
def _pay(kind: uint8):
    """
    @notice Pays the caller, after the work is done.
    """
    reward: uint256 = convert(self._bounties[kind].reward, uint256)
    assert staticcall TOKEN.balanceOf(self) >= reward, "bounties: empty pot"
    log IBounties.BountyPaid(kind=kind, caller=msg.sender, reward=reward, seq=self._next_seq())
    self._transfer(TOKEN, msg.sender, reward)


@internal
@view
def _paid_today(kind: uint8) -> uint256:
    word: uint256 = self._days[kind]
    if word >> 128 != block.timestamp // DAY:
        return 0
    return word & LOW_128


# Small things


@internal
@view
def _oracle() -> IRiskOracle:
    return IRiskOracle(staticcall CLEARINGHOUSE.oracle())


@internal
def _transfer(token: IERC20, recipient: address, amount: uint256):
    assert extcall token.transfer(recipient, amount, default_return_value=True), "bounties: transfer failed"


@internal
def _next_seq() -> uint64:
    self._seq += 1
    return self._seq
