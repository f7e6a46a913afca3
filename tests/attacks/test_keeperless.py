"""With every keeper gone: what must work works, and nothing that needs a price happens at an invented one."""

import pytest

from tests.attacks.conftest import USDC
from tests.stateful.deployment import EXPIRIES
from tests.stateful.orders import HEADROOM, LEAF, REDUCE_AT_MARK, REPORT, WAD, WORST_CASE, Side


def silence(stage, seconds=86_400):
    stage.protocol.world.chain.mine(seconds // 12, seconds)


def close_at(stage, price, way):
    """The attacker's long perp closed against its own accomplice, without attesters; the reason."""
    p = stage.protocol
    deal = stage.deal(stage.accomplice, stage.attacker, stage.perp, 100, price, (way, way))
    orders = p.world.orders(deal)
    sides = [Side(stage.accomplice, way, [stage.perp]), Side(stage.attacker, way, [stage.perp])]
    return p.world.fill(deal, orders, sides, p.world.statement(orders.action(), sides, [stage.perp]))


def leveraged_pair(stage):
    p = stage.protocol
    for account in (stage.attacker, stage.accomplice):
        p.deposit(account, 100_000 * USDC)
    assert (
        p.trade(stage.deal(stage.attacker, stage.accomplice, stage.perp, 100, 2_000, (REPORT, REPORT))) == ""
    )


@pytest.mark.parametrize("price", [1, 1_900, 1_999, 2_001, 4_000])
def test_perp_closed_keeperless__off_the_mark__is_refused(stage, price):
    leveraged_pair(stage)
    silence(stage)

    assert close_at(stage, price, REDUCE_AT_MARK) != ""


@pytest.mark.parametrize("way", [HEADROOM, WORST_CASE])
def test_perp_closed_keeperless__another_way__is_refused(stage, way):
    leveraged_pair(stage)
    silence(stage)

    assert close_at(stage, 1, way) != ""


def test_perp_closed_keeperless__at_the_last_mark__passes(stage):
    leveraged_pair(stage)
    silence(stage)
    chain = stage.protocol.world.chain
    before = chain.evm.snapshot()

    assert close_at(stage, 2_000, REDUCE_AT_MARK) == ""
    chain.evm.revert(before)


def test_perp_reversed_keeperless__at_the_last_mark__is_refused(stage):
    """Twice the position is not a smaller one."""
    leveraged_pair(stage)
    silence(stage)
    p = stage.protocol
    deal = stage.deal(stage.accomplice, stage.attacker, stage.perp, 201, 2_000, (REDUCE_AT_MARK,) * 2)
    orders = p.world.orders(deal)
    sides = [Side(n, REDUCE_AT_MARK, [stage.perp]) for n in (stage.accomplice, stage.attacker)]

    assert p.world.fill(deal, orders, sides, p.world.statement(orders.action(), sides, [stage.perp])) != ""


def test_keeperless__deposit_and_worst_case__work(stage):
    silence(stage, 10 * 86_400)
    p = stage.protocol
    p.deposit(stage.attacker, 1_000 * USDC)

    assert p.withdraw(stage.attacker, 1_000 * USDC, WORST_CASE) == ""


def test_keeperless__fully_collateralised_trade__works(stage):
    p = stage.protocol
    silence(stage, 600)
    deal = stage.deal(stage.honest, stage.depositor, stage.put(2_000), 1, 200, (WORST_CASE,) * 2, False)

    assert p.trade(deal) == ""


@pytest.mark.parametrize("way", [HEADROOM, LEAF, REPORT])
def test_stale_oracle__risk_by_attestation__is_refused(stage, way):
    p = stage.protocol
    silence(stage, 3_600)
    deal = stage.deal(stage.honest, stage.depositor, stage.call(2_000), 1, 200, (way, WORST_CASE))

    assert p.trade(deal) != ""
    assert p.withdraw(stage.honest, USDC, way) != ""


def test_expiry_in_silence__a_day_later__settles_without_any_keeper(stage):
    p = stage.protocol
    p.trade(stage.deal(stage.honest, stage.depositor, stage.call(1_600), 1, 450, (REPORT, WORST_CASE)))
    p.trade(stage.deal(stage.depositor, stage.honest, stage.put(2_000), 1, 100, (WORST_CASE, REPORT)))
    p.world.chain.mine(8_000, EXPIRIES[0] + 86_401 - p.world.chain.timestamp)
    assert p.finalize(1, EXPIRIES[0]) == 2_000 * 10**8

    for number in (stage.honest, stage.depositor):
        assert p.settle(number) == ""
    assert p.settle(stage.honest) != ""  # only once


@pytest.mark.parametrize("way", [HEADROOM, WORST_CASE])
def test_expired_unsettled_leg__withdrawal__is_refused(stage, way):
    """The sale of an option that has expired in the money is a debt, whatever the cash says."""
    p = stage.protocol
    covered = stage.deal(stage.honest, stage.depositor, stage.call(1_600), 1, 450, (REPORT, REPORT))
    p.trade(covered)
    p.world.chain.mine(700, EXPIRIES[0] + 1 - p.world.chain.timestamp)

    assert p.withdraw(stage.depositor, USDC, way) != ""


def test_settlement_price__asked_twice__stays(stage):
    p = stage.protocol
    p.world.chain.mine(8_000, EXPIRIES[0] + 86_401 - p.world.chain.timestamp)
    first = p.finalize(1, EXPIRIES[0])
    stage.epoch(90, 0)

    oracle = p.world.contracts.oracle
    oracle.attempt("finalize_settlement", 1, EXPIRIES[0])
    assert oracle.settlement_price(1, EXPIRIES[0]) == first
    assert first * WAD > 0
