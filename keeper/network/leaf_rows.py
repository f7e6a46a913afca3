"""Leaves as rows of text, and back: what pages of an epoch are made of."""

from typing import Any

from keeper.attestation.typed_data import ForwardLeaf, InstrumentLeaf, MarginLeaf
from keeper.network.schemas import plain, texts

MARGIN_FIELDS = [
    "account",
    "addedIM",
    "addedMark",
    "bookHash",
    "markToMarket",
    "initialMargin",
    "maintenanceMargin",
    "markPosted",
    "maintenancePosted",
    "marginal",
    "maxAddedIM",
    "breakdownHash",
]
INSTRUMENT_FIELDS = ["instrument", "mark", "imLong", "mmLong", "imShort", "mmShort"]
FORWARD_FIELDS = ["underlying", "expiry", "forward", "a", "b", "rho", "m", "sigma"]
_HASHES = ("bookHash", "breakdownHash")


def margin_fields(leaf: MarginLeaf) -> dict[str, Any]:
    """A margin leaf by the names of its EIP-712 type."""
    return {name: plain(value) for name, value in zip(MARGIN_FIELDS, leaf.values(), strict=True)}


def margin_row(leaf: MarginLeaf) -> list[str]:
    """A margin leaf."""
    return texts(leaf.values())


def margin_of(row: list[str]) -> MarginLeaf:
    """The inverse of `margin_row`. ValueError if malformed."""
    named = zip(MARGIN_FIELDS, row, strict=True)
    values: list[Any] = [bytes.fromhex(text[2:]) if name in _HASHES else int(text) for name, text in named]
    return MarginLeaf(*values)


def instrument_row(leaf: InstrumentLeaf) -> list[str]:
    """An instrument leaf."""
    return texts(leaf.values())


def instrument_of(row: list[str]) -> InstrumentLeaf:
    """The inverse of `instrument_row`. ValueError if malformed."""
    return InstrumentLeaf(*(int(text) for _, text in zip(INSTRUMENT_FIELDS, row, strict=True)))


def forward_row(leaf: ForwardLeaf) -> list[str]:
    """A forward leaf, its surface's parameters one by one."""
    return [str(value) for value in (leaf.underlying, leaf.expiry, leaf.forward, *leaf.svi)]


def forward_of(row: list[str]) -> ForwardLeaf:
    """The inverse of `forward_row`. ValueError if malformed."""
    underlying, expiry, forward, *svi = (int(text) for _, text in zip(FORWARD_FIELDS, row, strict=True))
    a, b, rho, m, sigma = svi
    return ForwardLeaf(underlying, expiry, forward, (a, b, rho, m, sigma))
