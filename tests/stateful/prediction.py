"""What the model says about an action before it is tried: None, or why it must be refused."""

from dataclasses import replace

from keeper.clearing import account as accounts
from keeper.clearing import outflow, ways
from keeper.clearing.account import Account, Fill, Record
from keeper.clearing.headroom import settled_cash
from keeper.clearing.ledger import Ledger
from keeper.clearing.ways import Bounds, Margin
from keeper.markets.instrument import Instrument, Kind
from tests.stateful import typed
from tests.stateful import world as worlds
from tests.stateful.world import LEAF, REPORT, WORST_CASE, EpochBook, World

MIN_INT = -(2**255)


class Predictor:
    """The model's verdicts. Reads the oracle's and the gate's views, which have tests of their own."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self.world = world
        self.ledger = ledger

    def trade(self, number: int, way: int, fill: Fill) -> str | None:
        """Whether one side of a trade passes by `way`."""
        before = self.ledger.accounts[number]
        after = accounts.filled(before, fill)
        if way == WORST_CASE:
            return ways.worst_case_refusal(after, self.bounds(after))
        if way == REPORT:
            return self.oracle() or self._report(number, after)
        if fill.margin is None:
            return "no instrument leaf"
        if way == LEAF:
            refusal = self.oracle() or self.leaf(number)
            if refusal is not None:
                return refusal
            before = replace(before, record=self.record(number, LEAF, before))
            after = accounts.filled(before, fill)
        return self.oracle(after.record) or ways.headroom_refusal(after, self._now())

    def withdrawal(self, number: int, way: int, amount: int) -> str | None:
        """Whether a withdrawal of `amount` tokens passes by `way`."""
        before = self.ledger.accounts[number]
        after = accounts.withdrawn(before, self.ledger.token.cash(amount))
        return self.outflow(number, amount) or self._withdrawn(number, way, before, after)

    def outflow(self, number: int, amount: int) -> str | None:
        ledger = self.ledger
        exempt, share = ledger.exempt_amount(number), ledger.token.outflow_share
        exceeded = outflow.exceeds(ledger.bucket, amount, exempt, ledger.held, share, self._now())
        return "outflow limit" if exceeded else None

    def leaf(self, number: int) -> str | None:
        """Whether the latest epoch's leaf of the account may become its record."""
        account = self.ledger.accounts[number]
        if number not in self.epoch().margins:
            return "no leaf"
        return ways.statement_refusal(account, margin_of(self.epoch().margins[number]), self.bounds(account))

    def oracle(self, record: Record | None = None) -> str | None:
        """Whether the oracle is fresh and the record's epoch, or the latest one, may be used."""
        oracle = self.world.contracts.oracle
        if not oracle.is_fresh():
            return "stale"
        return self.usable(record)

    def usable(self, record: Record | None = None) -> str | None:
        """Whether the record's epoch, or the latest one, may still be spoken of."""
        number = self.epoch().number if record is None else record.epoch
        return None if self.world.contracts.oracle.is_usable(number) else "epoch not usable"

    def record(self, number: int, way: int, account: Account) -> Record:
        """The account's record once it passed by `way`; `account` is what the leaf or report describes."""
        if way not in (LEAF, REPORT):
            return account.record
        statement = self.epoch().margins[number] if way == LEAF else self.report(number, account)
        bounds, expiry = self.bounds(account), ways.earliest_expiry(account)
        return ways.record_of(margin_of(statement), bounds, self.epoch().number, expiry)

    def report(self, number: int, after: Account) -> typed.Struct:
        """What honest attesters state about the account after an action, on the latest epoch."""
        return worlds.margin_leaf(number, after, self.world.market(self.epoch().words))

    def bounds(self, account: Account) -> Bounds:
        """The gate's valuation of the account's book."""
        value = self.world.gate_value(account.positions)
        return Bounds(
            worst_case=None if value.worstCase == MIN_INT else value.worstCase,
            low=value.low,
            high=value.high,
            floor=None if value.floor == MIN_INT else value.floor,
            linear=value.linear,
            expired=value.expired,
        )

    def payoffs(self, number: int) -> dict[int, int]:
        """Cash per unit of each leg of the account whose settlement price is final."""
        dated = [i for i in map(Instrument.unpack, self.ledger.accounts[number].positions) if i.expiry]
        prices = {i: self.world.contracts.oracle.settlement_price(i.underlying, i.expiry) for i in dated}
        return {i.pack(): worlds.margins.payoff(i, price) for i, price in prices.items() if price}

    def tradable(self, packed: int) -> str | None:
        instrument = Instrument.unpack(packed)
        return "expired" if instrument.kind != Kind.PERP and instrument.expiry <= self._now() else None

    def epoch(self) -> EpochBook:
        assert self.world.epoch is not None
        return self.world.epoch

    def _now(self) -> int:
        return self.world.chain.timestamp

    def _report(self, number: int, after: Account) -> str | None:
        return ways.report_refusal(after, margin_of(self.report(number, after)), self.bounds(after))

    def settled_cash(self, number: int, way: int, fill: Fill) -> int:
        """Lower bound of settled cash that a side of a trade passes with."""
        before = self.ledger.accounts[number]
        if way == LEAF:
            before = replace(before, record=self.record(number, LEAF, before))
        after = accounts.filled(before, fill)
        if way == WORST_CASE:
            return after.cash
        return after.cash + self.bounds(after).linear if way == REPORT else settled_cash(after)

    def _withdrawn(self, number: int, way: int, before: Account, after: Account) -> str | None:
        if way == WORST_CASE:
            return ways.worst_case_refusal(after, self.bounds(after))
        if way == REPORT:
            return self.oracle() or self._report(number, after)
        if way == LEAF:
            refusal = self.oracle() or self.leaf(number)
            if refusal is not None:
                return refusal
            after = replace(after, record=self.record(number, LEAF, before))
        return self.oracle(after.record) or ways.headroom_refusal(after, self._now())


def margin_of(leaf: typed.Struct) -> Margin:
    """The statement as the model reads it."""
    return Margin(
        added_im=leaf["addedIM"],
        added_mark=leaf["addedMark"],
        book_hash=leaf["bookHash"],
        mark=leaf["markToMarket"],
        initial=leaf["initialMargin"],
        maintenance=leaf["maintenanceMargin"],
        marginal=leaf["marginal"],
        max_added_im=leaf["maxAddedIM"],
    )
