"""Fixed private keys, one per role name: the same addresses and signatures in every run."""

from coincurve import PrivateKey
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import address_of


def key_of(role: str) -> bytes:
    """Private key of a role."""
    return keccak(text=f"plimsoll test key: {role}")


def address_for(key: bytes) -> str:
    """Checksummed address of a private key."""
    return address_of(PrivateKey(key).public_key)


ATTESTER_KEYS = tuple(key_of(f"attester {i}") for i in range(5))
ATTESTERS = tuple(address_for(key) for key in ATTESTER_KEYS)
