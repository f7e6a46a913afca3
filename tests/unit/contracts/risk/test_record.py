"""Every field of a record comes back from its word, at its widest too."""

import boa
import pytest

from tests.support.clearing import deploy

FIELDS = {
    "epoch": (0, 192, 64),
    "marginal": (0, 128, 64),
    "initialMargin": (0, 0, 128),
    "addedIM": (1, 128, 128),
    "maintenanceMargin": (2, 128, 128),
    "maxAddedIM": (2, 0, 128),
    "changes": (3, 168, 48),
    "expiry": (3, 128, 40),
}


@pytest.fixture(scope="module")
def gate():
    with boa.env.anchor():
        yield deploy().gate


@pytest.mark.parametrize("name", FIELDS)
def test_unpack__one_field_full__touches_no_other(gate, name):
    word, shift, bits = FIELDS[name]
    words = [0, 0, 0, 0]
    words[word] = (2**bits - 1) << shift

    record = gate.unpack(words)

    assert getattr(record, name) == 2**bits - 1
    assert sum(getattr(record, other) for other in FIELDS if other != name) == 0
    assert (record.markBase, record.linear) == (0, 0)


@pytest.mark.parametrize("value", [-(2**127), -1, 1, 2**127 - 1])
def test_unpack__signed_fields__keep_their_sign(gate, value):
    record = gate.unpack([0, value & 2**128 - 1, 0, value & 2**128 - 1])

    assert (record.markBase, record.linear) == (value, value)
    assert sum(getattr(record, name) for name in FIELDS) == 0
