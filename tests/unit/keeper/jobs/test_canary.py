"""What the canary cries about, from what it has seen."""

from dataclasses import replace

import pytest

from keeper.jobs.canary import ALARMS, Limits, Sighting, alarms_of, changes_of

CALM = Sighting(
    number=100, time=10_000, epoch=7, epoch_age=30, stale_after=300, powers={"owner": "0xAb"}, fund=500.0
)
LIMITS = Limits(max_unflagged_blocks=2, max_auction_seconds=60, max_settlement_seconds=60, minimum_fund=100.0)


def test_alarms__all_is_well__none() -> None:
    assert alarms_of(CALM, LIMITS) == {}


@pytest.mark.parametrize(
    ("changed", "alarm", "said"),
    [
        ({"epoch_age": 301}, "epoch", "epoch 7 is 301 s old"),
        ({"unflagged": {3: 97, 4: 99}}, "unflagged", "account 3 (3 blocks)"),
        ({"auctions": {5: 61, 6: 10}}, "auction", "account 5 (61 s)"),
        ({"unsettled": ((1, 9_930),)}, "settlement", "underlying 1 at 9930 (70 s ago)"),
        ({"paused_until": 10_050}, "pause", "another 50 s"),
        ({"fund": 99.0}, "fund", "99.00, less than 100.00"),
        ({"shortfall": 0.5}, "shortfall", "0.50"),
    ],
)
def test_alarms__one_thing_wrong__that_alarm_alone(changed: dict[str, object], alarm: str, said: str) -> None:
    found = alarms_of(replace(CALM, **changed), LIMITS)  # type: ignore[arg-type]
    assert list(found) == [alarm] and said in found[alarm] and alarm in ALARMS


@pytest.mark.parametrize(
    "changed",
    [
        {"epoch_age": 300},
        {"unflagged": {3: 98}},
        {"auctions": {5: 60}},
        {"unsettled": ((1, 9_940),)},
        {"paused_until": 10_000},
        {"fund": 100.0},
    ],
)
def test_alarms__at_the_limit__none_yet(changed: dict[str, object]) -> None:
    assert alarms_of(replace(CALM, **changed), LIMITS) == {}  # type: ignore[arg-type]


def test_alarms__own_age__before_the_oracle_calls_it_stale() -> None:
    assert "epoch" in alarms_of(replace(CALM, epoch_age=61), replace(LIMITS, max_epoch_age=60))


def test_changes__other_holder__named_but_not_another_spelling() -> None:
    before = {"owner": "0xAb", "guardian": "0x01"}
    now = {"owner": "0xaB", "guardian": "0x02", "new": "0x03"}
    assert changes_of(before, now) == {"guardian": "guardian was 0x01, is 0x02"}
