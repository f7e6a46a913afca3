"""ABI encoding of many accounts: the sections of a snapshot, word by word."""

import numpy as np
from eth_utils.crypto import keccak

from keeper.pricing.compiled_elementary import inlined
from keeper.risk.compiled import Array, compiled
from keeper.risk.wide import times
from keeper.units.constants import PRICE_UNIT

ACCOUNT_TYPE = (
    "SnapshotAccount(uint256 account,uint256[] book,uint256 addedIM,int256 addedMark,bytes32 bookHash,"
    "uint256 tier,SnapshotCollateral[] collateral)SnapshotCollateral(uint256 index,uint256 underlying,"
    "uint256 initialHaircut,uint256 maintenanceHaircut,uint256 amount)"
)
# typehash, seven members, and the lengths of the two arrays
SECTION_WORDS = 10
_HEAD_WORDS = 8
_COLLATERAL_WORDS = 5
_WORD = 32
_TYPEHASH = np.frombuffer(keccak(text=ACCOUNT_TYPE), dtype=np.uint8).copy()
_UNIT = np.uint64(PRICE_UNIT)
_ZERO = np.uint64(0)


@inlined
def _put(out, row, end, value):  # type: ignore[no-untyped-def]
    """The 64 bits of a number before byte `end` of a row, big-endian."""
    for k in range(8):
        out[row, end - 1 - k] = np.uint8((value >> np.uint64(8 * k)) & np.uint64(0xFF))


@compiled
def encode_sections(
    ids: Array,
    legs: tuple[Array, Array, Array, Array],
    heads: Array,
    tiers: Array,
    collateral: tuple[Array, Array],
    indptr: Array,
    span: tuple[int, int],
    out: Array,
) -> None:
    """Encodings of the accounts `span`.

    Args:
        legs: where those of each account begin; instrument (index) and quantity (1e-8 coins) of each; packed
            instruments, shape (instruments, 16).
        heads: shape (n, 3, 32).
        collateral: where the words of each account begin, and the words, shape (words, 32).
        indptr: first word of each account in `out`, which holds zeros, shape (words, 32).
    """
    begins, columns, quantities, instruments = legs
    starts, words = collateral
    for account in range(span[0], span[1]):
        row, count = indptr[account], begins[account + 1] - begins[account]
        tokens = starts[account + 1] - starts[account]
        out[row] = _TYPEHASH
        _put(out, row + 1, _WORD, np.uint64(ids[account]))
        _put(out, row + 2, _WORD, np.uint64(_HEAD_WORDS * _WORD))
        for k in range(3):
            out[row + 3 + k] = heads[account, k]
        _put(out, row + 6, _WORD, np.uint64(tiers[account]))
        _put(out, row + 7, _WORD, np.uint64((_HEAD_WORDS + 1 + count) * _WORD))
        _put(out, row + _HEAD_WORDS, _WORD, np.uint64(count))
        row += _HEAD_WORDS + 1
        for j in range(begins[account], begins[account + 1]):
            quantity = quantities[j]
            size = times((_ZERO, np.uint64(abs(quantity))), _UNIT)
            high, low = size
            if quantity < 0:
                high, low = ~high, ~low + np.uint64(1)
                if low == _ZERO:
                    high += np.uint64(1)
            out[row, : _WORD // 2] = instruments[columns[j]]
            _put(out, row, _WORD - 8, high)
            _put(out, row, _WORD, low)
            row += 1
        _put(out, row, _WORD, np.uint64(tokens // _COLLATERAL_WORDS))
        for k in range(tokens):
            out[row + 1 + k] = words[starts[account] + k]
