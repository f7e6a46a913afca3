"""Keystores: opened with their password, never overwritten, never shown; and what a signature must be."""

import pickle
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import recover, sign
from keeper.chain.keys import (
    CURVE_ORDER,
    KeyFileError,
    SigningError,
    create_keystore,
    open_keystore,
    signature_of,
    signer_of,
)
from keeper.observability.redaction import SECRETS

KEY = bytes(range(1, 33))
PREIMAGE = b"\x19\x01" + b"\x07" * 64


def test_create_keystore__opens_again__same_address_and_private_files(tmp_path: Path) -> None:
    keystore, password = tmp_path / "k" / "keystore.json", tmp_path / "k" / "password.txt"
    made = create_keystore(keystore, password, light=True)
    assert open_keystore(keystore, password).address == made.address
    assert keystore.stat().st_mode & 0o077 == 0 and password.stat().st_mode & 0o077 == 0


def test_open_keystore__wrong_password_or_missing_file__one_sentence(tmp_path: Path) -> None:
    keystore, password = tmp_path / "keystore.json", tmp_path / "password.txt"
    create_keystore(keystore, password, light=True)
    password.write_text("another\n")
    with pytest.raises(KeyFileError, match="does not open") as refused:
        open_keystore(keystore, password)
    assert "another" not in str(refused.value) and refused.value.__cause__ is None
    with pytest.raises(KeyFileError, match="cannot be read"):
        open_keystore(tmp_path / "absent.json", password)
    with pytest.raises(KeyFileError, match="exists already"):
        create_keystore(keystore, password)
    password.write_bytes(b"\xff\xfe")
    with pytest.raises(KeyFileError, match="not UTF-8"):
        open_keystore(keystore, password)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
@pytest.mark.parametrize("name", ["keystore.json", "password.txt"])
def test_open_keystore__open_to_others__refused_with_the_command_to_run(
    tmp_path: Path, name: str, mode: int
) -> None:
    keystore, password = tmp_path / "keystore.json", tmp_path / "password.txt"
    create_keystore(keystore, password, light=True)
    (tmp_path / name).chmod(mode)
    with pytest.raises(KeyFileError, match=f"open to other users: run `chmod 600 .*{name}`"):
        open_keystore(keystore, password)


def test_local_signer__shows_its_key_nowhere() -> None:
    signer = signer_of(KEY)
    texts = [repr(signer), str(signer), f"{signer!r}", str(signer.sign(PREIMAGE))]
    assert not any(KEY.hex() in text.lower() for text in texts) and not hasattr(signer, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(signer)
    assert (
        KEY.hex() not in SECRETS.redact(f"a log line with {KEY.hex()} and {KEY.hex().upper()} in it").lower()
    )


def test_sign__recovers_to_its_address() -> None:
    signer = signer_of(KEY)
    assert recover(keccak(PREIMAGE), *signer.sign(PREIMAGE).compact) == signer.address


def test_signature_of__low_s_and_parity_found_or_refused() -> None:
    signer, digest = signer_of(KEY), keccak(PREIMAGE)
    good = signer.sign(PREIMAGE)
    r = int.from_bytes(good.r, "big")
    assert signature_of(digest, r, good.s, signer.address) == good
    assert signature_of(digest, r, CURVE_ORDER - good.s, signer.address) == good, "the high s is the same"
    other = sign(digest, b"\2" * 32)
    bad = [(r, good.s + 1), (0, good.s), (r, 0), (CURVE_ORDER, good.s), (r, CURVE_ORDER)]
    bad.append((int.from_bytes(other[0], "big"), other[1] & (1 << 255) - 1))
    for pair in bad:
        with pytest.raises(SigningError, match="not of its key"):
            signature_of(digest, *pair, signer.address)
