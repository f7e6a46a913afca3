"""What the model says about an action before it is tried: why it must be refused, or what it leaves.

Reads the oracle's and the valuer's views, which have tests of their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from keeper.clearing import account as accounts
from keeper.clearing import book_hash as hashes
from keeper.clearing import outflow, shortfall, ways
from keeper.clearing.account import Account, Fill, Record
from keeper.clearing.collateral import Value, value_of
from keeper.clearing.headroom import settled_cash
from keeper.clearing.ledger import Ledger
from keeper.clearing.ways import Bounds, Margin
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import PRICE_UNIT, WAD
from tests.stateful import margins, typed
from tests.stateful.deployment import LISTINGS, PRICE_BAND
from tests.stateful.epochs import EpochBook, margin_leaf
from tests.stateful.orders import LEAF, REDUCE_AT_MARK, REDUCE_REPORT, REPORT, WORST_CASE, Deal
from tests.stateful.world import World

MIN_INT = -(2**255)
UNLIMITED = 2**255
ALL = 2**32 - 1
LEAST_PART = 16  # of a position that shrinks


@dataclass(frozen=True)
class Verdict:
    """Why an account does not pass, or what it passes with.

    Attributes:
        settled: lower bound of settled cash.
        record: what a leaf makes the record.
    """

    refusal: str | None = None
    settled: int = 0
    record: Record | None = None


class Predictor:
    """The model's verdicts."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self.world = world
        self.ledger = ledger
        self.paused_until = 0

    def account(self, number: int) -> Account:
        """With the funding accrued until now as cash."""
        return self.liquid(self.ledger.accounts[number])

    def liquid(self, account: Account) -> Account:
        """The same, of an account after an action."""
        return accounts.touched(account, self.ledger.indices(self.now))

    # Trades

    def trade(self, deal: Deal, sides: Sequence[tuple[int, Sequence[Fill]]]) -> tuple[Verdict, Verdict]:
        """Both sides' verdicts, the whole trade's refusal among them."""
        whole = self._tradable(deal) or self._solvent(deal) or self._open_for(deal) or self._off_band(deal)
        whole = whole or self._above_caps(deal)
        maker, taker = (
            self._side(deal, number, way, fills)
            for (number, fills), way in zip(sides, deal.ways, strict=True)
        )
        return replace(maker, refusal=whole or maker.refusal), taker

    def passes(self, number: int, way: int, after: Account, evidenced: bool = True) -> Verdict:
        """An account as it is after an action, by headroom, leaf, report or worst case. What the oracle
        says of freshness and bands is the caller's.
        """
        after = self.liquid(after)
        bounds, collateral = self.bounds(after), self.collateral(after).initial
        if way == WORST_CASE:
            return Verdict(ways.worst_case_refusal(after, bounds), after.cash)
        if way == REPORT:
            margin = as_margin(self.report(number, after))
            refusal = self.usable() or ways.report_refusal(after, margin, bounds, collateral)
            return Verdict(refusal, after.cash + bounds.linear)
        record = None
        if way == LEAF:
            found = self.leaf(number, after)
            if found.refusal:
                return found
            # a leaf is measured by the record that it leaves
            record, after = found.record, replace(after, record=ways.stored(found.record))
        refusal = self.usable(after.record) or ways.headroom_refusal(after, self.now, collateral)
        return Verdict(refusal, settled_cash(after), record)

    def leaf(self, number: int, account: Account) -> Verdict:
        """Whether the latest epoch's leaf may become the record of the account as it is."""
        if number not in self.epoch.margins:
            return Verdict("no leaf")
        margin, bounds = as_margin(self.epoch.margins[number]), self.bounds(account)
        record = ways.record_of(margin, bounds, self.epoch.number, ways.earliest_expiry(account))
        return Verdict(self.usable() or ways.statement_refusal(account, margin, bounds), 0, record)

    # Withdrawals

    def withdrawal(self, number: int, index: int, amount: int, way: int) -> Verdict:
        """Of `amount` tokens; `index` 0: the settlement token."""
        before = self.account(number)
        if before.collateral.get(index, 0) < self.wad(index, amount) and index:
            return Verdict("not that much collateral")
        exempt = self.exempt(number, index)
        blocked = self.active(before, way) or self.fresh(way, ALL if amount > exempt else 0)
        after = self.withdrawn(before, index, amount)
        verdict = self.passes(number, way, after)
        refusal = blocked or verdict.refusal or self._outflow(index, amount, exempt)
        return replace(verdict, refusal=refusal)

    def withdrawn(self, before: Account, index: int, amount: int) -> Account:
        """The account after a withdrawal."""
        if index:
            return accounts.collateral_withdrawn(before, index, self.wad(index, amount))
        return accounts.withdrawn(before, self.wad(0, amount))

    def wad(self, index: int, amount: int) -> int:
        return LISTINGS[index - 1].amount(amount) if index else self.ledger.token.cash(amount)

    def exempt(self, number: int, index: int) -> int:
        """What leaves without the outflow limit, in the token's decimals."""
        if not index:
            return self.ledger.exempt_amount(number)
        account = self.ledger.accounts[number]
        return accounts.collateral_exempt(account, index) // LISTINGS[index - 1].amount(1)

    def fund_assets(self) -> int:
        """What the insurance fund would pay now, WAD."""
        return self.ledger.token.cash(self.world.contracts.fund.available())

    # What the oracle and the guardian say

    def active(self, account: Account, way: int) -> str | None:
        if account.frozen:
            return "in auction"
        return "paused" if way < WORST_CASE and self.is_paused else None

    @property
    def is_paused(self) -> bool:
        return self.now < self.paused_until

    def usable(self, record: Record | None = None) -> str | None:
        """Whether the record's epoch, or the latest one, may still be spoken of."""
        number = self.epoch.number if record is None else record.epoch
        return None if self.world.contracts.oracle.is_usable(number) else "epoch not usable"

    # Values

    def bounds(self, account: Account) -> Bounds:
        """The valuer's bounds of the account's book."""
        value = self.world.gate_value(account.positions)
        return Bounds(
            worst_case=None if value.worstCase == MIN_INT else value.worstCase,
            low=value.low,
            high=value.high,
            floor=None if value.floor == MIN_INT else value.floor,
            linear=value.linear,
            expired=value.expired,
        )

    def collateral(self, account: Account, posted: bool = False) -> Value:
        """What the account's collateral counts."""
        shift, low = 64 * posted, 2**64 - 1
        spots = {u: word >> shift & low for u, word in enumerate(self.epoch.words, start=1)}
        return value_of(account.collateral, LISTINGS, spots)

    def report(self, number: int, after: Account) -> typed.Struct:
        """What honest attesters state about the account after an action, on the latest epoch."""
        return margin_leaf(number, after, self.world.views(self.epoch.words))

    def payoffs(self, number: int) -> dict[int, int]:
        """Cash per unit of each leg of the account whose settlement price is final."""
        dated = [i for i in map(Instrument.unpack, self.ledger.accounts[number].positions) if i.expiry]
        prices = {i: self.world.settlement_price(i) for i in dated}
        return {i.pack(): margins.payoff(i, price) for i, price in prices.items() if price}

    @property
    def epoch(self) -> EpochBook:
        assert self.world.epoch is not None
        return self.world.epoch

    @property
    def now(self) -> int:
        return self.world.chain.timestamp

    # Sides of a trade

    def _side(self, deal: Deal, number: int, way: int, fills: Sequence[Fill]) -> Verdict:
        before = self.account(number)
        blocked = self.active(before, way)
        after = accounts.traded(before, fills)
        if way == REDUCE_REPORT:
            verdict = self._reduced(number, before, after, fills[0].fee)
        elif way == REDUCE_AT_MARK:
            verdict = self._shrunk(deal, before, after, fills)
        else:
            verdict = self.passes(number, way, after)
        beyond = self.scope_refusal(before, [fill.instrument for fill in fills])
        return replace(
            verdict, refusal=blocked or beyond or self._above_limit(before, fills) or verdict.refusal
        )

    def scope_refusal(self, before: Account, instruments: Iterable[int]) -> str | None:
        """An isolated account opens nothing else."""
        underlying, expiry = before.scope
        for i in map(Instrument.unpack, (x for x in instruments if x not in before.positions)):
            if underlying not in (0, i.underlying) or expiry not in (0, i.expiry):
                return "outside its scope"
        return None

    def _above_limit(self, before: Account, fills: Sequence[Fill]) -> str | None:
        """A position beyond its limit does not grow."""
        for fill in fills:
            held, limit = before.positions.get(fill.instrument, 0), self._limits(fill.instrument)[0]
            if abs(held + fill.quantity) > max(limit, abs(held)):
                return "position limit"
        return None

    def _reduced(self, number: int, before: Account, after: Account, fee: int) -> Verdict:
        """By report: neither the buffer above maintenance margin nor equity, but for the fee, falls."""
        record = before.record
        if self.usable(record) or record.changes != hashes.changes(before.book_hash):
            return Verdict("no record of this book")
        margin, bounds = as_margin(self.report(number, after)), self.bounds(after)
        refusal = self.usable() or ways.statement_refusal(after, margin, bounds)
        had = before.cash + record.mark_base + before.added_mark + self.collateral(before).maintenance
        has = after.cash + margin.mark + self.collateral(after).maintenance
        settled = after.cash + bounds.linear
        if has + fee < had:
            refusal = refusal or "equity falls"
        if has - margin.maintenance < had - record.maintenance_margin:
            refusal = refusal or "risk not reduced"
        if settled < min(0, settled_cash(before)):
            refusal = refusal or "settled cash"
        return Verdict(refusal, settled)

    def _shrunk(self, deal: Deal, before: Account, after: Account, fills: Sequence[Fill]) -> Verdict:
        """The whole book is one leg and shrinks at exactly its mark."""
        (fill, *more) = fills
        if more or not deal.with_leaf or fill.margin is None or fill.price != fill.margin.mark:
            return Verdict("not one leg at its mark")
        if set(before.positions) != {fill.instrument}:
            return Verdict("not the whole book")
        held, left = before.positions[fill.instrument], after.positions.get(fill.instrument, 0)
        if left * held < 0 or abs(left) >= abs(held):
            return Verdict("does not shrink")
        if LEAST_PART * abs(fill.quantity) < abs(held):
            return Verdict("reduces too little")
        equity = after.cash + accounts.value_at(left, fill.price)
        return Verdict("equity below zero" if equity < 0 else None, after.cash)

    # Whole trades

    def _off_band(self, deal: Deal) -> str | None:
        """Where the marks are shown, no price is far from its mark."""
        if not deal.with_leaf:
            return None
        for leg in deal.legs:
            spot = self.epoch.words[(leg.instrument >> 112) - 1] & 2**64 - 1
            most = PRICE_BAND * spot * PRICE_UNIT // WAD
            if abs(leg.price - self.epoch.instruments[leg.instrument]["mark"]) > most:
                return "outside the price band"
        return None

    def _above_caps(self, deal: Deal) -> str | None:
        """Open interest beyond a cap does not grow. The legs' growth is counted in their order."""
        clearing, grown = self.world.clearing, {}
        for leg in deal.legs:
            growth = sum(
                max(0, held + change) - max(0, held)
                for number, change in ((deal.maker, leg.quantity), (deal.taker, -leg.quantity))
                for held in [self.ledger.accounts[number].positions.get(leg.instrument, 0)]
            )
            underlying = leg.instrument >> 112
            grown[underlying] = grown.get(underlying, 0) + growth
            _, alone, together = self._limits(leg.instrument)
            if growth > 0 and clearing.open_interest(leg.instrument) + growth > alone:
                return "open interest of the instrument"
            if growth > 0 and clearing.open_interest(underlying) + grown[underlying] > together:
                return "open interest of the underlying"
        return None

    def _limits(self, instrument: int) -> tuple[int, int, int]:
        """Of a position, of the instrument's and of the underlying's open interest, WAD."""
        word = self.world.contracts.markets.limits_now(instrument >> 112)
        found = [word >> shift & 2**64 - 1 for shift in (128, 64, 0)]
        first, second, third = (UNLIMITED if part == 2**64 - 1 else part * PRICE_UNIT for part in found)
        return first, second, third

    def _tradable(self, deal: Deal) -> str | None:
        legs = [Instrument.unpack(i) for i in deal.instruments]
        return "expired" if any(i.kind != Kind.PERP and i.expiry <= self.now for i in legs) else None

    def _solvent(self, deal: Deal) -> str | None:
        return "shortfall" if self.ledger.losses.shortfall and min(deal.ways) < WORST_CASE else None

    def _open_for(self, deal: Deal) -> str | None:
        mask = sum({1 << (instrument >> 112) - 1 for instrument in deal.instruments})
        return self.fresh(min(deal.ways), mask)

    def fresh(self, way: int, underlyings: int) -> str | None:
        """Attested ways need a young epoch, and spots inside their bands."""
        if way >= WORST_CASE:
            return None
        fresh, outside, _ = self.world.contracts.oracle.conditions((0, 0))
        if not fresh:
            return "stale"
        return "outside its band" if outside & underlyings else None

    def _outflow(self, index: int, amount: int, exempt: int) -> str | None:
        ledger = self.ledger
        share, now = ledger.token.outflow_share, self.now
        if index:
            vault = ledger.vaults[index]
            exceeded = outflow.exceeds(vault.bucket, amount, exempt, vault.held, share, now)
        else:
            try:
                paid = self.paid(amount)
            except ValueError as error:
                return str(error)
            if paid == 0:
                return "cash is worth nothing now"
            exceeded = outflow.exceeds(ledger.bucket, paid, exempt, ledger.held, share, now)
        return "outflow limit" if exceeded else None

    def paid(self, amount: int) -> int:
        """Tokens for cash worth `amount` at par."""
        ledger, token = self.ledger, self.ledger.token
        losses, surplus = shortfall.release(ledger.losses, self.now)
        pool = shortfall.pool(losses, token.cash(ledger.held), ledger.fees + surplus)
        missing = shortfall.uncovered(losses, self.fund_assets())
        _, paid = shortfall.pay(losses, token.cash(amount), pool, missing, token.cash(1), self.now)
        return paid // token.cash(1)


def as_margin(leaf: typed.Struct) -> Margin:
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
