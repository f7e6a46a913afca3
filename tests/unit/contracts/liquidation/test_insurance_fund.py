"""The insurance fund: stakes and exits at the lower value, no run from a deficit, cover within its share."""

import boa
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.support.house import events
from tests.support.keys import address_for, key_of

boa.interpret.set_cache_dir(".build/boa")
USD = 10**6
SHARE = 10**12  # of a vault with six virtual decimals over six decimals
WAD = 10**18
DAY = 86_400
COOLDOWN = 7 * DAY
WINDOW = 2 * DAY
RICH = 1_000_000 * USD


class Fund:
    """The fund, its token and the Vault it pays; stakers hold a million and have approved it."""

    def __init__(self):
        self.owner = boa.env.eoa
        self.token = boa.load("contracts/mocks/MockToken.vy", 6)
        self.payee = boa.load("contracts/mocks/MockVault.vy", self.token.address)
        self.vault = boa.load(
            "contracts/liquidation/InsuranceFund.vy", self.payee.address, WAD // 2, COOLDOWN
        )

    def staker(self, name):
        found = boa.env.generate_address(name)
        self.token.mint(found, RICH)
        self.token.approve(self.vault, 2**256 - 1, sender=found)
        return found

    def stake(self, who, assets):
        return self.vault.deposit(assets, who, sender=who)

    def request(self, who, shares):
        self.vault.request_exit(shares, sender=who)

    def wait(self, seconds):
        boa.env.evm.patch.timestamp += seconds

    def leave(self, who, shares):
        return self.vault.redeem(shares, who, who, sender=who)

    def worth(self, who):
        return self.vault.convertToAssets(self.vault.balanceOf(who))


@pytest.fixture(scope="module")
def deployed():
    with boa.env.anchor():
        yield Fund()


@pytest.fixture
def fund(deployed):
    with boa.env.anchor():
        yield deployed


@pytest.fixture
def alice(fund):
    return fund.staker("alice")


@pytest.fixture
def bob(fund):
    return fund.staker("bob")


# Staking


def test_constructor__stores_what_it_is_given(fund):
    vault = fund.vault
    assert (vault.asset(), vault.VAULT()) == (fund.token.address, fund.payee.address)
    assert (vault.daily_share(), vault.cooldown(), vault.decimals()) == (WAD // 2, COOLDOWN, 12)
    assert vault.owner() == fund.owner


def test_deposit__first__gets_a_share_per_dollar(fund, alice):
    assert fund.vault.previewDeposit(100 * USD) == 100 * SHARE

    assert fund.stake(alice, 100 * USD) == 100 * SHARE

    (event,) = events(fund.vault, "Deposit")
    assert (event.sender, event.owner, event.assets, event.shares) == (alice, alice, 100 * USD, 100 * SHARE)
    assert fund.vault.totalAssets() == 100 * USD
    assert fund.token.balanceOf(alice) == RICH - 100 * USD


def test_mint__after_a_gain__costs_what_the_preview_says(fund, alice, bob):
    fund.stake(alice, 100 * USD)
    fund.token.mint(fund.vault, 50 * USD)
    cost = fund.vault.previewMint(10 * SHARE)

    assert fund.vault.mint(10 * SHARE, bob, sender=bob) == cost

    assert cost == 15 * USD
    assert fund.vault.balanceOf(bob) == 10 * SHARE
    assert fund.token.balanceOf(bob) == RICH - cost


def test_deposit__after_a_loss__buys_more_shares(fund, alice, bob):
    fund.stake(alice, 100 * USD)
    fund.payee.ask(fund.vault, 50 * USD)

    shares = fund.stake(bob, 50 * USD)

    assert shares == pytest.approx(100 * SHARE, rel=1e-6)
    assert fund.worth(bob) <= 50 * USD


@pytest.mark.parametrize("assets", [0, 1])
def test_deposit__worth_no_share__reverts(fund, alice, bob, assets):
    fund.stake(alice, 1)
    fund.token.mint(fund.vault, 10**9 * USD)
    with boa.reverts("fund: no shares"):
        fund.stake(bob, assets)


def test_deposit__price_inflated_by_the_first_staker__costs_the_attacker_and_not_the_victim(fund, alice, bob):
    fund.stake(alice, 1)
    fund.token.transfer(fund.vault, RICH - 1, sender=alice)  # the donation

    fund.stake(bob, 10_000 * USD)

    assert fund.worth(bob) >= 9_999 * USD
    assert fund.worth(alice) < RICH * 51 // 100


def test_deposit__token_takes_a_fee__reverts():
    token = boa.load("contracts/mocks/MockHostileToken.vy", 6)
    payee = boa.load("contracts/mocks/MockVault.vy", token.address)
    vault = boa.load("contracts/liquidation/InsuranceFund.vy", payee.address, WAD // 2, COOLDOWN)
    token.mint(boa.env.eoa, 100 * USD)
    token.set_mode(1)
    with boa.reverts("fund: amount differs"):
        vault.deposit(100 * USD, boa.env.eoa)


def test_stake__open_deficit__is_refused_and_the_limits_say_so(fund, alice):
    fund.payee.set_open_deficit(1)

    assert fund.vault.maxDeposit(alice) == fund.vault.maxMint(alice) == 0
    with boa.reverts("fund: open deficit"):
        fund.stake(alice, 100 * USD)
    with boa.reverts("fund: open deficit"):
        fund.vault.mint(SHARE, alice, sender=alice)


def test_max_deposit__no_deficit__is_unlimited_but_for_nobody(fund, alice):
    assert fund.vault.maxDeposit(alice) == fund.vault.maxMint(alice) == 2**256 - 1
    assert fund.vault.maxDeposit("0x" + "00" * 20) == 0


def test_convert__open_deficit__prices_it_in(fund, alice):
    fund.stake(alice, 100 * USD)
    fund.payee.set_open_deficit(40 * WAD)

    assert fund.worth(alice) == pytest.approx(60 * USD, abs=1)
    assert fund.vault.convertToShares(60 * USD) == pytest.approx(100 * SHARE, rel=1e-6)
    assert fund.vault.totalAssets() == 100 * USD


# Leaving


def test_request_exit__locks_the_value_and_the_time(fund, alice):
    shares = fund.stake(alice, 100 * USD)
    now = boa.env.evm.patch.timestamp

    fund.request(alice, shares)

    (event,) = events(fund.vault, "ExitRequested")
    assert (event.owner, event.shares, event.assets) == (alice, shares, 100 * USD)
    assert (event.matures, event.expires) == (now + COOLDOWN, now + COOLDOWN + WINDOW)
    assert tuple(fund.vault.exit_of(alice)) == (shares, 100 * USD, event.matures, event.expires)


def test_request_exit__open_deficit__locks_the_lower_value(fund, alice):
    shares = fund.stake(alice, 100 * USD)
    fund.payee.set_open_deficit(40 * WAD)
    fund.request(alice, shares)
    fund.payee.set_open_deficit(0)
    fund.wait(COOLDOWN)

    assert fund.leave(alice, shares) == pytest.approx(60 * USD, abs=1)


@pytest.mark.parametrize(("shares", "reason"), [(0, "no shares"), (100 * SHARE + 1, "balance too low")])
def test_request_exit__nothing_or_too_much__reverts(fund, alice, shares, reason):
    fund.stake(alice, 100 * USD)
    with boa.reverts(f"fund: {reason}"):
        fund.request(alice, shares)


@pytest.mark.parametrize(
    ("waited", "reason"),
    [
        (0, "cooling down"),
        (COOLDOWN - 1, "cooling down"),
        (COOLDOWN, None),
        (COOLDOWN + WINDOW, None),
        (COOLDOWN + WINDOW + 1, "exit expired"),
    ],
)
def test_redeem__only_in_the_window(fund, alice, waited, reason):
    shares = fund.stake(alice, 100 * USD)
    fund.request(alice, shares)
    fund.wait(waited)

    assert fund.vault.maxRedeem(alice) == (0 if reason else shares)
    assert fund.vault.maxWithdraw(alice) == (0 if reason else 100 * USD)
    if reason:
        with boa.reverts(f"fund: {reason}"):
            fund.leave(alice, shares)
        with boa.reverts(f"fund: {reason}"):
            fund.vault.withdraw(1, alice, alice, sender=alice)
        return
    assert fund.vault.previewRedeem(shares, sender=alice) == 100 * USD
    assert fund.leave(alice, shares) == 100 * USD
    assert fund.token.balanceOf(alice) == RICH
    assert tuple(fund.vault.exit_of(alice)) == (0, 0, 0, 0)


def test_redeem__never_requested__reverts(fund, alice):
    fund.stake(alice, 100 * USD)
    assert fund.vault.maxRedeem(alice) == 0
    with boa.reverts("fund: no exit"):
        fund.leave(alice, SHARE)


def test_redeem__value_fell_meanwhile__pays_the_value_now(fund, alice, bob):
    shares = fund.stake(alice, 100 * USD)
    fund.stake(bob, 100 * USD)
    fund.request(alice, shares)
    fund.payee.ask(fund.vault, 100 * USD)
    fund.wait(COOLDOWN)

    assert fund.leave(alice, shares) == pytest.approx(50 * USD, abs=1)
    assert fund.worth(bob) == pytest.approx(50 * USD, abs=1)


def test_redeem__value_rose_meanwhile__pays_the_value_at_request(fund, alice, bob):
    shares = fund.stake(alice, 100 * USD)
    fund.stake(bob, 100 * USD)
    fund.request(alice, shares)
    fund.token.mint(fund.vault, 100 * USD)
    fund.wait(COOLDOWN)

    assert fund.vault.maxWithdraw(alice) == 100 * USD
    assert fund.leave(alice, shares) == 100 * USD
    assert fund.worth(bob) == pytest.approx(200 * USD, abs=1)


def test_redeem__in_parts__shares_the_value_at_request_out(fund, alice):
    shares = fund.stake(alice, 100 * USD)
    fund.request(alice, shares)
    fund.token.mint(fund.vault, 100 * USD)
    fund.wait(COOLDOWN)

    assert fund.leave(alice, shares // 4) == 25 * USD
    assert tuple(fund.vault.exit_of(alice))[:2] == (shares * 3 // 4, 75 * USD)
    assert fund.leave(alice, shares * 3 // 4) == 75 * USD
    with boa.reverts("fund: no exit"):
        fund.leave(alice, 1)


def test_withdraw__what_the_limit_allows__burns_what_the_preview_says(fund, alice):
    shares = fund.stake(alice, 100 * USD)
    fund.request(alice, shares)
    fund.payee.ask(fund.vault, 33 * USD)
    fund.wait(COOLDOWN)
    most = fund.vault.maxWithdraw(alice)
    preview = fund.vault.previewWithdraw(most, sender=alice)

    with boa.reverts("fund: more than requested"):
        fund.vault.withdraw(most + 1, alice, alice, sender=alice)
    assert fund.vault.withdraw(most, alice, alice, sender=alice) == preview

    assert preview <= shares
    assert fund.token.balanceOf(alice) == RICH - 100 * USD + most


def test_redeem__more_than_requested__reverts(fund, alice):
    fund.stake(alice, 100 * USD)
    fund.request(alice, 40 * SHARE)
    fund.wait(COOLDOWN)
    with boa.reverts("fund: more than requested"):
        fund.leave(alice, 40 * SHARE + 1)


def test_redeem__run_on_an_open_deficit__is_refused_until_it_is_known(fund, alice, bob):
    for who in (alice, bob):
        fund.request(who, fund.stake(who, 100 * USD))
    fund.wait(COOLDOWN)
    fund.payee.set_open_deficit(80 * WAD)

    assert fund.vault.maxRedeem(alice) == fund.vault.maxWithdraw(alice) == 0
    with boa.reverts("fund: open deficit"):
        fund.leave(alice, 100 * SHARE)
    with boa.reverts("fund: open deficit"):
        fund.vault.withdraw(1, alice, alice, sender=alice)

    fund.payee.ask(fund.vault, 80 * USD)
    fund.payee.set_open_deficit(0)
    first, last = fund.leave(alice, 100 * SHARE), fund.leave(bob, 100 * SHARE)
    assert first == pytest.approx(60 * USD, abs=1) and last == pytest.approx(first, abs=1)


def test_redeem__for_the_owner__needs_its_allowance(fund, alice, bob):
    shares = fund.stake(alice, 100 * USD)
    fund.request(alice, shares)
    fund.wait(COOLDOWN)

    with boa.reverts("erc20: insufficient allowance"):
        fund.vault.redeem(shares, bob, alice, sender=bob)
    fund.vault.approve(bob, shares, sender=alice)
    assert fund.vault.redeem(shares, bob, alice, sender=bob) == 100 * USD
    assert fund.token.balanceOf(bob) == RICH + 100 * USD


def test_request_exit__again__starts_the_cooldown_again(fund, alice):
    shares = fund.stake(alice, 100 * USD)
    fund.request(alice, shares)
    fund.wait(COOLDOWN)
    fund.request(alice, shares)

    with boa.reverts("fund: cooling down"):
        fund.leave(alice, shares)
    fund.wait(COOLDOWN)
    assert fund.leave(alice, shares) == 100 * USD


def test_cancel_exit__frees_the_shares_and_forgets_the_request(fund, alice, bob):
    shares = fund.stake(alice, 100 * USD)
    fund.request(alice, shares)

    fund.vault.cancel_exit(sender=alice)

    (event,) = events(fund.vault, "ExitCancelled")
    assert event.owner == alice
    assert fund.vault.transfer(bob, shares, sender=alice)
    with boa.reverts("fund: no exit"):
        fund.vault.cancel_exit(sender=alice)


# Shares


def test_transfer__shares_in_an_exit__stay_until_it_expires(fund, alice, bob):
    fund.stake(alice, 100 * USD)
    fund.request(alice, 60 * SHARE)
    fund.vault.approve(bob, 2**256 - 1, sender=alice)

    assert fund.vault.transfer(bob, 40 * SHARE, sender=alice)
    with boa.reverts("fund: shares are in an exit"):
        fund.vault.transfer(bob, 1, sender=alice)
    with boa.reverts("fund: shares are in an exit"):
        fund.vault.transferFrom(alice, bob, 1, sender=bob)
    fund.wait(COOLDOWN + WINDOW + 1)
    assert fund.vault.transferFrom(alice, bob, 60 * SHARE, sender=bob)

    assert fund.vault.balanceOf(bob) == 100 * SHARE
    assert fund.vault.maxRedeem(alice) == 0


def test_transfer_from__beyond_the_allowance__reverts(fund, alice, bob):
    fund.stake(alice, 100 * USD)
    fund.vault.approve(bob, SHARE, sender=alice)
    with boa.reverts("erc20: insufficient allowance"):
        fund.vault.transferFrom(alice, bob, SHARE + 1, sender=bob)


def test_permit__signed_by_the_owner__allows_once(fund, bob):
    owner = address_for(key_of("staker"))
    domain = {
        "name": "Plimsoll Insurance Fund",
        "version": "1",
        "chainId": boa.env.evm.patch.chain_id,
        "verifyingContract": fund.vault.address,
    }
    kinds = {
        "Permit": [
            {"name": "owner", "type": "address"},
            {"name": "spender", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ]
    }
    deadline = boa.env.evm.patch.timestamp
    message = {"owner": owner, "spender": bob, "value": 5, "nonce": 0, "deadline": deadline}
    signed = Account.sign_message(encode_typed_data(domain, kinds, message), key_of("staker"))
    signature = (signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))

    fund.vault.permit(owner, bob, 5, deadline, *signature)

    assert fund.vault.allowance(owner, bob) == 5
    with boa.reverts("erc20: invalid signature"):
        fund.vault.permit(owner, bob, 5, deadline, *signature)


# Covering


def test_cover__within_the_share__pays_in_full(fund, alice):
    fund.stake(alice, 100 * USD)

    assert fund.payee.ask(fund.vault, 30 * USD) == 30 * USD

    (event,) = events(fund.payee, "DeficitCovered")
    assert (event.asked, event.paid) == (30 * USD, 30 * USD)
    assert fund.token.balanceOf(fund.payee) == 30 * USD
    assert fund.vault.totalAssets() == 70 * USD
    assert fund.vault.available() == 14 * USD  # a fifth of 70: half, less the 30 % paid out


def test_cover__beyond_the_share__pays_what_is_available(fund, alice):
    fund.stake(alice, 100 * USD)
    assert fund.vault.available() == 50 * USD

    assert fund.payee.ask(fund.vault, 10**30) == 50 * USD

    assert fund.vault.available() == 0
    assert fund.payee.ask(fund.vault, USD) == 0


def test_available__refills_evenly_over_a_day(fund, alice):
    fund.stake(alice, 100 * USD)
    fund.payee.ask(fund.vault, 50 * USD)
    assert fund.vault.available() == 0
    fund.wait(DAY // 2)
    assert fund.vault.available() == 50 * USD // 4
    fund.wait(DAY // 2)
    assert fund.vault.available() == 50 * USD // 2
    fund.wait(DAY)
    assert fund.vault.available() == 50 * USD // 2


def test_cover__empty_fund__pays_nothing(fund):
    assert fund.payee.ask(fund.vault, USD) == 0


def test_cover__not_the_vault__reverts(fund, alice):
    fund.stake(alice, 100 * USD)
    for caller in (alice, fund.owner):
        with boa.reverts("fund: not the vault"):
            fund.vault.cover(1, sender=caller)


def test_cover__everything__leaves_worthless_shares_and_a_fund_that_starts_again(fund, alice, bob):
    shares = fund.stake(alice, 100 * USD)
    fund.vault.set_daily_share(WAD)
    fund.request(alice, shares)
    assert fund.payee.ask(fund.vault, 200 * USD) == 100 * USD

    fund.stake(bob, 10 * USD)

    assert fund.worth(bob) == pytest.approx(10 * USD, abs=2)
    fund.wait(COOLDOWN)
    assert fund.leave(alice, shares) <= 1


# Owner


@pytest.mark.parametrize("share", [WAD // 100, WAD])
def test_set_daily_share__within_its_range__is_stored_and_logged(fund, alice, share):
    fund.stake(alice, 100 * USD)
    fund.vault.set_daily_share(share)

    (event,) = events(fund.vault, "DailyShareSet")
    assert event.share == share == fund.vault.daily_share()
    assert fund.vault.available() == 100 * USD * share // WAD


@pytest.mark.parametrize("share", [0, WAD // 100 - 1, WAD + 1])
def test_set_daily_share__outside__reverts(fund, share):
    with boa.reverts("fund: bad daily share"):
        fund.vault.set_daily_share(share)


@pytest.mark.parametrize("cooldown", [DAY, 30 * DAY])
def test_set_cooldown__counts_for_later_requests_only(fund, alice, cooldown):
    fund.request(alice, fund.stake(alice, 100 * USD))
    matures = fund.vault.exit_of(alice)[2]

    fund.vault.set_cooldown(cooldown)

    (event,) = events(fund.vault, "CooldownSet")
    assert event.cooldown == cooldown == fund.vault.cooldown()
    assert fund.vault.exit_of(alice)[2] == matures
    fund.request(alice, SHARE)
    assert fund.vault.exit_of(alice)[2] == boa.env.evm.patch.timestamp + cooldown


@pytest.mark.parametrize("cooldown", [0, DAY - 1, 30 * DAY + 1])
def test_set_cooldown__outside__reverts(fund, cooldown):
    with boa.reverts("fund: bad cooldown"):
        fund.vault.set_cooldown(cooldown)


def test_owner_functions__not_the_owner__revert(fund, alice):
    for function, argument in (
        ("set_daily_share", WAD),
        ("set_cooldown", DAY),
        ("transfer_ownership", alice),
    ):
        with boa.reverts("ownable: caller is not the owner"):
            getattr(fund.vault, function)(argument, sender=alice)


def test_events__every_change__is_numbered_without_a_gap(fund, alice):
    start = fund.vault._storage._seq.get()
    fund.request(alice, fund.stake(alice, 100 * USD))
    first = events(fund.vault, "ExitRequested")[0].seq
    fund.vault.cancel_exit(sender=alice)
    second = events(fund.vault, "ExitCancelled")[0].seq
    fund.payee.ask(fund.vault, USD)
    third = events(fund.payee, "DeficitCovered")[0].seq

    assert (first, second, third) == (start + 1, start + 2, start + 3)
