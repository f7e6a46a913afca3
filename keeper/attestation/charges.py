"""What a leaf's breakdown hash commits to: the charges behind its margin, one ABI word each.

    keccak256(abi.encode(TYPEHASH, charges..., keccak256(pledges)))

at the effective spot, in quanta; `pledges` are, for each collateral token in order, its index and the coins
pledged for the initial and the maintenance margin, a word each. The full breakdown (binding scenarios, profit
and loss per leg) follows from the snapshot and is made on demand: its charges must have this hash.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from eth_utils.crypto import keccak

from keeper.attestation.hashing import Bytes, keccak_rows
from keeper.risk.batch_margins import BatchMargins
from keeper.risk.batch_pledge import Pledged
from keeper.risk.collateral import Collateral
from keeper.units.constants import PRICE_UNIT

# of a breakdown, in the order of the type: where `Margin.breakdown` has them
CHARGES: Mapping[str, tuple[str, ...]] = {
    "scan": ("scan",),
    "greeks": ("greeks", "charge"),
    "delta": ("greeks", "delta"),
    "concentration": ("greeks", "concentration"),
    "vega": ("greeks", "vega"),
    "curvature": ("greeks", "curvature"),
    "theta": ("greeks", "theta"),
    "shortfall": ("shortfall", "charge"),
    "valueAtRisk": ("shortfall", "value_at_risk"),
    "roll": ("roll",),
    "nakedShorts": ("addons", "naked_shorts"),
    "perps": ("addons", "perps"),
    "confidence": ("addons", "confidence"),
    "liquidity": ("liquidity", "charge"),
}
TYPE = f"Charges({','.join(f'uint256 {name}' for name in CHARGES)},bytes32 pledges)"
TYPEHASH = keccak(text=TYPE)
NO_PLEDGES = keccak(b"")
_WORD = 32


def charges_of(breakdown: Mapping[str, Any]) -> list[int]:
    """The charges of one account's breakdown, in order, quanta."""
    return [_sum_at(breakdown, path) for path in CHARGES.values()]


def breakdown_hash(breakdown: Mapping[str, Any]) -> bytes:
    """The hash that stands in the leaf, 32 bytes."""
    rows = [
        (token["index"], token["pledged_initial"], token["pledged_maintenance"])
        for token in breakdown["collateral"]
    ]
    pledges = _pledge_hash(rows)
    return keccak(TYPEHASH + b"".join(_word(charge) for charge in charges_of(breakdown)) + pledges)


def breakdown_hashes(found: BatchMargins, pledges: Sequence[bytes] | None = None) -> Bytes:
    """The hashes of many accounts, shape (n, 32).

    Args:
        pledges: hash of each account's pledges; none hold collateral when left out.
    """
    words = np.zeros((len(found), len(CHARGES) + 2, _WORD), dtype=np.uint8)
    words[:, 0] = np.frombuffer(TYPEHASH, dtype=np.uint8)
    for place, charge in enumerate(_columns(found), start=1):
        words[:, place, -8:] = charge.astype(">i8").view(np.uint8).reshape(-1, 8)
    content = NO_PLEDGES * len(found) if pledges is None else b"".join(pledges)
    words[:, -1] = np.frombuffer(content, dtype=np.uint8).reshape(-1, _WORD)
    return keccak_rows(words.reshape(len(found), (len(CHARGES) + 2) * _WORD))


def pledge_hashes(collateral: Sequence[Sequence[Collateral]], found: Pledged) -> list[bytes]:
    """Hash of each account's pledges."""
    amounts = (found.coins.astype(object) * PRICE_UNIT).T.tolist()
    hashes = []
    for account, held in enumerate(collateral):
        rows = amounts[found.indptr[account] : found.indptr[account + 1]]
        hashes.append(_pledge_hash([(one.index, *row) for one, row in zip(held, rows, strict=True)]))
    return hashes


def _pledge_hash(rows: Sequence[Sequence[int | str]]) -> bytes:
    return keccak(b"".join(_word(value) for row in rows for value in row))


def _columns(found: BatchMargins) -> Sequence[Any]:
    """The same charges as arrays."""
    greeks, addons = found.greeks, found.addons
    return (
        found.scan.charge,
        greeks.total,
        greeks.delta,
        greeks.concentration,
        greeks.vega,
        greeks.curvature,
        greeks.theta,
        found.shortfall,
        found.shortfalls.value_at_risk,
        greeks.roll,
        addons.naked,
        addons.perps,
        addons.confidence,
        addons.liquidity,
    )


def _sum_at(breakdown: Mapping[str, Any], path: tuple[str, ...]) -> int:
    """The number at a path; of several offset groups or expiries the sum."""
    value: Any = breakdown
    for name in path:
        value = value[name]
    if isinstance(value, Mapping):
        return sum(int(part) for part in value.values())
    if isinstance(value, list):
        return sum(int(part["loss"]) for part in value)
    return int(value)


def _word(value: int | str) -> bytes:
    return int(value).to_bytes(_WORD, "big")
