"""Losses beyond the insurance fund, through the Vault: who bears them, and how they end.

After every step of every test the tokens held are settled cash, fees and recovery less the shortfall, to the
wei.
"""

from dataclasses import dataclass
from random import Random

import boa
import pytest

from keeper.clearing import shortfall as sf
from keeper.units import constants as c
from tests.support.clearing import (
    ACTION,
    CALL,
    HEADROOM,
    PERP,
    PUT,
    USDC,
    WAD,
    Deal,
    Side,
    auction_house,
    source,
)
from tests.support.house import House, events

WORST = Side(c.WAY_WORST_CASE)
UNIT = 10**12  # WAD per unit of the token
WEEK = sf.RELEASE_SECONDS
OWED = 1_010_000  # USD, of maker and taker
LOSS = OWED * WAD // 4  # a quarter of what is owed before, a fifth of what is owed after: cash is worth 0.8


@dataclass
class Bank:
    """A house whose vault can lose: accounts, an empty fund and who may book losses."""

    house: House
    fund: object
    auctions: str
    estate: int  # an account in auction, without anything
    accounts: list[int]

    def lose(self, amount: int, winner: int) -> None:
        """An auction pays WAD to its winner that the vault does not have."""
        self.house.vault.cover_deficit(amount, sender=self.auctions)
        share = (self.estate, winner, WAD, 0, amount, 0, 0, 0, 0, 2**40 - 1)
        self.house.clearing.transfer_share(share, [], sender=self.auctions)
        self.check()

    def deposit(self, account: int, amount: int) -> None:
        self.house.deposit(account, amount)
        self.check()

    def withdraw(self, account: int, amount: int) -> int:
        """Tokens paid for an amount of cash, both in the token's units."""
        owner, token = self.house.owners[account], self.house.contracts.token
        before = token.balanceOf(owner)
        self.house.withdraw(account, amount, WORST)
        self.check()
        return int(token.balanceOf(owner) - before)

    def recover(self, amount: int) -> None:
        """A gift of a stranger."""
        token, giver = self.house.contracts.token, boa.env.generate_address("giver")
        token.mint(giver, amount)
        token.approve(self.house.vault.address, amount, sender=giver)
        self.house.vault.recover_shortfall(amount, sender=giver)
        self.check()

    def stake(self, amount: int) -> None:
        """Tokens for the insurance fund."""
        token, staker = self.house.contracts.token, boa.env.generate_address("staker")
        token.mint(staker, amount)
        token.approve(self.fund.address, amount, sender=staker)
        self.fund.deposit(amount, staker, sender=staker)

    def collect(self) -> int:
        """Fees to their recipient, sent there by a stranger."""
        self.house.vault.set_fee_recipient(self.auctions, sender=self.house.contracts.owner)
        paid = self.house.vault.collect_fees(sender=boa.env.generate_address("anyone"))
        self.check()
        return int(paid)

    def open_deficit(self, deficit: int) -> None:
        self.house.vault.set_open_deficit(deficit, sender=self.auctions)
        self.check()

    def cash(self, account: int) -> int:
        return int(self.house.clearing.account(account).cash)

    @property
    def losses(self) -> object:
        return self.house.vault.losses()

    @property
    def fees(self) -> int:
        return int(self.house.clearing.fees())

    @property
    def held(self) -> int:
        return int(self.house.vault.held(self.house.contracts.token.address))

    def check(self) -> None:
        """The equation of conservation."""
        assert self.held == self.house.contracts.token.balanceOf(self.house.vault.address)
        settled = sum(self.cash(account) for account in (self.estate, *self.accounts))
        losses = self.losses
        assert self.held * UNIT == settled + self.fees + losses.recovery - losses.shortfall


def wait(seconds: int) -> None:
    boa.env.evm.patch.timestamp += seconds


@pytest.fixture
def bank(pair):
    """No limit on what leaves, so that only the rate matters."""
    house, owner = pair.house, pair.house.contracts.owner
    fund = source("liquidation/InsuranceFund").deploy(house.vault.address, WAD, 86_400)
    auctions, estate = auction_house(), house.open("estate")
    house.vault.set_insurance_fund(fund.address, sender=owner)
    house.vault.set_outflow_share(WAD, sender=owner)
    house.clearing.set_auction_house(auctions, sender=owner)
    house.clearing.set_frozen(estate, True, sender=auctions)
    return Bank(house, fund, auctions, estate, [pair.maker, pair.taker])


@pytest.fixture
def short(bank):
    """Cash is worth 0.8 of its face; the maker has won the loss."""
    bank.lose(LOSS, bank.accounts[0])
    return bank


# How it comes about


def test_cover_deficit__fund_pays_all__there_is_no_shortfall(bank):
    """What rounding the payout up to a unit of the token brings is fees."""
    bank.stake(1_000 * USDC)

    bank.lose(700 * WAD - 1, bank.accounts[0])

    assert tuple(bank.losses) == (0, 0, 0, WAD)
    assert bank.fees == 1
    assert bank.house.contracts.token.balanceOf(bank.fund.address) == 300 * USDC


def test_cover_deficit__fund_pays_a_part__the_rest_is_shortfall(bank):
    bank.stake(1_000 * USDC)

    bank.house.vault.cover_deficit(1_700 * WAD + 5, sender=bank.auctions)

    (event,) = events(bank.house.vault, "ShortfallChanged")
    assert (event.shortfall, event.recovery, event.openDeficit) == (700 * WAD + 5, 0, 0)
    assert event.seq == bank.house.vault.seq()
    assert bank.held == OWED * USDC + 1_000 * USDC
    assert bank.fund.totalAssets() == 0


def test_shortfall__rate__is_what_is_there_to_what_is_owed(short):
    assert short.losses.shortfall == LOSS
    assert short.house.vault.rate() == short.losses.rate == 4 * WAD // 5


# In and out at the rate


def test_deposit__at_the_rate__credits_what_it_is_worth(short):
    """80 tokens are 100 of cash; what came is exempt, not what was credited."""
    account = short.accounts[1]
    before = short.house.clearing.account(account)

    short.deposit(account, 80 * USDC)

    after = short.house.clearing.account(account)
    assert after.cash - before.cash == 100 * WAD
    assert after.exempt - before.exempt == 80 * WAD
    assert short.losses.shortfall == LOSS + 20 * WAD
    assert short.house.vault.rate() == 4 * WAD // 5


def test_withdraw__at_the_rate__pays_what_it_is_worth(short):
    account = short.accounts[1]

    assert short.withdraw(account, 100 * USDC) == 80 * USDC

    assert short.cash(account) == 1_000_000 * WAD - 100 * WAD
    assert short.losses.shortfall == LOSS - 20 * WAD
    assert short.house.vault.rate() == 4 * WAD // 5


def test_withdraw__event__tells_what_was_paid(short):
    account = short.accounts[1]

    short.house.withdraw(account, 100 * USDC, WORST)

    (event,) = events(short.house.vault, "Withdrawn")
    assert (event.account, event.amount, event.cash) == (account, 80 * USDC, 999_900 * WAD)


@pytest.mark.parametrize("amount", [2, 7, 80 * USDC, 123_456_789])
def test_deposit_and_withdraw__at_once__gains_nothing(short, amount):
    """Both round down, however odd the amounts: nobody leaves with more than was brought."""
    account = short.accounts[1]
    rate, before = short.house.vault.rate(), short.cash(account)
    short.deposit(account, amount)

    paid = short.withdraw(account, (short.cash(account) - before) // UNIT)

    assert paid <= amount
    assert short.house.vault.rate() >= rate


def test_withdraw__worth_less_than_a_unit__reverts(short):
    """Rather than take cash for nothing."""
    with boa.reverts("vault: cash is worth nothing now"):
        short.withdraw(short.accounts[1], 1)
    short.check()


def test_withdraw__everybody__the_first_gains_nothing_on_the_last(short):
    """All of the pool is paid out, each at 0.8, and no shortfall is left without cash."""
    first, last = short.accounts
    paid = [short.withdraw(account, short.cash(account) // UNIT) for account in (first, last)]

    assert paid[0] == short.house.contracts.token.balanceOf(short.house.owners[first])
    assert paid[1] == 800_000 * USDC
    assert sum(paid) == OWED * USDC
    assert (short.held, short.losses.shortfall) == (0, 0)


# How it ends


def test_recover_shortfall__counts_over_seven_days(short):
    short.recover(70_000 * USDC)
    assert tuple(short.losses)[:2] == (LOSS, 70_000 * WAD)
    assert short.house.vault.rate() == 4 * WAD // 5

    for day in range(1, 8):
        wait(86_400)
        short.deposit(short.accounts[0], 1)
        assert abs(short.losses.recovery - (70_000 - 10_000 * day) * WAD) <= 10**15
    assert short.losses.recovery == 0
    assert short.losses.shortfall < LOSS - 69_999 * WAD
    assert short.house.vault.rate() > 4 * WAD // 5


def test_recover_shortfall__more_than_is_missing__is_fees_and_risk_goes_on(short):
    house, deal = short.house, Deal(PERP, WAD, 2_000 * WAD)
    short.recover(LOSS // UNIT + 500 * USDC)
    assert short.fees == 0

    wait(WEEK)
    short.deposit(short.accounts[1], 1)

    assert tuple(short.losses) == (0, 0, 0, WAD)
    assert short.fees == 500 * WAD
    maker, taker = short.accounts
    house.post(house.margin(maker), house.margin(taker))
    house.refresh(maker)
    house.trade(deal, maker, taker, HEADROOM, house.easy(taker, deal))
    assert short.collect() == 500 * USDC


def test_recover_shortfall__nothing__reverts(short):
    with boa.reverts("vault: zero amount"):
        short.house.vault.recover_shortfall(0)


def test_recover_shortfall__without_the_tokens__reverts(short):
    with boa.reverts():
        short.house.vault.recover_shortfall(1, sender=boa.env.generate_address("nobody"))
    short.check()


@pytest.mark.parametrize("gift", [1, 70_000 * USDC, 10 * OWED * USDC])
@pytest.mark.parametrize("stay", [0, 60])
def test_recover_shortfall__sandwiched__gives_its_share_of_the_time(short, gift, stay):
    """Who comes in before a gift, even with half of the pool, leaves at once with no gain, and after a minute
    with at most its half of a minute's release.
    """
    account, stake = short.accounts[1], 1_010_000 * USDC
    before = short.cash(account)
    short.deposit(account, stake)
    bought = (short.cash(account) - before) // UNIT
    short.recover(gift)
    wait(stay)

    paid = short.withdraw(account, bought)

    assert paid <= stake + gift * stay // WEEK // 2 + 1
    assert stay or paid <= stake


def test_collect_fees__while_short__goes_to_the_recovery(short):
    house, deal = short.house, Deal(PUT, WAD, 100 * WAD, (3 * WAD, 2 * WAD + 1))
    maker, taker = short.accounts
    house.trade(deal, maker, taker, house.worst(maker, deal), house.worst(taker, deal, taker=True))
    held = short.held

    assert short.collect() == 0

    assert short.held == held
    assert tuple(short.losses)[:2] == (LOSS, 5 * WAD)
    assert short.fees == 1
    assert house.contracts.token.balanceOf(short.auctions) == 0


# What it stops


@pytest.mark.parametrize("way", [c.WAY_HEADROOM, c.WAY_LEAF, c.WAY_REPORT])
@pytest.mark.parametrize("taker_too", [True, False])
def test_trade__attested_increase__reverts(short, way, taker_too):
    house, deal, (maker, taker) = short.house, Deal(CALL, WAD // 10), short.accounts
    house.post(house.margin(maker), house.margin(taker))
    house.refresh(maker)
    state = house.after(maker, deal)
    side = {c.WAY_HEADROOM: HEADROOM, c.WAY_LEAF: house.leaf(maker, deal)}.get(way)
    side = side or house.report(maker, state, mark_to_market=house.value(state).low)
    covered = Side(c.WAY_REDUCE_AT_MARK) if taker_too else house.worst(taker, deal, taker=True)

    with boa.reverts("clearing: shortfall"):
        house.trade(deal, maker, taker, side, covered)


def test_trade__covered_or_reducing__passes(bank):
    house, deal, (maker, taker) = bank.house, Deal(PUT), bank.accounts
    house.trade(deal, maker, taker, house.worst(maker, deal), house.worst(taker, deal, taker=True))
    bank.lose(LOSS, maker)
    house.trade(deal, maker, taker, house.worst(maker, deal), house.worst(taker, deal, taker=True))

    back, reduce = Deal(PUT, -WAD), Side(c.WAY_REDUCE_AT_MARK)
    house.trade(back, maker, taker, reduce, reduce)
    house.post(house.margin(maker, mark_to_market=100 * WAD), house.margin(taker, mark_to_market=-100 * WAD))
    house.refresh(maker)
    house.refresh(taker)
    states = house.after(maker, back), house.after(taker, back, taker=True)
    reports = [house.report(n, s, c.WAY_REDUCE_REPORT) for n, s in zip((maker, taker), states, strict=True)]
    house.trade(back, maker, taker, *reports)

    assert house.clearing.account(maker).legCount == 0
    bank.check()


def test_withdraw__attested__still_passes(short):
    """A withdrawal is no increase: who leaves takes its part of the loss along."""
    house, account = short.house, short.accounts[1]
    house.post(house.margin(account))
    house.refresh(account)

    house.withdraw(account, 100 * USDC, HEADROOM)

    assert house.contracts.token.balanceOf(house.owners[account]) == 80 * USDC
    short.check()


# Open insolvent auctions


@pytest.mark.parametrize(("daily_share", "staked"), [(WAD, 5_000), (WAD // 2, 10_000)])
def test_withdraw__open_deficit_beyond_the_fund__is_held_back(bank, daily_share, staked):
    """Of 1,010,000 the open auctions may still cost 505,000 beyond the 5,000 that the fund may pay today: so
    cash pays two thirds.
    """
    bank.fund.set_daily_share(daily_share)
    bank.stake(staked * USDC)
    bank.open_deficit(510_000 * WAD)

    assert bank.withdraw(bank.accounts[1], 300 * USDC) == 200 * USDC

    assert tuple(bank.losses) == (0, 100 * WAD, 510_000 * WAD, WAD)
    assert bank.house.vault.open_deficit() == 510_000 * WAD
    bank.open_deficit(0)
    assert bank.withdraw(bank.accounts[1], 300 * USDC) == 300 * USDC
    wait(WEEK)
    bank.deposit(bank.accounts[0], 1)
    assert bank.fees == 100 * WAD


def test_withdraw__open_deficit_within_the_fund__pays_in_full(bank):
    bank.stake(5_000 * USDC)
    bank.open_deficit(5_000 * WAD)

    assert bank.withdraw(bank.accounts[1], 300 * USDC) == 300 * USDC


def test_deposit__open_deficit__is_at_face_value(bank):
    bank.open_deficit(500_000 * WAD)
    before = bank.cash(bank.accounts[1])

    bank.deposit(bank.accounts[1], 300 * USDC)

    assert bank.cash(bank.accounts[1]) - before == 300 * WAD


# Any order


class Twin:
    """What the keeper's arithmetic makes of the same steps; all WAD."""

    def __init__(self, bank: Bank) -> None:
        self.losses, self.held, self.fees = sf.Losses(), bank.held * UNIT, bank.fees
        self.cash = {account: bank.cash(account) for account in bank.accounts}

    @property
    def pool(self) -> int:
        return sf.pool(self.losses, self.held, self.fees)

    def release(self) -> None:
        self.losses, surplus = sf.release(self.losses, now())
        self.fees += surplus

    def deposit(self, account: int, amount: int) -> None:
        self.release()
        self.losses, cash = sf.credit(self.losses, amount * UNIT, self.pool)
        self.cash[account] += cash
        self.held += amount * UNIT

    def withdraw(self, account: int, amount: int, fund: int) -> None:
        self.release()
        uncovered = sf.uncovered(self.losses, fund)
        pool = self.pool
        self.losses, paid = sf.pay(self.losses, amount * UNIT, pool, uncovered, UNIT, now())
        self.cash[account] -= amount * UNIT
        self.held -= paid

    def lose(self, account: int, amount: int) -> None:
        self.release()
        self.losses = sf.add(self.losses, amount)
        self.cash[account] += amount

    def recover(self, amount: int) -> None:
        self.release()
        self.losses = sf.give(self.losses, amount * UNIT, now())
        self.held += amount * UNIT

    def collect(self) -> None:
        self.release()
        amount = self.fees // UNIT * UNIT
        self.fees -= amount
        if self.losses.shortfall:
            self.losses = sf.give(self.losses, amount, now())
        else:
            self.held -= amount


def now() -> int:
    return int(boa.env.evm.patch.timestamp)


def step(bank: Bank, twin: Twin, chance: Random) -> None:
    """One step on both."""
    account, amount = chance.choice(bank.accounts), chance.choice([1, 7 * USDC, chance.randrange(1, 10**11)])
    match chance.choice(["deposit", "withdraw", "lose", "recover", "collect", "deficit", "wait", "fee"]):
        case "deposit":
            bank.deposit(account, amount)
            twin.deposit(account, amount)
        case "withdraw" if bank.cash(account) >= 10 * UNIT:
            amount = max(10, min(amount, bank.cash(account) // UNIT))
            bank.withdraw(account, amount)
            twin.withdraw(account, amount, 0)
        case "lose":
            bank.lose(amount * 10**11 + 1, account)
            twin.lose(account, amount * 10**11 + 1)
        case "recover":
            bank.recover(amount)
            twin.recover(amount)
        case "collect" if bank.fees >= UNIT:
            bank.collect()
            twin.collect()
        case "deficit":
            deficit = chance.choice([0, amount * UNIT])
            bank.open_deficit(deficit)
            twin.losses = sf.set_open_deficit(twin.losses, deficit)
        case "fee":
            pay_fee(bank, amount)
            twin.fees += 2 * amount
            for payer in bank.accounts:
                twin.cash[payer] -= amount
        case _:
            wait(chance.randrange(1, 2 * 86_400))


def pay_fee(bank: Bank, amount: int) -> None:
    """Two accounts trade a put back and forth in one trade, and pay an odd fee each."""
    deal, house = Deal(PUT), bank.house
    maker, taker, (fill,), *_ = deal.values(*bank.accounts, house.owners)
    back = (fill[0], -fill[1], *fill[2:])
    owners = [house.owners[account] for account in bank.accounts]
    values = (maker, taker, [fill, back], amount, amount, *owners, ACTION)
    side, module = WORST.evidence(), bank.house.contracts.module
    bank.house.clearing.trade(values, side, side, b"", sender=module)
    bank.check()


@pytest.mark.parametrize("seed", range(4))
def test_any_order__to_the_wei_as_the_keeper_counts(bank, seed):
    chance, twin = Random(seed), Twin(bank)
    for _ in range(30):
        step(bank, twin, chance)

        losses = bank.losses
        assert (losses.shortfall, losses.recovery) == (twin.losses.shortfall, twin.losses.recovery)
        assert losses.openDeficit == twin.losses.open_deficit
        assert (bank.held * UNIT, bank.fees) == (twin.held, twin.fees)
        assert {account: bank.cash(account) for account in bank.accounts} == twin.cash
