"""Whom to flag, what to update, and what to bid on."""

from dataclasses import replace

import pytest

from keeper.chain.liquidation import Valuation
from keeper.jobs.decide_liquidations import candidates, decide_liquidations
from keeper.jobs.health import Prices
from keeper.units.constants import MAX_LEGS, WAD
from tests.unit.keeper.jobs.stage import BIDDER, CALL, EPOCH, EXPIRY, NOW, PUT, Stage, auction


@pytest.fixture
def stage() -> Stage:
    """Account 1 is below maintenance margin by a dollar, account 2 at it, the bidder has 10,000."""
    found = Stage()
    found.short(1, 349 * WAD)
    found.short(2, 350 * WAD)
    found.flat(BIDDER, 10_000 * WAD)
    return found


def test_flags__below_at_both_spots__claimed_by_leaf(stage: Stage) -> None:
    due = decide_liquidations(stage.situation())

    assert due.below == (1,)
    (claim,) = due.flags
    instruments, way, leaf, path, epoch, deadline, signatures, changes, units, unit_paths = claim.values()
    assert (instruments, way, epoch, deadline, signatures) == ([CALL], 1, EPOCH, 0, (0, []))
    assert leaf == stage.leaves[1].values()
    assert path == [(1).to_bytes(32, "big")]
    assert (changes, units, unit_paths) == ([], [], [])


def test_flags__safe_at_the_posted_spot__none(stage: Stage) -> None:
    stage.leaves[1] = replace(stage.leaves[1], mark_posted=-99 * WAD)

    assert decide_liquidations(stage.situation()).flags == ()


def test_flags__epoch_too_old__none_but_still_counted_below(stage: Stage) -> None:
    due = decide_liquidations(stage.situation(is_fresh=False))

    assert (due.flags, due.below) == ((), (1,))


def test_flags__book_can_lose_little__is_not_below(stage: Stage) -> None:
    assert candidates(stage.situation()) == [1, BIDDER]
    stage.values[1] = Valuation(least=-348 * WAD, earliest=EXPIRY)

    assert decide_liquidations(stage.situation()).below == ()


def test_flags__traded_since__claim_brings_changes_and_their_leaf(stage: Stage) -> None:
    stage.trade(2, PUT, WAD // 100, 1_000 * WAD)

    (_, claim) = decide_liquidations(stage.situation()).flags
    values = claim.values()
    assert values[0] == sorted([CALL, PUT])
    assert values[7] == [(1, PUT, WAD // 100, 1_000 * WAD)]
    assert [unit[0] for unit in values[8]] == [PUT]
    assert values[9] == [[PUT.to_bytes(32, "big")]]


def test_flags__bought_cover_since__margin_counts_what_it_undoes(stage: Stage) -> None:
    """Half the call bought back at its mark: the margin is at least 250 less half of 250."""
    stage.trade(1, CALL, WAD // 2, 100 * WAD)

    assert decide_liquidations(stage.situation()).below == ()


def test_flags__instrument_unknown_to_the_epoch__waits(stage: Stage) -> None:
    stage.trade(1, CALL + (1 << 8), WAD, WAD)

    assert decide_liquidations(stage.situation()).flags == ()


def test_flags__hash_that_never_was__waits(stage: Stage) -> None:
    stage.leaves[1] = replace(stage.leaves[1], book_hash=b"\1" * 32)

    assert decide_liquidations(stage.situation()).flags == ()


def test_flags__expired_leg__settles_first(stage: Stage) -> None:
    stage.values[1] = replace(stage.values[1], expired=True)

    assert decide_liquidations(stage.situation()).below == ()


def test_flags__in_auction__not_again(stage: Stage) -> None:
    stage.states[1] = replace(stage.states[1], frozen=True)

    assert decide_liquidations(stage.situation({1: auction()})).flags == ()


def test_updates__older_epoch__claimed(stage: Stage) -> None:
    due = decide_liquidations(stage.situation({1: auction(epoch=EPOCH - 1), 2: auction()}))

    assert [claim.account for claim in due.updates] == [1]
    assert [bid.account for bid in due.bids] == [2]


def test_updates__recovered__ended_at_once(stage: Stage) -> None:
    stage.states[2] = replace(stage.states[2], cash=400 * WAD)
    due = decide_liquidations(stage.situation({2: auction()}))

    assert [claim.account for claim in due.updates] == [2]
    assert due.bids == ()


def test_bids__discount_enough__all_that_may_come_on_offer_at_the_price_of_the_moment(stage: Stage) -> None:
    """V = 350 - 100 at x = 0.89, D = 50: f = 50 / (50 + 222.5), and the rest is worth more than dust. At the
    floor of 0.8 it would be 50 / (50 + 200)."""
    (bid,) = decide_liquidations(stage.situation({2: auction()})).bids

    assert bid.limit == 2_225 * WAD // 10
    assert bid.taken == -(-50 * WAD * WAD // (2_725 * WAD // 10))
    assert bid.fraction == WAD // 5
    assert bid.offer.gain == 11 * WAD // 100


@pytest.mark.parametrize(("share", "expected"), [(11, 1), (12, 0)])
def test_bids__return_asked_for__decides(stage: Stage, share: int, expected: int) -> None:
    situation = stage.situation({2: auction()}, minimum_return=share * WAD // 100)

    assert len(decide_liquidations(situation).bids) == expected


def test_bids__insolvent__everything_for_a_payout(stage: Stage) -> None:
    """V = -100; half an hour is half the bonus: 0.25 * 250 on top of the deficit."""
    stage.states[2] = replace(stage.states[2], cash=0)
    found = auction(insolvent=True, elapsed=1_800, touched=NOW)
    (bid,) = decide_liquidations(stage.situation({2: found})).bids

    assert (bid.fraction, bid.limit) == (WAD, -1_625 * WAD // 10)
    assert bid.offer.insolvent and bid.offer.gain == WAD // 4


def test_bids__became_insolvent_since__clock_begins_anew(stage: Stage) -> None:
    stage.states[2] = replace(stage.states[2], cash=0)

    assert decide_liquidations(stage.situation({2: auction()})).bids == ()
    (bid,) = decide_liquidations(stage.situation({2: auction()}, minimum_return=0)).bids
    assert bid.limit == -100 * WAD


def test_bids__little_headroom__fraction_that_fits(stage: Stage) -> None:
    stage.states[BIDDER] = replace(stage.states[BIDDER], cash=10 * WAD)
    (bid,) = decide_liquidations(stage.situation({2: auction()})).bids

    # the whole adds 300 of margin and changes no equity as it is credited
    assert 0.033332 * WAD < bid.fraction < WAD // 30


@pytest.mark.parametrize(
    "spoiled", ["poor", "frozen", "absent", "uncounted", "too many fills", "too far", "expired"]
)
def test_bids__own_account_cannot__none(stage: Stage, spoiled: str) -> None:
    own, leaf = stage.states[BIDDER], stage.leaves[BIDDER]
    if spoiled == "poor":
        stage.states[BIDDER] = replace(own, cash=WAD)
    elif spoiled == "frozen":
        stage.states[BIDDER] = replace(own, frozen=True)
    elif spoiled == "absent":
        del stage.leaves[BIDDER]
    elif spoiled == "uncounted":
        stage.trade(BIDDER, PUT, WAD, 0)
    elif spoiled == "too many fills":
        stage.states[BIDDER] = replace(own, book_hash=bytes(31) + bytes([56]))
    elif spoiled == "too far":
        stage.leaves[BIDDER] = replace(leaf, max_added_im=WAD)
    else:
        stage.values[BIDDER] = replace(stage.values[BIDDER], expired=True)

    assert decide_liquidations(stage.situation({2: auction()})).bids == ()


def test_bids__more_legs_than_an_account_holds__none(stage: Stage) -> None:
    full = {PUT + (i << 8): WAD for i in range(MAX_LEGS)}
    stage.states[BIDDER] = replace(stage.states[BIDDER], positions=full)
    assert decide_liquidations(stage.situation({2: auction()})).bids == ()
    full.popitem()
    stage.states[BIDDER] = replace(stage.states[BIDDER], positions=full)

    assert len(decide_liquidations(stage.situation({2: auction()})).bids) == 1


def test_bids__a_leg_has_expired__none(stage: Stage) -> None:
    assert decide_liquidations(stage.situation({2: auction(earliest=NOW)})).bids == ()


def test_bids__own_account_in_auction__not_on_itself(stage: Stage) -> None:
    situation = stage.situation({2: auction()}, bidder=2)

    assert decide_liquidations(situation).bids == ()


def test_bids__several__most_gain_first(stage: Stage) -> None:
    stage.states[2] = replace(stage.states[2], cash=0)
    found = {1: auction(), 2: auction(insolvent=True, elapsed=1_800, touched=NOW)}

    assert [bid.account for bid in decide_liquidations(stage.situation(found)).bids] == [2, 1]


def test_bids__settled_cash_would_fall_below_zero__fraction_that_fits(stage: Stage) -> None:
    stage.values[BIDDER] = replace(stage.values[BIDDER], linear=-9_990 * WAD)
    found = auction(linear=-300 * WAD)
    (bid,) = decide_liquidations(stage.situation({2: found})).bids

    # of the whole: 350 in cash, 222.5 paid, 300 owed
    assert bid.fraction == 10 * WAD * 999_999 * WAD // (1_725 * WAD // 10 * 10**6)


def test_flags__spots_apart__changes_count_for_the_account(stage: Stage) -> None:
    """Paid 10 for what is marked at 1: 240 in equity, 247.5 in margin. The mark may be 10 higher there."""
    stage.trade(1, PUT, WAD // 100, 1_000 * WAD)
    apart = Prices({1: 3_000 * 10**8}, {1: 2_000 * 10**8}, (), WAD)

    assert decide_liquidations(stage.situation()).below == (1,)
    assert decide_liquidations(stage.situation(prices=apart)).below == ()


@pytest.mark.parametrize(
    ("cash", "linear_high", "collateral", "due"),
    [
        (-11, 0, {1: WAD}, (2,)),
        (-10, 0, {1: WAD}, ()),  # within the buffer
        (-100, 90, {1: WAD}, ()),  # perps may be worth it
        (-11, 0, {}, ()),
        (5, -16, {1: WAD}, (2,)),
    ],
)
def test_conversions__settled_cash_at_best__decides(
    stage: Stage, cash: int, linear_high: int, collateral: dict[int, int], due: tuple[int, ...]
) -> None:
    stage.states[2] = replace(stage.states[2], cash=cash * WAD, collateral=collateral)
    stage.values[2] = replace(stage.values[2], linear_high=linear_high * WAD)
    stage.enrich(2)

    assert decide_liquidations(stage.situation()).conversions == due


def test_conversions__running_or_in_auction_or_stale__none(stage: Stage) -> None:
    stage.states[2] = replace(stage.states[2], cash=-100 * WAD, collateral={1: WAD})
    stage.enrich(2)

    assert decide_liquidations(stage.situation(converting=frozenset({2}))).conversions == ()
    assert decide_liquidations(stage.situation(is_fresh=False)).conversions == ()
    stage.states[2] = replace(stage.states[2], frozen=True)
    assert decide_liquidations(stage.situation()).conversions == ()


def test_conversions__below_its_margin__auctioned_instead(stage: Stage) -> None:
    stage.states[1] = replace(stage.states[1], cash=-100 * WAD, collateral={1: WAD})
    due = decide_liquidations(stage.situation())

    assert ([claim.account for claim in due.flags], due.conversions) == ([1], ())


def test_candidates__collateral_and_cash_below_zero__valued(stage: Stage) -> None:
    stage.states[2] = replace(stage.states[2], collateral={1: WAD})
    assert 2 not in candidates(stage.situation())
    stage.states[2] = replace(stage.states[2], cash=-1, collateral={1: 10**30})

    assert 2 in candidates(stage.situation())
