# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Vault
@license AGPL-3.0-only
@notice Holds every token of the protocol: the settlement token behind cash, and collateral that counts towards margins after
        a haircut. Deposits pass always. A withdrawal passes like a trade: by headroom, leaf, report or worst case, and
        within the outflow limit. Losses beyond the insurance fund lower what cash is worth, for everybody alike.
          listing  index (8) << 240 | underlying (16) << 224 | initial haircut (16) << 208 | maintenance haircut (16) << 192
                   | decimals (8) << 128 | cap (128, token's decimals)
          balance  exempt (128) << 128 | balance (128), WAD
          word     the listing's 64 high bits << 192 | balance (128)
@custom:security Tokens move last. Only what arrives is credited; a donation changes nothing. Trusts the Clearinghouse for
        cash and margins, the auction house with sales of frozen accounts' collateral, the collateral sale with sales for
        cash that is missing.
@custom:kill The Clearinghouse's pause stops attested withdrawals; deposits and worst-case withdrawals cannot be paused.
        A listing is never taken away, as balances would be stranded: its cap goes to zero.
"""

from ethereum.ercs import IERC20

from ..attestation import typed_data
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
DECIMALS_SHIFT: constant(uint256) = 128
LOW_128: constant(uint256) = 2**128 - 1
ALL: constant(uint256) = 2**32 - 1  # of the underlyings

# Immutables

CLEARINGHOUSE: public(immutable(IClearinghouse))
# The settlement token and WAD per smallest unit of it
TOKEN: immutable(IERC20)
SCALE: immutable(uint256)

# Storage

# Pays deficits
insurance_fund: public(IInsuranceFund)
# Sells collateral for cash that is missing, and charges interest on it
collateral_sale: public(ICollateralSale)
# token -> listing; zero: not listed
_listings: HashMap[address, uint256]
# by index - 1
_tokens: DynArray[address, c.MAX_COLLATERALS]
# by account << 8 | index
_balances: HashMap[uint256, uint256]
# by account << 8 | index: the epoch of the last deposit
_deposited_in: HashMap[uint256, uint64]
# Number of the last event
_seq: uint64


# One collateral balance while it changes.
struct Holding:
    account: uint256
    token: address
    index: uint256
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
    custody.__init__(outflow_share)
    CLEARINGHOUSE = clearinghouse
    TOKEN = token
    SCALE = 10**convert(18 - decimals, uint256)
    log IVault.SettlementTokenSet(token=token.address, decimals=decimals, seq=self._next_seq())
    log IVault.OutflowShareSet(share=outflow_share, seq=self._next_seq())


# Owners of accounts


@external
def deposit(account: uint256, token: address, amount: uint256):
    """
    @notice Credits tokens to an account, at any time: the settlement token anyone, collateral the owner or an operator,
            once an epoch, as it changes what a margin is of. While there is a shortfall, cash is credited at its rate.
    @param amount In the token's decimals.
    """
    assert amount != 0, "vault: zero amount"
    if token == TOKEN.address:
        self._deposit_cash(account, amount, msg.sender)
    else:
        assert staticcall CLEARINGHOUSE.may_act(account, msg.sender), "vault: not authorised"
        self._deposit_collateral(account, token, amount)


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
    @notice Pays tokens out. Leaves equity at initial margin or above and settled cash at zero or above. Taking collateral
            out ends what a record or leaf says: it passes by report or worst case.
    @param amount In the token's decimals. While there is a shortfall, that much cash pays less.
    @param recipient Who is paid.
    @param evidence Headroom, leaf, report or worst case.
    @param statement Epoch and signatures of a leaf or report.
    """
    assert staticcall CLEARINGHOUSE.may_act(account, msg.sender), "vault: not authorised"
    assert recipient != empty(address), "vault: zero recipient"
    assert amount != 0, "vault: zero amount"
    assert evidence.way <= c.WAY_WORST_CASE, "vault: not a way to withdraw"
    taken: uint256 = 0
    if token == TOKEN.address:
        taken = amount * SCALE
    debited: IClearinghouse.Debit = extcall CLEARINGHOUSE.debit(account, taken, evidence.way)
    exempt: uint256 = debited.exempt // SCALE
    if taken == 0:
        exempt = self._take_collateral(account, token, amount, c.CHANGE_WITHDRAWAL)
    underlyings: uint256 = 0
    if amount > exempt:
        underlyings = ALL
    gate: IMarginGate = IMarginGate(staticcall CLEARINGHOUSE.gate())
    passed: IMarginGate.Passed = empty(IMarginGate.Passed)
    if evidence.way == c.WAY_HEADROOM:
        passed.settled = (staticcall gate.require_headroom(CLEARINGHOUSE.address, underlyings, [account]))[0]
    else:
        action: bytes32 = typed_data._withdrawal_hash(account, token, amount, recipient, debited.nonce)
        passed = staticcall gate.require_pass(CLEARINGHOUSE.address, action, underlyings, account, evidence, statement)
    if evidence.way == c.WAY_LEAF or passed.settled < convert(debited.exempt, int256):
        extcall CLEARINGHOUSE.store_pass(account, evidence.way, passed)
    paid: uint256 = amount
    if taken != 0:
        paid = self._worth(amount)
    custody._release(token, paid, exempt)
    log IVault.Withdrawn(
        account=account, token=token, recipient=recipient, amount=paid, cash=debited.cash, seq=self._next_seq()
    )
    custody._send(token, recipient, paid)


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
    custody._receive(TOKEN.address, msg.sender, amount)


# Auction house


@external
def transfer_share(seller: uint256, buyer: uint256, fraction: uint256) -> int256:
    """
    @notice Moves a fraction of all collateral of an account in auction, rounded down. Only the auction house.
    @param fraction WAD, at most 1.
    @return Its full value at the effective spots, WAD.
    """
    self._check_auction_house()
    assert fraction <= c.WAD, "vault: more than everything"
    moved: DynArray[uint256, c.MAX_COLLATERALS] = []
    for token: address in self._tokens:
        sold: Holding = self._holding(seller, token)
        part: uint256 = sold.balance * fraction // c.WAD
        if part == 0:
            continue
        self._change(sold, c.CHANGE_AUCTION, -convert(part, int256))
        self._change(self._holding(buyer, token), c.CHANGE_PURCHASE, convert(part, int256))
        moved.append(self._word(token, part))
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
    held: uint256 = custody._held[TOKEN.address]
    before: uint256 = staticcall TOKEN.balanceOf(self)
    extcall self.insurance_fund.cover((payout + SCALE - 1) // SCALE)
    paid: uint256 = staticcall TOKEN.balanceOf(self) - before
    custody._held[TOKEN.address] = held + paid
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
    self._take_collateral(account, token, amount, c.CHANGE_CONVERSION)
    custody._held[token] -= amount
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
    log IVault.InterestCharged(account=account, amount=amount, cash=cash, seq=self._next_seq())


@external
@reentrant
def note_drawn(account: uint256, amount: uint256):
    """
    @notice A trade that reduces risk has left settled cash below zero: counts towards the caps of debts. Only the
            Clearinghouse.
    @dev Not under the lock, as it moves nothing: a trade passes while a token is being sent.
    @param amount WAD.
    """
    assert msg.sender == CLEARINGHOUSE.address, "vault: not the clearinghouse"
    extcall self.collateral_sale.note_drawn(account, amount)


# Owner


@external
def list_collateral(token: address, spec: IVault.Collateral) -> uint8:
    """
    @notice Lists a token as collateral, or changes haircuts and cap. Only the owner.
    @param spec Its `index` is ignored; the underlying and the decimals of a listed token stay.
    @return The token's index.
    """
    ownable._check_owner()
    assert token != empty(address) and token != TOKEN.address, "vault: not a collateral token"
    assert spec.decimals <= 18, "vault: more than 18 decimals"
    assert spec.underlying != 0, "vault: no underlying"
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
    log IVault.CollateralListed(token=token, collateral=listed, seq=self._next_seq())
    return index


@external
def set_insurance_fund(insurance_fund: IInsuranceFund):
    """
    @notice Names who pays deficits. Only the owner.
    """
    ownable._check_owner()
    assert insurance_fund.address != empty(address), "vault: zero address"
    self.insurance_fund = insurance_fund
    log IVault.InsuranceFundSet(insuranceFund=insurance_fund.address, seq=self._next_seq())


@external
def set_collateral_sale(collateral_sale: ICollateralSale):
    """
    @notice Names who sells collateral for cash that is missing and charges interest. Only the owner.
    """
    ownable._check_owner()
    assert collateral_sale.address != empty(address), "vault: zero address"
    self.collateral_sale = collateral_sale
    log IVault.CollateralSaleSet(collateralSale=collateral_sale.address, seq=self._next_seq())


@external
def set_outflow_share(share: uint256):
    """
    @notice Share of the tokens held that may leave in an hour beyond exempt withdrawals. Only the owner.
    @param share WAD, above 0, at most 1.
    """
    ownable._check_owner()
    custody._set_share(share)
    log IVault.OutflowShareSet(share=share, seq=self._next_seq())


@external
def collect_fees(recipient: address) -> uint256:
    """
    @notice Pays out the fees, in whole units of the token; what is less stays. While there is a shortfall they go
            towards it instead. Only the owner.
    @return In the token's decimals.
    """
    ownable._check_owner()
    assert recipient != empty(address), "vault: zero recipient"
    self._release_recovery()
    amount: uint256 = staticcall CLEARINGHOUSE.fees() // SCALE
    assert amount != 0, "vault: no fees"
    extcall CLEARINGHOUSE.change_fees(-convert(amount * SCALE, int256))
    if shortfall._shortfall() != 0:
        shortfall._give(amount * SCALE)
        self._note_losses()
        return 0
    custody._held[TOKEN.address] -= amount
    log IVault.FeesCollected(recipient=recipient, amount=amount, seq=self._next_seq())
    custody._send(TOKEN.address, recipient, amount)
    return amount


# Views


@external
@view
@reentrant
def words(account: uint256, held: uint256) -> DynArray[uint256, c.MAX_COLLATERALS]:
    """
    @notice All collateral of an account with what it counts: what the gate values.
    @param held Bit index - 1: the account holds the token.
    @return In the order of the indices.
    """
    found: DynArray[uint256, c.MAX_COLLATERALS] = []
    bits: uint256 = held
    for i: uint256 in range(c.MAX_COLLATERALS):
        if bits == 0:
            break
        if bits & 1 != 0:
            found.append(self._word(self._tokens[i], self._balances[(account << 8) | (i + 1)] & LOW_128))
        bits = bits >> 1
    return found


@external
@view
def collateral(token: address) -> IVault.Collateral:
    """
    @notice A listed collateral token; zeros where it is not.
    """
    return self._spec(token)


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
    return custody._held[token]


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
    return TOKEN.address


@external
@view
def seq() -> uint64:
    """
    @notice Number of the last event: a gap proves a missing event.
    """
    return self._seq


# Cash


@internal
def _deposit_cash(account: uint256, amount: uint256, payer: address):
    tokens: uint256 = amount * SCALE
    cash: uint256 = tokens
    if not shortfall._is_whole():
        self._release_recovery()
        cash = shortfall._credit(tokens, self._pool())
        self._note_losses()
    after: int256 = extcall CLEARINGHOUSE.credit(account, cash, tokens)
    log IVault.Deposited(account=account, token=TOKEN.address, amount=amount, cash=after, seq=self._next_seq())
    custody._receive(TOKEN.address, payer, amount)


@internal
def _worth(amount: uint256) -> uint256:
    """
    @notice Takes an amount of cash from what is owed.
    @return What it pays at the rate of the shortfall, open deficits of auctions priced in, in the token's decimals,
            rounded down.
    """
    if shortfall._is_whole():
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
    return shortfall._pool(custody._held[TOKEN.address] * SCALE, staticcall CLEARINGHOUSE.fees())


@internal
def _note_losses():
    """
    @notice Tells the Clearinghouse and the world.
    """
    missing: uint256 = shortfall._shortfall()
    extcall CLEARINGHOUSE.set_impaired(missing != 0)
    log IVault.ShortfallChanged(
        shortfall=missing,
        recovery=shortfall._recovery(),
        openDeficit=shortfall._open_deficit(),
        seq=self._next_seq(),
    )


# Collateral


@internal
def _deposit_collateral(account: uint256, token: address, amount: uint256):
    holding: Holding = self._holding(account, token)
    spec: IVault.Collateral = self._spec(token)
    assert custody._held[token] + amount <= convert(spec.cap, uint256), "vault: collateral above its cap"
    added: uint256 = amount * 10**convert(18 - spec.decimals, uint256)
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
    scale: uint256 = 10**convert(18 - self._spec(token).decimals, uint256)
    taken: uint256 = amount * scale
    holding: Holding = self._holding(account, token)
    assert taken <= holding.balance, "vault: not that much collateral"
    exempt: uint256 = holding.exempt // scale
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
        seq=self._next_seq(),
    )


@internal
@view
def _holding(account: uint256, token: address) -> Holding:
    index: uint256 = self._listings[token] >> INDEX_SHIFT
    assert index != 0, "vault: token not listed"
    word: uint256 = self._balances[(account << 8) | index]
    return Holding(account=account, token=token, index=index, balance=word & LOW_128, exempt=word >> 128)


@internal
@view
def _spec(token: address) -> IVault.Collateral:
    listing: uint256 = self._listings[token]
    return IVault.Collateral(
        index=convert(listing >> INDEX_SHIFT, uint8),
        decimals=convert((listing >> DECIMALS_SHIFT) & 255, uint8),
        underlying=convert((listing >> UNDERLYING_SHIFT) & 65535, uint16),
        initialHaircut=convert((listing >> INITIAL_SHIFT) & 65535, uint16),
        maintenanceHaircut=convert((listing >> MAINTENANCE_SHIFT) & 65535, uint16),
        cap=convert(listing & LOW_128, uint128),
    )


@internal
@view
def _word(token: address, balance: uint256) -> uint256:
    return ((self._listings[token] >> MAINTENANCE_SHIFT) << MAINTENANCE_SHIFT) | balance


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
def _next_seq() -> uint64:
    self._seq += 1
    return self._seq
