"""All accounts together: what the Clearinghouse holds, owes and has collected.

Applies actions that have already been decided; the index replays events through it, tests compare it with the
chain.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.clearing import account as accounts
from keeper.clearing import outflow
from keeper.clearing.account import Account, Fill, InstrumentMargin
from keeper.units.constants import WAD


@dataclass(frozen=True, slots=True)
class Token:
    """The settlement token: its decimals and the share of holdings that may leave per hour (WAD)."""

    decimals: int
    outflow_share: int

    def cash(self, amount: int) -> int:
        """WAD cash of a token amount."""
        return amount * int(10 ** (18 - self.decimals))


@dataclass(frozen=True, slots=True)
class Trade:
    """`quantity` is the maker's signed one, the taker gets the opposite."""

    maker: int
    taker: int
    instrument: int
    quantity: int
    price: int
    maker_fee: int
    taker_fee: int

    def sides(self, margin: InstrumentMargin | None) -> tuple[tuple[int, Fill], tuple[int, Fill]]:
        """(account, fill) of the maker and of the taker."""
        maker = Fill(self.instrument, self.quantity, self.price, self.maker_fee, margin)
        taker = Fill(self.instrument, -self.quantity, self.price, self.taker_fee, margin)
        return (self.maker, maker), (self.taker, taker)


@dataclass(slots=True)
class Ledger:
    """Mutable state of the whole clearing house; account ids are the caller's."""

    token: Token
    accounts: dict[int, Account] = field(default_factory=dict)
    held: int = 0  # tokens in custody, in the token's decimals
    fees: int = 0  # WAD
    bucket: outflow.Bucket = field(default_factory=outflow.Bucket)

    def open_account(self, number: int, owner: str) -> None:
        self.accounts[number] = Account(owner)

    def deposit(self, number: int, amount: int) -> None:
        self.accounts[number] = accounts.deposited(self.accounts[number], self.token.cash(amount))
        self.held += amount

    def exempt_amount(self, number: int) -> int:
        """Token amount that the account may withdraw past the outflow limit, rounded down."""
        return self.accounts[number].exempt // int(10 ** (18 - self.token.decimals))

    def withdraw(self, number: int, amount: int, now: int) -> None:
        exempt = self.exempt_amount(number)
        share = self.token.outflow_share
        self.bucket = outflow.withdrawn(self.bucket, amount, exempt, self.held, share, now)
        self.accounts[number] = accounts.withdrawn(self.accounts[number], self.token.cash(amount))
        self.held -= amount

    def trade(
        self, trade: Trade, margin: InstrumentMargin | None, settled_cash: Mapping[int, int] | None = None
    ) -> None:
        """`settled_cash` per account is what it passed with; without it, its cash."""
        for number, fill in trade.sides(margin):
            after = accounts.filled(self.accounts[number], fill)
            self.accounts[number] = accounts.ratcheted(after, (settled_cash or {}).get(number, after.cash))
            self.fees += fill.fee

    def settle(self, number: int, payoffs: Mapping[int, int]) -> None:
        self.accounts[number] = accounts.settled(self.accounts[number], payoffs)

    def open_interest(self) -> dict[int, int]:
        """Sum of all quantities per instrument: zero each, as every trade has two sides."""
        total: dict[int, int] = {}
        for account in self.accounts.values():
            for instrument, quantity in account.positions.items():
                total[instrument] = total.get(instrument, 0) + quantity
        return total

    def imbalance(self, marks: Mapping[int, int]) -> int:
        """Tokens held less what is owed, WAD, with unsettled perps and futures at `marks`; zero at all
        times.
        """
        owed = sum(account.cash for account in self.accounts.values()) + self.fees
        linear = sum(q * marks.get(i, 0) // WAD for i, q in self.open_interest().items())
        return self.token.cash(self.held) - owed - linear
