"""The snapshot: every input of an epoch, hashed into it, so that any margin can be recomputed and audited
later.

Two forms of the same content: canonical JSON (what keepers send each other) and a Merkle tree of ABI-encoded
    sections
(what the chain can open one at a time): a header, one leaf per underlying, expiry and account, and the
universe.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.attestation.account_state import AccountState
from keeper.attestation.accounts import Accounts
from keeper.attestation.merkle import Tree
from keeper.attestation.typed_data import leaf
from keeper.markets.instrument import Leg
from keeper.pricing.market import ExpiryMarket, Market, UnderlyingMarket
from keeper.risk.collateral import Collateral

FORMAT = 3

__all__ = ["FORMAT", "AccountState", "Snapshot", "market_from_text", "market_text"]

_HEADER = (
    "SnapshotHeader(uint256 chainId,uint256 blockNumber,bytes32 blockHash,uint256 timestamp,"
    "uint256 settlementPrice,bytes32 methodologyHash)"
)
_UNDERLYING = (
    "SnapshotUnderlying(uint256 underlying,uint256 posted,uint256 effective,uint256 volatilityScale,"
    "uint256 confidence)"
)
_EXPIRY = (
    "SnapshotExpiry(uint256 underlying,uint256 expiry,uint256 forward,int64[5] svi,uint256 settlementSum,"
    "uint256 settlementCovered)"
)
_UNIVERSE = "SnapshotUniverse(uint128[] instruments)"


@dataclass(frozen=True)
class Snapshot:
    """Everything an epoch is computed from. Accounts ascending by id, instruments ascending; both distinct.

    Attributes:
        accounts: any sequence of `AccountState`, kept as columns.
        instruments: the universe: packed ids of every instrument that gets a leaf.
    """

    chain_id: int
    block_number: int
    block_hash: bytes
    market: Market
    accounts: Accounts
    instruments: tuple[int, ...]
    methodology_hash: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "accounts", Accounts.of(self.accounts))
        _require_ascending("instruments", self.instruments)
        _require_ascending("underlyings", [u.underlying for u in self.market.underlyings])
        for listed in self.market.underlyings:
            _require_ascending("expiries", [e.expiry for e in listed.expiries])

    def account(self, account: int) -> AccountState:
        """One account. Raises LookupError when the snapshot does not hold it."""
        position = self.accounts.find(account)
        if position is None:
            raise LookupError(f"snapshot: no account {account}")
        return self.accounts[position]

    def traded_instruments(self) -> set[int]:
        """The universe and every leg of every account: what a risk table is built for."""
        return {*self.instruments, *self.accounts.held}

    def hash(self) -> bytes:
        """`snapshotHash` of the epoch: root over the sections."""
        return self.tree.root

    @cached_property
    def tree(self) -> Tree:
        """Merkle tree over the leaves of all sections: header, underlyings, expiries, accounts, universe."""
        sections = [
            _hash_header(self),
            *(_hash_underlying(u) for u in self.market.underlyings),
            *(_hash_expiry(u.underlying, e) for u in self.market.underlyings for e in u.expiries),
            _section(_UNIVERSE, ["uint128[]"], [list(self.instruments)]),
        ]
        others = np.frombuffer(b"".join(leaf(h) for h in sections), dtype=np.uint8).reshape(-1, 32)
        return Tree(np.concatenate([others, self.accounts.section_leaves]))

    def to_json(self) -> str:
        """Canonical text: sorted keys, no spaces, integers as decimal text, bytes as 0x hex."""
        return json.dumps(_plain(self), sort_keys=True, separators=(",", ":"))

    def to_bytes(self) -> bytes:
        """The canonical text in UTF-8."""
        return self.to_json().encode()

    @classmethod
    def from_json(cls, text: str) -> "Snapshot":
        """Parse the canonical text.

        Raises:
            ValueError: unknown format, a missing field or a malformed value.
        """
        data = json.loads(text)
        try:
            if data["format"] != FORMAT:
                raise ValueError(f"snapshot: unknown format {data['format']}")
            return cls(
                chain_id=int(data["chain_id"]),
                block_number=int(data["block_number"]),
                block_hash=_bytes32(data["block_hash"]),
                market=_market(data["market"]),
                accounts=Accounts.of(_account(a) for a in data["accounts"]),
                instruments=tuple(int(i) for i in data["instruments"]),
                methodology_hash=_bytes32(data["methodology_hash"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"snapshot: malformed: {error!r}") from error


def market_text(market: Market) -> str:
    """Canonical JSON of a market: what a proposal carries of a snapshot."""
    return json.dumps(_plain_market(market), sort_keys=True, separators=(",", ":"))


def market_from_text(text: str) -> Market:
    """The inverse of `market_text`. Raises ValueError for what is no market."""
    try:
        market = _market(json.loads(text))
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"market: malformed: {type(error).__name__}") from error
    _require_ascending("underlyings", [u.underlying for u in market.underlyings])
    for listed in market.underlyings:
        _require_ascending("expiries", [e.expiry for e in listed.expiries])
    return market


def _require_ascending(name: str, values: Sequence[int]) -> None:
    if any(b <= a for a, b in zip(values, values[1:], strict=False)):
        raise ValueError(f"snapshot: {name} are not ascending")


def _section(type_text: str, types: Iterable[str], values: Iterable[Any]) -> bytes:
    return keccak(encode(["bytes32", *types], [keccak(type_text.encode()), *values]))


def _hash_header(s: Snapshot) -> bytes:
    types = ["uint256", "uint256", "bytes32", "uint256", "uint256", "bytes32"]
    moment = [s.market.timestamp, s.market.settlement_price]
    return _section(_HEADER, types, [s.chain_id, s.block_number, s.block_hash, *moment, s.methodology_hash])


def _hash_underlying(u: UnderlyingMarket) -> bytes:
    values = [u.underlying, u.posted, u.effective, u.volatility_scale_ppm, u.confidence_ppm]
    return _section(_UNDERLYING, ["uint256"] * len(values), values)


def _hash_expiry(underlying: int, e: ExpiryMarket) -> bytes:
    types = ["uint256", "uint256", "uint256", "int64[5]", "uint256", "uint256"]
    values = [underlying, e.expiry, e.forward, list(e.svi), e.settlement_sum, e.settlement_covered]
    return _section(_EXPIRY, types, values)


def _plain(s: Snapshot) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "chain_id": str(s.chain_id),
        "block_number": str(s.block_number),
        "block_hash": "0x" + s.block_hash.hex(),
        "market": _plain_market(s.market),
        "accounts": [_plain_account(a) for a in s.accounts],
        "instruments": [str(i) for i in s.instruments],
        "methodology_hash": "0x" + s.methodology_hash.hex(),
    }


def _plain_market(market: Market) -> dict[str, Any]:
    return {
        "timestamp": str(market.timestamp),
        "settlement_price": str(market.settlement_price),
        "underlyings": [_plain_underlying(u) for u in market.underlyings],
    }


def _plain_underlying(u: UnderlyingMarket) -> dict[str, Any]:
    return {
        "underlying": str(u.underlying),
        "posted": str(u.posted),
        "effective": str(u.effective),
        "volatility_scale_ppm": str(u.volatility_scale_ppm),
        "confidence_ppm": str(u.confidence_ppm),
        "expiries": [
            {
                "expiry": str(e.expiry),
                "forward": str(e.forward),
                "svi": [str(x) for x in e.svi],
                "settlement_sum": str(e.settlement_sum),
                "settlement_covered": str(e.settlement_covered),
            }
            for e in u.expiries
        ],
    }


def _plain_account(a: AccountState) -> dict[str, Any]:
    return {
        "account": str(a.account),
        "legs": [[str(leg.instrument), str(leg.quantity)] for leg in a.legs],
        "added_im": str(a.added_im),
        "added_mark": str(a.added_mark),
        "book_hash": "0x" + a.book_hash.hex(),
        "tier": str(a.tier),
        "collateral": [[str(x) for x in astuple(c)] for c in a.collateral],
    }


def _bytes32(text: str) -> bytes:
    value = bytes.fromhex(text.removeprefix("0x"))
    if len(value) != 32:
        raise ValueError("snapshot: a hash has 32 bytes")
    return value


def _market(data: dict[str, Any]) -> Market:
    underlyings = tuple(_underlying(u) for u in data["underlyings"])
    return Market(int(data["timestamp"]), underlyings, int(data["settlement_price"]))


def _underlying(data: dict[str, Any]) -> UnderlyingMarket:
    expiries = tuple(_expiry(e) for e in data["expiries"])
    return UnderlyingMarket(
        underlying=int(data["underlying"]),
        posted=int(data["posted"]),
        effective=int(data["effective"]),
        expiries=expiries,
        volatility_scale_ppm=int(data["volatility_scale_ppm"]),
        confidence_ppm=int(data["confidence_ppm"]),
    )


def _expiry(data: dict[str, Any]) -> ExpiryMarket:
    if len(data["svi"]) != 5:
        raise ValueError("snapshot: a surface has five parameters")
    a, b, rho, m, sigma = (int(x) for x in data["svi"])
    return ExpiryMarket(
        expiry=int(data["expiry"]),
        forward=int(data["forward"]),
        svi=(a, b, rho, m, sigma),
        settlement_sum=int(data["settlement_sum"]),
        settlement_covered=int(data["settlement_covered"]),
    )


def _account(data: dict[str, Any]) -> AccountState:
    return AccountState(
        account=int(data["account"]),
        legs=tuple(Leg(int(i), int(q)) for i, q in data["legs"]),
        added_im=int(data["added_im"]),
        added_mark=int(data["added_mark"]),
        book_hash=_bytes32(data["book_hash"]),
        tier=int(data["tier"]),
        collateral=tuple(Collateral(*(int(x) for x in row)) for row in data["collateral"]),
    )
