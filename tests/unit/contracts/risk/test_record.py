"""Every field of a record comes back from its word, at its widest too, and is rounded against the account."""

import boa
import pytest

from tests.support.clearing import WAD, deploy

UNIT = 10**10
# name: word, shift, bits, what one step is
FIELDS = {
    "epoch": (0, 216, 40, 1),
    "marginal": (0, 176, 40, 10**9),
    "initialMargin": (0, 88, 88, UNIT),
    "maintenanceMargin": (0, 0, 88, UNIT),
    "addedIM": (1, 128, 128, 1),
    "maxAddedIM": (2, 168, 88, UNIT),
    "changes": (2, 120, 48, 1),
    "expiry": (2, 80, 40, 1),
}
NAMES = (
    "epoch",
    "marginal",
    "initialMargin",
    "addedIM",
    "markBase",
    "maintenanceMargin",
    "maxAddedIM",
    "changes",
    "expiry",
    "linear",
)


@pytest.fixture(scope="module")
def gate():
    with boa.env.anchor():
        yield deploy().gate


@pytest.fixture(scope="module")
def records():
    return boa.load("contracts/mocks/RecordHarness.vy")


def record(**fields):
    return tuple(fields.get(name, 0) for name in NAMES)


@pytest.mark.parametrize("name", FIELDS)
def test_unpack__one_field_full__touches_no_other(gate, name):
    word, shift, bits, step = FIELDS[name]
    words = [0, 0, 0]
    words[word] = (2**bits - 1) << shift

    assert tuple(gate.unpack(words)) == record(**{name: (2**bits - 1) * step})


@pytest.mark.parametrize("value", [-(2**127), -1, 1, 2**127 - 1])
def test_unpack__mark__keeps_its_sign(gate, value):
    assert tuple(gate.unpack([0, value & 2**128 - 1, 0])) == record(markBase=value)


@pytest.mark.parametrize("value", [-(2**79), -1, 1, 2**79 - 1])
def test_unpack__linear_value__keeps_its_sign(gate, value):
    assert tuple(gate.unpack([0, 0, value & 2**80 - 1])) == record(linear=value * UNIT)


@pytest.mark.parametrize("name", FIELDS)
def test_pack__one_field_full__comes_back(records, name):
    _, _, bits, step = FIELDS[name]
    full = record(**{name: (2**bits - 1) * step})

    assert tuple(records.unpack(records.pack(full))) == full


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("marginal", WAD + 1, WAD + 10**9),
        ("initialMargin", 1, UNIT),
        ("maintenanceMargin", UNIT + 1, 2 * UNIT),
        ("maxAddedIM", UNIT - 1, 0),
        ("maxAddedIM", 2**127, (2**88 - 1) * UNIT),
        ("linear", UNIT - 1, 0),
        ("linear", -1, -UNIT),
        ("linear", -UNIT, -UNIT),
    ],
)
def test_pack__between_steps__is_rounded_against_the_account(records, name, value, stored):
    assert tuple(records.unpack(records.pack(record(**{name: value})))) == record(**{name: stored})


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in ("addedIM", "maxAddedIM")])
def test_pack__beyond_its_bits__reverts(records, name):
    _, _, bits, step = FIELDS[name]

    with boa.reverts("record: too large"):
        records.pack(record(**{name: 2**bits * step}))


@pytest.mark.parametrize("value", [2**79 * UNIT, (-(2**79) - 1) * UNIT])
def test_pack__linear_value_beyond_its_bits__reverts(records, value):
    with boa.reverts():
        records.pack(record(linear=value))


@pytest.mark.parametrize(
    ("linear", "expiry", "after"),
    [
        (0, 2**40 - 1, (5 * UNIT, 100)),
        (0, 100, (5 * UNIT, 100)),
        (0, 99, (5 * UNIT, 99)),
        (UNIT, 2**256 - 1, (6 * UNIT, 100)),
        (-1, 200, (4 * UNIT, 100)),
        (-20 * UNIT, 7, (-15 * UNIT, 7)),
    ],
)
def test_extended__what_is_added__moves_linear_value_and_expiry_alone(records, linear, expiry, after):
    before = record(linear=5 * UNIT, expiry=100, changes=2**48 - 1, maxAddedIM=(2**88 - 1) * UNIT)
    words = records.pack(before)

    words[2] = records.extended(words[2], linear, expiry)

    expected = record(linear=after[0], expiry=after[1], changes=2**48 - 1, maxAddedIM=(2**88 - 1) * UNIT)
    assert tuple(records.unpack(words)) == expected
