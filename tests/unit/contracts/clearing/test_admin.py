import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import CALL, PUT, USDC, WAD, Deal, Side, deploy, source
from tests.support.house import events

ZERO = "0x" + "00" * 20
OTHER = "0x" + "11" * 20


def test_collect_fees__owner__pays_whole_units_and_keeps_the_rest(pair):
    house, recipient = pair.house, boa.env.generate_address()
    house.hold(pair.maker, pair.taker, Deal(CALL, fees=(2 * WAD + 1, 3 * WAD)))
    held = house.clearing.held()

    assert house.clearing.collect_fees(recipient, sender=house.contracts.owner) == 5 * USDC

    (event,) = events(house.clearing, "FeesCollected")
    assert (event.recipient, event.amount) == (recipient, 5 * USDC)
    assert event.seq == house.clearing.totals().seq
    assert house.clearing.totals().fees == 1
    assert house.clearing.held() == held - 5 * USDC
    assert house.contracts.token.balanceOf(recipient) == 5 * USDC
    with boa.reverts("clearing: no fees"):
        house.clearing.collect_fees(recipient, sender=house.contracts.owner)


def test_collect_fees__zero_recipient__reverts(house):
    with boa.reverts("clearing: zero recipient"):
        house.clearing.collect_fees(ZERO, sender=house.contracts.owner)


def test_set_module__owner__is_recorded(house):
    house.clearing.set_module(OTHER, True, sender=house.contracts.owner)

    (event,) = events(house.clearing, "ModuleSet")
    assert (event.module, event.allowed, event.seq) == (OTHER, True, house.clearing.totals().seq)
    assert house.clearing.modules(OTHER)


def test_set_gate__owner__is_recorded(house):
    oracle, markets = house.contracts.oracle.address, house.contracts.markets.address
    gate = source("risk/MarginGate").deploy(oracle, markets).address

    house.clearing.set_gate(gate, oracle, sender=house.contracts.owner)

    (event,) = events(house.clearing, "GateSet")
    assert (event.gate, event.oracle, event.seq) == (gate, oracle, house.clearing.totals().seq)
    assert (house.clearing.gate(), house.clearing.oracle()) == (gate, oracle)


def test_set_outflow_share__owner__is_recorded(house):
    house.clearing.set_outflow_share(WAD, sender=house.contracts.owner)

    (event,) = events(house.clearing, "TokenListed")
    token = house.contracts.token.address
    assert (event.token, event.decimals, event.outflowShare) == (token, 6, WAD)
    assert house.clearing.outflow(token).share == WAD


@pytest.mark.parametrize("share", [0, WAD + 1])
def test_set_outflow_share__out_of_range__reverts(house, share):
    with boa.reverts("custody: bad outflow share"):
        house.clearing.set_outflow_share(share, sender=house.contracts.owner)


def test_outflow__another_token__reverts(house):
    with boa.reverts("clearing: token not listed"):
        house.clearing.outflow(OTHER)


def test_deploy__more_than_18_decimals__reverts():
    with boa.env.anchor(), boa.reverts("custody: more than 18 decimals"):
        deploy(19)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("set_module", (OTHER, True)),
        ("set_gate", (OTHER, OTHER)),
        ("set_outflow_share", (WAD,)),
        ("collect_fees", (OTHER,)),
        ("unpause", ()),
    ],
)
def test_administration__guardian__reverts(house, function, arguments):
    with boa.reverts("ownable: caller is not the owner"):
        getattr(house.clearing, function)(*arguments, sender=house.contracts.guardian)


def test_outflow__gain_beyond_the_exempt_part__fills_and_drains(pair):
    """A gain is paid within the limit, 5 % of what is held an hour; what was deposited leaves freely."""
    house, token = pair.house, pair.house.contracts.token.address
    house.hold(pair.maker, pair.taker, Deal(PUT, 50 * WAD, 10 * WAD), Deal(PUT, -50 * WAD, 2_000 * WAD))
    worst, exempt = Side(c.WAY_WORST_CASE), house.state(pair.maker).exempt // 10**12
    house.withdraw(pair.maker, exempt, worst)
    assert house.clearing.outflow(token).level == 0
    limit = house.clearing.outflow(token).limit
    assert limit == house.clearing.held() // 20

    with boa.reverts("custody: outflow limit"):
        house.withdraw(pair.maker, limit + 1, worst)
    house.withdraw(pair.maker, limit, worst)
    with boa.reverts("custody: outflow limit"):
        house.withdraw(pair.maker, 1, worst)
    boa.env.evm.patch.timestamp += 3_600
    house.withdraw(pair.maker, house.clearing.outflow(token).limit // 4, worst)
