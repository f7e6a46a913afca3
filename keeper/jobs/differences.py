"""The first thing in which our epoch differs from a proposed one, in words for a refusal."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from eth_abi.exceptions import EncodingError

from keeper.attestation.epoch import EpochStatement, first_difference
from keeper.attestation.merkle import Tree
from keeper.attestation.typed_data import Epoch

MARGINS, INSTRUMENTS, FORWARDS = "margins", "instruments", "forwards"


class LeafSource(Protocol):
    """Where the leaves behind a proposed epoch are read."""

    def leaves(self, number: int, kind: str, root: bytes) -> tuple[Any, ...]:
        """All leaves of a kind. LookupError where nobody serves them."""
        ...


def difference(own: EpochStatement, claimed: Epoch, source: LeafSource | None) -> str | None:
    """What differs first, causes before their effects; None when nothing does, to the bit.

    Only where a root differs are the proposer's leaves read, to say which account or instrument it is.
    """
    if own.epoch == claimed:
        return None
    theirs = own
    if source is not None and own.epoch.market_root != claimed.market_root:
        theirs = _with_leaves(theirs, claimed, source, _market_leaves)
    if source is not None and own.epoch.margin_root != claimed.margin_root:
        theirs = _with_leaves(theirs, claimed, source, _margin_leaves)
    return first_difference(own, theirs) or first_difference(own, replace(own, epoch=claimed))


_Reading = Callable[[EpochStatement, Epoch, LeafSource], EpochStatement]


def _with_leaves(
    theirs: EpochStatement, claimed: Epoch, source: LeafSource, read: _Reading
) -> EpochStatement:
    """Their leaves in place of ours; ours where theirs cannot be had or are not those of the claimed root."""
    try:
        return read(theirs, claimed, source)
    except (LookupError, ValueError, EncodingError):
        return theirs


def _market_leaves(theirs: EpochStatement, claimed: Epoch, source: LeafSource) -> EpochStatement:
    instruments = source.leaves(claimed.number, INSTRUMENTS, claimed.market_root)
    forwards = source.leaves(claimed.number, FORWARDS, claimed.market_root)
    found = replace(theirs, instruments=instruments, forwards=forwards)
    _require_root(found.market_tree, claimed.market_root)
    return found


def _margin_leaves(theirs: EpochStatement, claimed: Epoch, source: LeafSource) -> EpochStatement:
    margins: Any = source.leaves(claimed.number, MARGINS, claimed.margin_root)
    found = replace(theirs, margins=margins)
    _require_root(found.margin_tree, claimed.margin_root)
    return found


def _require_root(tree: Tree, root: bytes) -> None:
    """Who serves other leaves than it has proposed gets no difference named out of them."""
    if tree.root != root:
        raise LookupError("leaves of another root")
