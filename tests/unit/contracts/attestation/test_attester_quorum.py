from typing import Any

import boa
import pytest
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keeper.attestation.typed_data import digest, domain_separator
from tests.support.keys import ATTESTER_KEYS, ATTESTERS, address_for, key_of
from tests.support.statements import quorum_signatures
from tests.unit.contracts.attestation.conftest import THREE

SOURCE = "contracts/attestation/AttesterQuorum.vy"
STRUCT = keccak(text="what is signed")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
LOW_255 = 2**255 - 1


@pytest.fixture(scope="module")
def quorum() -> Any:
    return boa.load(SOURCE, list(ATTESTERS), 3)


def signed(quorum, keys=THREE, struct=STRUCT, chain_id=None, contract=None):
    chain_id = chain_id or boa.env.evm.patch.chain_id
    return quorum_signatures(chain_id, contract or quorum.address, struct, keys)


@pytest.mark.parametrize("indices", [(0, 1, 2), (1, 3, 4), (0, 1, 2, 3, 4)])
def test_require_signed__enough_signers__passes(quorum, indices):
    assert quorum.require_signed(STRUCT, signed(quorum, {i: ATTESTER_KEYS[i] for i in indices}))


def test_require_signed__too_few__is_refused(quorum):
    with boa.reverts("quorum: too few signatures"):
        quorum.require_signed(STRUCT, signed(quorum, {0: ATTESTER_KEYS[0], 1: ATTESTER_KEYS[1]}))


def test_require_signed__stranger_at_an_index__is_refused(quorum):
    with boa.reverts("quorum: wrong signer"):
        quorum.require_signed(STRUCT, signed(quorum, THREE | {2: key_of("stranger")}))


def test_require_signed__one_signer_thrice__is_refused(quorum):
    with boa.reverts("quorum: wrong signer"):
        quorum.require_signed(STRUCT, signed(quorum, {i: ATTESTER_KEYS[0] for i in (0, 1, 2)}))


def test_require_signed__signatures_in_another_order__is_refused(quorum):
    bitmap, compact = signed(quorum)
    with boa.reverts("quorum: wrong signer"):
        quorum.require_signed(STRUCT, (bitmap, compact[::-1]))


@pytest.mark.parametrize("index", [5, 15, 16, 255])
def test_require_signed__index_beyond_the_set__is_refused(quorum, index):
    bitmap, compact = signed(quorum)
    with boa.reverts("quorum: unknown signer"):
        quorum.require_signed(STRUCT, (bitmap | 1 << index, [*compact, compact[0]]))


@pytest.mark.parametrize("bitmap", [0, 0b00011, 0b01111])
def test_require_signed__bits_unlike_signatures__is_refused(quorum, bitmap):
    first = {i: ATTESTER_KEYS[i] for i in range(3)}
    with boa.reverts("quorum: bitmap mismatch"):
        quorum.require_signed(STRUCT, (bitmap, signed(quorum, first)[1]))


@pytest.mark.parametrize("s", [ORDER // 2 + 1, LOW_255])
def test_require_signed__high_s__is_refused(quorum, s):
    """So the compact form leaves no second signature for one message."""
    bitmap, ((r, _), *rest) = signed(quorum)
    with boa.reverts("quorum: high s"):
        quorum.require_signed(STRUCT, (bitmap, [(r, s), *rest]))


@pytest.mark.parametrize("bad", [(b"\x00" * 32, 0), (b"\xff" * 32, 1), (b"\x00" * 31 + b"\x05", 0)])
def test_require_signed__unrecoverable__is_refused(quorum, bad):
    """A failed recovery has no signer, so it passes for nobody."""
    bitmap, compact = signed(quorum)
    with boa.reverts("quorum: wrong signer"):
        quorum.require_signed(STRUCT, (bitmap, [bad, *compact[1:]]))


@pytest.mark.parametrize("other", ["struct", "chain", "contract"])
def test_require_signed__signed_for_something_else__is_refused(quorum, other, deployed):
    changes = {
        "struct": {"struct": keccak(text="another struct")},
        "chain": {"chain_id": 2},
        "contract": {"contract": deployed[1].address},
    }
    with boa.reverts("quorum: wrong signer"):
        quorum.require_signed(STRUCT, signed(quorum, **changes[other]))


@given(bit=st.integers(0, 511))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_require_signed__any_flipped_bit__is_refused(quorum, bit):
    bitmap, ((r, vs), *rest) = signed(quorum)
    flipped = (int.from_bytes(r, "big") << 256 | vs) ^ 1 << bit
    first = ((flipped >> 256).to_bytes(32, "big"), flipped & 2**256 - 1)
    with boa.reverts():
        quorum.require_signed(STRUCT, (bitmap, [first, *rest]))


def test_views__answer_what_was_deployed(quorum):
    chain_id = boa.env.evm.patch.chain_id
    fields, name, version, chain, contract, salt, extensions = quorum.eip712Domain()

    assert quorum.signers() == list(ATTESTERS)
    assert quorum.threshold() == 3
    assert quorum.digest(STRUCT) == digest(domain_separator(chain_id, quorum.address), STRUCT)
    assert (fields, name, version, chain, contract) == (b"\x0f", "Plimsoll", "1", chain_id, quorum.address)
    assert (salt, extensions) == (b"\x00" * 32, [])


@pytest.mark.parametrize(
    ("signers", "threshold", "reason"),
    [
        (ATTESTERS[:4], 2, "quorum: bad threshold"),
        (ATTESTERS[:5], 6, "quorum: bad threshold"),
        ((), 0, "quorum: bad threshold"),
        ((*ATTESTERS[:2], ATTESTERS[0]), 2, "quorum: duplicate signer"),
        ((*ATTESTERS[:2], "0x" + "00" * 20), 2, "quorum: zero signer"),
    ],
)
def test_deploy__bad_set__is_refused(signers, threshold, reason):
    with boa.reverts(reason):
        boa.load(SOURCE, list(signers), threshold)


@pytest.mark.parametrize(("count", "threshold"), [(1, 1), (16, 9)])
def test_deploy__smallest_and_largest_set__work(count, threshold):
    keys = {i: key_of(f"signer {i}") for i in range(count)}
    quorum = boa.load(SOURCE, [address_for(key) for key in keys.values()], threshold)

    assert quorum.require_signed(STRUCT, signed(quorum, keys))
