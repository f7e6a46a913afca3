"""Signatures and ranges of typed data."""

import pytest
from coincurve import PrivateKey
from eth_abi.exceptions import EncodingError
from hypothesis import given
from hypothesis import strategies as st

from keeper.attestation.typed_data import Withdrawal, address_of, recover, sign

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = b"\x01" * 32
SIGNER = address_of(PrivateKey(KEY).public_key)


@given(st.binary(min_size=32, max_size=32))
def test_sign__any_digest__recovers_the_signer_with_a_low_s(digest):
    r, vs = sign(digest, KEY)

    assert recover(digest, r, vs) == SIGNER
    assert vs % 2**255 <= CURVE_ORDER // 2


def test_recover__other_digest__is_another_address():
    assert recover(b"\x02" * 32, *sign(b"\x01" * 32, KEY)) != SIGNER


def test_recover__other_parity__is_another_address():
    r, vs = sign(b"\x01" * 32, KEY)

    assert recover(b"\x01" * 32, r, vs ^ 1 << 255) != SIGNER


@pytest.mark.parametrize("s", [0, CURVE_ORDER // 2 + 1])
def test_recover__s_out_of_range__raises(s):
    r, _ = sign(b"\x01" * 32, KEY)
    with pytest.raises(ValueError, match="s out of range"):
        recover(b"\x01" * 32, r, s)


def test_recover__r_is_no_point__raises():
    with pytest.raises(ValueError, match="not recoverable"):
        recover(b"\x01" * 32, bytes(32), 1)


def test_struct_hash__field_out_of_range__raises():
    with pytest.raises(EncodingError):
        Withdrawal(1, "0x" + "11" * 20, 2**256, "0x" + "22" * 20, 0).struct_hash()
