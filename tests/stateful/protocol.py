"""The contracts and the Python model side by side: every action is predicted, done on chain, then compared.

An action that the model allows must succeed on chain and leave the same state to the wei; one that the model
refuses must be refused on chain with a reason of the protocol's own and change nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.clearing import account as accounts
from keeper.clearing import book_hash as hashes
from keeper.clearing.account import Account, InstrumentMargin
from keeper.clearing.ledger import Ledger, Token, Trade
from tests.stateful.prediction import Predictor
from tests.stateful.world import HEADROOM, LEAF, REPORT, WORST_CASE, EpochBook, Orders, Side, World

WAD = 10**18
WAY_NAMES = {HEADROOM: "headroom", LEAF: "leaf", REPORT: "report", WORST_CASE: "worst case"}
REASONS = (
    "clearing:",
    "custody:",
    "positions:",
    "gate:",
    "oracle:",
    "markets:",
    "exchange:",
    "quorum:",
    "instrument:",
)


@dataclass(frozen=True)
class Deal:
    """A trade to be attempted. `quantity` is the maker's; `price` per instrument, WAD, exact."""

    maker: int
    taker: int
    instrument: int
    quantity: int
    price: int
    ways: tuple[int, int]
    with_leaf: bool = True


class Protocol:
    """Both truths, and a summary of what succeeded and what was refused."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ledger = Ledger(Token(6, world.contracts.outflow_share))
        self.predictor = Predictor(world, self.ledger)
        self.summary: Counter[str] = Counter()
        self.donated = 0  # tokens sent past the books
        self.exact: set[int] = set()  # accounts whose record was of their book when it was taken

    @property
    def epoch(self) -> EpochBook:
        return self.predictor.epoch()

    def account(self, number: int) -> Account:
        return self.ledger.accounts[number]

    # Actions

    def open_account(self, owner_key: int) -> int:
        number = self.world.open_account(owner_key)
        self.ledger.open_account(number, self.world.owner(number))
        return number

    def deposit(self, number: int, amount: int) -> None:
        reason = self.world.deposit(number, amount)
        if self._as_predicted("deposit", None, reason):
            self.ledger.deposit(number, amount)

    def propose(self, words: Sequence[int]) -> EpochBook:
        """The attesters' statement on the state now; `words` are posted << 64 | effective spots."""
        number = self.world.epoch.number + 1 if self.world.epoch else 1
        self.world.chain.mine(self.world.contracts.min_blocks)
        return self.world.propose(number, words, self.ledger.accounts)

    def publish(self, epoch: EpochBook) -> None:
        self._as_predicted("epoch", None, self.world.publish(epoch))

    def post_epoch(self, words: Sequence[int]) -> EpochBook:
        """Propose and publish at once."""
        epoch = self.propose(words)
        self.publish(epoch)
        return epoch

    def trade(self, deal: Deal) -> str:
        """Reason of the refusal, or empty."""
        orders, trade = self.prepare(deal)
        margin = self.epoch.instrument_margin(deal.instrument) if deal.with_leaf else None
        fills = trade.sides(margin)
        sides = [
            self.side(n, way, accounts.filled(self.account(n), fill))
            for (n, fill), way in zip(fills, deal.ways, strict=True)
        ]
        refusals = [
            self.predictor.trade(n, way, fill) for (n, fill), way in zip(fills, deal.ways, strict=True)
        ]
        refusal = self.predictor.tradable(deal.instrument) or refusals[0] or refusals[1]
        statement = self.world.statement(orders.action(), sides, deal.instrument if deal.with_leaf else None)
        label = " / ".join(sorted(WAY_NAMES[way] for way in deal.ways))
        reason = self.world.fill(orders, sides, statement)
        if self._as_predicted(f"trade by {label}", refusal, reason):
            self._apply(trade, margin, deal.ways)
        return reason

    def withdraw(self, number: int, amount: int, way: int) -> str:
        """Reason of the refusal, or empty."""
        before = self.account(number)
        after = accounts.withdrawn(before, self.ledger.token.cash(amount))
        refusal = self.predictor.withdrawal(number, way, amount)
        side = self.side(number, way, after)
        action = self.world.withdrawal_action(number, amount, before.withdraw_nonce)
        reason = self.world.withdraw(side, amount, self.world.statement(action, [side], None))
        if self._as_predicted(f"withdraw by {WAY_NAMES[way]}", refusal, reason):
            self.ledger.withdraw(number, amount, self.world.chain.timestamp)
            if way == LEAF:
                self._set_record(number, LEAF)
        return reason

    def refresh(self, number: int) -> str:
        """Make the latest epoch's leaf the account's record."""
        refusal = self.predictor.usable() or self.predictor.leaf(number)
        side = self.side(number, LEAF, self.account(number))
        reason = self.world.clearing.attempt("refresh", number, side.evidence(), self.epoch.number)
        if self._as_predicted("refresh", refusal, reason):
            self._set_record(number, LEAF)
        return str(reason)

    def settle(self, number: int) -> str:
        """Turn every leg whose price is final into cash; refused when there is none."""
        payoffs = self.predictor.payoffs(number)
        book = sorted(self.account(number).positions)
        reason = self.world.clearing.attempt("settle", number, book)
        if self._as_predicted("settle", None if payoffs else "nothing to settle", reason):
            self.ledger.settle(number, payoffs)
        return str(reason)

    def donate(self, amount: int) -> None:
        """Send tokens past the books: they must change nothing."""
        token = self.world.contracts.token
        token.mint(self.world.clearing.address, amount)
        self.donated += amount
        self.summary["donation"] += 1

    def finalize(self, underlying: int, expiry: int) -> int:
        """Fix the settlement price of an expiry; anybody may."""
        price = self.world.contracts.oracle.finalize_settlement(underlying, expiry)
        self.summary["settlement price"] += 1
        return int(price)

    # Evidence

    def prepare(self, deal: Deal) -> tuple[Orders, Trade]:
        """The two orders and the trade that they make."""
        cash = deal.quantity * deal.price // WAD
        self.world.fills += 1
        maker = self.world.order(deal.maker, deal.instrument, deal.quantity, cash)
        taker = self.world.order(deal.taker, deal.instrument, -deal.quantity, -cash)
        fees = [self.world.fee(taking, deal.instrument, deal.quantity) for taking in (False, True)]
        trade = Trade(deal.maker, deal.taker, deal.instrument, deal.quantity, deal.price, *fees)
        return Orders(maker, taker, cash, fill_nonce=self.world.fills), trade

    def side(self, number: int, way: int, after: Account) -> Side:
        """Evidence of an account for an action that leaves it as `after`."""
        if way == LEAF:
            book = sorted(self.account(number).positions)
            return Side(number, way, book, self.epoch.margins[number], self.epoch.margin_proof(number))
        if way == REPORT:
            return Side(number, way, sorted(after.positions), self.predictor.report(number, after))
        return Side(number, way, sorted(after.positions) if way == WORST_CASE else [])

    def first_way(self, number: int, deal: Deal, order: Sequence[int]) -> int:
        """The first of the ways in `order` that the model lets this side pass by, else the last."""
        _, trade = self.prepare(deal)
        margin = self.epoch.instrument_margin(deal.instrument) if deal.with_leaf else None
        (fill,) = [fill for n, fill in trade.sides(margin) if n == number]
        return next((way for way in order if self.predictor.trade(number, way, fill) is None), order[-1])

    # Model

    def _apply(self, trade: Trade, margin: InstrumentMargin | None, by: tuple[int, int]) -> None:
        settled = {
            n: self.predictor.settled_cash(n, way, fill)
            for (n, fill), way in zip(trade.sides(margin), by, strict=True)
        }
        for number, way in zip((trade.maker, trade.taker), by, strict=True):
            if way == LEAF:
                self._set_record(number, LEAF)
        self.ledger.trade(trade, margin, settled)

    def _set_record(self, number: int, way: int) -> None:
        account = self.account(number)
        record = self.predictor.record(number, way, account)
        self.exact.discard(number)
        self.exact.update({number} if record.changes == hashes.changes(account.book_hash) else ())
        self.ledger.accounts[number] = replace(account, record=record)

    def _as_predicted(self, action: str, refusal: str | None, reason: str) -> bool:
        """Whether the action happened; fails where chain and model disagree about it."""
        assert bool(reason) == bool(refusal), f"{action}: chain {reason!r}, model {refusal!r}"
        assert not reason or reason.startswith(REASONS), f"{action}: refused with {reason!r}"
        self.summary[f"{action} refused" if reason else action] += 1
        return not reason
