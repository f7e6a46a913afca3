"""The protocol's contracts, read at one block. Prices of the oracle are 1e-8 USD, the rest WAD; times unix
seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from eth_utils.address import to_checksum_address

from keeper.attestation.epoch import posted_spots
from keeper.attestation.typed_data import Epoch
from keeper.chain import abi_codec
from keeper.chain.deployment import Deployment
from keeper.chain.node import CallError, Rpc

CLEARINGHOUSE = "Clearinghouse"
ORACLE = "RiskOracle"
MARKETS = "Markets"
QUORUM = "AttesterQuorum"
EXCHANGE = "Exchange"
VALUER = "BookValuer"
VAULT = "Vault"
AUCTION_HOUSE = "AuctionHouse"
COLLATERAL_SALE = "CollateralSale"
INSURANCE_FUND = "InsuranceFund"
LENS = "AccountLens"
_LENS_ACCOUNTS = 256  # as many as it answers at once
FUNDING = "Funding"
BOUNTIES = "Bounties"


@dataclass(frozen=True, slots=True)
class Header:
    """The oracle's latest epoch; number 0 before the first."""

    number: int
    previous: int
    timestamp: int
    block_number: int
    posted_block: int
    ten_age: int  # seconds since the ten-minute anchors, at the latest epoch
    hour_age: int


@dataclass(frozen=True, slots=True)
class Spot:
    """One underlying at the oracle, 1e-8 USD; anchors are what the longer bands measure from."""

    posted: int
    effective: int
    ten_anchor: int
    hour_anchor: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Ages in seconds, distance in blocks."""

    max_age: int
    stale_after: int
    frozen_after: int
    min_blocks: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One listed expiry of an underlying; the strike grid in 1e-8 USD."""

    underlying: int
    expiry: int
    lowest: int
    highest: int
    step: int


@dataclass(frozen=True, slots=True)
class AccountHead:
    """What identifies an account's book."""

    leg_count: int
    added_im: int
    added_mark: int
    book_hash: bytes
    withdraw_nonce: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What the chain says of an account's book and cash."""

    NAMES: ClassVar[tuple[str, ...]] = ("leg count", "cash", "added IM", "added mark", "book hash")
    SIZE: ClassVar[int] = 160  # bytes

    words: bytes  # as the contract encodes it

    @classmethod
    def of(cls, leg_count: int, cash: int, added_im: int, added_mark: int, book_hash: bytes) -> "Summary":
        """Amounts WAD."""
        numbers = (leg_count, cash, added_im, added_mark)
        return cls(b"".join(n.to_bytes(32, "big", signed=n < 0) for n in numbers) + book_hash)

    def difference(self, other: "Summary") -> str | None:
        """Name of the first figure that differs."""
        for i, name in enumerate(self.NAMES):
            if self.words[32 * i : 32 * i + 32] != other.words[32 * i : 32 * i + 32]:
                return name
        return None


@dataclass(frozen=True, slots=True)
class Call:
    """One call: contract name, function, arguments."""

    contract: str
    function: str
    arguments: tuple[Any, ...] = ()

    @property
    def abi(self) -> abi_codec.Function:
        return abi_codec.load(self.contract).functions[self.function]

    @property
    def encoded(self) -> str:
        """Calldata, 0x text."""
        return self.abi.encode(*self.arguments)


class Protocol:
    """Typed reads. `at` is a block hash (0x text): all reads of one decision name the same one."""

    def __init__(self, node: Rpc, deployment: Deployment) -> None:
        self.node = node
        self.deployment = deployment

    def calldata(self, contract: str, function: str, *arguments: Any) -> str:
        """Calldata of a call, 0x text."""
        return abi_codec.load(contract).functions[function].encode(*arguments)

    def read(self, at: str, contract: str, function: str, *arguments: Any) -> Any:
        """One view at a block. CallError with name and reason when it reverts."""
        return self.read_all(at, [Call(contract, function, arguments)])[0]

    def read_all(self, at: str, calls: Sequence[Call]) -> list[Any]:
        """Many views at one block, in one round trip. CallError names contract and function."""
        answers = self._ask(at, calls)
        return [_decoded(c.abi, answer) for c, answer in zip(calls, answers, strict=True)]

    def _ask(self, at: str, calls: Sequence[Call]) -> list[bytes]:
        """What many views answer, encoded."""
        tag = {"blockHash": at, "requireCanonical": True}
        requests = [
            ("eth_call", [{"to": self.deployment.addresses[c.contract], "data": c.encoded}, tag])
            for c in calls
        ]
        try:
            answers = self.node.agreed_batch(requests)
        except CallError as error:
            asked = ", ".join(dict.fromkeys(f"{c.contract}.{c.function}" for c in calls))
            raise CallError(f"{asked}: {error.reason}") from error
        return [bytes.fromhex(answer[2:]) for answer in answers]

    def structs(self, at: str, calls: Sequence[Call]) -> list[dict[str, Any]]:
        """Many views at one block that return a struct each, by the contract's field names."""
        functions = [abi_codec.load(call.contract).functions[call.function] for call in calls]
        return [
            dict(zip(f.fields, values, strict=True))
            for f, values in zip(functions, self.read_all(at, calls), strict=True)
        ]

    def header(self, at: str) -> Header:
        """The oracle's latest epoch."""
        h = self.structs(at, [Call(ORACLE, "header")])[0]
        return Header(
            number=h["number"],
            previous=h["previous"],
            timestamp=h["timestamp"],
            block_number=h["blockNumber"],
            posted_block=h["postedBlock"],
            ten_age=h["tenAge"],
            hour_age=h["hourAge"],
        )

    def limits(self, at: str) -> Limits:
        """Ages and distances of epochs."""
        found = self.structs(at, [Call(ORACLE, "limits")])[0]
        return Limits(found["maxAge"], found["staleAfter"], found["frozenAfter"], found["minBlocks"])

    def spots(self, at: str) -> list[Spot]:
        """Every underlying of the oracle, in order."""
        count = self.read(at, ORACLE, "underlying_count")
        found = self.structs(at, [Call(ORACLE, "spot", (u,)) for u in range(1, count + 1)])
        return [Spot(s["posted"], s["effective"], s["tenAnchor"], s["hourAnchor"]) for s in found]

    def bands(self, at: str, count: int) -> list[tuple[int, int, int]]:
        """(minute, ten minutes, hour) in basis points of underlyings 1 to `count`."""
        found = self.structs(at, [Call(ORACLE, "bands", (u,)) for u in range(1, count + 1)])
        return [(b["minute"], b["tenMinutes"], b["hour"]) for b in found]

    def symbols(self, at: str) -> dict[int, str]:
        """Symbol of every listed underlying."""
        ids = range(1, self.read(at, MARKETS, "underlying_count") + 1)
        found = self.structs(at, [Call(MARKETS, "underlying", (u,)) for u in ids])
        return {u: spec["symbol"] for u, spec in zip(ids, found, strict=True)}

    def price_bands(self, at: str) -> dict[int, int]:
        """How far from its mark every underlying's instruments trade, as a share of the spot, WAD."""
        ids = range(1, self.read(at, MARKETS, "underlying_count") + 1)
        found = self.structs(at, [Call(MARKETS, "underlying", (u,)) for u in ids])
        return {u: spec["priceBand"] for u, spec in zip(ids, found, strict=True)}

    def listings(self, at: str) -> list[Listing]:
        """Every expiry ever listed, ascending by underlying and expiry."""
        count = self.read(at, MARKETS, "underlying_count")
        expiries = self.read_all(at, [Call(MARKETS, "expiries", (u,)) for u in range(1, count + 1)])
        pairs = [(u, e) for u, listed in enumerate(expiries, start=1) for e in sorted(listed)]
        grids = self.read_all(at, [Call(MARKETS, "strike_grid", pair) for pair in pairs])
        return [Listing(u, e, *grid) for (u, e), grid in zip(pairs, grids, strict=True)]

    def settlement_windows(self, at: str, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """(twice the integral so far, covered seconds) per (underlying, expiry)."""
        return [tuple(w) for w in self.read_all(at, [Call(ORACLE, "settlement_window", p) for p in pairs])]

    def settlement_prices(self, at: str, pairs: Sequence[tuple[int, int]]) -> list[int]:
        """Settlement price per (underlying, expiry), 0 while it is not final."""
        return self.read_all(at, [Call(ORACLE, "settlement_price", p) for p in pairs])

    def account_heads(self, at: str, accounts: Sequence[int]) -> list[AccountHead]:
        """What the chain says about accounts."""
        found = self.structs(at, [Call(CLEARINGHOUSE, "account", (a,)) for a in accounts])
        return [
            AccountHead(a["legCount"], a["addedIM"], a["addedMark"], a["bookHash"], a["withdrawNonce"])
            for a in found
        ]

    def summaries(self, at: str, accounts: Sequence[int]) -> list[Summary]:
        """What an index checks its books against: by the lens in large pieces, where there is one."""
        if LENS not in self.deployment.addresses:
            found = self.structs(at, [Call(CLEARINGHOUSE, "account", (a,)) for a in accounts])
            return [
                Summary.of(a["legCount"], a["cash"], a["addedIM"], a["addedMark"], a["bookHash"])
                for a in found
            ]
        pieces = [accounts[i : i + _LENS_ACCOUNTS] for i in range(0, len(accounts), _LENS_ACCOUNTS)]
        answers = self._ask(at, [Call(LENS, "summaries", (piece,)) for piece in pieces])
        return [one for answer in answers for one in _summaries(answer)]

    def account_count(self, at: str) -> int:
        """Accounts ever opened."""
        return int(self.structs(at, [Call(CLEARINGHOUSE, "totals")])[0]["accounts"])

    def seq(self, at: str) -> int:
        """The clearing house's last sequence number."""
        return int(self.structs(at, [Call(CLEARINGHOUSE, "totals")])[0]["seq"])

    def signers(self, at: str) -> list[str]:
        """Attesters in the order of the bitmap."""
        return [to_checksum_address(a) for a in self.read(at, QUORUM, "signers")]

    def threshold(self, at: str) -> int:
        return int(self.read(at, QUORUM, "threshold"))

    def is_registered(self, at: str, methodology_hash: bytes) -> bool:
        return bool(self.read(at, ORACLE, "is_registered", methodology_hash))

    def post_epoch(
        self, epoch: Epoch, spots: Sequence[int], bitmap: int, compact: Sequence[tuple[bytes, int]]
    ) -> str:
        """Calldata that posts an epoch."""
        return self.calldata(
            ORACLE, "post_epoch", epoch.posting(), posted_spots(spots), (bitmap, list(compact))
        )


def _summaries(answer: bytes) -> list[Summary]:
    """Of an encoded array: its offset and length, then one struct after the other."""
    content = answer[64:]
    return [Summary(content[i : i + Summary.SIZE]) for i in range(0, len(content), Summary.SIZE)]


def _decoded(function: abi_codec.Function, data: bytes) -> Any:
    if not data:
        raise CallError(f"{function.name} returned nothing: is the contract there?")
    return function.decode(data)
