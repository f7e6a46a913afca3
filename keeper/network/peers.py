"""Who may ask for signatures: every such request is signed itself, over what is asked, when, and once.

The header is `Authorization: Plimsoll <unix seconds>.<nonce>.<signature>`: nonce 32 bytes, signature 64
(EIP-2098), both in lower-case hexadecimal. Who signed follows from the signature: nothing can disagree.
"""

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ClassVar

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import Typed, digest, domain_separator, preimage, recover
from keeper.chain.keys import Signer

MAX_SKEW_SECONDS = 30
_HEADER = re.compile(r"Plimsoll ([0-9]{1,12})\.([0-9a-f]{64})\.([0-9a-f]{128})")


def domain_of(chain_id: int, oracle: str) -> bytes:
    """EIP-712 domain of requests between one deployment's keepers; it outlives a change of the quorum."""
    return domain_separator(chain_id, oracle)


class Unauthenticated(Exception):  # noqa: N818  an answer, not a fault
    """Whoever asks may not, or does not show who it is. Answered with 401."""


@dataclass(frozen=True, slots=True)
class PeerRequest(Typed):
    """What a peer signs: one request to one path; `body` is its keccak256."""

    TYPE: ClassVar[str] = "PeerRequest(string method,string path,bytes32 body,uint64 timestamp,bytes32 nonce)"

    method: str
    path: str
    body: bytes
    timestamp: int
    nonce: bytes

    def struct_hash(self) -> bytes:
        """EIP-712 struct hash: texts enter by their hashes."""
        values = (
            keccak(text=self.method),
            keccak(text=self.path),
            self.body,
            self.timestamp,
            self.nonce,
        )
        types = ["bytes32", "bytes32", "bytes32", "uint64", "bytes32"]
        return keccak(keccak(text=self.TYPE) + encode(types, values))


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asked.

    Attributes:
        skew: the peer's clock less ours, seconds, when the request came; a slow line looks like a slow clock.
        authorization, body: header and raw body: they prove what the peer asked for.
    """

    address: str
    skew: float = 0.0
    authorization: str = ""
    body: bytes = b""


def authorize(
    signer: Signer, domain: bytes, method: str, path: str, body: bytes, now: float | None = None
) -> str:
    """The header of one request; a new nonce each time. `now` in unix seconds. Raises SigningError."""
    timestamp, nonce = int(time.time() if now is None else now), secrets.token_bytes(32)
    request = PeerRequest(method, path, keccak(body), timestamp, nonce)
    r, vs = signer.sign(preimage(domain, request.struct_hash())).compact
    return f"Plimsoll {timestamp}.{nonce.hex()}.{r.hex()}{vs:064x}"


def signed_by(domain: bytes, method: str, path: str, body: bytes, header: str) -> tuple[str, int, bytes]:
    """(address, unix seconds, nonce) of whoever signed a request. Raises Unauthenticated for none."""
    found = _HEADER.fullmatch(header)
    if found is None:
        raise Unauthenticated("this path needs an authorization header of a peer")
    timestamp, nonce = int(found[1]), bytes.fromhex(found[2])
    request = PeerRequest(method, path, keccak(body), timestamp, nonce)
    signature = bytes.fromhex(found[3])
    try:
        address = recover(
            digest(domain, request.struct_hash()), signature[:32], int.from_bytes(signature[32:], "big")
        )
    except (ValueError, OverflowError):
        raise Unauthenticated("malformed signature of the request") from None
    return address, timestamp, nonce


class Door:
    """Lets peers in: known addresses, fresh requests, each once."""

    def __init__(
        self, domain: bytes, known: Callable[[], Collection[str]], clock: Callable[[], float] = time.time
    ) -> None:
        """
        Args:
            domain: EIP-712 domain of this deployment's peers.
            known: checksummed addresses that may ask now.
            clock: unix seconds.
        """
        self._domain, self._known, self._clock = domain, known, clock
        self._seen: OrderedDict[tuple[str, bytes], float] = OrderedDict()  # until when it is remembered
        self._lock = threading.Lock()

    def admit(self, method: str, path: str, body: bytes, header: str) -> Peer:
        """Who asks. Raises Unauthenticated, saying why."""
        address, timestamp, nonce = signed_by(self._domain, method, path, body, header)
        if address not in self._known():
            raise Unauthenticated(f"{address} is neither a proposer known here nor an attester of the quorum")
        now = self._clock()
        if abs(timestamp - now) > MAX_SKEW_SECONDS:
            raise Unauthenticated(f"request of {timestamp - now:+.0f} seconds: clocks differ, or it is old")
        self._once(address, nonce, now)
        return Peer(address, timestamp - now, header, body)

    def _once(self, address: str, nonce: bytes, now: float) -> None:
        """Only nonces of known peers are kept, and only as long as their requests are fresh."""
        with self._lock:
            while self._seen and next(iter(self._seen.values())) < now:
                self._seen.popitem(last=False)
            if (address, nonce) in self._seen:
                raise Unauthenticated("this request was made before")
            self._seen[(address, nonce)] = now + 2 * MAX_SKEW_SECONDS
