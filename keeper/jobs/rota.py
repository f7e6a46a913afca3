"""Whose turn it is to propose: a permutation of the proposers for each epoch, and how long back-ups wait.

Nobody is elected and nothing is agreed on: everybody computes the same order from the chain. Two that act at
once end in one post: their numbers never collide, and the later post dies in simulation.
"""

from collections.abc import Sequence

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

HOLD_SECONDS = 1.0  # that each back-up watches longer than the one before it
_NUMBER_BYTES = 8


def order(proposers: Sequence[str], number: int) -> list[str]:
    """Proposers of the epoch after number `number`, first the one on duty, then its back-ups."""

    def drawn(address: str) -> bytes:
        return keccak(number.to_bytes(_NUMBER_BYTES, "big") + bytes.fromhex(address[2:]))

    return sorted(proposers, key=drawn)


class Rota:
    """One proposer's place in the order."""

    def __init__(self, own: str, proposers: Sequence[str] = (), stage_seconds: int = 10) -> None:
        """
        Args:
            own: address of this proposer.
            proposers: addresses of all, this one included; none: it is the only one.
            stage_seconds: of chain time, which every back-up waits longer than the one before it.

        Raises:
            ValueError: this proposer is not among them.
        """
        found = {
            str(to_checksum_address(address)) for address in (*proposers, *(() if proposers else (own,)))
        }
        self._own, self._proposers = str(to_checksum_address(own)), sorted(found)
        self._stage_seconds = stage_seconds
        if self._own not in self._proposers:
            raise ValueError(f"proposer.proposers: {own}, the key of this process, is not among them")

    def stage(self, number: int) -> int:
        """How many come before this proposer after epoch `number`; 0: it is on duty."""
        return order(self._proposers, number).index(self._own)

    def is_turn(self, number: int, waited: int, watched: float) -> bool:
        """Whether to act on an epoch that is due since `waited` chain seconds, `number` being the latest.

        `watched`: seconds of this machine since it was seen to be due. Chain time moves by whole blocks: one
        block may make it everybody's turn, and the post of who comes first needs a moment to be seen.
        """
        stage = self.stage(number)
        return waited >= stage * self._stage_seconds and watched >= stage * HOLD_SECONDS

    def next_number(self, used: int) -> int:
        """The least number above `used` that is this proposer's: no other ever takes it."""
        count, position = len(self._proposers), self._proposers.index(self._own)
        return used + 1 + (position - used - 1) % count
