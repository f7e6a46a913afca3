"""Tokens that lie, call back or arrive unasked."""

import pytest

from keeper.clearing.ledger import TradeLeg
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import SCOPE_DEPOSIT, SCOPE_WITHDRAW
from tests.attacks.conftest import USDC
from tests.stateful import invariants
from tests.stateful.deployment import EXPIRIES, START, deploy
from tests.stateful.orders import WAD, WORST_CASE, Deal, Side, leg_values, terms_values
from tests.stateful.protocol import Protocol
from tests.stateful.world import World

HONEST, FEE, RETURNS_FALSE, MOVES_NOTHING, REVERTS, GIVES_MORE, CALLS_BACK = range(7)
ZERO = "0x" + "00" * 20


@pytest.fixture
def hostile():
    """The protocol over a token whose behaviour the test chooses; account 1 holds 1,000."""
    deployment = deploy(token_name="MockHostileToken")
    protocol = Protocol(World(deployment))
    for key in (300, 301):
        protocol.deposit(protocol.open_account(key), 1_000 * USDC)
    protocol.post_epoch(START)
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

    assert hostile.world.withdraw(Side(1, WORST_CASE), 0, 100 * USDC, b"") != ""


def vault_calls(p):
    """What moves tokens, each as it would pass if it came alone."""
    vault, token, owner = p.world.vault, p.world.contracts.token.address, p.world.owner(1)
    side = Side(1, WORST_CASE).evidence()
    return {
        "deposit": (vault, "deposit", (1, token, 1)),
        "withdraw": (vault, "withdraw", (1, token, 1, owner, side, b"")),
        "recover_shortfall": (vault, "recover_shortfall", (1,)),
    }


def other_calls(p):
    """What holds no tokens and is not locked while the Vault is; the trade is of a tenth of a put."""
    world, clearing, exchange = p.world, p.world.clearing, p.world.contracts.exchange
    put = Instrument(1, EXPIRIES[0], 2_000 * 10**8, Kind.PUT).pack()
    leg, side = TradeLeg(put, WAD // 10, 100 * WAD), Side(1, WORST_CASE, [put]).evidence()
    deal = Deal(1, 2, (leg,), (WORST_CASE, WORST_CASE))
    orders = world.orders(deal)
    both = [(terms_values(order), world.sign_order(order)) for order in (orders.maker, orders.taker)]
    fill = (
        leg_values(orders.maker),
        *both[0],
        *both[1],
        1,
        orders.price,
        [leg.price],
        orders.fill_nonce,
        side,
        side,
        b"",
    )
    return {
        "fill": (exchange, "fill", fill),
        "open_account": (clearing, "open_account", (world.owner(1),)),
    }


def outer_call(hostile, outer):
    """Five USD in or out of account 1."""
    world = hostile.world
    if outer == "deposit":
        return world.deposit(1, 5 * USDC)
    return world.withdraw(Side(1, WORST_CASE), 0, 5 * USDC, b"")


@pytest.mark.parametrize("inner", ["deposit", "withdraw", "recover_shortfall"])
@pytest.mark.parametrize("outer", ["deposit", "withdraw"])
def test_reentry__from_a_transfer__what_moves_tokens_is_locked(hostile, outer, inner):
    """The token itself may act for the account and has tokens: only the lock is in its way."""
    world, token = hostile.world, hostile.world.contracts.token
    contract, name, arguments = vault_calls(hostile)[inner]
    before = world.chain.evm.snapshot()
    scopes = SCOPE_WITHDRAW | SCOPE_DEPOSIT
    world.clearing.set_operator(1, token.address, scopes, 2**40 - 1, sender=world.owner(1))
    for payer in (token.address, world.owner(1)):
        token.mint(payer, USDC)
    token.set_callback(contract.address, contract.calldata(name, arguments))
    token.set_mode(CALLS_BACK)
    assert outer_call(hostile, outer) == ""

    assert token.entered() == 1
    token.set_mode(HONEST)
    assert contract.attempt(name, *arguments, sender=world.owner(1)) == ""
    world.chain.evm.revert(before)


@pytest.mark.parametrize("inner", ["fill", "open_account"])
@pytest.mark.parametrize("outer", ["deposit", "withdraw"])
def test_reentry__from_a_transfer__what_moves_none_ends_where_it_would_afterwards(hostile, outer, inner):
    """Cash has changed before tokens move, and the lock is the Vault's: a trade in between is one before."""
    world, token = hostile.world, hostile.world.contracts.token
    contract, name, arguments = other_calls(hostile)[inner]
    before = world.chain.evm.snapshot()
    token.set_callback(contract.address, contract.calldata(name, arguments))
    token.set_mode(CALLS_BACK)
    assert outer_call(hostile, outer) == ""
    assert token.entered() == 2
    within = states(world)
    world.chain.evm.revert(before)

    before = world.chain.evm.snapshot()
    assert outer_call(hostile, outer) == ""
    assert contract.attempt(name, *arguments) == ""
    assert states(world) == within
    world.chain.evm.revert(before)


def states(world):
    """Accounts and what the vault holds."""
    token = world.contracts.token
    accounts = [world.clearing.account(number) for number in (1, 2, 3)]
    return accounts, world.vault.held(token.address), token.balanceOf(world.vault.address)


def test_donation__any_contract__changes_nothing(stage):
    p = stage.protocol
    contracts = p.world.contracts
    before = [p.world.clearing.account(n) for n in p.ledger.accounts]
    limit = p.world.vault.outflow(contracts.token.address)
    p.donate(10**15)
    for contract in (contracts.exchange, contracts.oracle, contracts.markets, contracts.gate):
        contracts.token.mint(contract.address, 10**15)

    assert [p.world.clearing.account(n) for n in p.ledger.accounts] == before
    assert p.world.vault.outflow(contracts.token.address) == limit
    assert contracts.token.balanceOf(p.world.vault.address) == p.ledger.held + 10**15
