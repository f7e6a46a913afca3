"""Struct hashes: equal to the keeper's for any values, and different for any two statements."""

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.attestation.typed_data import ForwardLeaf, MarginLeaf, Report, Withdrawal, reports_hash

boa.interpret.set_cache_dir(".build/boa")
FAST = settings(max_examples=25, deadline=None)
WORDS = st.binary(min_size=32, max_size=32)
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


def unsigned(bits):
    return st.integers(0, 2**bits - 1)


def signed(bits):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


MARGINS = st.builds(
    MarginLeaf,
    *(unsigned(256), unsigned(128), signed(128), WORDS, signed(128), unsigned(128), unsigned(128)),
    *(signed(128), unsigned(128), unsigned(64), unsigned(128), WORDS),
)
FORWARDS = st.builds(ForwardLeaf, unsigned(16), unsigned(40), unsigned(128), st.tuples(*[signed(64)] * 5))
WITHDRAWALS = st.builds(Withdrawal, unsigned(256), ADDRESSES, unsigned(256), ADDRESSES, unsigned(64))


@pytest.fixture(scope="module")
def typed():
    return boa.load("contracts/mocks/AttestationHarness.vy")


def test_reports_hash__any_margins__equals_twin(typed):
    @FAST
    @given(unsigned(64), WORDS, unsigned(64), st.lists(MARGINS, max_size=2))
    def check(epoch, action, deadline, margins):
        expected = reports_hash([Report(epoch, action, margin, deadline) for margin in margins])
        actual = typed.reports_hash(epoch, action, deadline, [margin.values() for margin in margins])
        assert actual == expected

    check()


def test_forward_hash__any_leaf__equals_twin(typed):
    @FAST
    @given(FORWARDS)
    def check(leaf):
        assert typed.forward_hash(leaf.values()) == leaf.struct_hash()

    check()


def test_withdrawal_hash__any_withdrawal__equals_twin(typed):
    @FAST
    @given(WITHDRAWALS)
    def check(withdrawal):
        assert typed.withdrawal_hash(*withdrawal.values()) == withdrawal.struct_hash()

    check()


def test_reports_hash__sides_swapped__differs(typed):
    zero = MarginLeaf(1, 0, 0, bytes(32), 0, 0, 0, 0, 0, 0, 0, bytes(32)).values()
    other = (2, *zero[1:])

    assert typed.reports_hash(1, bytes(32), 1, [zero, other]) != typed.reports_hash(
        1, bytes(32), 1, [other, zero]
    )
