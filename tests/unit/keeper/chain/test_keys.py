"""Keystores: opened with their password, never overwritten, never shown."""

from pathlib import Path

import pytest

from keeper.chain.keys import KeyFileError, create_keystore, open_keystore


def test_create_keystore__opens_again__same_address_and_private_files(tmp_path: Path) -> None:
    keystore, password = tmp_path / "k" / "keystore.json", tmp_path / "k" / "password.txt"
    made = create_keystore(keystore, password, light=True)
    assert open_keystore(keystore, password).address == made.address
    assert keystore.stat().st_mode & 0o077 == 0 and password.stat().st_mode & 0o077 == 0
    assert made._key.hex() not in keystore.read_text() + repr(made)


def test_open_keystore__wrong_password_or_missing_file__one_sentence(tmp_path: Path) -> None:
    keystore, password = tmp_path / "keystore.json", tmp_path / "password.txt"
    create_keystore(keystore, password, light=True)
    password.write_text("another\n")
    with pytest.raises(KeyFileError, match="does not open"):
        open_keystore(keystore, password)
    with pytest.raises(KeyFileError, match="cannot be read"):
        open_keystore(tmp_path / "absent.json", password)
    with pytest.raises(KeyFileError, match="exists already"):
        create_keystore(keystore, password)
