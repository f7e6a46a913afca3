"""The shortfall module against its twin, bit for bit, and what it costs in ordinary times."""

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.clearing import shortfall as sf
from keeper.clearing.shortfall import RELEASE_SECONDS, Losses
from keeper.units.constants import WAD

boa.interpret.set_cache_dir(".build/boa")
UNIT = 10**12
AMOUNT = st.integers(0, 10**30) | st.sampled_from([0, 1, UNIT, WAD])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["credit", "pay", "add", "give", "release", "set_open_deficit"]),
        AMOUNT,
        AMOUNT,
        AMOUNT,
        st.integers(0, RELEASE_SECONDS // 2),
    ),
    max_size=8,
)


@pytest.fixture(scope="module")
def deployed():
    with boa.env.anchor():
        yield boa.load("contracts/mocks/ShortfallHarness.vy")


@pytest.fixture
def module(deployed):
    with boa.env.anchor():
        yield deployed


def now():
    return boa.env.evm.patch.timestamp


def twin_of(name, losses, a, b, c):
    """State and result that the twin expects."""
    if name == "credit":
        return sf.credit(losses, a, b)
    if name == "pay":
        return sf.pay(losses, a, b, c, UNIT, now())
    if name == "give":
        return sf.give(losses, a, now()), None
    if name == "release":
        return sf.release(losses, now())
    return getattr(sf, name)(losses, a), None


def call(module, name, a, b, c):
    arguments = {"credit": (a, b), "pay": (a, b, c, UNIT), "release": ()}.get(name, (a,))
    return getattr(module, name)(*arguments)


def test_any_sequence__as_the_twin(deployed):
    @settings(max_examples=60, deadline=None)
    @given(STEPS)
    def check(steps):
        with boa.env.anchor():
            losses = Losses()
            for name, a, b, c, wait in steps:
                if name == "release":
                    boa.env.evm.patch.timestamp += wait
                try:
                    expected, result = twin_of(name, losses, a, b, c)
                except ValueError as error:
                    with boa.reverts(str(error)):
                        call(deployed, name, a, b, c)
                    continue
                assert call(deployed, name, a, b, c) == result
                losses = expected
                assert deployed.state() == (losses.shortfall, losses.recovery, losses.open_deficit)
                assert deployed.is_whole() == sf.is_whole(losses)
                assert deployed.uncovered(b) == sf.uncovered(losses, b)
                if a or not losses.shortfall:
                    assert deployed.rate(a) == sf.rate(losses, a)
                    assert deployed.withdrawal_rate(a, b) == sf.withdrawal_rate(losses, a, b)

    check()


def test_pool__is_what_neither_fees_nor_recovery_claim(module):
    module.give(3 * WAD)
    assert module.pool(10 * WAD, WAD) == 6 * WAD


def test_pool__fees_beyond_what_is_held__reverts(module):
    with boa.reverts():
        module.pool(WAD, WAD + 1)


def test_set_open_deficit__zero_again__is_whole_again(module):
    module.set_open_deficit(5 * WAD)
    assert not module.is_whole()
    assert module.uncovered(2 * WAD) == 3 * WAD

    module.set_open_deficit(0)

    assert module.is_whole()
    assert module.state() == (0, 0, 0)


def test_set_open_deficit__during_a_release__leaves_its_schedule(module):
    module.add(10 * WAD)
    module.give(WAD)
    module.set_open_deficit(5 * WAD)
    boa.env.evm.patch.timestamp += RELEASE_SECONDS // 2

    assert module.release() == 0
    assert module.state() == (9 * WAD + WAD // 2, WAD // 2, 5 * WAD)


@pytest.mark.parametrize(
    ("function", "amount"), [("add", 2**128), ("give", 2**127), ("set_open_deficit", 2**128)]
)
def test_changes__beyond_their_field__revert(module, function, amount):
    with boa.reverts("shortfall: overflow"):
        getattr(module, function)(amount)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [("credit", (WAD, WAD)), ("pay", (WAD, WAD, 0, UNIT)), ("release", ()), ("is_whole", ())],
)
def test_ordinary_times__one_word_is_read_and_none_written(module, function, arguments):
    getattr(module, function)(*arguments)

    assert module._computation.get_gas_used() < 2 * 2_100  # a second cold load would cost as much again
