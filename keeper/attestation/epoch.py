"""Epochs: all margins of one snapshot, with the trees whose roots the quorum signs.

`build` is a pure function of the snapshot and the methodology: proposer and attesters call it and compare
the digests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from eth_utils.crypto import keccak

from keeper.attestation.accounts import Accounts
from keeper.attestation.batch_leaves import Engine, batch_tables, figures_of, margin_leaves
from keeper.attestation.leaves import Leaves
from keeper.attestation.merkle import Tree, node
from keeper.attestation.report import RiskTables, build_tables, margin_leaf
from keeper.attestation.snapshot import Snapshot
from keeper.attestation.typed_data import Epoch, ForwardLeaf, InstrumentLeaf, MarginLeaf, Typed, leaf
from keeper.pricing.market import Market
from keeper.risk.batch_units import batch_unit_margins
from keeper.risk.margin import Margin
from keeper.risk.methodology import Methodology
from keeper.units.constants import PRICE_UNIT

_POSTED_SHIFT = 64


@dataclass(frozen=True)
class EpochStatement:
    """One epoch with everything its roots commit to.

    Attributes:
        epoch: what the quorum signs.
        spots: one calldata word per underlying, in order: posted << 64 | effective, price8.
        margins: leaf of every account, ascending by account; any sequence, kept as columns.
        instruments, forwards: market leaves, ascending.
        accounts: behind the leaves; None: only the leaves are known here.
        tables: the re-priced universe, for reports and breakdowns; None where only the leaves are known.
    """

    epoch: Epoch
    spots: tuple[int, ...]
    margins: Leaves
    instruments: tuple[InstrumentLeaf, ...]
    forwards: tuple[ForwardLeaf, ...]
    accounts: Accounts | None = None
    tables: RiskTables | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "margins", Leaves.of(self.margins))

    @cached_property
    def market_tree(self) -> Tree:
        """Tree over instrument and forward leaves."""
        return Tree(leaf(x.struct_hash()) for x in (*self.instruments, *self.forwards))

    @cached_property
    def margin_tree(self) -> Tree:
        """Tree over margin leaves."""
        return Tree(self.margins.hashes())

    @property
    def root(self) -> bytes:
        """The one root the chain stores: market and margin root as a sorted pair."""
        return node(self.epoch.market_root, self.epoch.margin_root)

    def margin(self, account: int) -> MarginLeaf:
        """Leaf of one account. Raises LookupError when there is none."""
        position = self.margins.find(account)
        if position is None:
            raise LookupError(f"epoch: no margin leaf of account {account}")
        return self.margins[position]

    def explain(self, account: int) -> Margin:
        """Margin of one account with its breakdown at the effective spot, down to single legs.

        Raises:
            LookupError: there is no such account, or only the leaves of this epoch are known here.
        """
        if self.accounts is None or self.tables is None:
            raise LookupError(f"epoch: {self.epoch.number} is known by its leaves alone, ask who computed it")
        position = self.accounts.find(account)
        if position is None:
            raise LookupError(f"epoch: no margin leaf of account {account}")
        return margin_leaf(self.accounts[position], self.tables)[1]

    def instrument(self, instrument: int) -> InstrumentLeaf:
        """Leaf of one instrument. Raises LookupError when there is none."""
        for item in self.instruments:
            if item.instrument == instrument:
                return item
        raise LookupError(f"epoch: no leaf of instrument {instrument}")

    def forward(self, underlying: int, expiry: int) -> ForwardLeaf:
        """Leaf of one expiry. Raises LookupError when there is none."""
        for item in self.forwards:
            if (item.underlying, item.expiry) == (underlying, expiry):
                return item
        raise LookupError(f"epoch: no forward leaf of {underlying} {expiry}")

    def account_proof(self, account: int) -> list[bytes]:
        """Proof of an account's leaf against `root`."""
        inner = self.margin_tree.proof(leaf(self.margin(account).struct_hash()))
        return [*inner, self.epoch.market_root]

    def instrument_proof(self, instrument: int) -> list[bytes]:
        """Proof of an instrument's leaf against `root`."""
        inner = self.market_tree.proof(leaf(self.instrument(instrument).struct_hash()))
        return [*inner, self.epoch.margin_root]

    def forward_proof(self, underlying: int, expiry: int) -> list[bytes]:
        """Proof of an expiry's leaf against `root`."""
        inner = self.market_tree.proof(leaf(self.forward(underlying, expiry).struct_hash()))
        return [*inner, self.epoch.margin_root]


def spot_words(market: Market) -> tuple[int, ...]:
    """Words of all underlyings, in order: posted << 64 | effective."""
    return tuple(u.posted << _POSTED_SHIFT | u.effective for u in market.underlyings)


def posted_spots(spots: Sequence[int]) -> list[int]:
    """Of those words, what the oracle is given."""
    return [word >> _POSTED_SHIFT for word in spots]


def spots_hash(spots: Sequence[int]) -> bytes:
    """keccak256 of the concatenated words."""
    return keccak(b"".join(word.to_bytes(32, "big") for word in spots))


def build(
    snapshot: Snapshot, methodology: Methodology, number: int, engine: Engine = figures_of
) -> EpochStatement:
    """Compute every leaf of an epoch.

    Args:
        engine: who computes the accounts' figures; whoever it is, they are the same to the bit.

    Raises:
        ValueError: the snapshot names another methodology or an underlying is missing from the sequence 1,
            2, ...
        LookupError: a leg's expiry is not in the market (unsettled expiries must stay in the snapshot).
        OverflowError: an account cannot be margined.
    """
    market = snapshot.market
    if [u.underlying for u in market.underlyings] != list(range(1, len(market.underlyings) + 1)):
        raise ValueError("epoch: spots must cover every underlying in order")
    tables = build_tables(snapshot, methodology)
    arrays = batch_tables(tables)
    margins = margin_leaves(snapshot.accounts, engine(snapshot.accounts, arrays))
    instruments = tuple(
        InstrumentLeaf(u.instrument, u.mark, u.im_long, u.mm_long, u.im_short, u.mm_short)
        for u in batch_unit_margins(arrays.effective, snapshot.instruments)
    )
    forwards = tuple(
        ForwardLeaf(u.underlying, e.expiry, e.forward * PRICE_UNIT, e.svi)
        for u in market.underlyings
        for e in u.expiries
    )
    spots, tree = spot_words(market), Tree(margins.hashes())
    epoch = Epoch(
        number=number,
        timestamp=market.timestamp,
        block_number=snapshot.block_number,
        block_hash=snapshot.block_hash,
        snapshot_hash=snapshot.hash(),
        methodology_hash=snapshot.methodology_hash,
        market_root=Tree(leaf(x.struct_hash()) for x in (*instruments, *forwards)).root,
        margin_root=tree.root,
        spots_hash=spots_hash(spots),
    )
    statement = EpochStatement(epoch, spots, margins, instruments, forwards, snapshot.accounts, tables)
    statement.__dict__["margin_tree"] = tree
    return statement


def first_difference(ours: EpochStatement, theirs: EpochStatement) -> str | None:
    """The first thing two statements disagree on, as text for a refusal; None when they are the same to the
    bit.

    Causes come before their effects: header, spots, forwards, instruments, margins, and the roots last.
    """
    header = ("number", "timestamp", "block_number", "block_hash", "methodology_hash", "snapshot_hash")
    found = _difference("epoch", ours.epoch, theirs.epoch, header)
    if found is None and ours.spots != theirs.spots:
        found = f"spots: {list(ours.spots)} here, {list(theirs.spots)} there"
    return (
        found
        or _list_difference("forward", ours.forwards, theirs.forwards)
        or _list_difference("instrument", ours.instruments, theirs.instruments)
        or _margin_difference(ours.margins, theirs.margins)
        or _difference("epoch", ours.epoch, theirs.epoch)
    )


def _list_difference(name: str, ours: Sequence[Typed], theirs: Sequence[Typed]) -> str | None:
    if len(ours) != len(theirs):
        return f"{name} leaves: {len(ours)} here, {len(theirs)} there"
    for a, b in zip(ours, theirs, strict=True):
        found = _difference(f"{name} {a.values()[0]}", a, b)
        if found is not None:
            return found
    return None


def _margin_difference(ours: Leaves, theirs: Leaves) -> str | None:
    if len(ours) != len(theirs):
        return f"margin leaves: {len(ours)} here, {len(theirs)} there"
    position = ours.first_difference(theirs)
    if position is None:
        return None
    return _difference(f"margin {ours[position].account}", ours[position], theirs[position])


def _difference(name: str, ours: Typed, theirs: Typed, only: Sequence[str] = ()) -> str | None:
    names = only or [field.name for field in fields(ours)]  # type: ignore[arg-type]
    for field in names:
        a, b = getattr(ours, field), getattr(theirs, field)
        if a != b:
            return f"{name} {field}: {_text(a)} here, {_text(b)} there"
    return None


def _text(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
