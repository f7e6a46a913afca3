"""What the canary reads: views and logs of the contracts, at one block. No index, no database, no opinion:
whether an account may be flagged is asked of the auction house itself, by calling it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from keeper.chain import abi_codec
from keeper.chain.contracts import (
    AUCTION_HOUSE,
    CLEARINGHOUSE,
    INSURANCE_FUND,
    MARKETS,
    ORACLE,
    QUORUM,
    VAULT,
    Call,
    Protocol,
)
from keeper.chain.node import BlockRef, CallError
from keeper.markets.instrument import Instrument

LENS = "AccountLens"
_LENS_BATCH = 256
_LOG_BLOCKS = 5_000  # a request: nodes refuse wider ranges
_OWNED = (ORACLE, AUCTION_HOUSE, INSURANCE_FUND, VAULT, CLEARINGHOUSE, MARKETS, "Exchange")
_POWERS = (
    (CLEARINGHOUSE, "guardian"),
    (CLEARINGHOUSE, "gate"),
    (CLEARINGHOUSE, "oracle"),
    (CLEARINGHOUSE, "auction_house"),
    (CLEARINGHOUSE, "risk_manager"),
    (CLEARINGHOUSE, "funding"),
    (ORACLE, "quorum"),
)
_NOBODY = "0x" + "00" * 19 + "01"  # who asks in calls that are never sent


@dataclass
class CanaryReader:
    """Reads of one chain. What logs have told once is remembered."""

    protocol: Protocol
    _auctioned: set[int] = field(default_factory=set)
    _read_until: int | None = None
    _held: dict[tuple[int, int], bool] = field(default_factory=dict)
    _scale: int | None = None  # of the settlement token

    def powers(self, at: str) -> dict[str, str]:
        """Who holds what: owners, guardian, modules, quorum, its members and threshold."""
        owned = [name for name in _OWNED if name in self.protocol.deployment.addresses]
        calls = [Call(name, "owner") for name in owned] + [Call(c, f) for c, f in _POWERS]
        calls += [Call(QUORUM, "signers"), Call(QUORUM, "threshold")]
        names = [f"owner of {name}" for name in owned] + [f for _, f in _POWERS]
        names += ["members of the quorum", "threshold of the quorum"]
        found = self.protocol.read_all(at, calls)
        return {name: _text(value) for name, value in zip(names, found, strict=True)}

    def paused_until(self, at: str) -> int:
        """Unix seconds."""
        return int(self.protocol.read(at, CLEARINGHOUSE, "paused_until"))

    def money(self, at: str) -> tuple[float, float]:
        """Insurance fund and shortfall, whole tokens."""
        assets = self.protocol.read(at, INSURANCE_FUND, "totalAssets")
        losses = self.protocol.structs(at, [Call(VAULT, "losses")])[0]
        if self._scale is None:
            self._scale = 10 ** self._token_decimals(at)
        return assets / self._scale, losses["shortfall"] / 10**18

    def auctions(self, head: BlockRef) -> dict[int, int]:
        """Accounts in auction, and since how many seconds."""
        for log in self._new_logs(head):
            self._auctioned.add(int(log["topics"][1], 16))
        accounts = sorted(self._auctioned)
        calls = [Call(AUCTION_HOUSE, "auction", (account,)) for account in accounts]
        found = self.protocol.structs(head.hash, calls) if calls else []
        return {
            account: auction["elapsed"] + head.timestamp - auction["touched"]
            for account, auction in zip(accounts, found, strict=True)
            if auction["epoch"]
        }

    def unsettled(self, head: BlockRef) -> tuple[tuple[int, int], ...]:
        """(underlying, expiry) past, still held, without a price."""
        listed = {(x.underlying, x.expiry) for x in self.protocol.listings(head.hash)}
        past = sorted(pair for pair in listed if pair[1] <= head.timestamp)
        prices = self.protocol.settlement_prices(head.hash, past)
        return tuple(p for p, price in zip(past, prices, strict=True) if not price and self._is_held(p, head))

    def cash(self, at: str, accounts: Sequence[int]) -> dict[int, tuple[int, str]]:
        """Cash, WAD, and book hash of accounts."""
        parts = [accounts[i : i + _LENS_BATCH] for i in range(0, len(accounts), _LENS_BATCH)]
        found = self.protocol.read_all(at, [Call(LENS, "summaries", (list(part),)) for part in parts])
        rows = [row for answer in found for row in answer]
        return {a: (int(row[1]), "0x" + row[4].hex()) for a, row in zip(accounts, rows, strict=True)}

    def may_be_flagged(self, at: str, account: int, claim: bytes) -> bool:
        """Whether the auction house would start an auction by this claim, sent by anybody."""
        calldata = self.protocol.calldata(AUCTION_HOUSE, "flag", account, claim)
        target = self.protocol.deployment.addresses[AUCTION_HOUSE]
        tag = {"blockHash": at, "requireCanonical": True}
        try:
            self.protocol.node.request("eth_call", {"from": _NOBODY, "to": target, "data": calldata}, tag)
        except CallError:
            return False
        return True

    def _token_decimals(self, at: str) -> int:
        token = self.protocol.read(at, VAULT, "settlement_token")
        tag = {"blockHash": at, "requireCanonical": True}
        return int(self.protocol.node.request("eth_call", {"to": token, "data": "0x313ce567"}, tag), 16)

    def _new_logs(self, head: BlockRef) -> Iterable[dict[str, Any]]:
        """AuctionStarted since the last look; truth is asked of the view, so a reorg does no harm."""
        first = self.protocol.deployment.block if self._read_until is None else self._read_until + 1
        logs = self._logs(AUCTION_HOUSE, "AuctionStarted", max(0, first - 64), head.number)
        self._read_until = head.number
        return logs

    def _is_held(self, pair: tuple[int, int], head: BlockRef) -> bool:
        """Whether anybody holds a leg of an expiry: after it nobody trades, so it is read once. A share sold
        in an auction moves legs on, it does not end them."""
        if pair not in self._held:
            books: dict[tuple[int, int], int] = defaultdict(int)
            event = _event(CLEARINGHOUSE, "PositionChanged")
            for log in self._logs(
                CLEARINGHOUSE, "PositionChanged", self.protocol.deployment.block, head.number
            ):
                found = event.decode(log["topics"], bytes.fromhex(log["data"][2:]))
                instrument = Instrument.unpack(found["instrument"])
                if (instrument.underlying, instrument.expiry) == pair:
                    books[found["account"], found["instrument"]] += found["quantity"]
            self._held[pair] = any(books.values())
        return self._held[pair]

    def _logs(self, contract: str, name: str, first: int, last: int) -> list[dict[str, Any]]:
        topic, address = _event(contract, name).topic, self.protocol.deployment.addresses[contract]
        found: list[dict[str, Any]] = []
        for start in range(first, last + 1, _LOG_BLOCKS):
            end = min(last, start + _LOG_BLOCKS - 1)
            asked = {"address": address, "topics": [topic], "fromBlock": hex(start), "toBlock": hex(end)}
            found += self.protocol.node.request("eth_getLogs", asked)
        return found


def _event(contract: str, name: str) -> abi_codec.Event:
    return next(e for e in abi_codec.load(contract).events.values() if e.name == name)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
