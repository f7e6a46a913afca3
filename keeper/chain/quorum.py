"""The attester set in force at a block: governance may point the oracle to another one at any time, by which
everything signed for the old one dies.
"""

from dataclasses import dataclass, replace

from eth_utils.address import to_checksum_address

from keeper.attestation.typed_data import DOMAIN_NAME, DOMAIN_VERSION, domain_separator
from keeper.chain.contracts import CLEARINGHOUSE, ORACLE, QUORUM, Call, Protocol
from keeper.chain.node import NodeError


class DriftError(NodeError):
    """Other contracts are in force than this keeper was built for: nothing is signed until it is updated."""


@dataclass(frozen=True)
class Quorum:
    """One immutable set.

    Attributes:
        signers: in the order of the bitmap, checksummed.
        domain: EIP-712 domain separator of what it signs, 32 bytes.
    """

    address: str
    signers: tuple[str, ...]
    threshold: int
    domain: bytes


class Quorums:
    """Sets by the block they are in force at; each is read once."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._known: dict[str, Quorum] = {}
        self._last = ("", "")  # block hash, address

    @property
    def latest_signers(self) -> tuple[str, ...]:
        """Of the set looked at last; none before the first look."""
        found = self._known.get(self._last[1])
        return () if found is None else found.signers

    def at(self, block_hash: str) -> Quorum:
        """The set in force. Raises DriftError, NodeError."""
        if self._last[0] != block_hash:
            self._last = (block_hash, self._address(block_hash))
        address = self._last[1]
        if address not in self._known:
            self._known[address] = self._read(block_hash, address)
        return self._known[address]

    def _address(self, at: str) -> str:
        calls = [Call(ORACLE, "quorum"), Call(CLEARINGHOUSE, "oracle")]
        quorum, oracle = (to_checksum_address(a) for a in self._protocol.read_all(at, calls))
        ours = self._protocol.deployment.oracle
        if oracle != ours:
            raise DriftError(f"the oracle in force is {oracle}, this keeper's deployment names {ours}")
        return quorum

    def _read(self, at: str, address: str) -> Quorum:
        deployment = self._protocol.deployment
        addresses = deployment.addresses | {QUORUM: address}
        there = Protocol(self._protocol.node, replace(deployment, addresses=addresses))
        calls = [Call(QUORUM, "eip712Domain"), Call(QUORUM, "signers"), Call(QUORUM, "threshold")]
        domain, signers, threshold = there.read_all(at, calls)
        stated = (domain[1], domain[2], domain[3], to_checksum_address(domain[4]))
        if stated != (DOMAIN_NAME, DOMAIN_VERSION, deployment.chain_id, address):
            raise DriftError(f"quorum {address} signs under another domain than this release: {stated}")
        members = tuple(to_checksum_address(signer) for signer in signers)
        return Quorum(address, members, int(threshold), domain_separator(deployment.chain_id, address))
