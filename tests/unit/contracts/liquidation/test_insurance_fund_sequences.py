"""The insurance fund under any sequence of stakes, exits, transfers, deficits and covers."""

import boa
import pytest
from boa import BoaError
from hypothesis import given, settings
from hypothesis import strategies as st

boa.interpret.set_cache_dir(".build/boa")
USD = 10**6
WAD = 10**18
DAY = 86_400
COOLDOWN = 7 * DAY
REASONS = ("fund: ", "erc20: transfer amount exceeds balance")
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["stake", "request", "leave", "withdraw", "transfer", "cover", "deficit", "calm", "wait"]
        ),
        st.integers(0, 1),
        st.integers(0, 200 * USD),
    ),
    max_size=20,
)
# both have staked, and an exit of each has matured
OPENING = [
    ("stake", 0, 100 * USD),
    ("stake", 1, 50 * USD),
    ("request", 0, 3),
    ("request", 1, 1),
    ("wait", 0, 0),
]


class Sequence:
    """Two stakers; what went in and out is counted apart from the vault."""

    def __init__(self):
        self.token = boa.load("contracts/mocks/MockToken.vy", 6)
        self.payee = boa.load("contracts/mocks/MockVault.vy", self.token.address)
        self.vault = boa.load(
            "contracts/liquidation/InsuranceFund.vy", self.payee.address, WAD // 2, COOLDOWN
        )
        self.stakers = [boa.env.generate_address(name) for name in ("first", "second")]
        self.held = 0
        for who in self.stakers:
            self.token.mint(who, 10**9 * USD)
            self.token.approve(self.vault, 2**256 - 1, sender=who)

    def act(self, name, who, size):
        vault, owner = self.vault, self.stakers[who]
        if name == "stake":
            vault.deposit(size, owner, sender=owner)
            self.held += size
        elif name == "request":
            vault.request_exit(vault.balanceOf(owner) * (size % 4 + 1) // 4, sender=owner)
        elif name == "leave":
            self.held -= vault.redeem(min(size * 10**6, vault.maxRedeem(owner)), owner, owner, sender=owner)
        elif name == "withdraw":
            assets = size % (vault.maxWithdraw(owner) + 1)
            vault.withdraw(assets, owner, owner, sender=owner)
            self.held -= assets
        elif name == "transfer":
            vault.transfer(self.stakers[1 - who], size * 10**6, sender=owner)
        elif name == "cover":
            available = vault.available()
            paid = self.payee.ask(vault, size)
            assert paid == min(size, available)
            self.held -= paid
        elif name == "deficit":
            self.payee.set_open_deficit(size * 10**12)
        elif name == "calm":
            self.payee.set_open_deficit(0)
        else:
            boa.env.evm.patch.timestamp += (COOLDOWN, DAY, 3 * DAY)[size % 3]

    def check(self):
        vault = self.vault
        assert self.token.balanceOf(vault) == vault.totalAssets() == self.held
        balances = [vault.balanceOf(who) for who in self.stakers]
        assert sum(balances) == vault.totalSupply()
        assert sum(vault.convertToAssets(balance) for balance in balances) <= self.held
        assert vault.available() <= self.held * vault.daily_share() // WAD
        for who, balance in zip(self.stakers, balances, strict=True):
            exit_shares, _, _, expires = vault.exit_of(who)
            if boa.env.evm.patch.timestamp <= expires:
                assert exit_shares <= balance
            self.check_limits(who, balance)

    def check_limits(self, who, balance):
        """What the limits promise is paid, and never more than the share of the net assets."""
        shares, assets = self.vault.maxRedeem(who), self.vault.maxWithdraw(who)
        assert shares <= balance
        if shares == 0:
            assert assets == 0
            return
        with boa.env.anchor():
            preview = self.vault.previewRedeem(shares, sender=who)
            worth = self.vault.convertToAssets(shares)
            assert self.vault.redeem(shares, who, who, sender=who) == preview == assets <= worth
        with boa.env.anchor():
            assert self.vault.withdraw(assets, who, who, sender=who) <= shares


@pytest.fixture(scope="module")
def deployed():
    with boa.env.anchor():
        yield Sequence()


def test_any_sequence__books_balance_and_limits_are_true(deployed):
    done = set()

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(ACTIONS)
    def check(actions):
        deployed.held = 0
        with boa.env.anchor():
            for name, who, size in [*OPENING, *actions]:
                try:
                    deployed.act(name, who, size)
                    done.add(name)
                except BoaError as error:
                    assert any(reason in str(error) for reason in REASONS), error
                deployed.check()

    check()
    assert done == {"stake", "request", "leave", "withdraw", "transfer", "cover", "deficit", "calm", "wait"}
