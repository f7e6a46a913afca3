"""Keys: encrypted keystores (web3 secret storage, version 3) with the password in a file of its own.

A key never enters a log, an argument list or the environment.
"""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from coincurve import PrivateKey
from eth_account import Account

from keeper.attestation.typed_data import address_of, sign

_LIGHT_ROUNDS = 4_096  # scrypt n of a light keystore: quick to open, for development
_PRIVATE = 0o600


class KeyFileError(RuntimeError):
    """A keystore or its password file is missing or does not open."""


@dataclass(frozen=True)
class Signer:
    """One key and its checksummed address."""

    address: str
    key: bytes = field(repr=False)

    def sign_digest(self, digest: bytes) -> tuple[bytes, int]:
        """EIP-2098 signature (r, vs)."""
        return sign(digest, self.key)


def signer_of(key: bytes) -> Signer:
    """The signer of a private key."""
    return Signer(address_of(PrivateKey(key).public_key), key)


def open_keystore(keystore: Path, password_file: Path) -> Signer:
    """Decrypt a keystore. Raises KeyFileError with one sentence; the sentence never holds a secret."""
    try:
        password = password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise KeyFileError(f"password file {password_file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:  # its text would show a byte of the password
        raise KeyFileError(f"password file {password_file} is not UTF-8 text") from None
    try:
        content = json.loads(keystore.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeyFileError(f"keystore {keystore} cannot be read: {error.strerror}") from None
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
) -> Signer:
    """Write a new keystore; the password file is made with a random password if it is missing.

    Raises KeyFileError if the keystore exists: a key is never overwritten.
    """
    if keystore.exists():
        raise KeyFileError(f"keystore {keystore} exists already and is left alone")
    key = key or secrets.token_bytes(32)
    if not password_file.exists():
        _write_private(password_file, secrets.token_urlsafe(32) + "\n")
    password = password_file.read_text(encoding="utf-8").rstrip("\r\n")
    content = Account.encrypt(key, password, iterations=_LIGHT_ROUNDS if light else None)
    _write_private(keystore, json.dumps(content, indent=2) + "\n")
    return signer_of(key)


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=_PRIVATE, exist_ok=False)
    path.write_text(text, encoding="utf-8")
