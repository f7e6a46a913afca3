"""The outflow bucket: gains leave slowly, own deposits freely, loops of deposits change nothing."""

import pytest

from keeper.clearing import outflow
from keeper.clearing.outflow import Bucket
from keeper.units.constants import WAD

SHARE = WAD // 20  # 5 %
HELD = 1_000_000


def test_exceeds__at_the_limit__passes():
    assert not outflow.exceeds(Bucket(), 50_000, 0, HELD, SHARE, now=0)


def test_exceeds__one_above__is_refused():
    assert outflow.exceeds(Bucket(), 50_001, 0, HELD, SHARE, now=0)


def test_exceeds__own_deposit__passes_a_full_bucket():
    assert not outflow.exceeds(Bucket(level=50_000), 400_000, 400_000, HELD, SHARE, now=0)


def test_level__half_an_hour__drains_half_the_limit():
    assert outflow.level(Bucket(level=50_000), 50_000, now=1_800) == 25_000


def test_level__long_after__is_zero():
    assert outflow.level(Bucket(level=50_000), 50_000, now=10**6) == 0


def test_withdrawn__exempt_part__does_not_fill_the_bucket():
    assert outflow.withdrawn(Bucket(), 400_000, 390_000, HELD, SHARE, now=5) == Bucket(10_000, 5)


@pytest.mark.parametrize(
    ("amount", "held", "found", "paid"), [(7, 10, 10, 7), (7, 10, 11, 7), (7, 10, 9, 6), (10, 10, 0, 0)]
)
def test_backed__tokens_have_vanished__everybody_bears_the_same_share(amount, held, found, paid):
    assert outflow.backed(amount, held, found) == paid
