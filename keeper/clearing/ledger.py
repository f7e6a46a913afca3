"""All accounts together: what the Clearinghouse holds, owes and has collected.

Applies actions that have already been decided; the index replays events through it, tests compare it with the
chain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from keeper.clearing import account as accounts
from keeper.clearing import funding, outflow, share, shortfall
from keeper.clearing.account import Account, Fill, InstrumentMargin
from keeper.clearing.collateral import Listing
from keeper.clearing.funding import Funding
from keeper.clearing.share import Share
from keeper.clearing.shortfall import Losses
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
class TradeLeg:
    """One leg; `quantity` is the maker's signed one, the taker gets the opposite."""

    instrument: int
    quantity: int
    price: int


@dataclass(frozen=True, slots=True)
class Trade:
    """Distinct legs at one go; each side pays one fee, booked with the first leg. A maker's below zero is a
    rebate out of the taker's.
    """

    maker: int
    taker: int
    legs: tuple[TradeLeg, ...]
    maker_fee: int
    taker_fee: int

    def sides(
        self, margins: Sequence[InstrumentMargin] | None, indices: Mapping[int, int] | None = None
    ) -> tuple[tuple[int, tuple[Fill, ...]], tuple[int, tuple[Fill, ...]]]:
        """(account, fills) of the maker and of the taker; `margins` in the order of the legs, or none;
        `indices`: funding indices now by instrument, 0 where there is none.
        """
        return (self.maker, self._fills(1, self.maker_fee, margins, indices or {})), (
            self.taker,
            self._fills(-1, self.taker_fee, margins, indices or {}),
        )

    def _fills(
        self, sign: int, fee: int, margins: Sequence[InstrumentMargin] | None, indices: Mapping[int, int]
    ) -> tuple[Fill, ...]:
        return tuple(
            Fill(
                leg.instrument,
                sign * leg.quantity,
                leg.price,
                0 if i else fee,
                None if margins is None else margins[i],
                indices.get(leg.instrument, 0),
            )
            for i, leg in enumerate(self.legs)
        )


@dataclass(slots=True)
class Vault:
    """Collateral of one token in custody, in its own decimals, and its outflow bucket."""

    listing: Listing
    held: int = 0
    bucket: outflow.Bucket = field(default_factory=outflow.Bucket)


@dataclass(slots=True)
class Ledger:
    """Mutable state of the whole clearing house; account ids are the caller's."""

    token: Token
    accounts: dict[int, Account] = field(default_factory=dict)
    held: int = 0  # tokens in custody, in the token's decimals
    fees: int = 0  # WAD
    bucket: outflow.Bucket = field(default_factory=outflow.Bucket)
    vaults: dict[int, Vault] = field(default_factory=dict)  # by the collateral token's index
    losses: Losses = Losses()
    funding: dict[int, Funding] = field(default_factory=dict)  # by perp
    perp_ends: dict[int, int] = field(default_factory=dict)  # by perp, unix seconds

    def open_account(self, number: int, owner: str, scope: tuple[int, int] = (0, 0)) -> None:
        """`scope`: underlying and expiry that it is isolated to; 0: any."""
        self.accounts[number] = Account(owner, scope=scope)

    def transfer_account(self, number: int, owner: str) -> None:
        self.accounts[number] = replace(self.accounts[number], owner=owner)

    def set_credit_tier(self, number: int, tier: int) -> None:
        self.accounts[number] = replace(self.accounts[number], tier=tier)

    # Funding

    def set_funding_rate(self, perp: int, rate: int, now: int) -> None:
        """What a long unit pays a second from now on, WAD."""
        self.funding[perp] = self.funding.get(perp, Funding()).with_rate(rate, now)

    def end_perp(self, perp: int, at: int, now: int) -> None:
        """The perp settles at a time to come, and pays no funding until then."""
        self.set_funding_rate(perp, 0, now)
        self.perp_ends[perp] = at

    def indices(self, now: int) -> dict[int, int]:
        """Funding index of every perp that has one."""
        return {perp: found.index_at(now) for perp, found in self.funding.items()}

    def funding_of(self, number: int, now: int) -> int:
        """Funding that an account has accrued, WAD."""
        account = self.accounts[number]
        return funding.of_book(account.positions, account.entries, self.indices(now))

    @property
    def pool(self) -> int:
        """What stands behind cash, WAD."""
        return shortfall.pool(self.losses, self.token.cash(self.held), self.fees)

    def release(self, now: int) -> None:
        """What is due of the recovery joins the pool; what exceeds the shortfall, the fees."""
        self.losses, surplus = shortfall.release(self.losses, now)
        self.fees += surplus

    def deposit(self, number: int, amount: int, now: int = 0) -> None:
        self.release(now)
        tokens = self.token.cash(amount)
        self.losses, cash = shortfall.credit(self.losses, tokens, self.pool)
        self.accounts[number] = accounts.deposited(self.accounts[number], cash, tokens)
        self.held += amount

    def exempt_amount(self, number: int) -> int:
        """Token amount that the account may withdraw past the outflow limit, rounded down."""
        return self.accounts[number].exempt // int(10 ** (18 - self.token.decimals))

    def withdraw(self, number: int, amount: int, now: int, fund_assets: int = 0) -> int:
        """Cash worth `amount` at par leaves; returns the tokens paid. `fund_assets` is WAD."""
        self.release(now)
        cash, unit = self.token.cash(amount), self.token.cash(1)
        missing = shortfall.uncovered(self.losses, fund_assets)
        self.losses, worth = shortfall.pay(self.losses, cash, self.pool, missing, unit, now)
        paid, limit_share = worth // unit, self.token.outflow_share
        exempt = self.exempt_amount(number)
        self.bucket = outflow.withdrawn(self.bucket, paid, exempt, self.held, limit_share, now)
        self.accounts[number] = accounts.withdrawn(self.accounts[number], cash)
        self.held -= paid
        return paid

    def list_collateral(self, listing: Listing) -> None:
        """List a token, or change the terms of a listed one."""
        known = self.vaults.get(listing.index)
        self.vaults[listing.index] = Vault(listing) if known is None else known
        self.vaults[listing.index].listing = listing

    def deposit_collateral(self, number: int, token: int, amount: int) -> None:
        """`amount` in the decimals of the token with this index."""
        vault = self.vaults[token]
        credited = vault.listing.amount(amount)
        self.accounts[number] = accounts.collateral_deposited(self.accounts[number], token, credited)
        vault.held += amount

    def withdraw_collateral(self, number: int, token: int, amount: int, now: int) -> None:
        """`amount` in the decimals of the token with this index."""
        vault, account = self.vaults[token], self.accounts[number]
        exempt = accounts.collateral_exempt(account, token) // vault.listing.amount(1)
        limit_share = self.token.outflow_share
        vault.bucket = outflow.withdrawn(vault.bucket, amount, exempt, vault.held, limit_share, now)
        self.accounts[number] = accounts.collateral_withdrawn(account, token, vault.listing.amount(amount))
        vault.held -= amount

    def convert_collateral(self, number: int, token: int, amount: int, cost: int, now: int = 0) -> None:
        """Collateral leaves to a buyer who deposits `cost`; both in their tokens' decimals."""
        vault = self.vaults[token]
        self.accounts[number] = accounts.collateral_converted(
            self.accounts[number], token, vault.listing.amount(amount)
        )
        vault.held -= amount
        self.deposit(number, cost, now)

    def trade(
        self,
        trade: Trade,
        margins: Sequence[InstrumentMargin] | None,
        settled_cash: Mapping[int, int] | None = None,
        now: int = 0,
    ) -> None:
        """`settled_cash` per account is what it passed with; without it, its cash."""
        for number, fills in trade.sides(margins, self.indices(now)):
            after = accounts.traded(self.accounts[number], fills)
            self.accounts[number] = accounts.ratcheted(after, (settled_cash or {}).get(number, after.cash))
            self.fees += sum(fill.fee for fill in fills)

    def transfer_share(
        self, sale: Share, covered: int = 0, now: int = 0, settled_cash: int | None = None
    ) -> None:
        """A fraction of the seller's account changes hands.

        Args:
            covered: tokens that the insurance fund sends for the payout; the rest is a loss of all.
            settled_cash: what the buyer passed with; without it, its cash.
        """
        if sale.payout:
            self.release(now)
        paid = self.token.cash(covered)
        self.losses = shortfall.add(self.losses, max(0, sale.payout - paid))
        self.fees += max(0, paid - sale.payout)  # less than one unit of the token
        at = self.indices(now)
        seller, buyer = (accounts.touched(self.accounts[n], at) for n in (sale.seller, sale.buyer))
        self.accounts[sale.seller] = share.sold(seller, sale)
        after = share.bought(buyer, seller, sale)
        self.accounts[sale.buyer] = accounts.ratcheted(
            after, after.cash if settled_cash is None else settled_cash
        )
        self.held += covered

    def recover(self, amount: int, now: int) -> None:
        """Tokens given to cover the shortfall."""
        self.release(now)
        self.losses = shortfall.give(self.losses, self.token.cash(amount), now)
        self.held += amount

    def freeze(self, number: int, is_frozen: bool) -> None:
        self.accounts[number] = accounts.frozen(self.accounts[number], is_frozen)

    def settle(self, number: int, payoffs: Mapping[int, int], now: int = 0) -> None:
        self.accounts[number] = accounts.settled(
            self.accounts[number], payoffs, self.indices(now), self.perp_ends
        )

    def net_interest(self) -> dict[int, int]:
        """Sum of all quantities per instrument: zero each, as every trade has two sides."""
        total: dict[int, int] = {}
        for account in self.accounts.values():
            for instrument, quantity in account.positions.items():
                total[instrument] = total.get(instrument, 0) + quantity
        return total

    def open_interest(self) -> dict[int, int]:
        """Sum of the long positions per instrument, WAD."""
        total: dict[int, int] = {}
        for account in self.accounts.values():
            for instrument, quantity in account.positions.items():
                total[instrument] = total.get(instrument, 0) + max(0, quantity)
        return total

    def imbalance(self, marks: Mapping[int, int], now: int = 0) -> int:
        """Pool and shortfall less what is owed with funding to `now`, WAD, with unsettled perps and futures
        at `marks`; zero at all times.
        """
        owed = sum(account.cash + self.funding_of(number, now) for number, account in self.accounts.items())
        linear = sum(q * marks.get(i, 0) // WAD for i, q in self.net_interest().items())
        return self.pool + self.losses.shortfall - owed - linear
