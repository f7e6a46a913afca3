"""Tokens that lie, call back or arrive unasked."""

import pytest

from tests.attacks.conftest import USDC
from tests.stateful import invariants
from tests.stateful.deployment import START, deploy
from tests.stateful.protocol import Protocol
from tests.stateful.world import WORST_CASE, Side, World

HONEST, FEE, RETURNS_FALSE, MOVES_NOTHING, REVERTS, GIVES_MORE, CALLS_BACK = range(7)
ZERO = "0x" + "00" * 20


@pytest.fixture
def hostile():
    """The protocol over a token whose behaviour the test chooses; account 1 holds 1,000."""
    deployment = deploy(token_name="MockHostileToken")
    protocol = Protocol(World(deployment))
    for key in (300, 301):
        protocol.deposit(protocol.open_account(key), 1_000 * USDC)
    protocol.post_epoch([spot << 64 | spot for spot in START])
    yield protocol
    deployment.token.set_mode(HONEST)
    invariants.chain_and_model_agree_to_the_wei(protocol)
    deployment.restore()


@pytest.mark.parametrize("mode", [FEE, RETURNS_FALSE, MOVES_NOTHING, REVERTS, GIVES_MORE])
def test_deposit__token_lies__is_refused(hostile, mode):
    hostile.world.contracts.token.set_mode(mode)

    assert hostile.world.deposit(1, 100 * USDC) != ""


@pytest.mark.parametrize("mode", [RETURNS_FALSE, REVERTS])
def test_withdraw__token_fails__is_refused_and_keeps_the_cash(hostile, mode):
    hostile.world.contracts.token.set_mode(mode)

    assert hostile.world.withdraw(Side(1, WORST_CASE), 100 * USDC, hostile.world.no_statement()) != ""


def entry_points(p):
    """One call of every function that changes the state of any contract."""
    world, contracts = p.world, p.world.contracts
    side, statement = Side(1, WORST_CASE).evidence(), world.no_statement()
    clearing, token, owner = contracts.clearinghouse, contracts.token.address, world.owner(1)
    orders = world.order(1, contracts.instruments[0], 10**18, 0)
    other = world.order(2, contracts.instruments[0], -(10**18), 0)
    trade = (1, 2, contracts.instruments[0], 10**18, 10**18, 0, 0, bytes(32))
    from tests.stateful.world import order_values

    return {
        "deposit": (clearing, "deposit", (1, token, 1)),
        "withdraw": (clearing, "withdraw", (1, token, 1, owner, side, statement)),
        "trade": (clearing, "trade", (trade, [side, side], statement)),
        "settle": (clearing, "settle", (1, [])),
        "refresh": (clearing, "refresh", (1, side, 1)),
        "open_account": (clearing, "open_account", (owner,)),
        "set_operator": (clearing, "set_operator", (1, owner, True)),
        "fill": (
            contracts.exchange,
            "fill",
            (
                order_values(orders),
                world.sign_order(orders),
                order_values(other),
                world.sign_order(other),
                1,
                0,
                0,
                side,
                side,
                statement,
            ),
        ),
    }


@pytest.mark.parametrize(
    "inner", ["deposit", "withdraw", "trade", "settle", "refresh", "open_account", "fill"]
)
@pytest.mark.parametrize("outer", ["deposit", "withdraw"])
def test_reentry__from_a_transfer__every_function_is_locked(hostile, outer, inner):
    """During a transfer of the token no balance of any contract can change."""
    world, token = hostile.world, hostile.world.contracts.token
    contract, name, arguments = entry_points(hostile)[inner]
    token.set_callback(contract.address, contract.calldata(name, arguments))
    token.set_mode(CALLS_BACK)
    before = world.chain.evm.snapshot()
    if outer == "deposit":
        assert world.deposit(1, 5 * USDC) == ""
    else:
        assert world.withdraw(Side(1, WORST_CASE), 5 * USDC, world.no_statement()) == ""

    assert token.entered() == 1
    world.chain.evm.revert(before)


def test_donation__any_contract__changes_nothing(stage):
    p = stage.protocol
    contracts = p.world.contracts
    before = [p.world.clearing.account(n) for n in p.ledger.accounts]
    limit = p.world.clearing.outflow(contracts.token.address)
    p.donate(10**15)
    for contract in (contracts.exchange, contracts.oracle, contracts.markets, contracts.gate):
        contracts.token.mint(contract.address, 10**15)

    assert [p.world.clearing.account(n) for n in p.ledger.accounts] == before
    assert p.world.clearing.outflow(contracts.token.address) == limit
    assert contracts.token.balanceOf(p.world.clearing.address) == p.ledger.held + 10**15
