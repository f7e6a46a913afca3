"""Keys: one `Signer` for a key in this process, a remote signer or a key management service.

A key never enters a log, an argument list or the environment.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from coincurve import PrivateKey
from eth_account import Account
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import address_of, recover, sign
from keeper.observability.redaction import SECRETS

_LIGHT_ROUNDS = 4_096  # scrypt n of a light keystore: quick to open, for development
_PRIVATE = 0o600
_OTHERS = 0o077  # permissions of the group and of everybody
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class KeyFileError(RuntimeError):
    """A keystore or its password file is missing, open to others, or does not open."""


class SigningError(RuntimeError):
    """A signer elsewhere did not answer, or not with a signature of its key. Nothing was signed for us."""


@dataclass(frozen=True, slots=True)
class Signature:
    """secp256k1; r is 32 bytes, s in the lower half of the curve's order, y_parity 0 or 1."""

    r: bytes
    s: int
    y_parity: int

    @property
    def compact(self) -> tuple[bytes, int]:
        """EIP-2098 (r, vs): the parity in the high bit of s."""
        return self.r, self.s | self.y_parity << 255


class Signer(Protocol):
    """One key, wherever it is."""

    @property
    def address(self) -> str:
        """Checksummed."""
        ...

    def sign(self, preimage: bytes) -> Signature:
        """Signature over keccak(preimage). Raises SigningError; never returns another key's signature."""
        ...


class LocalSigner:
    """A key in this process. It shows itself nowhere."""

    __slots__ = ("_key", "address")

    def __init__(self, key: bytes) -> None:
        SECRETS.hide(key)
        self.address = address_of(PrivateKey(key).public_key)
        self._key = key

    def sign(self, preimage: bytes) -> Signature:
        """Deterministic (RFC 6979)."""
        r, vs = sign(keccak(preimage), self._key)
        return Signature(r, vs & ((1 << 255) - 1), vs >> 255)

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"

    def __reduce__(self) -> str:
        raise TypeError("a key is not copied to other processes")


def signer_of(key: bytes) -> LocalSigner:
    """The signer of a private key."""
    return LocalSigner(key)


def signature_of(digest: bytes, r: int, s: int, address: str) -> Signature:
    """The signature (r, s) of a digest, with s low and the parity found by whose it is.

    Raises:
        SigningError: it is not that address's.
    """
    if 0 < r < CURVE_ORDER and 0 < s < CURVE_ORDER:
        found = r.to_bytes(32, "big")
        s = min(s, CURVE_ORDER - s)
        for parity in (0, 1):
            try:
                if recover(digest, found, s | parity << 255) == address:
                    return Signature(found, s, parity)
            except ValueError:  # no point of the curve
                continue
    raise SigningError(f"the signer of {address} gave a signature that is not of its key")


def open_keystore(keystore: Path, password_file: Path) -> LocalSigner:
    """Decrypt a keystore (web3 secret storage, version 3); the password is in a file of its own.

    Raises KeyFileError with one sentence; the sentence never holds a secret.
    """
    password = read_secret(password_file, "password file").rstrip("\r\n")
    SECRETS.hide(password)
    try:
        content = json.loads(read_secret(keystore, "keystore"))
    except ValueError:
        raise KeyFileError(f"keystore {keystore} is not a keystore file") from None
    try:
        return signer_of(bytes(Account.decrypt(content, password)))
    except Exception:  # noqa: BLE001  a wrong password or a malformed file: never show what it was
        raise KeyFileError(
            f"keystore {keystore} does not open with the password in {password_file}"
        ) from None


def create_keystore(
    keystore: Path, password_file: Path, key: bytes | None = None, light: bool = False
) -> LocalSigner:
    """Write a new keystore; the password file is made with a random password if it is missing.

    Raises KeyFileError if the keystore exists: a key is never overwritten.
    """
    if keystore.exists():
        raise KeyFileError(f"keystore {keystore} exists already and is left alone")
    key = key or secrets.token_bytes(32)
    if not password_file.exists():
        _write_private(password_file, secrets.token_urlsafe(32) + "\n")
    password = read_secret(password_file, "password file").rstrip("\r\n")
    content = Account.encrypt(key, password, iterations=_LIGHT_ROUNDS if light else None)
    _write_private(keystore, json.dumps(content, indent=2) + "\n")
    return signer_of(key)


def read_secret(path: Path, name: str) -> str:
    """Text of a file that only its owner may read. KeyFileError, naming what to do."""
    try:
        if path.stat().st_mode & _OTHERS:
            raise KeyFileError(f"{name} {path} is open to other users: run `chmod 600 {path}`")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise KeyFileError(f"{name} {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:  # its text would show a byte of the secret
        raise KeyFileError(f"{name} {path} is not UTF-8 text") from None


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=_PRIVATE, exist_ok=False)
    path.write_text(text, encoding="utf-8")
