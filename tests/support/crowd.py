"""A town of a hundred thousand accounts, for measuring: written into the chain's storage and into an index.

The contracts, their code and what they answer are the real ones; no trade has led to the books. An
account is four words of the Clearinghouse: identity, money, counters (zero) and book hash. The index gets
the rows that its projection would have made of the trades.
"""

import json
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
from eth_utils.crypto import keccak

from keeper.app.process import Keeper
from keeper.markets.instrument import Instrument, Kind
from keeper.store import bulk, schema
from keeper.units.constants import WAD
from scripts._artifacts import artifact
from tests.support.keepers import Town

_BATCH = 2_000
_OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
_LEGS_SHIFT, _CASH_SHIFT = 160, 128
_ONE_LOT = WAD // 100
_CASH = 1_000_000 * WAD


class Crowd:
    """Accounts `first` to `last` of a town, each with `legs` options, futures or perpetuals."""

    def __init__(self, town: Town, instruments: list[int], first: int, last: int, legs: int) -> None:
        self._town = town
        random = np.random.default_rng(11)
        size = last - first + 1
        self._ids = range(first, last + 1)
        picks = np.argsort(random.random((size, len(instruments))), axis=1)[:, :legs]
        self._legs = np.sort(picks, axis=1)
        self._lots = random.integers(1, 500, (size, legs)) * random.choice([-1, 1], (size, legs))
        self._hashes = [keccak(text=f"book {account}") for account in self._ids]
        self._instruments = sorted(instruments)

    def write_chain(self) -> None:
        """The words of every account, and their number."""
        layout = artifact("Clearinghouse").layout["storage_layout"]
        slots = {name: place["slot"] for name, place in layout["accounts"].items()}
        identity = int(_OWNER, 16) | len(self._legs[0]) << _LEGS_SHIFT
        words: list[tuple[int, bytes]] = []
        for account, book_hash in zip(self._ids, self._hashes, strict=True):
            words.append((_slot(slots["_identity"], account), identity.to_bytes(32, "big")))
            words.append((_slot(slots["_money"], account), (_CASH << _CASH_SHIFT).to_bytes(32, "big")))
            words.append((_slot(slots["_book_hash"], account), book_hash))
        words.append((layout["state"]["_account_count"]["slot"], self._ids[-1].to_bytes(32, "big")))
        clearing = self._town.deployment.address("Clearinghouse")
        for start in range(0, len(words), _BATCH):
            _batch(
                self._town.devnet.url,
                [
                    (
                        "anvil_setStorageAt",
                        [clearing, "0x" + slot.to_bytes(32, "big").hex(), "0x" + word.hex()],
                    )
                    for slot, word in words[start : start + _BATCH]
                ],
            )

    def write_index(self, keeper: Keeper) -> None:
        """The rows of every account, valid from the block that the keeper's index has reached."""
        block = keeper.desk.sync().number
        accounts = [
            (account, block, None, _OWNER, str(_CASH), "0", "0", "0x" + book_hash.hex(), "0", "0", "0", "0")
            for account, book_hash in zip(self._ids, self._hashes, strict=True)
        ]
        names = [str(instrument) for instrument in self._instruments]
        positions = [
            (account, names[leg], block, None, str(lots * _ONE_LOT))
            for account, legs, sizes in zip(self._ids, self._legs.tolist(), self._lots.tolist(), strict=True)
            for leg, lots in zip(legs, sizes, strict=True)
        ]
        with keeper.database.begin() as connection:
            bulk.insert(connection, schema.account_version, accounts)
            bulk.insert(connection, schema.position_version, positions)


def instruments_of(expiries: list[int], spots: dict[int, int]) -> list[int]:
    """Perpetuals, futures, calls and puts around the spots (1e-8 USD by underlying), packed."""
    found = [Instrument(u, 0, 0, Kind.PERP).pack() for u in spots]
    for underlying, spot in spots.items():
        for expiry in expiries:
            found.append(Instrument(underlying, expiry, 0, Kind.FUTURE).pack())
            for step in range(-5, 6):
                price = spot + step * spot // 20
                kinds = (Kind.CALL, Kind.PUT)
                found += [Instrument(underlying, expiry, price, kind).pack() for kind in kinds]
    return sorted(found)


def _slot(base: int, key: int) -> int:
    """Of a mapping's entry, as Vyper places it."""
    return int.from_bytes(keccak(base.to_bytes(32, "big") + key.to_bytes(32, "big")), "big")


def _batch(url: str, calls: list[tuple[str, list[Any]]]) -> None:
    body = [{"jsonrpc": "2.0", "id": i, "method": m, "params": p} for i, (m, p) in enumerate(calls)]
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=120) as response:
        answers = json.load(response)
    failed = [answer["error"] for answer in answers if "error" in answer]
    if failed or len(answers) != len(calls):
        raise RuntimeError(f"crowd: the node refuses: {failed[:1]}")
