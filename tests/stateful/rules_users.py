"""What owners, operators and anybody else may do."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from keeper.clearing.ledger import TradeLeg
from tests.stateful.orders import HEADROOM, REDUCE_AT_MARK, REDUCE_REPORT, REPORT, WORST_CASE, Deal
from tests.stateful.rules_base import DAY, USDC, WAYS, Rules, lots, traders, ways

amounts = st.integers(1, 30_000 * USDC)
coins = st.sampled_from((1, 2))
CHORES = ("deposit", "settle", "refresh", "donate", "replay", "stranger")
DUTIES = ("operator", "overreach", "transfer", "tier")
OPERATORS, OWNERS = 300, 400  # keys


class UserRules(Rules):
    """Cash, collateral, trades, settlement."""

    @rule(kind=st.sampled_from(CHORES), trader=traders, amount=amounts)
    def chore(self, kind: str, trader: int, amount: int) -> None:
        """One of the things that anybody may do at any time."""
        number, protocol = self.numbers[trader], self.protocol
        if kind == "deposit":
            protocol.deposit(number, amount)
        elif kind == "settle":
            protocol.settle(number)
        elif kind == "refresh" and self.has_leaf(number):
            protocol.refresh(number)
        elif kind == "stranger":
            protocol.intrude(number, OPERATORS + trader + len(self.numbers))
        elif kind == "donate":
            protocol.donate(amount)
        elif kind == "replay" and protocol.spent:
            protocol.replay(amount)

    @rule(kind=st.sampled_from(DUTIES), trader=traders, scopes=st.integers(0, 7), days=st.integers(0, 3))
    def manage(self, kind: str, trader: int, scopes: int, days: int) -> None:
        """Who may act for an account, and how much credit it has."""
        number, protocol = self.numbers[trader], self.protocol
        if kind == "operator":
            protocol.set_operator(number, OPERATORS + trader, scopes, days * DAY)
        elif kind == "overreach" and number in protocol.world.operators:
            protocol.overreach(number, protocol.world.operators[number])
        elif kind == "transfer":
            protocol.transfer_account(number, OWNERS + scopes)
        elif kind == "tier":
            protocol.set_credit_tier(number, 5 * days)

    @rule(data=st.data(), trader=traders, percent=st.integers(1, 101), way=ways)
    def withdraw(self, data: Any, trader: int, percent: int, way: int) -> None:
        """A part of the cash, or too much."""
        self.wake(data)
        number = self.numbers[trader]
        cash = max(0, self.protocol.account(number).cash) // 10**12
        if way == HEADROOM and self.has_leaf(number):
            self.protocol.refresh(number)
        self.protocol.withdraw(number, max(1, cash * percent // 100), self.a_way(number, way))

    @rule(trader=traders, coin=coins, thousandths=st.integers(1, 20_000))
    def deposit_collateral(self, trader: int, coin: int, thousandths: int) -> None:
        """Up to twenty coins of the one, or half a coin of the other."""
        unit = 10**15 if coin == 1 else 10**8 // 40_000
        self.protocol.deposit(self.numbers[trader], thousandths * unit, coin)

    @precondition(lambda self: self.owners_of_coins())
    @rule(data=st.data(), coin=coins, percent=st.integers(1, 101), way=ways)
    def withdraw_collateral(self, data: Any, coin: int, percent: int, way: int) -> None:
        """A part of what is there, or too much."""
        self.wake(data)
        number = data.draw(st.sampled_from(self.owners_of_coins()))
        listing = self.protocol.ledger.vaults[coin].listing
        held = self.protocol.account(number).collateral.get(coin, 0) // listing.amount(1)
        self.protocol.withdraw(number, max(1, held * percent // 100), self.a_way(number, way), coin)

    @rule(data=st.data(), quantity=lots, price=st.integers(90, 110), order=st.permutations(WAYS))
    def trade_by_the_first_way(self, data: Any, quantity: int, price: int, order: list[int]) -> None:
        """Both sides take the first way that the model lets them pass by."""
        self.wake(data)
        legs = data.draw(st.sampled_from((1, 1, 1, 2, 4)))
        deal = self.deal(data, quantity, price, (REPORT, REPORT), legs)
        self.protocol.trade(replace(deal, ways=self.passing(deal, order)))

    @rule(data=st.data(), quantity=lots, price=st.integers(50, 150), by=st.tuples(ways, ways))
    def trade_by_any_way(self, data: Any, quantity: int, price: int, by: tuple[int, int]) -> None:
        """Also at bad prices and by ways that do not pass: the refusal must be the model's."""
        self.wake(data)
        legs, with_leaf = data.draw(st.tuples(st.integers(1, 3), st.booleans()))
        deal = self.deal(data, quantity, price, by, legs)
        shown = self.a_way(deal.maker, by[0]), self.a_way(deal.taker, by[1])
        self.protocol.trade(replace(deal, ways=shown, with_leaf=with_leaf))

    @precondition(lambda self: self.unexpired())
    @rule(data=st.data(), quantity=st.integers(-5, 5).filter(bool))
    def trade_at_the_mark_by_headroom(self, data: Any, quantity: int) -> None:
        """The cheap path of market makers: fresh records on both sides, no signature."""
        self.next_epoch((0, 0), 12)
        deal = self.deal(data, quantity, 100, (HEADROOM, HEADROOM))
        for number in (deal.maker, deal.taker):
            self.protocol.refresh(number)
        self.protocol.trade(deal)

    @precondition(lambda self: self.holders())
    @rule(data=st.data(), by=st.sampled_from((REDUCE_REPORT, REDUCE_AT_MARK)), tenths=st.integers(1, 11))
    def reduce(self, data: Any, by: int, tenths: int) -> None:
        """A part of a leg, all of it or too much goes to another trader, with or without keepers."""
        self.wake(data)
        if not self.holders():
            return
        number = data.draw(st.sampled_from(self.holders()))
        maker, taker = self.pair(data)
        other = taker if taker != number else maker
        positions = self.protocol.account(number).positions
        instrument = data.draw(st.sampled_from(sorted(positions)))
        sold = -(positions[instrument] * tenths // 10 // 10**17 * 10**17) or -positions[instrument]
        leg = TradeLeg(instrument, sold, self.at(instrument, 100))
        if by == REDUCE_REPORT:
            self.protocol.refresh(number) if self.has_leaf(number) else None
        deal = Deal(number, other, (leg,), (by, REPORT))
        counter = self.protocol.first_way(other, deal, [REDUCE_AT_MARK, WORST_CASE, REPORT])
        self.protocol.trade(replace(deal, ways=(by, counter)))

    def owners_of_coins(self) -> list[int]:
        return [n for n in self.numbers if self.protocol.account(n).collateral]

    def holders(self) -> list[int]:
        return [n for n in self.numbers if self.protocol.account(n).positions]
