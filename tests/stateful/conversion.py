"""Sales of collateral for a negative cash balance, the insurance fund and recoveries, beside their models."""

from keeper.liquidation import conversion
from keeper.liquidation.auction_price import falling
from tests.stateful import typed
from tests.stateful.deployment import DEBT_TERMS, LISTINGS
from tests.stateful.protocol import Protocol

WAD = 10**18
START, FLOOR, DURATION, BUFFER = DEBT_TERMS[:4]
MAX_EPOCH_AGE = 60
BUYER, BACKER = (typed.address(typed.key(number)) for number in (900, 901))


class Conversion:
    """Conversions on chain and in the model."""

    def __init__(self, protocol: Protocol) -> None:
        self.p = protocol
        self.sale = protocol.world.contracts.sale
        self.started: dict[int, int] = {}

    def start(self, number: int) -> str:
        """Reason of the refusal, or empty."""
        p, account = self.p, self.p.account(number)
        refusal = None
        if number in self.started or account.frozen:
            refusal = "running, or in auction"
        elif not p.world.contracts.oracle.is_fresh():
            refusal = "stale"
        elif not account.collateral or self.settled(number) >= -BUFFER:
            refusal = "nothing to convert"
        reason = self.sale.attempt("start_conversion", number, sorted(account.positions))
        if p.as_predicted("start of a conversion", refusal, reason):
            self.started[number] = p.now
        return str(reason)

    def convert(self, number: int, index: int, amount: int, limit: int) -> str:
        """`amount` of a token in its decimals, for at most `limit` tokens; reason of the refusal, or
        empty.
        """
        p, account = self.p, self.p.account(number)
        refusal, sold, cost, met = self._sale(number, index, amount, limit)
        ends = refusal is None and sold == 0
        p.world.fund_actor(BUYER, p.world.token(0), cost, p.world.vault)
        book, token = sorted(account.positions), p.world.token(index).address
        arguments = (number, token, amount, limit, book, BUYER)
        before = p.world.token(index).balanceOf(BUYER)
        reason = self.sale.attempt("convert_collateral", *arguments, sender=BUYER)
        if not p.as_predicted("end of a conversion" if ends else "conversion", refusal, reason):
            return str(reason)
        if not ends:
            self._sold(number, index, sold, cost)
            assert p.world.token(index).balanceOf(BUYER) - before == sold
        if ends or met:
            del self.started[number]
        return ""

    def settled(self, number: int) -> int:
        """Upper bound of settled cash."""
        account = self.p.account(number)
        return int(account.cash + self.p.world.gate_value(account.positions).linearHigh)

    # Fund and recoveries

    def stake(self, amount: int) -> str:
        """Backers' tokens come into the fund."""
        p, contracts = self.p, self.p.world.contracts
        p.world.fund_actor(BACKER, contracts.token, amount, contracts.fund)
        refusal = "open deficit" if p.ledger.losses.open_deficit else None
        reason = contracts.fund.attempt("deposit", amount, BACKER, sender=BACKER)
        if p.as_predicted("stake", refusal, reason):
            p.fund_assets += amount
        return str(reason)

    def recover(self, amount: int) -> None:
        """Tokens given towards the shortfall."""
        p = self.p
        p.world.fund_actor(BACKER, p.world.token(0), amount, p.world.vault)
        reason = p.world.vault.attempt("recover_shortfall", amount, sender=BACKER)
        if p.as_predicted("recovery of a shortfall", None, reason):
            p.ledger.recover(amount, p.now)

    # Parts

    def _sale(self, number: int, index: int, amount: int, limit: int) -> tuple[str | None, int, int, bool]:
        """Refusal, amount sold, cost, whether the need is met; nothing sold: the conversion ends."""
        p, account = self.p, self.p.account(number)
        if number not in self.started or account.frozen:
            return "none, or in auction", 0, 0, False
        settled = self.settled(number)
        if settled >= 0 or not account.collateral:
            return None, 0, 0, True
        if index not in account.collateral:
            return "token not held", 0, 0, False
        if p.now - p.epoch.header["timestamp"] >= MAX_EPOCH_AGE:
            return "epoch too old", 0, 0, False
        listing, unit = LISTINGS[index - 1], p.ledger.token.cash(1)
        share = falling(START, FLOOR, p.now - self.started[number], DURATION)
        word = p.epoch.words[listing.underlying - 1]
        price = conversion.unit_price(max(word >> 64, word & 2**64 - 1), share, listing.maintenance_haircut)
        held, scale = account.collateral[index], listing.amount(1)
        sold, cost, met = conversion.sale(amount, held, scale, -settled, p.rate, price, unit)
        if sold == 0:
            return "nothing to sell", 0, 0, False
        return ("cost beyond limit" if cost * amount > limit * sold else None), sold, cost, met

    def _sold(self, number: int, index: int, sold: int, cost: int) -> None:
        """Book it, and hold equity after the maintenance haircut against what it was: it never falls."""
        p = self.p
        before = p.account(number)
        had = before.cash + p.predictor.collateral(before).maintenance
        p.ledger.convert_collateral(number, index, sold, cost, p.now)
        after = p.account(number)
        assert after.cash + p.predictor.collateral(after).maintenance >= had - 1
