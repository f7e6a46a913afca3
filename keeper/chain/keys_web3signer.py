"""A key in web3signer, by the HTTP API that it documents (eth1). It hashes what it is given (keccak) itself.

GET  /upcheck                           200: it runs
GET  /api/v1/eth1/publicKeys            JSON list of uncompressed public keys, 0x text without the prefix 04
POST /api/v1/eth1/sign/{public key}     {"data": 0x text} -> 65 bytes r, s, v as 0x text
"""

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path

from coincurve import PublicKey
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import address_of
from keeper.chain.keys import Signature, SigningError, read_secret, signature_of
from keeper.chain.transport import Session

_MAX_ANSWER = 1 << 20
_SIGNATURE_BYTES = 65


@dataclass(frozen=True)
class Tls:
    """Who web3signer must be, and who we are to it; PEM files."""

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Raises SigningError for files that cannot be used, KeyFileError for a key that others may read."""
        if self.key is not None:
            read_secret(self.key, "TLS key")
        try:
            context = ssl.create_default_context(cafile=self.authority)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise SigningError(f"TLS files of web3signer cannot be used: {error}") from None
        return context


class Web3Signer:
    """One key of one web3signer."""

    def __init__(self, url: str, address: str, timeout: float = 2.0, tls: Tls | None = None) -> None:
        """Looks for the key at once. `timeout` in seconds holds for every request. Raises SigningError."""
        self.address = address
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._session = Session((tls or Tls()).context(), _MAX_ANSWER)
        self._identifier = self._find()

    def sign(self, preimage: bytes) -> Signature:
        """web3signer hashes the preimage. SigningError if it does not answer or another key signed."""
        body = json.dumps({"data": "0x" + preimage.hex()}).encode()
        answer = self._ask(f"/api/v1/eth1/sign/{self._identifier}", body).strip().strip('"')
        try:
            found = bytes.fromhex(answer.removeprefix("0x"))
        except ValueError:
            found = b""
        if len(found) != _SIGNATURE_BYTES:
            raise SigningError(f"web3signer {self._url} did not answer with a signature")
        r, s = int.from_bytes(found[:32], "big"), int.from_bytes(found[32:64], "big")
        return signature_of(keccak(preimage), r, s, self.address)

    def __repr__(self) -> str:
        return f"Web3Signer({self.address})"

    def _find(self) -> str:
        """The identifier of our key: it lists public keys, we know the address."""
        self._ask("/upcheck")
        try:
            listed = [str(key) for key in json.loads(self._ask("/api/v1/eth1/publicKeys"))]
            addresses = {_address(key): key for key in listed}
        except (ValueError, TypeError):
            raise SigningError(f"web3signer {self._url} did not list public keys") from None
        if self.address not in addresses:
            raise SigningError(
                f"web3signer {self._url} has no key of {self.address}: load it there, or correct the address"
                f" (it has {', '.join(addresses) or 'none'})"
            )
        return addresses[self.address]

    def _ask(self, path: str, body: bytes | None = None) -> str:
        url = self._url + path
        try:
            if body is None:
                answer = self._session.get(url, self._timeout)
            else:
                answer = self._session.post(url, body, self._timeout)
            answer.raise_for_status()
            return answer.content.decode()
        except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
            text = str(error) or type(error).__name__
            raise SigningError(f"web3signer {self._url} does not answer: {text}") from None


def _address(public_key: str) -> str:
    found = bytes.fromhex(public_key.removeprefix("0x"))
    return address_of(PublicKey(found if len(found) % 2 else b"\x04" + found))
