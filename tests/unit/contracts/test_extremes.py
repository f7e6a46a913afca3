"""The ends of the ranges: tokens of 0 to 18 decimals, prices of 1e-6 to 1e7 USD, one lot, one unit.

Everywhere all cash is what the vault holds, to the last unit, and rounding is against the account.
"""

from dataclasses import dataclass
from fractions import Fraction

import boa
import pytest

from keeper.exchange.order import fee_of
from keeper.markets.instrument import Instrument, Kind
from keeper.units import constants as c
from keeper.units.constants import WAD
from tests.support.clearing import (
    BANDS,
    EXPIRY,
    NO_CAPS,
    PUT,
    SPEC,
    SPOT,
    Deal,
    Side,
    deploy,
    source,
)
from tests.support.coins import balance, bring, list_coin, take
from tests.support.house import House, words

DECIMALS = (0, 2, 6, 8, 18)
PRICES8 = {"1e-6 USD": 100, "1e7 USD": 10**15}  # 1e-8 USD
LOT = c.PRICE_UNIT  # least quantity, and least price, WAD
LOWEST_RATE, HIGHEST_RATE = 1, 10**16  # of a fee, WAD


@pytest.fixture(scope="module", params=DECIMALS, ids=lambda decimals: f"{decimals} decimals")
def tokens(request):
    with boa.env.anchor():
        yield deploy(request.param)


@pytest.fixture
def small(tokens):
    """A house whose accounts hold few tokens."""
    with boa.env.anchor():
        house = House(tokens)
        house.post()
        yield house


def unit_of(house):
    """WAD cash of one unit of the token."""
    return 10 ** (18 - house.contracts.token.decimals())


def cash_of(house, *accounts):
    return [house.clearing.account(account).cash for account in accounts]


def require_conserved(house, *accounts):
    """All cash is the vault's tokens, and the vault has them."""
    token = house.contracts.token
    held = house.vault.held(token.address)
    assert sum(cash_of(house, *accounts)) + house.clearing.totals().fees == held * unit_of(house)
    assert token.balanceOf(house.vault.address) == held


# Decimals


def test_settlement_token__one_unit__comes_in_and_goes_out_whole(small):
    account, unit = small.open("owner"), unit_of(small)
    small.deposit(account, 1)
    assert cash_of(small, account) == [unit]
    require_conserved(small, account)

    small.withdraw(account, 1, Side(c.WAY_WORST_CASE))

    assert cash_of(small, account) == [0]
    require_conserved(small, account)


def test_settlement_token__dust_of_a_trade__stays_and_cannot_be_taken_as_a_unit(small):
    """One lot at the least price moves 100 wei: less than a unit of most tokens."""
    maker, taker, unit = small.open("maker"), small.open("taker"), unit_of(small)
    coins = max(2, 200 // unit)
    small.deposit(maker, coins)
    small.deposit(taker, 10_000 * 10 ** small.contracts.token.decimals())
    deal = Deal(PUT, LOT, LOT, counted=False)
    small.trade(deal, maker, taker, small.worst(maker, deal), small.worst(taker, deal, taker=True))
    assert cash_of(small, maker) == [coins * unit - 100]
    require_conserved(small, maker, taker)

    left = (coins * unit - 100) // unit  # whole units, rounded down
    with boa.reverts():
        small.withdraw(maker, left + 1, small.worst(maker))
    small.withdraw(maker, left, small.worst(maker))

    assert cash_of(small, maker) == [(coins * unit - 100) % unit]
    require_conserved(small, maker, taker)


def test_settlement_token__fees_below_a_unit__are_collected_in_whole_units(small):
    maker, taker, unit = small.open("maker"), small.open("taker"), unit_of(small)
    small.deposit(maker, 3 * 10 ** small.contracts.token.decimals())
    small.deposit(taker, 10_000 * 10 ** small.contracts.token.decimals())
    fees = (WAD // 3, unit // 3 + 1)
    deal = Deal(PUT, LOT, LOT, fees=fees, counted=False)
    small.trade(deal, maker, taker, small.worst(maker, deal), small.worst(taker, deal, taker=True))
    recipient = boa.env.generate_address()
    small.vault.set_fee_recipient(recipient, sender=small.contracts.owner)
    require_conserved(small, maker, taker)

    if sum(fees) >= unit:
        small.vault.collect_fees()

    assert small.contracts.token.balanceOf(recipient) == sum(fees) // unit
    assert small.clearing.totals().fees == sum(fees) % unit
    require_conserved(small, maker, taker)


@pytest.fixture(scope="module")
def usual():
    with boa.env.anchor():
        yield deploy()


@pytest.mark.parametrize("decimals", [0, 18])
def test_collateral__one_unit__counts_and_goes_out_whole(usual, decimals):
    with boa.env.anchor():
        house = House(usual)
        house.post()
        account, coin = house.open("owner"), list_coin(house, decimals, haircuts=(1_000, 500))
        bring(house, account, coin, 1)

        held = 10 ** (18 - decimals)
        assert balance(house, account, coin) == held
        value = usual.valuer.collateral_value(house.clearing.standing(account, False).collateral)
        full = Fraction(held * SPOT, 10**8)
        assert value.full == full // 1
        assert value.initial == full * 9_000 // 10_000  # rounded down
        assert value.maintenance == full * 9_500 // 10_000

        house.post()
        take(house, account, coin, 1, Side(c.WAY_WORST_CASE))
        assert coin.token.balanceOf(house.owners[account]) == 1
        assert house.clearing.account(account).tokens == 0


# Prices


@dataclass(frozen=True)
class Priced:
    """A house with a second underlying that stands at an extreme price."""

    house: House
    spot8: int

    @property
    def spot(self) -> int:
        """WAD."""
        return self.spot8 * c.PRICE_UNIT

    def option(self, kind: Kind, strike8: int) -> int:
        """On the second underlying."""
        return Instrument(2, EXPIRY, strike8, kind).pack()

    @property
    def future(self) -> int:
        """Of the same expiry."""
        return Instrument(2, EXPIRY, 0, Kind.FUTURE).pack()

    @property
    def perp(self) -> int:
        """Of the second underlying."""
        return Instrument(2, 0, 0, Kind.PERP).pack()

    def post(self) -> None:
        """An epoch in which nothing moves."""
        self.house.post(others=[self.spot8 << 64 | self.spot8])

    def pair(self) -> tuple[int, int]:
        """Two accounts with a thousand times the price, in whole dollars and at least one."""
        cash = max(1, 1_000 * self.spot // WAD)
        return self.house.open("maker", cash), self.house.open("taker", cash)


@pytest.fixture(scope="module", params=PRICES8.items(), ids=lambda item: item[0])
def priced_contracts(request):
    with boa.env.anchor():
        contracts, spot8 = deploy(18), request.param[1]
        with boa.env.prank(contracts.owner):
            contracts.markets.list_underlying(("TWO", *SPEC[1:]), NO_CAPS)
            contracts.oracle.add_underlying(spot8, BANDS)
        yield contracts, spot8


@pytest.fixture
def priced(priced_contracts):
    contracts, spot8 = priced_contracts
    with boa.env.anchor():
        found = Priced(House(contracts), spot8)
        found.post()
        yield found


def test_price__bracket__holds_the_value_of_every_product(priced):
    """At the spot, a forward is the spot and an option worth at least its intrinsic value."""
    half8 = priced.spot8 // 2
    values = {
        priced.perp: (priced.spot, priced.spot),
        priced.future: (priced.spot, priced.spot),
        priced.option(Kind.CALL, half8): (priced.spot // 2, priced.spot),
        priced.option(Kind.PUT, 2 * priced.spot8): (priced.spot, 2 * priced.spot),
    }
    for instrument, (least, most) in values.items():
        long = priced.house.contracts.valuer.value(words({instrument: WAD}))
        short = priced.house.contracts.valuer.value(words({instrument: -WAD}))
        # nothing is known of time value: the bracket reaches from the intrinsic value to the trivial bound
        assert long.low <= least <= most <= long.high, Instrument.unpack(instrument)
        assert (short.low, short.high) == (-long.high, -long.low)  # zero-sum
        assert long.high - long.low <= 2 * priced.spot


@pytest.mark.parametrize("quantity", [LOT, 3 * WAD + LOT], ids=["one lot", "three and a lot"])
def test_price__expiry__settles_to_the_payoff_and_conserves(priced, quantity):
    house = priced.house
    maker, taker = priced.pair()
    before = sum(cash_of(house, maker, taker))
    strikes = {Kind.CALL: priced.spot8 // 2, Kind.PUT: 2 * priced.spot8}
    paid = 0
    for instrument, price in [
        (priced.future, priced.spot),
        *((priced.option(kind, strike), priced.spot) for kind, strike in strikes.items()),
    ]:
        house.hold(maker, taker, Deal(instrument, quantity, price, counted=False))
        paid += quantity * price
    assert cash_of(house, maker)[0] == before // 2 - -(-paid // WAD)  # rounded against the maker, or exact
    require_conserved(house, maker, taker)

    boa.env.evm.patch.timestamp = EXPIRY + c.SETTLEMENT_FALLBACK + 1
    house.contracts.oracle.finalize_settlement(2, EXPIRY)
    for account in (maker, taker):
        house.clearing.settle(account, house.book(account))

    received = quantity * (priced.spot + priced.spot // 2 + priced.spot)  # future, call, put
    assert cash_of(house, maker)[0] == before // 2 + (received - paid) // WAD
    assert sum(cash_of(house, maker, taker)) == before
    assert [house.clearing.account(account).legCount for account in (maker, taker)] == [0, 0]
    require_conserved(house, maker, taker)


@pytest.mark.parametrize("quantity", [LOT, 3 * WAD + LOT], ids=["one lot", "three and a lot"])
@pytest.mark.parametrize("sign", [1, -1], ids=["longs pay", "shorts pay"])
def test_price__funding__is_zero_sum_whoever_is_touched_first(priced, quantity, sign):
    house = priced.house
    maker, taker = priced.pair()
    house.hold(maker, taker, Deal(priced.perp, quantity, priced.spot, counted=False))
    before = cash_of(house, maker, taker)
    funding = boa.env.generate_address()
    house.clearing.set_funding(funding, sender=house.contracts.owner)
    rate = sign * max(1, priced.spot // 100_000_000)  # a second and unit: about 0.03 % in eight hours
    house.clearing.set_funding_rate(2, rate, sender=funding)
    boa.env.evm.patch.timestamp += 3_601

    liquid = [house.clearing.standing(account, False).liquid for account in (maker, taker)]

    index = rate * 3_601 // 10**8 * 10**8 if rate > 0 else -(-rate * 3_601 // 10**8) * 10**8
    moved = [after - was for after, was in zip(liquid, before, strict=True)]
    assert moved[0] + moved[1] == 0
    assert abs(moved[0] + quantity * index // WAD) <= quantity * 10**8 // WAD + 1


@pytest.mark.parametrize("rate", [LOWEST_RATE, HIGHEST_RATE])
@pytest.mark.parametrize("spot8", PRICES8.values(), ids=PRICES8)
@pytest.mark.parametrize("quantity", [LOT, WAD, 10**6 * WAD])
def test_fee__extreme_price_and_quantity__rounds_up_once(order_module, rate, spot8, quantity):
    spot = spot8 * c.PRICE_UNIT
    exact = Fraction(rate * quantity * spot, WAD * WAD)

    fee = order_module._fee_of(rate, quantity, spot)

    assert fee == fee_of(rate, quantity, spot)
    assert exact <= fee < exact + 1


@pytest.fixture(scope="module")
def order_module():
    return boa.load("contracts/exchange/order.vy").internal


@pytest.fixture(scope="module")
def auction_prices():
    return source("mocks/AuctionPriceHarness").deploy()


@pytest.mark.parametrize("worth", [1, WAD // 10**6, 10**15 * WAD], ids=["1 wei", "1e-6 USD", "1e15 USD"])
def test_auction__extreme_worth__the_buyer_pays_at_least_and_gets_at_most_the_exact_share(
    auction_prices, worth
):
    discounted, fraction, bonus = WAD // 3, WAD // 7, WAD // 3

    asked = auction_prices.asked(worth, worth, discounted, bonus)
    paid, nothing = auction_prices.cost(fraction, asked)
    assert nothing == 0
    assert Fraction(worth * discounted, WAD) <= asked < Fraction(worth * discounted, WAD) + 1
    assert Fraction(asked * fraction, WAD) <= paid < Fraction(asked * fraction, WAD) + 1

    asked = auction_prices.asked(-worth, worth, discounted, bonus)
    nothing, payout = auction_prices.cost(fraction, asked)
    assert nothing == 0
    assert -asked <= worth + Fraction(worth * bonus, WAD) < -asked + 1
    assert payout <= Fraction(-asked * fraction, WAD) < payout + 1
