"""Nobody borrows the vault's tokens: not by a trade, not against a sure future gain, not against phantom
equity.
"""

import pytest

from tests.attacks.conftest import USDC
from tests.stateful.orders import HEADROOM, LEAF, REPORT, WORST_CASE


@pytest.mark.parametrize("way", [REPORT, WORST_CASE, HEADROOM])
def test_box_bought_without_cash__every_way__is_refused(stage, way):
    """A 400-wide box is worth 400 for sure at expiry: the last of its legs would put settled cash below
    zero.
    """
    p = stage.protocol
    p.deposit(stage.attacker, 2_000 * USDC)
    assert (
        p.trade(stage.deal(stage.attacker, stage.honest, stage.call(1_600), 1, 430, (REPORT, REPORT))) == ""
    )
    assert (
        p.trade(stage.deal(stage.honest, stage.attacker, stage.call(2_000), 1, 200, (REPORT, REPORT))) == ""
    )
    assert p.trade(stage.deal(stage.honest, stage.attacker, stage.put(1_600), 1, 1, (REPORT, REPORT))) == ""
    cash = stage.cash(stage.attacker) // 10**18

    assert (
        p.trade(stage.deal(stage.attacker, stage.honest, stage.put(2_000), 1, cash + 2, (way, REPORT))) != ""
    )


def test_net_short_future__any_cash__is_never_fully_collateralised(stage):
    p = stage.protocol
    short = stage.deal(stage.depositor, stage.honest, stage.future, -1, 2_000, (WORST_CASE, REPORT))

    assert p.trade(short) == "valuer: no worst case"


def test_net_short_future__covered_by_a_perp__is_never_fully_collateralised(stage):
    p = stage.protocol
    p.trade(stage.deal(stage.depositor, stage.honest, stage.perp, 1, 2_000, (REPORT, REPORT)))

    short = stage.deal(stage.depositor, stage.honest, stage.future, -1, 2_000, (WORST_CASE, REPORT))
    assert p.trade(short) != ""


def test_legs_of_another_expiry__do_not_cover(stage):
    """A long future of the first expiry ends before the short call of the second does."""
    from tests.stateful.deployment import EXPIRIES

    p = stage.protocol
    p.trade(stage.deal(stage.depositor, stage.honest, stage.future, 1, 2_000, (REPORT, REPORT)))
    later = stage.call(2_000, EXPIRIES[1])

    assert p.trade(stage.deal(stage.honest, stage.depositor, later, 1, 200, (REPORT, WORST_CASE))) != ""


def test_deep_call_sold__by_headroom__credits_no_equity(stage):
    """The premium is cash, the mark goes down by the same: what is left to withdraw does not grow."""
    p = stage.protocol
    p.deposit(stage.attacker, 3_000 * USDC)
    stage.epoch()
    p.refresh(stage.attacker)
    sale = stage.deal(stage.honest, stage.attacker, stage.call(1_200), 1, 800, (REPORT, HEADROOM))
    assert p.trade(sale) == ""

    assert p.withdraw(stage.attacker, 3_000 * USDC, HEADROOM) != ""
    assert p.withdraw(stage.attacker, 3_000 * USDC, REPORT) != ""


def test_unrealised_option_gain__is_not_withdrawn(stage):
    """Only cash leaves: the mark of a long option counts for margin, never for a withdrawal."""
    p = stage.protocol
    p.deposit(stage.attacker, 300 * USDC)
    assert (
        p.trade(stage.deal(stage.attacker, stage.honest, stage.call(2_000), 1, 250, (REPORT, REPORT))) == ""
    )
    stage.epoch(90, 0)

    for way in (HEADROOM, LEAF, REPORT, WORST_CASE):
        assert p.withdraw(stage.attacker, 51 * USDC, way) != ""


def test_perp_sold_high__by_headroom__lends_nothing(stage):
    """A short perp fills the account with cash that is not its own."""
    p = stage.protocol
    p.deposit(stage.attacker, 1_500 * USDC)
    stage.epoch()
    p.refresh(stage.attacker)
    p.trade(stage.deal(stage.honest, stage.attacker, stage.perp, 1, 2_000, (REPORT, HEADROOM)))

    for way in (HEADROOM, REPORT, WORST_CASE):
        assert p.withdraw(stage.attacker, 1_501 * USDC, way) != ""
