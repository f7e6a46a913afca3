from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import boa
import pytest
from eth_utils.crypto import keccak

from keeper.attestation.epoch import posted_spots
from keeper.attestation.typed_data import Epoch
from tests.support.keys import ATTESTER_KEYS, ATTESTERS
from tests.support.statements import quorum_signatures

boa.interpret.set_cache_dir(".build/boa")

USD = 10**8
ZERO = "0x" + "0" * 40
START = 1_743_465_600  # 1 April 2025, a multiple of 300
BLOCK = 1_000
SPOTS = (2_000 * USD, 80_000 * USD)
BANDS = (200, 500, 1_000)
LIMITS = (120, 180, 600, 4)
METHODOLOGY = keccak(text="methodology of the tests")
THREE = {i: ATTESTER_KEYS[i] for i in (0, 2, 4)}


class BlockHashes:
    """What BLOCKHASH answers: the last 256 blocks of a made-up chain, the newest first."""

    def __iter__(self) -> Iterator[bytes]:
        newest = boa.env.evm.patch.block_number - 1
        yield from (block_hash(number) for number in range(newest, newest - 256, -1))


def block_hash(number: int) -> bytes:
    return keccak(text=f"block {number}")


def words(*spots: int) -> list[int]:
    """Spots calldata of spots inside their bands."""
    return [spot << 64 | spot for spot in spots]


def spots_hash(spots: list[int]) -> bytes:
    return keccak(b"".join(word.to_bytes(32, "big") for word in spots))


@dataclass
class Feed:
    """An oracle, its quorum and builders of epochs on a clock that the test moves."""

    oracle: Any
    quorum: Any

    def wait(self, seconds: int = 15, blocks: int = 4) -> None:
        boa.env.evm.patch.block_number += blocks
        boa.env.evm.patch.timestamp += seconds

    def epoch(self, spots: list[int], **changes: Any) -> Epoch:
        """The next epoch, of now and the last block; `changes` to its fields."""
        clock = boa.env.evm.patch
        epoch = Epoch(
            number=self.oracle.header().number + 1,
            timestamp=clock.timestamp,
            block_number=clock.block_number - 1,
            block_hash=block_hash(changes.get("block_number", clock.block_number - 1)),
            snapshot_hash=keccak(text="snapshot"),
            methodology_hash=METHODOLOGY,
            market_root=keccak(text="market root"),
            margin_root=keccak(text="margin root"),
            spots_hash=spots_hash(spots),
        )
        return replace(epoch, **changes)

    def sign(self, epoch: Epoch, keys: dict[int, bytes] = THREE) -> tuple[int, list[tuple[bytes, int]]]:
        chain_id = boa.env.evm.patch.chain_id
        return quorum_signatures(chain_id, self.quorum.address, epoch.struct_hash(), keys)

    def send(self, epoch: Epoch, spots: list[int]) -> None:
        self.oracle.post_epoch(epoch.posting(), posted_spots(spots), self.sign(epoch))

    def post(self, *spots: int, **changes: Any) -> Epoch:
        """Posts spots inside their bands, by default the oracle's own; answers the epoch."""
        given = words(*(spots or self.effective()))
        epoch = self.epoch(given, **changes)
        self.send(epoch, given)
        return epoch

    def follow(self, posted: int, effective: int, other: int = SPOTS[1]) -> None:
        """Posts one spot outside its band, the second underlying's inside."""
        spots = [posted << 64 | effective, *words(other)]
        self.send(self.epoch(spots), spots)

    def effective(self) -> list[int]:
        return list(self.oracle.effective_spots(list(range(1, self.oracle.underlying_count() + 1))))


@pytest.fixture(scope="module")
def deployed() -> Any:
    clock = boa.env.evm.patch
    clock.block_number, clock.timestamp, clock.prev_hashes = BLOCK, START, BlockHashes()
    quorum = boa.load("contracts/attestation/AttesterQuorum.vy", list(ATTESTERS), 3)
    oracle = boa.load("contracts/attestation/RiskOracle.vy", quorum.address, LIMITS, ZERO)
    for spot in SPOTS:
        oracle.add_underlying(spot, BANDS)
    oracle.set_methodology(METHODOLOGY)
    return oracle, quorum


@pytest.fixture
def feed(deployed: Any) -> Iterator[Feed]:
    """An oracle before its first epoch, four blocks and 15 seconds after its two underlyings were added."""
    clock = boa.env.evm.patch
    clock.block_number, clock.timestamp, clock.prev_hashes = BLOCK, START, BlockHashes()
    with boa.env.anchor():
        started = Feed(*deployed)
        started.wait()
        yield started


@pytest.fixture
def outsider() -> str:
    return str(boa.env.generate_address("outsider"))
