"""The contracts and the Python model side by side: every action is predicted, done on chain, then compared.

An action that the model allows must succeed on chain and leave the same state to the wei; one that the model
refuses must be refused on chain with a reason of the protocol's own and change nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from keeper.clearing import account as accounts
from keeper.clearing import book_hash as hashes
from keeper.clearing import shortfall, ways
from keeper.clearing.account import Account, InstrumentMargin, Record
from keeper.clearing.ledger import Ledger, Token, Trade
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import SCOPE_DEPOSIT, SCOPE_TRADE, SCOPE_WITHDRAW
from tests.stateful import typed
from tests.stateful.changes import Changes
from tests.stateful.deployment import LISTINGS
from tests.stateful.epochs import EpochBook
from tests.stateful.orders import (
    LEAF,
    REPORT,
    REPORT_WAYS,
    WAY_NAMES,
    WORST_CASE,
    Deal,
    Orders,
    Side,
)
from tests.stateful.prediction import Predictor, Verdict
from tests.stateful.world import Grant, World

WAD = 10**18
MODULES = (
    "accounts auction claim clearing custody debts exchange fund gate instrument markets oracle pausing",
    "positions quorum record sale shortfall valuer vault",
)
REASONS = tuple(f"{name}:" for part in MODULES for name in part.split())


class Protocol:
    """Both truths, and a summary of what succeeded and what was refused."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ledger = Ledger(Token(6, world.contracts.outflow_share))
        for listing in LISTINGS:
            self.ledger.list_collateral(listing)
        self.predictor = Predictor(world, self.ledger)
        self.changes = Changes(world, self.ledger)
        self.summary: Counter[str] = Counter()
        self.donated = 0  # tokens sent past the books
        self.fund_assets = 0  # tokens of the insurance fund
        self.exact: set[int] = set()  # accounts whose record was of their book when it was taken
        self.indivisible: dict[int, int] = {}  # by account, value of legs that auctions could not divide
        self.deposited_in: dict[tuple[int, int], int] = {}  # by account and token, the epoch
        self.withdrawn: list[tuple[int, int]] = []  # since the invariants were last checked
        self.spent: list[tuple[str, bytes, str]] = []  # calls that must never pass again
        self.last_number = 0  # of the last epoch seen

    @property
    def epoch(self) -> EpochBook:
        return self.predictor.epoch

    @property
    def now(self) -> int:
        return self.world.chain.timestamp

    @property
    def rate(self) -> int:
        """What one unit of cash is worth, WAD."""
        return shortfall.rate(self.ledger.losses, self.ledger.pool)

    def account(self, number: int) -> Account:
        """With the funding accrued until now as cash, which is how every check sees it."""
        return self.predictor.account(number)

    # Accounts

    def open_account(self, owner_key: int, scope: tuple[int, int] = (0, 0)) -> int:
        number = self.world.open_account(owner_key, scope)
        self.ledger.open_account(number, self.world.owner(number), scope)
        self.changes.open(number)
        return number

    def set_operator(self, number: int, operator_key: int, scopes: int, seconds: int) -> None:
        """From now on the operator does this for the account, for a while; no scopes: the owner again."""
        world = self.world
        grant = Grant(typed.key(operator_key), scopes, self.now + seconds)
        arguments = (number, typed.address(grant.secret), scopes, grant.until)
        reason = world.clearing.attempt("set_operator", *arguments, sender=world.owner(number))
        if self.as_predicted("grant to an operator" if scopes else "end of a grant", None, reason):
            world.operators[number] = grant

    def transfer_account(self, number: int, owner_key: int) -> None:
        """To a new owner, who has no operator."""
        world, secret = self.world, typed.key(owner_key)
        refusal = "in auction" if self.account(number).frozen else None
        arguments = (number, typed.address(secret))
        reason = world.clearing.attempt("transfer_account", *arguments, sender=world.owner(number))
        if self.as_predicted("transfer of an account", refusal, reason):
            former = world.operators.pop(number, None)
            world.owners[number] = secret
            self.ledger.transfer_account(number, typed.address(secret))
            if former is not None:
                self.overreach(number, former)

    def overreach(self, number: int, grant: Grant) -> None:
        """An operator tries what its grant does not hold for (any more)."""
        actor, clearing = typed.address(grant.secret), self.world.clearing
        live = self.world.operators.get(number) == grant and self.now <= grant.until
        for scope in (SCOPE_TRADE, SCOPE_WITHDRAW, SCOPE_DEPOSIT):
            held = bool(live and grant.scopes & scope)
            assert clearing.may_act(number, actor, scope) == held
            self.summary[f"grant of scope {scope} {'held' if held else 'not held'}"] += 1
        if not (live and grant.scopes & SCOPE_WITHDRAW):
            evidence = Side(number, WORST_CASE, sorted(self.account(number).positions)).evidence()
            token = self.world.token(0).address
            arguments = (number, token, 1, actor, evidence, b"")
            reason = self.world.vault.attempt("withdraw", *arguments, sender=actor)
            self.as_predicted("overreach", "not authorised", reason)

    def set_credit_tier(self, number: int, tier: int) -> None:
        self.world.clearing.set_credit_tier(number, tier)
        self.ledger.set_credit_tier(number, tier)

    # Perps and markets

    def set_funding_rate(self, underlying: int, rate: int) -> None:
        """WAD a second and long unit."""
        perp = Instrument(underlying, 0, 0, Kind.PERP).pack()
        self.world.clearing.set_funding_rate(underlying, rate)
        self.ledger.set_funding_rate(perp, rate, self.now)
        self.summary["funding rate"] += 1

    def set_limits(self, underlying: int, limits: tuple[int, int, int, int]) -> None:
        """Position, open interest of an instrument and of all, WAD; seconds of their ramp."""
        self.world.contracts.markets.set_limits(underlying, limits)
        self.summary["limits"] += 1

    def intrude(self, number: int, stranger_key: int) -> None:
        """Somebody without a grant tries what only owners and operators may."""
        stranger, token = typed.address(typed.key(stranger_key)), self.world.token(0).address
        evidence = Side(number, WORST_CASE, sorted(self.account(number).positions)).evidence()
        vault, house = self.world.vault, self.world.contracts.house
        attempts = (
            vault.attempt("withdraw", number, token, 1, stranger, evidence, b"", sender=stranger),
            vault.attempt("deposit", number, self.world.token(1).address, 1, sender=stranger),
            house.attempt("bid", number + 1, number, WAD, 2**200, [], evidence, b"", sender=stranger),
        )
        for reason in attempts:
            self.as_predicted("intrusion", "not authorised", reason)

    def deposit(self, number: int, amount: int, index: int = 0) -> str:
        """Tokens; `index` 0: the settlement token."""
        refusal = self._collateral_refusal(number, amount, index) if index else None
        reason = self.world.deposit(number, amount, index)
        if self.as_predicted("deposit of collateral" if index else "deposit", refusal, reason):
            if index:
                self.ledger.deposit_collateral(number, index, amount)
                if self.world.contracts.oracle.is_fresh():
                    self.deposited_in[number, index] = self.epoch.number
            else:
                self.ledger.deposit(number, amount, self.now)
        return reason

    def withdraw(self, number: int, amount: int, way: int, index: int = 0) -> str:
        """Reason of the refusal, or empty."""
        before = self.account(number)
        verdict = self.predictor.withdrawal(number, index, amount, way)
        held = before.collateral.get(index, 0)
        possible = not index or self.predictor.wad(index, amount) <= held
        after = self.predictor.withdrawn(before, index, amount) if possible else before
        side = self.side(number, way, after)
        action = self.world.withdrawal_action(number, index, amount, before.withdraw_nonce)
        reason = self.world.withdraw(side, index, amount, self.world.statement(action, [side]))
        label = "withdraw collateral" if index else "withdraw"
        if self.as_predicted(f"{label} by {WAY_NAMES[way]}", verdict.refusal, reason):
            if way == REPORT:
                self.spend()
            self._take_out(number, index, amount)
            self.adopt(number, verdict, before)
            stored = self.ledger.accounts[number]
            self.ledger.accounts[number] = accounts.ratcheted(stored, verdict.settled)
            self.withdrawn.append((number, way))
        return reason

    def refresh(self, number: int) -> str:
        """Make the latest epoch's leaf the account's record."""
        verdict = self.predictor.leaf(number, self.account(number))
        side = self.side(number, LEAF, self.account(number))
        statement = self.world.statement(b"", [])
        reason = self.world.clearing.attempt("refresh", number, side.evidence(), statement)
        if self.as_predicted("refresh", verdict.refusal, reason):
            self.adopt(number, verdict, self.account(number))
        return str(reason)

    def settle(self, number: int) -> str:
        """Turn every leg whose price is final into cash; refused when there is none."""
        payoffs = self.predictor.payoffs(number)
        book = sorted(self.account(number).positions)
        reason = self.world.clearing.attempt("settle", number, book)
        if self.as_predicted("settle", None if payoffs else "nothing to settle", reason):
            self.ledger.settle(number, payoffs, self.now)
        return str(reason)

    # Trades

    def trade(self, deal: Deal) -> str:
        """Reason of the refusal, or empty."""
        orders, trade, margins = self.world.orders(deal), self._trade(deal), self._margins(deal)
        sides = trade.sides(margins, self.ledger.indices(self.now))
        verdicts = self.predictor.trade(deal, sides)
        shown = [
            self.side(n, way, accounts.traded(self.account(n), fills))
            for (n, fills), way in zip(sides, deal.ways, strict=True)
        ]
        reason = self.world.fill(deal, orders, shown, self._statement(deal, orders, shown))
        label = " / ".join(sorted(WAY_NAMES[way] for way in deal.ways))
        refusal = verdicts[0].refusal or verdicts[1].refusal
        if self.as_predicted(f"trade by {label}", refusal, reason):
            self.spend()
            self.summary["trade of several legs"] += len(deal.legs) > 1
            self._apply(trade, margins, verdicts)
        return reason

    def first_way(self, number: int, deal: Deal, order: Sequence[int]) -> int:
        """The first of the ways in `order` that the model lets this side pass by, else the last."""
        sides = self._trade(deal).sides(self._margins(deal), self.ledger.indices(self.now))
        place = [n for n, _ in sides].index(number)
        for way in order:
            tried = [WORST_CASE, WORST_CASE]
            tried[place] = way
            if self.predictor.trade(replace(deal, ways=tuple(tried)), sides)[place].refusal is None:
                return way
        return order[-1]

    # Attesters, guardian, owner

    def propose(self, spots: Sequence[int]) -> EpochBook:
        """The attesters' statement on the state now, spots in 1e-8 USD."""
        number = self.world.epoch.number + 1 if self.world.epoch else 1
        self.world.chain.mine(self.world.contracts.min_blocks)
        return self.world.propose(number, self.world.words(spots), self.ledger.accounts)

    def publish(self, epoch: EpochBook) -> None:
        self.as_predicted("epoch", None, self.world.publish(epoch))
        self.spend()
        self.summary["epoch outside its band"] += bool(self.world.contracts.oracle.header().outside)

    def post_epoch(self, spots: Sequence[int]) -> EpochBook:
        """Propose and publish at once."""
        epoch = self.propose(spots)
        self.publish(epoch)
        return epoch

    def pause(self, seconds: int) -> None:
        """Zero seconds: an end of the pause."""
        self.world.clearing.pause(seconds) if seconds else self.world.clearing.unpause()
        self.predictor.paused_until = self.now + seconds
        self.summary["pause" if seconds else "end of a pause"] += 1

    def collect_fees(self) -> None:
        """To their recipient, or towards the shortfall."""
        ledger, unit = self.ledger, self.ledger.token.cash(1)
        before = replace(ledger.losses), ledger.fees
        ledger.release(self.now)
        amount = ledger.fees // unit
        reason = self.world.vault.attempt("collect_fees")
        if not self.as_predicted("collection of fees", None if amount else "no fees", reason):
            ledger.losses, ledger.fees = before
            return
        ledger.fees -= amount * unit
        if ledger.losses.shortfall:
            ledger.held -= amount
            ledger.recover(amount, self.now)
        else:
            ledger.held -= amount

    def finalize(self, underlying: int, expiry: int) -> int:
        """Fix the settlement price of an expiry; anybody may."""
        price = self.world.contracts.oracle.finalize_settlement(underlying, expiry)
        self.summary["settlement price"] += 1
        return int(price)

    def donate(self, amount: int) -> None:
        """Send tokens past the books: they must change nothing."""
        self.world.token(0).mint(self.world.vault.address, amount)
        self.donated += amount
        self.summary["donation"] += 1

    # Evidence

    def side(self, number: int, way: int, after: Account) -> Side:
        """Evidence of an account for an action that leaves it as `after`."""
        book = sorted(after.positions)
        if way == LEAF:
            return Side(number, way, book, self.epoch.margins[number], self.epoch.margin_proof(number))
        if way in REPORT_WAYS:
            return Side(number, way, book, self.predictor.report(number, after))
        return Side(number, way, book)

    def _statement(self, deal: Deal, orders: Orders, sides: Sequence[Side]) -> bytes:
        if not deal.with_leaf and set(deal.ways) == {WORST_CASE}:
            return b""
        return self.world.statement(orders.action(), sides, deal.instruments if deal.with_leaf else ())

    # Model

    def as_predicted(self, action: str, refusal: str | None, reason: str) -> bool:
        """Whether the action happened; fails where chain and model disagree about it."""
        assert bool(reason) == bool(refusal), f"{action}: chain {reason!r}, model {refusal!r}"
        assert not reason or reason.startswith(REASONS), f"{action}: refused with {reason!r}"
        self.summary[f"{action} refused" if reason else action] += 1
        if not reason:
            self.changes.note()
            alone = self.predictor.is_paused or not self.world.contracts.oracle.is_fresh()
            self.summary[f"{action} without keepers"] += alone
        return not reason

    def adopt(self, number: int, verdict: Verdict, stated: Account) -> None:
        """A leaf becomes the record; `stated` is the account before the action."""
        if verdict.record is None:
            return
        record: Record = ways.stored(verdict.record)
        self.indivisible[number] = 0
        self.exact.discard(number)
        self.exact.update({number} if record.changes == hashes.changes(stated.book_hash) else ())
        self.ledger.accounts[number] = replace(self.ledger.accounts[number], record=record)

    def spend(self) -> None:
        """The last call must never pass again."""
        self.spent.append(self.world.chain.last)

    def replay(self, index: int) -> None:
        """Invariant 6: a signed action of the past, brought once more."""
        to, data, sender = self.spent[index % len(self.spent)]
        returned, reason = self.world.chain.call(to, data, sender)
        assert returned is None and reason.startswith(REASONS), reason
        self.summary["replay refused"] += 1

    def _collateral_refusal(self, number: int, amount: int, index: int) -> str | None:
        """Its cap; and while accounts can be flagged, one deposit an epoch."""
        vault = self.ledger.vaults[index]
        if vault.held + amount > vault.listing.cap:
            return "above its cap"
        if not self.world.contracts.oracle.is_fresh():
            return None
        return "once an epoch" if self.epoch.number <= self.deposited_in.get((number, index), 0) else None

    def _take_out(self, number: int, index: int, amount: int) -> None:
        if index:
            self.ledger.withdraw_collateral(number, index, amount, self.now)
        else:
            self.ledger.withdraw(number, amount, self.now, self.predictor.fund_assets())

    def _trade(self, deal: Deal) -> Trade:
        fees = [self.world.fee(taker, deal) for taker in (False, True)]
        return Trade(deal.maker, deal.taker, deal.legs, *fees)

    def _margins(self, deal: Deal) -> list[InstrumentMargin] | None:
        return [self.epoch.instrument_margin(i) for i in deal.instruments] if deal.with_leaf else None

    def _apply(
        self, trade: Trade, margins: Sequence[InstrumentMargin] | None, verdicts: Sequence[Verdict]
    ) -> None:
        numbers = (trade.maker, trade.taker)
        before = [self.account(n) for n in numbers]
        settled = {n: v.settled for n, v in zip(numbers, verdicts, strict=True)}
        self.ledger.trade(trade, margins, settled, self.now)
        for number, verdict, stated in zip(numbers, verdicts, before, strict=True):
            self.adopt(number, verdict, stated)
