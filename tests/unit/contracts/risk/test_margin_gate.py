import boa
import pytest

from keeper.clearing import account as accounts
from keeper.units import constants as c
from tests.support.clearing import CALL, EXPIRY, FUTURE, PERP, PUT, WAD, Side, call, deploy, put
from tests.support.house import House, words

NO_BOUND = -(2**255)


@pytest.fixture(scope="module")
def contracts():
    with boa.env.anchor():
        yield deploy()


@pytest.fixture
def gate(contracts):
    with boa.env.anchor():
        yield contracts.gate


def test_worst_case__empty__is_zero(gate):
    assert gate.worst_case([]) == 0


@pytest.mark.parametrize(
    ("book", "worst"),
    [
        ({CALL: WAD}, 0),
        ({PUT: -WAD}, -2_000 * WAD),
        ({CALL: -WAD, call(2_400): WAD}, -400 * WAD),
        ({PUT: WAD, put(2_400): -WAD}, -400 * WAD),
        ({FUTURE: WAD, CALL: -WAD}, 0),
    ],
)
def test_worst_case__book__is_its_least_payoff(gate, book, worst):
    assert gate.worst_case(words(book)) == worst


@pytest.mark.parametrize(
    ("book", "reason"),
    [
        ({PERP: WAD}, "gate: a perp has no worst case"),
        ({CALL: -WAD}, "gate: no worst case"),
        ({FUTURE: -WAD}, "gate: no worst case"),
    ],
)
def test_worst_case__without_a_bound__reverts(gate, book, reason):
    with boa.reverts(reason):
        gate.worst_case(words(book))


def test_worst_case__at_expiry__reverts(gate):
    boa.env.evm.patch.timestamp = EXPIRY

    with boa.reverts("gate: expired leg"):
        gate.worst_case(words({CALL: WAD}))
    assert gate.value(words({CALL: WAD})).expired


def test_value__perp__is_the_basis_band(gate):
    value = gate.value(words({PERP: -WAD}))

    assert (value.low, value.high) == (-2_040 * WAD, -1_960 * WAD)
    assert value.linear == -2_040 * WAD
    assert value.worstCase == value.floor == NO_BOUND


def test_require_reduced__buffer_and_equity(gate):
    assert gate.require_reduced(100, 10, 98, 8, 2)
    with boa.reverts("gate: equity falls"):
        gate.require_reduced(100, 10, 97, 0, 2)
    with boa.reverts("gate: risk not reduced"):
        gate.require_reduced(100, 10, 98, 9, 2)


@pytest.mark.parametrize("margin", [1, 50 * WAD, 50 * WAD + 1, 10**9 * WAD])
def test_report__defined_risk__margin_is_capped_where_the_book_is_shown(contracts, margin):
    """A long call can lose what it is worth: whatever margin is stated, the report passes with cash left."""
    with boa.env.anchor():
        house = House(contracts)
        maker = house.open("maker", 10)
        house.post()
        state = accounts.Account(owner="", positions={CALL: WAD})
        leaf = house.margin(maker, state, mark_to_market=50 * WAD, initial_margin=margin)
        shown = Side(c.WAY_REPORT, [CALL], leaf).evidence()
        adopted = contracts.gate.assess(maker, 1, shown, words(state.positions), bytes(32), 0)
        arguments = (adopted.words, bytes(32), 0)

        least = min(margin, 50 * WAD) - 50 * WAD
        assert contracts.gate.require_headroom(*arguments, least, adopted.floor) == least
        with boa.reverts("gate: below initial margin"):
            contracts.gate.require_headroom(*arguments, least - 1, adopted.floor)
        if margin > 50 * WAD:
            with boa.reverts("gate: below initial margin"):
                contracts.gate.require_headroom(*arguments, 0, NO_BOUND)
