"""Headroom bounds what was added since the statement; nothing is ever given back without a new one."""

from dataclasses import replace

from tests.attacks.conftest import USDC
from tests.stateful.orders import HEADROOM, LEAF, REPORT, WAD


def record_of(stage):
    world = stage.protocol.world
    return world.contracts.gate.unpack(world.clearing.standing(stage.attacker, True).record)


def maker_with_record(stage, deposit):
    p = stage.protocol
    p.deposit(stage.attacker, deposit * USDC)
    stage.epoch()
    p.refresh(stage.attacker)
    return p


def test_round_trip__flat_again__uses_headroom_twice(stage):
    p = maker_with_record(stage, 100_000)
    p.trade(stage.deal(stage.attacker, stage.honest, stage.call(2_000), 5, 200, (HEADROOM, REPORT)))
    there = p.account(stage.attacker).added_im
    p.trade(stage.deal(stage.honest, stage.attacker, stage.call(2_000), 5, 200, (REPORT, HEADROOM)))

    assert p.account(stage.attacker).positions == {}
    assert p.account(stage.attacker).added_im > there
    assert p.world.clearing.account(stage.attacker).addedIM == p.account(stage.attacker).added_im


def test_hedges_sold_after_the_next_leaf__are_measured_from_that_leaf(stage):
    """+10 calls before leaf 2, sold after it: leaf 1's larger counter gives nothing back."""
    p = maker_with_record(stage, 30_000)
    p.trade(stage.deal(stage.attacker, stage.honest, stage.call(2_000), 10, 200, (HEADROOM, REPORT)))
    stage.epoch()
    assert p.refresh(stage.attacker) == ""
    p.trade(stage.deal(stage.honest, stage.attacker, stage.call(2_000), 10, 200, (REPORT, HEADROOM)))

    record = record_of(stage)
    assert p.account(stage.attacker).added_im > record.addedIM


def test_dust_trades__many__leave_the_maker_its_headroom(stage):
    p = maker_with_record(stage, 100_000)
    dust = stage.deal(stage.attacker, stage.honest, stage.call(2_000), 1, 200, (HEADROOM, REPORT))
    dust = replace(dust, legs=(replace(dust.legs[0], quantity=WAD // 10),))
    for _ in range(64):
        assert p.trade(dust) == ""

    assert p.trade(dust) != ""  # the sixty-fifth needs a new statement
    stage.epoch()
    assert p.trade(replace(dust, ways=(LEAF, REPORT))) == ""


def test_capped_margin__is_not_what_headroom_starts_from(stage):
    """A defined-risk book needs little by its cap; selling the wing that defines it must not inherit the
    cap.
    """
    p = stage.protocol
    p.deposit(stage.attacker, 4_100 * USDC)
    p.trade(stage.deal(stage.attacker, stage.honest, stage.call(2_400), 10, 10, (REPORT, REPORT)))
    p.trade(stage.deal(stage.honest, stage.attacker, stage.call(2_000), 10, 200, (REPORT, REPORT)))
    stage.epoch()
    p.refresh(stage.attacker)
    record = record_of(stage)

    assert record.initialMargin == p.epoch.margins[stage.attacker]["initialMargin"]
    sale = stage.deal(stage.honest, stage.attacker, stage.call(2_400), 11, 10, (REPORT, HEADROOM))
    assert p.trade(sale) != ""


def test_uncounted_fill__kills_headroom(stage):
    """A trade that shows no instrument leaf is not in the counters, so the record no longer bounds the
    book.
    """
    p = maker_with_record(stage, 50_000)
    hidden = stage.deal(stage.attacker, stage.honest, stage.call(2_000), 1, 200, (REPORT, REPORT), False)
    assert p.trade(hidden) == ""
    stage.epoch()

    assert p.refresh(stage.attacker) == ""
    hidden = stage.deal(stage.attacker, stage.honest, stage.call(2_000), 1, 200, (REPORT, REPORT), False)
    assert p.trade(hidden) == ""
    assert record_of(stage).epoch == p.epoch.number


def test_leaf_of_a_book_changed_otherwise__is_refused(stage):
    """A fill outside the counters lies between the leaf and now."""
    p = maker_with_record(stage, 50_000)
    hidden = stage.deal(stage.attacker, stage.honest, stage.call(2_000), 1, 200, (REPORT, REPORT), False)
    p.trade(hidden)

    assert p.refresh(stage.attacker) == "gate: book changed otherwise"


def test_leaf_older_than_a_fill__overstates_the_mark_by_no_more_than_the_move(stage):
    """Fills between snapshot and post are credited at the marks of the epoch before.

    The leaf that outlives them is off by one epoch's move on the quantity filled, until the next leaf.
    """
    p = maker_with_record(stage, 100_000)
    p.world.chain.mine(1, 15)
    spots = [word >> 64 for word in p.epoch.words]
    pending = p.propose([s - s // 100 for s in spots])
    p.trade(stage.deal(stage.attacker, stage.honest, stage.perp, 10, 2_000, (HEADROOM, REPORT)))
    p.publish(pending)
    assert p.refresh(stage.attacker) == ""

    account = p.account(stage.attacker)
    exact = p.predictor.report(stage.attacker, account)["markToMarket"]
    credited = account.record.mark_base + account.added_mark
    assert 0 < credited - exact <= 10 * 20 * WAD


def test_leaf_of_another_account__is_refused(stage):
    p = maker_with_record(stage, 50_000)
    foreign = p.side(stage.depositor, LEAF, p.account(stage.depositor))
    reason = p.world.clearing.attempt(
        "refresh", stage.attacker, foreign.evidence(), p.world.statement(b"", [])
    )

    assert reason == "gate: margin of another account"
