"""Cash of every account from what happened alone: trades, funding, settlements, auctions, tokens."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from keeper.clearing import account as accounts
from keeper.clearing import share
from keeper.clearing.account import Account, Fill
from keeper.clearing.funding import Funding, of_book
from keeper.clearing.share import Share
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import WAD


class Replay:
    """Folds events in the chain's order; nothing is taken from what they say holds afterwards."""

    def __init__(self, token_to_wad: int) -> None:
        self.accounts: dict[int, Account] = defaultdict(lambda: Account(""))
        # by instrument, what settlements paid all sides together
        self.paid: dict[int, int] = defaultdict(int)
        self.funding: dict[int, int] = defaultdict(int)  # by account, what became cash
        self.fees: dict[int, int] = defaultdict(int)  # by account, with interest
        self.charged: list[tuple[int, int, int]] = []  # time, fee, interest
        self._funding: dict[int, Funding] = defaultdict(Funding)
        self._token_to_wad = token_to_wad

    def follow(self, events: Sequence[Any], times: dict[int, int]) -> None:
        """`times`: unix seconds by block."""
        handlers = {
            "PositionChanged": self._fill,
            "AccountSettled": self._settle,
            "ShareTransferred": self._transfer,
            "FundingRateSet": self._rate,
            "InterestCharged": self._charge,
        }
        for event in events:
            handler = handlers.get(event["event"], self._token)
            handler(event, times[event["blockNumber"]])

    def _fill(self, event: Any, now: int) -> None:
        told = event["args"]
        index = self._indices(now).get(told["instrument"], 0)
        self._receive(told["account"], {told["instrument"]: index})
        self._pay(told["account"], now, fee=told["fee"])
        fill = Fill(told["instrument"], told["quantity"], told["price"], told["fee"], None, index)
        self.accounts[told["account"]] = accounts.filled(self.accounts[told["account"]], fill)

    def _settle(self, event: Any, now: int) -> None:
        told = event["args"]
        account = self.accounts[told["account"]]
        payoffs = {word >> 128: word & 2**128 - 1 for word in told["words"]}
        for instrument, unit in payoffs.items():
            self.paid[instrument] += account.positions[instrument] * unit // WAD
        self.accounts[told["account"]] = accounts.settled(account, payoffs, self._indices(now))

    def _transfer(self, event: Any, now: int) -> None:
        told, at = event["args"], self._indices(now)
        sold = Share(
            told["seller"], told["buyer"], told["fraction"], told["price"], told["payout"], 0, 0, 0, 2**40 - 1
        )
        for account in (sold.seller, sold.buyer):
            self._receive(account, {i: at.get(i, 0) for i in self.accounts[account].positions})
        seller, buyer = (accounts.touched(self.accounts[n], at) for n in (sold.seller, sold.buyer))
        self.accounts[sold.seller] = share.sold(seller, sold)
        self.accounts[sold.buyer] = share.bought(buyer, seller, sold)

    def _rate(self, event: Any, now: int) -> None:
        perp = Instrument(event["args"]["underlying"], 0, 0, Kind.PERP).pack()
        self._funding[perp] = self._funding[perp].with_rate(event["args"]["rate"], now)

    def _receive(self, number: int, indices: dict[int, int]) -> None:
        """Funding of some instruments becomes cash."""
        account = self.accounts[number]
        held = {i: account.positions[i] for i in indices if i in account.positions}
        self.funding[number] += of_book(held, account.entries, indices)

    def _pay(self, number: int, now: int, fee: int = 0, interest: int = 0) -> None:
        self.fees[number] += fee + interest
        self.charged.append((now, fee, interest))

    def _charge(self, event: Any, now: int) -> None:
        told = event["args"]
        self._pay(told["account"], now, interest=told["amount"])
        account = self.accounts[told["account"]]
        self.accounts[told["account"]] = replace(account, cash=account.cash - told["amount"])

    def _token(self, event: Any, now: int) -> None:
        told = event["args"]
        cash = told["amount"] * self._token_to_wad
        account = self.accounts[told["account"]]
        moved = accounts.deposited if event["event"] == "Deposited" else accounts.withdrawn
        self.accounts[told["account"]] = moved(account, cash)

    def _indices(self, now: int) -> dict[int, int]:
        return {perp: found.index_at(now) for perp, found in self._funding.items()}
