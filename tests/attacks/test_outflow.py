"""The wall behind the quorum: realised gains leave slowly, and nobody else's wall is moved by loops of
deposits.
"""

from tests.attacks.conftest import USDC
from tests.stateful.orders import WAD, WORST_CASE

GAIN = 145_000 * USDC  # above the hourly limit of the 2,000,000 held


def enrich(stage):
    """Realise a gain against the accomplice: puts bought at 150 and sold back at 500, the highest price that
    their band allows, again and again, both sides collateralised.
    """
    p = stage.protocol
    p.deposit(stage.accomplice, 400_000 * USDC)
    p.deposit(stage.attacker, 400_000 * USDC)
    both = (WORST_CASE, WORST_CASE)
    put, back = (
        stage.put(2_000),
        stage.deal(stage.accomplice, stage.attacker, stage.put(2_000), 100, 501, both),
    )
    for _ in range(5):
        assert p.trade(stage.deal(stage.attacker, stage.accomplice, put, 100, 150, both)) == ""
        assert p.trade(back) == "clearing: price outside its band"
        assert p.trade(stage.deal(stage.accomplice, stage.attacker, put, 100, 500, both)) == ""
    return p


def test_gain_realised_against_an_accomplice__is_never_exempt(stage):
    p = enrich(stage)
    account = p.world.clearing.account(stage.attacker)

    # what was left of the deposit after the first purchase, with the maker's rebate for it
    assert account.exempt <= 385_010 * WAD < account.cash


def test_gain_above_the_limit__fully_collateralised__is_refused(stage):
    p = enrich(stage)
    assert p.withdraw(stage.attacker, p.ledger.exempt_amount(stage.attacker), WORST_CASE) == ""
    p.donate(10**15)  # a donation lifts no limit

    assert p.withdraw(stage.attacker, GAIN, WORST_CASE) == "custody: outflow limit"
    assert p.withdraw(stage.attacker, 50_000 * USDC, WORST_CASE) == ""
    assert p.withdraw(stage.attacker, 50_000 * USDC, WORST_CASE) == "custody: outflow limit"
    p.world.chain.mine(300, 3_600)
    assert p.withdraw(stage.attacker, 50_000 * USDC, WORST_CASE) == ""


def test_deposit_withdraw_loops__do_not_block_others(stage):
    p = enrich(stage)
    for _ in range(5):
        p.deposit(stage.accomplice, 900_000 * USDC)
        assert p.withdraw(stage.accomplice, 900_000 * USDC, WORST_CASE) == ""
    gain = p.account(stage.attacker).cash // 10**12 - p.ledger.exempt_amount(stage.attacker)
    assert gain > 0

    p.withdraw(stage.attacker, p.ledger.exempt_amount(stage.attacker), WORST_CASE)
    assert p.withdraw(stage.attacker, 1_000 * USDC, WORST_CASE) == ""


def test_deposit_withdraw_loops__do_not_empty_the_bucket(stage):
    """A borrowed deposit taken straight back leaves the level where it was."""
    p = enrich(stage)
    p.withdraw(stage.attacker, p.ledger.exempt_amount(stage.attacker) + 1_000 * USDC, WORST_CASE)
    token = p.world.contracts.token.address
    before = p.world.vault.outflow(token).level

    p.deposit(stage.accomplice, 900_000 * USDC)
    p.withdraw(stage.accomplice, 900_000 * USDC, WORST_CASE)

    assert p.world.vault.outflow(token).level == before > 0
