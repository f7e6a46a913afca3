"""Orders of one to four legs, and how one account passes a check."""

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.attestation.evidence import Evidence, encode_evidence
from keeper.attestation.typed_data import MarginLeaf
from keeper.clearing.ledger import TradeLeg
from keeper.units import constants as c
from tests.stateful import typed

HEADROOM, LEAF, REPORT = c.WAY_HEADROOM, c.WAY_LEAF, c.WAY_REPORT
WORST_CASE, REDUCE_REPORT, REDUCE_AT_MARK = c.WAY_WORST_CASE, c.WAY_REDUCE_REPORT, c.WAY_REDUCE_AT_MARK
REPORT_WAYS = (REPORT, REDUCE_REPORT)
WAY_NAMES = {
    HEADROOM: "headroom",
    LEAF: "leaf",
    REPORT: "report",
    WORST_CASE: "worst case",
    REDUCE_REPORT: "reduction by report",
    REDUCE_AT_MARK: "reduction at the mark",
}
WAD = 10**18


@dataclass(frozen=True)
class Side:
    """One account as it presents itself; `leaf` and `path` only where the way needs them."""

    account: int
    way: int
    instruments: Sequence[int] = ()
    leaf: typed.Struct | None = None
    path: Sequence[bytes] = ()

    def evidence(self) -> Evidence:
        leaf = MarginLeaf(*typed.values("MarginLeaf", self.leaf)) if self.leaf else None
        return encode_evidence(self.way, self.instruments, leaf, self.path)


@dataclass(frozen=True)
class Deal:
    """A trade to be attempted. Quantities are the maker's; prices per instrument, WAD, exact."""

    maker: int
    taker: int
    legs: tuple[TradeLeg, ...]
    ways: tuple[int, int]
    with_leaf: bool = True

    @property
    def instruments(self) -> list[int]:
        return [leg.instrument for leg in self.legs]

    @property
    def cash(self) -> int:
        """What the maker pays, WAD, exact."""
        return sum(leg.quantity * leg.price for leg in self.legs) // WAD


@dataclass(frozen=True)
class Orders:
    """Two mirrored orders of one unit, and what is signed about their fill."""

    maker: typed.Struct
    taker: typed.Struct
    price: int  # cash the maker pays
    fill_nonce: int

    def action(self) -> bytes:
        fill = {
            "makerHash": typed.struct_hash("Order", self.maker),
            "takerHash": typed.struct_hash("Order", self.taker),
            "quantity": 1,
            "price": self.price,
            "fillNonce": self.fill_nonce,
        }
        return typed.struct_hash("Fill", fill)


def leg_values(order: typed.Struct) -> list[tuple[object, ...]]:
    """The legs as ABI tuples."""
    return [typed.values("Leg", leg) for leg in order["legs"]]


def terms_values(order: typed.Struct) -> tuple[object, ...]:
    """The order without its legs as an ABI tuple."""
    account, _, *others = typed.values("Order", order)
    return account, *others
