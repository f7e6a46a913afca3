# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Vault
@license AGPL-3.0-only
@notice Holds every token of the protocol: the settlement token behind cash, and collateral that counts towards margins after
        a haircut. Deposits pass always. A withdrawal passes like a trade: by headroom, leaf, report or worst case, and
        within the outflow limit. Losses beyond the insurance fund lower what cash is worth, for everybody alike.
          listing  index (8) << 240 | underlying (16) << 224 | initial haircut (16) << 208 | maintenance haircut (16) << 192
                   | delisted since (32, unix seconds) << 160 | over (24, seconds) << 136 | decimals (8) << 128
                   | cap (128, token's decimals)
          balance  exempt (128) << 128 | balance (128), WAD
          word     index | underlying | haircuts in force, as in the listing | balance (128)
@custom:security Tokens move last. Only what arrives is credited; a donation changes nothing. A collateral token that
        misbehaves reaches nothing but withdrawals and sales of itself: margins, auctions and settlement only read and move
        balances kept here, and a delisting ends even that. Trusts the Clearinghouse for
        cash and margins, the auction house with sales of frozen accounts' collateral, the collateral sale with sales for
        cash that is missing.
@custom:kill The Clearinghouse's pause stops attested withdrawals; deposits and worst-case withdrawals cannot be paused.
        A listing is never taken away, as balances would be stranded: its cap goes to zero, its haircuts to one.
"""

from ethereum.ercs import IERC20

from ..interfaces import IAttestation
from ..interfaces import IBookValuer
from ..interfaces import IClearinghouse
from ..interfaces import ICollateralSale
from ..interfaces import IInsuranceFund
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..interfaces import IVault
from ..units import constants as c
from . import custody
from . import shortfall

# lists collateral, collects fees: the Timelock
from snekmate.auth import ownable

initializes: ownable
exports: (ownable.owner, ownable.transfer_ownership)
# tokens and the outflow limit
initializes: custody
# losses beyond the insurance fund
initializes: shortfall

implements: IVault

# Constants

INDEX_SHIFT: constant(uint256) = 240
UNDERLYING_SHIFT: constant(uint256) = 224
INITIAL_SHIFT: constant(uint256) = 208
MAINTENANCE_SHIFT: constant(uint256) = 192
SINCE_SHIFT: constant(uint256) = 160
OVER_SHIFT: constant(uint256) = 136
DECIMALS_SHIFT: constant(uint256) = 128
LOW_128: constant(uint256) = 2**128 - 1
LOW_32: constant(uint256) = 2**32 - 1
LOW_24: constant(uint256) = 2**24 - 1
LOW_16: constant(uint256) = 2**16 - 1
LEAST_RAMP: constant(uint32) = 86_400  # a day
MAX_RAMP: constant(uint32) = 7_776_000  # 90 days
MAX_CALLS: constant(uint256) = 8  # of one batch
MAX_CALL: constant(uint256) = 13_312  # bytes: a withdrawal by the largest report
# of `IClearinghouse.debit` without evidence: where the empty evidence and statement stand
EVIDENCE_AT: constant(uint256) = 9 * 32
STATEMENT_AT: constant(uint256) = 12 * 32
DATA_AT: constant(uint256) = 2 * 32

# Immutables

CLEARINGHOUSE: public(immutable(IClearinghouse))
# WAD per smallest unit of the settlement token
SCALE: immutable(uint256)

# Storage

# Pays deficits
insurance_fund: public(IInsuranceFund)
# Sells collateral for cash that is missing, and charges interest on it
collateral_sale: public(ICollateralSale)
# Where fees go: the treasury
fee_recipient: public(address)
# token -> listing; zero: not listed
_listings: HashMap[address, uint256]
# by index - 1
_tokens: DynArray[address, c.MAX_COLLATERALS]
# by account << 8 | index
_balances: HashMap[uint256, uint256]
# by account << 8 | index: the epoch of the last deposit
_deposited_in: HashMap[uint256, uint64]


# What serves one vault only.
interface Servant:
    def VAULT() -> address: view


# One collateral balance while it changes.
struct Holding:
    account: uint256
    token: address
    index: uint256
    # WAD per smallest unit
    scale: uint256
    # WAD
    balance: uint256
    # what the owner brought less what it took out: leaves without the outflow limit
    exempt: uint256


@deploy
def __init__(clearinghouse: IClearinghouse, token: IERC20, decimals: uint8, outflow_share: uint256):
    """
    @param clearinghouse Keeps the cash that the tokens back; must name this contract its vault.
    @param token Settlement token.
    @param decimals Its decimals, 0 to 18.
    @param outflow_share Share of the tokens held that may leave in an hour beyond exempt withdrawals, WAD.
    """
    assert clearinghouse.address != empty(address) and token.address != empty(address), "vault: zero address"
    assert decimals <= 18, "vault: more than 18 decimals"
    ownable.__init__()
    custody.__init__(token.address, outflow_share)
    CLEARINGHOUSE = clearinghouse
    SCALE = 10**convert(18 - decimals, uint256)
    log IVault.SettlementTokenSet(token=token.address, decimals=decimals, seq=custody._next_seq())
    log IVault.OutflowShareSet(share=outflow_share, seq=custody._next_seq())


# Owners of accounts


@external
def deposit(account: uint256, token: address, amount: uint256):
    """
    @notice Credits tokens to an account, at any time: the settlement token anyone, collateral the owner or an operator,
            once an epoch, as it changes what a margin is of. While there is a shortfall, cash is credited at its rate.
    @param amount In the token's decimals.
    """
    self._deposit(account, token, amount)


@external
def deposit_with_permit(
    account: uint256, token: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32
):
    """
    @notice As `deposit`, with the allowance that the caller has signed (ERC-2612). Anybody who sees the signature may use it
            first: so a permit that fails is ignored, and the allowance decides.
    @param amount In the token's decimals; the permit is for as much.
    @param deadline Of the permit, unix seconds.
    """
    allowed: bool = raw_call(
        token,
        abi_encode(
            msg.sender,
            self,
            amount,
            deadline,
            v,
            r,
            s,
            method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ),
        revert_on_failure=False,
    )
    if not allowed:
        allowance: uint256 = staticcall IERC20(token).allowance(msg.sender, self)
        assert allowance >= amount, "vault: neither permit nor allowance"
    self._deposit(account, token, amount)


@external
def withdraw(
    account: uint256,
    token: address,
    amount: uint256,
    recipient: address,
    evidence: IAttestation.Evidence,
    statement: Bytes[6656],
):
    """
    @notice Pays tokens out to the owner's or an operator's order. Leaves equity at initial margin or above and settled cash
            at zero or above. Taking collateral out ends what a record or leaf says: it passes by report or worst case.
    @param amount In the token's decimals. While there is a shortfall, that much cash pays less; of a collateral token that
           has shrunk, its owners get the same share each.
    @param recipient Who is paid.
    @param evidence Headroom, leaf, report or worst case.
    @param statement Epoch and signatures of a leaf or report.
    """
    assert recipient != empty(address), "vault: zero recipient"
    assert amount != 0, "vault: zero amount"
    is_cash: bool = token == custody._TOKEN
    cash: uint256 = 0
    exempt: uint256 = 0
    if is_cash:
        cash = amount * SCALE
    else:
        exempt = self._take_collateral(account, token, amount, c.CHANGE_WITHDRAWAL)
    debited: IClearinghouse.Debit = empty(IClearinghouse.Debit)
    if evidence.way == c.WAY_HEADROOM:
        # shows nothing: written word by word, as a call with evidence sends buffers of the largest size
        answer: Bytes[96] = raw_call(
            CLEARINGHOUSE.address,
            abi_encode(
                account,
                msg.sender,
                token,
                amount,
                recipient,
                cash,
                exempt,
                EVIDENCE_AT,
                STATEMENT_AT,
                c.WAY_HEADROOM,
                DATA_AT,
                empty(uint256),
                empty(uint256),
                method_id=method_id(
                    "debit(uint256,address,address,uint256,address,uint256,uint256,(uint8,bytes),bytes)"
                ),
            ),
            max_outsize=96,
        )
        debited = abi_decode(answer, IClearinghouse.Debit)
    else:
        debited = extcall CLEARINGHOUSE.debit(
            account, msg.sender, token, amount, recipient, cash, exempt, evidence, statement
        )
    released: uint256 = amount
    paid: uint256 = amount
    if is_cash:
        exempt = debited.exempt // SCALE
        released = self._worth(amount)
        paid = released
    else:
        paid = custody._backed(token, amount)
    custody._release(token, released, exempt)
    log IVault.Withdrawn(
        account=account, token=token, recipient=recipient, amount=paid, cash=debited.cash, seq=custody._next_seq()
    )
    custody._send(token, recipient, paid)


@external
@reentrant
def multicall(calls: DynArray[Bytes[MAX_CALL], MAX_CALLS]):
    """
    @notice Several calls of this contract in one transaction, each as if its sender had made it; all or none.
    @dev Not under the lock itself, each call is. The sender stays, as the contract calls its own code in its own place.
    @param calls Call data.
    """
    for call: Bytes[MAX_CALL] in calls:
        raw_call(self, call, is_delegate_call=True)


@external
def recover_shortfall(amount: uint256):
    """
    @notice Gives settlement tokens towards the shortfall; they count over seven days, so nobody gains by coming in
            between. What is left once the shortfall is gone becomes fees. Anyone may.
    @param amount In the token's decimals.
    """
    assert amount != 0, "vault: zero amount"
    self._release_recovery()
    shortfall._give(amount * SCALE)
    self._note_losses()
    custody._receive(custody._TOKEN, msg.sender, amount)


# Auction house


@external
def transfer_share(seller: uint256, buyer: uint256, fraction: uint256) -> int256:
    """
    @notice Moves a fraction of all collateral of an account in auction, rounded down, in the books alone: no token is
            asked. What is delisted for good stays. Only the auction house.
    @param fraction WAD, at most 1.
    @return Its full value at the effective spots, WAD.
    """
    self._check_auction_house()
    assert fraction <= c.WAD, "vault: more than everything"
    moved: DynArray[uint256, c.MAX_COLLATERALS] = []
    for token: address in self._tokens:
        sold: Holding = self._holding(seller, token)
        part: uint256 = sold.balance * fraction // c.WAD
        if part == 0 or self._terms_now(self._listings[token]) == 0:
            continue
        self._change(sold, c.CHANGE_AUCTION, -convert(part, int256))
        self._change(self._holding(buyer, token), c.CHANGE_PURCHASE, convert(part, int256))
        moved.append((self._terms_now(self._listings[token]) << MAINTENANCE_SHIFT) | part)
    if len(moved) == 0:
        return 0
    gate: IMarginGate = IMarginGate(staticcall CLEARINGHOUSE.gate())
    valuer: IBookValuer = IBookValuer(staticcall gate.valuer())
    return (staticcall valuer.collateral_value(moved)).full


@external
def cover_deficit(payout: uint256):
    """
    @notice The insurance fund pays what it may for cash that an auction credits; the rest becomes shortfall. Only the
            auction house.
    @param payout WAD.
    """
    self._check_auction_house()
    self._release_recovery()
    token: IERC20 = IERC20(custody._TOKEN)
    before: uint256 = staticcall token.balanceOf(self)
    extcall self.insurance_fund.cover((payout + SCALE - 1) // SCALE)
    paid: uint256 = staticcall token.balanceOf(self) - before
    custody._set_held(token.address, custody._held(token.address) + paid)
    covered: uint256 = paid * SCALE
    if covered < payout:
        shortfall._add(payout - covered)
        self._note_losses()
    else:
        # less than one unit of the token
        extcall CLEARINGHOUSE.change_fees(convert(covered - payout, int256))


@external
def set_open_deficit(deficit: uint256):
    """
    @notice What open insolvent auctions lack: withdrawals and exits from the fund price it in. Only the auction house.
    @param deficit WAD.
    """
    self._check_auction_house()
    shortfall._set_open_deficit(deficit)
    self._note_losses()


# Collateral sale


@external
def sell_collateral(
    account: uint256,
    token: address,
    amount: uint256,
    cost: uint256,
    payer: address,
    recipient: address,
):
    """
    @notice Sells an account's collateral for settlement tokens that the payer brings. Only the collateral sale.
    @param amount In the collateral's decimals.
    @param cost In the settlement token's decimals.
    """
    self._check_collateral_sale()
    assert custody._backed(token, amount) == amount, "vault: token has shrunk"
    self._take_collateral(account, token, amount, c.CHANGE_CONVERSION)
    custody._set_held(token, custody._held(token) - amount)
    self._deposit_cash(account, cost, payer)
    custody._send(token, recipient, amount)


@external
def charge_interest(account: uint256, amount: uint256):
    """
    @notice Moves cash of an account to the fees: interest on what it owes. Only the collateral sale.
    @param amount WAD.
    """
    self._check_collateral_sale()
    cash: int256 = extcall CLEARINGHOUSE.charge(account, amount)
    log IVault.InterestCharged(account=account, amount=amount, cash=cash, seq=custody._next_seq())


@external
@reentrant
def note_drawn(account: uint256, amount: uint256):
    """
    @notice A trade that reduces risk has left settled cash below zero: counts towards the caps of debts. Only the
            Clearinghouse.
    @dev Not under the lock, as it moves nothing: a trade passes while a token is being sent. Without a collateral sale
         there are no caps to count towards.
    @param amount WAD.
    """
    assert msg.sender == CLEARINGHOUSE.address, "vault: not the clearinghouse"
    sale: ICollateralSale = self.collateral_sale
    if sale.address != empty(address):
        extcall sale.note_drawn(account, amount)


# Owner


@external
def list_collateral(token: address, spec: IVault.Collateral) -> uint8:
    """
    @notice Lists a token as collateral, or changes haircuts and cap, or takes a delisting back. Only the owner.
    @param spec Its `index` is ignored; the underlying and the decimals of a listed token stay.
    @return The token's index.
    """
    ownable._check_owner()
    assert token != empty(address) and token != custody._TOKEN, "vault: not a collateral token"
    assert spec.decimals <= 18, "vault: more than 18 decimals"
    oracle: IRiskOracle = IRiskOracle(staticcall CLEARINGHOUSE.oracle())
    assert (staticcall oracle.spot(spec.underlying)).effective != 0, "vault: no underlying"
    assert spec.maintenanceHaircut <= spec.initialHaircut, "vault: maintenance haircut above initial"
    assert convert(spec.initialHaircut, uint256) <= c.BASIS_POINTS, "vault: haircut above 1"
    listed: IVault.Collateral = self._spec(token)
    if listed.index == 0:
        assert len(self._tokens) < c.MAX_COLLATERALS, "vault: too many tokens"
        self._tokens.append(token)
        listed.index = convert(len(self._tokens), uint8)
    else:
        assert listed.underlying == spec.underlying, "vault: other underlying"
        assert listed.decimals == spec.decimals, "vault: other decimals"
    index: uint8 = listed.index
    listed = spec
    listed.index = index
    self._listings[token] = (
        (convert(index, uint256) << INDEX_SHIFT)
        | (convert(spec.underlying, uint256) << UNDERLYING_SHIFT)
        | (convert(spec.initialHaircut, uint256) << INITIAL_SHIFT)
        | (convert(spec.maintenanceHaircut, uint256) << MAINTENANCE_SHIFT)
        | (convert(spec.decimals, uint256) << DECIMALS_SHIFT)
        | convert(spec.cap, uint256)
    )
    log IVault.CollateralListed(token=token, collateral=listed, seq=custody._next_seq())
    return index


@external
def delist_collateral(token: address, over: uint32):
    """
    @notice No more of a token comes in, and its haircuts rise to one on a straight line. Thereafter it counts nothing, and
            auctions and conversions leave it with its owner, who may take it out at any time. Only the owner.
    @param over Seconds, a day to 90 days: time to bring something else.
    """
    ownable._check_owner()
    assert LEAST_RAMP <= over and over <= MAX_RAMP, "vault: bad ramp"
    listing: uint256 = self._listings[token]
    assert listing != 0, "vault: token not listed"
    assert (listing >> SINCE_SHIFT) & LOW_32 == 0, "vault: delisted already"
    self._listings[token] = (
        ((listing >> DECIMALS_SHIFT) << DECIMALS_SHIFT)
        | (block.timestamp << SINCE_SHIFT)
        | (convert(over, uint256) << OVER_SHIFT)
    )
    log IVault.CollateralDelisted(
        token=token, since=block.timestamp, until=block.timestamp + convert(over, uint256), seq=custody._next_seq()
    )


@external
def set_insurance_fund(insurance_fund: IInsuranceFund):
    """
    @notice Names who pays deficits. Only the owner.
    """
    ownable._check_owner()
    self._require_servant(insurance_fund.address)
    self.insurance_fund = insurance_fund
    log IVault.InsuranceFundSet(insuranceFund=insurance_fund.address, seq=custody._next_seq())


@external
def set_collateral_sale(collateral_sale: ICollateralSale):
    """
    @notice Names who sells collateral for cash that is missing and charges interest. Only the owner.
    """
    ownable._check_owner()
    self._require_servant(collateral_sale.address)
    self.collateral_sale = collateral_sale
    log IVault.CollateralSaleSet(collateralSale=collateral_sale.address, seq=custody._next_seq())


@external
def set_outflow_share(share: uint256):
    """
    @notice Share of the tokens held that may leave in an hour beyond exempt withdrawals. Only the owner.
    @param share WAD, above 0, at most 1.
    """
    ownable._check_owner()
    custody._set_share(share)
    log IVault.OutflowShareSet(share=share, seq=custody._next_seq())


@external
def set_fee_recipient(recipient: address):
    """
    @notice Names who gets the fees. Only the owner.
    """
    ownable._check_owner()
    assert recipient != empty(address), "vault: zero address"
    self.fee_recipient = recipient
    log IVault.FeeRecipientSet(recipient=recipient, seq=custody._next_seq())


@external
def rescue(token: address, recipient: address) -> uint256:
    """
    @notice Pays out what of a token is here without being anybody's: sent by mistake, or rebased upwards. Only the owner.
    @return In the token's decimals.
    """
    ownable._check_owner()
    assert recipient != empty(address), "vault: zero recipient"
    amount: uint256 = custody._stray(token)
    assert amount != 0, "vault: nothing to rescue"
    log IVault.Rescued(token=token, recipient=recipient, amount=amount, seq=custody._next_seq())
    custody._send(token, recipient, amount)
    return amount


# Fees


@external
def collect_fees() -> uint256:
    """
    @notice Pays the fees to their recipient, in whole units of the token; what is less stays. While there is a shortfall
            they go towards it instead. Anyone may.
    @return In the token's decimals.
    """
    recipient: address = self.fee_recipient
    assert recipient != empty(address), "vault: no fee recipient"
    self._release_recovery()
    amount: uint256 = staticcall CLEARINGHOUSE.fees() // SCALE
    assert amount != 0, "vault: no fees"
    extcall CLEARINGHOUSE.change_fees(-convert(amount * SCALE, int256))
    if shortfall._shortfall() != 0:
        shortfall._give(amount * SCALE)
        self._note_losses()
        return 0
    token: address = custody._TOKEN
    custody._set_held(token, custody._held(token) - amount)
    log IVault.FeesCollected(recipient=recipient, amount=amount, seq=custody._next_seq())
    custody._send(token, recipient, amount)
    return amount


# Views


@external
@view
@reentrant
def words(account: uint256, held: uint256) -> DynArray[uint256, c.MAX_COLLATERALS]:
    """
    @notice All collateral of an account with what it counts now: what the gate values. What is delisted for good is not
            among it.
    @param held Bit index - 1: the account holds the token.
    @return In the order of the indices.
    """
    found: DynArray[uint256, c.MAX_COLLATERALS] = []
    bits: uint256 = held
    for i: uint256 in range(c.MAX_COLLATERALS):
        if bits == 0:
            break
        if bits & 1 != 0:
            terms: uint256 = self._terms_now(self._listings[self._tokens[i]])
            if terms != 0:
                found.append((terms << MAINTENANCE_SHIFT) | (self._balances[(account << 8) | (i + 1)] & LOW_128))
        bits = bits >> 1
    return found


@external
@view
def collateral(token: address) -> IVault.Collateral:
    """
    @notice A listed collateral token with the haircuts in force; zeros where it is not listed.
    """
    return self._spec(token)


@external
@view
def delisting(token: address) -> (uint256, uint256):
    """
    @notice When a token began to be delisted and when it counts nothing any more, unix seconds; zeros: it is not.
    """
    listing: uint256 = self._listings[token]
    since: uint256 = (listing >> SINCE_SHIFT) & LOW_32
    return since, since + ((listing >> OVER_SHIFT) & LOW_24)


@external
@view
def collaterals() -> DynArray[address, c.MAX_COLLATERALS]:
    """
    @notice All listed collateral tokens, by index.
    """
    return self._tokens


@external
@view
def collateral_balance(account: uint256, token: address) -> uint256:
    """
    @notice WAD, whatever the token's decimals. Reverts where the token is not listed.
    """
    return self._holding(account, token).balance


@external
@view
def outflow(token: address) -> IVault.Outflow:
    """
    @notice The outflow limit of a token, in its decimals.
    """
    return custody._outflow(token)


@external
@view
def held(token: address) -> uint256:
    """
    @notice Tokens in custody, in their decimals. Donations do not count.
    """
    return custody._held(token)


@external
@view
def losses() -> IVault.Losses:
    """
    @notice The shortfall and what works on it, WAD, at the last change.
    """
    return IVault.Losses(
        shortfall=shortfall._shortfall(),
        recovery=shortfall._recovery(),
        openDeficit=shortfall._open_deficit(),
        rate=shortfall._rate(self._pool()),
    )


@external
@view
def rate() -> uint256:
    """
    @notice What one unit of cash is worth in tokens, WAD, at most 1, rounded down.
    """
    return shortfall._rate(self._pool())


@external
@view
@reentrant
def open_deficit() -> uint256:
    """
    @notice What open insolvent auctions lack, WAD.
    """
    return shortfall._open_deficit()


@external
@view
def settlement_token() -> address:
    """
    @notice The token that cash is paid in.
    """
    return custody._TOKEN


@external
@view
def seq() -> uint64:
    """
    @notice Number of the last event: a gap proves a missing event.
    """
    return custody._seq()


# Cash


@internal
def _deposit(account: uint256, token: address, amount: uint256):
    """
    @notice See `deposit`.
    """
    assert amount != 0, "vault: zero amount"
    if token == custody._TOKEN:
        self._deposit_cash(account, amount, msg.sender)
        return
    assert staticcall CLEARINGHOUSE.may_act(account, msg.sender, c.SCOPE_DEPOSIT), "vault: not authorised"
    self._deposit_collateral(account, token, amount)


@internal
def _deposit_cash(account: uint256, amount: uint256, payer: address):
    tokens: uint256 = amount * SCALE
    cash: uint256 = tokens
    if custody._has_losses():
        self._release_recovery()
        cash = shortfall._credit(tokens, self._pool())
        self._note_losses()
    after: int256 = extcall CLEARINGHOUSE.credit(account, cash, tokens)
    log IVault.Deposited(account=account, token=custody._TOKEN, amount=amount, cash=after, seq=custody._next_seq())
    custody._receive(custody._TOKEN, payer, amount)


@internal
def _worth(amount: uint256) -> uint256:
    """
    @notice Takes an amount of cash from what is owed.
    @return What it pays at the rate of the shortfall, open deficits of auctions priced in, in the token's decimals,
            rounded down.
    """
    if not custody._has_losses():
        return amount
    self._release_recovery()
    uncovered: uint256 = 0
    if shortfall._open_deficit() != 0:
        # no more than the fund may pay today: the rest is going to be shortfall
        uncovered = shortfall._uncovered((staticcall self.insurance_fund.available()) * SCALE)
    paid: uint256 = shortfall._pay(amount * SCALE, self._pool(), uncovered, SCALE)
    assert paid != 0, "vault: cash is worth nothing now"
    self._note_losses()
    return paid // SCALE


@internal
def _release_recovery():
    """
    @notice Lets the recovery work that is due; what exceeds the shortfall becomes fees.
    """
    before: uint256 = shortfall._recovery()
    if before == 0:
        return
    surplus: uint256 = shortfall._release()
    if surplus != 0:
        extcall CLEARINGHOUSE.change_fees(convert(surplus, int256))
    if shortfall._recovery() != before:
        self._note_losses()


@internal
@view
def _pool() -> uint256:
    """
    @notice Tokens that back the cash of the accounts, WAD: those held, less fees and recoveries not yet released.
    """
    return shortfall._pool(custody._held(custody._TOKEN) * SCALE, staticcall CLEARINGHOUSE.fees())


@internal
def _note_losses():
    """
    @notice Tells the Clearinghouse and the world.
    """
    missing: uint256 = shortfall._shortfall()
    custody._set_losses(not shortfall._is_whole())
    extcall CLEARINGHOUSE.set_impaired(missing != 0)
    log IVault.ShortfallChanged(
        shortfall=missing,
        recovery=shortfall._recovery(),
        openDeficit=shortfall._open_deficit(),
        seq=custody._next_seq(),
    )


# Collateral


@internal
def _deposit_collateral(account: uint256, token: address, amount: uint256):
    holding: Holding = self._holding(account, token)
    assert custody._held(token) + amount <= self._listings[token] & LOW_128, "vault: collateral above its cap"
    added: uint256 = amount * holding.scale
    self._require_first_of_epoch((account << 8) | holding.index)
    holding.exempt += added
    self._change(holding, c.CHANGE_COLLATERAL, convert(added, int256))
    custody._receive(token, msg.sender, amount)


@internal
def _require_first_of_epoch(key: uint256):
    """
    @notice While accounts can be flagged, one deposit of a token counts an epoch: each changes the book hash, and dust in
            any number would outrun what a flag can replay. Without fresh epochs there are no flags, and no limit.
    """
    oracle: IRiskOracle = IRiskOracle(staticcall CLEARINGHOUSE.oracle())
    if not (staticcall oracle.is_fresh()):
        return
    epoch: uint64 = staticcall oracle.number()
    assert epoch > self._deposited_in[key], "vault: one deposit of a collateral token an epoch"
    self._deposited_in[key] = epoch


@internal
def _take_collateral(account: uint256, token: address, amount: uint256, kind: uint8) -> uint256:
    """
    @return What of it the outflow limit does not count, in the token's decimals.
    """
    holding: Holding = self._holding(account, token)
    taken: uint256 = amount * holding.scale
    assert taken <= holding.balance, "vault: not that much collateral"
    exempt: uint256 = holding.exempt // holding.scale
    holding.exempt -= min(holding.exempt, taken)
    self._change(holding, kind, -convert(taken, int256))
    return exempt


@internal
def _change(holding: Holding, kind: uint8, change: int256):
    """
    @notice Stores a balance after a change, and lets it enter the account's book hash.
    """
    balance: uint256 = convert(convert(holding.balance, int256) + change, uint256)
    self._balances[(holding.account << 8) | holding.index] = (min(holding.exempt, balance) << 128) | convert(
        convert(balance, uint128), uint256
    )
    book_hash: bytes32 = extcall CLEARINGHOUSE.note_collateral(
        holding.account, holding.index, kind, change, balance != 0
    )
    log IVault.CollateralChanged(
        account=holding.account,
        token=holding.token,
        kind=kind,
        change=change,
        balance=balance,
        bookHash=book_hash,
        seq=custody._next_seq(),
    )


@internal
@view
def _holding(account: uint256, token: address) -> Holding:
    listing: uint256 = self._listings[token]
    assert listing != 0, "vault: token not listed"
    index: uint256 = listing >> INDEX_SHIFT
    word: uint256 = self._balances[(account << 8) | index]
    return Holding(
        account=account,
        token=token,
        index=index,
        scale=10**(18 - ((listing >> DECIMALS_SHIFT) & 255)),
        balance=word & LOW_128,
        exempt=word >> 128,
    )


@internal
@view
def _spec(token: address) -> IVault.Collateral:
    """
    @notice With the haircuts in force.
    """
    listing: uint256 = self._listings[token]
    initial: uint256 = 0
    maintenance: uint256 = 0
    initial, maintenance = self._haircuts(listing)
    return IVault.Collateral(
        index=convert(listing >> INDEX_SHIFT, uint8),
        decimals=convert((listing >> DECIMALS_SHIFT) & 255, uint8),
        underlying=convert((listing >> UNDERLYING_SHIFT) & LOW_16, uint16),
        initialHaircut=convert(initial, uint16),
        maintenanceHaircut=convert(maintenance, uint16),
        cap=convert(listing & LOW_128, uint128),
    )


@internal
@view
def _haircuts(listing: uint256) -> (uint256, uint256):
    """
    @notice Initial and maintenance haircut in force, basis points, rounded up: while the token is being delisted, on their
            way to one.
    """
    initial: uint256 = (listing >> INITIAL_SHIFT) & LOW_16
    maintenance: uint256 = (listing >> MAINTENANCE_SHIFT) & LOW_16
    since: uint256 = (listing >> SINCE_SHIFT) & LOW_32
    if since == 0:
        return initial, maintenance
    over: uint256 = (listing >> OVER_SHIFT) & LOW_24
    left: uint256 = over - min(over, block.timestamp - since)
    return (
        c.BASIS_POINTS - (c.BASIS_POINTS - initial) * left // over,
        c.BASIS_POINTS - (c.BASIS_POINTS - maintenance) * left // over,
    )


@internal
@view
def _terms_now(listing: uint256) -> uint256:
    """
    @notice The 64 high bits of a word: what a token counts now. Zero: nothing any more.
    """
    since: uint256 = (listing >> SINCE_SHIFT) & LOW_32
    if since == 0:
        return listing >> MAINTENANCE_SHIFT
    if block.timestamp >= since + ((listing >> OVER_SHIFT) & LOW_24):
        return 0
    initial: uint256 = 0
    maintenance: uint256 = 0
    initial, maintenance = self._haircuts(listing)
    return ((listing >> UNDERLYING_SHIFT) << 32) | (initial << 16) | maintenance


# Small things


@internal
@view
def _check_auction_house():
    assert msg.sender == staticcall CLEARINGHOUSE.auction_house(), "vault: not the auction house"


@internal
@view
def _check_collateral_sale():
    assert msg.sender == self.collateral_sale.address, "vault: not the collateral sale"


@internal
@view
def _require_servant(servant: address):
    """
    @notice Reverts unless a contract serves this very vault.
    """
    assert servant.is_contract, "vault: not a contract"
    assert staticcall Servant(servant).VAULT() == self, "vault: of another vault"
