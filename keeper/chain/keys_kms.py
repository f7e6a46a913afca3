"""A key in AWS KMS (ECC_SECG_P256K1): the digest goes there, a DER signature comes back.

Credentials are those that AWS's libraries find for the machine (instance role, profile): none are configured
here.
"""

from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from coincurve import PublicKey
from coincurve.ecdsa import der_to_cdata, serialize_compact
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import address_of
from keeper.chain.keys import Signature, SigningError, signature_of

_SPEC = "ECC_SECG_P256K1"
# How a SubjectPublicKeyInfo of that curve begins; the rest is the uncompressed point
_PREFIX = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")
_TRIES = 2


class KmsSigner:
    """One key of AWS KMS."""

    def __init__(self, key_id: str, region: str, endpoint: str | None = None, timeout: float = 2.0) -> None:
        """Reads the public key at once. Raises SigningError.

        Args:
            key_id: id, ARN or alias/name.
            endpoint: of a private link; by default the region's.
            timeout: seconds, for connecting and for every wait for data; tried twice.
        """
        settings = Config(
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"total_max_attempts": _TRIES, "mode": "standard"},
        )
        self._key_id = key_id
        self._client: Any = boto3.client("kms", region_name=region, endpoint_url=endpoint, config=settings)
        self.address = self._find()

    def sign(self, preimage: bytes) -> Signature:
        """Raises SigningError if KMS does not answer or another key signed."""
        digest = keccak(preimage)
        answer = self._ask("sign", Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")
        try:
            compact = serialize_compact(der_to_cdata(answer["Signature"]))
        except ValueError:
            raise SigningError(f"KMS key {self._key_id} did not answer with a signature") from None
        r, s = int.from_bytes(compact[:32], "big"), int.from_bytes(compact[32:], "big")
        return signature_of(digest, r, s, self.address)

    def __repr__(self) -> str:
        return f"KmsSigner({self.address})"

    def _find(self) -> str:
        answer = self._ask("get_public_key")
        found: bytes = answer["PublicKey"]
        if not found.startswith(_PREFIX) or answer.get("KeyUsage") != "SIGN_VERIFY":
            raise SigningError(
                f"KMS key {self._key_id} cannot sign for Ethereum:"
                f" make one with KeySpec {_SPEC} and KeyUsage SIGN_VERIFY"
            )
        return address_of(PublicKey(found[len(_PREFIX) :]))

    def _ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            found: dict[str, Any] = getattr(self._client, operation)(KeyId=self._key_id, **parameters)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            raise SigningError(f"KMS refuses {operation} with key {self._key_id}: {code}") from None
        except BotoCoreError as error:
            raise SigningError(f"KMS does not answer: {type(error).__name__}") from None
        return found
