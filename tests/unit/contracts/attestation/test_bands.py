import random

import boa
import pytest

from keeper.attestation import bands as twin
from keeper.units.constants import MAX_PRICE
from tests.unit.contracts.attestation.conftest import BANDS, SPOTS, START, USD, Feed, words

WRONG = "quorum: wrong signer"
UNDERLYINGS = (
    (SPOTS[0], twin.Bands(*BANDS)),
    (SPOTS[1], twin.Bands(*BANDS)),
    (3, twin.Bands(25, 25, 50)),  # edges round down to nothing
    (MAX_PRICE - 5, twin.Bands(1_575, 3_175, 3_175)),  # at the largest price and the widest bands
)


class Path:
    """The contract and the twin: anchors per underlying, ages of all."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        for spot, allowed in UNDERLYINGS[2:]:
            feed.oracle.add_underlying(spot, allowed)
        self.ages = twin.Ages()
        self.latest = boa.env.evm.patch.timestamp
        self.anchors = [twin.Anchors(spot, spot, spot) for spot, _ in UNDERLYINGS]

    def expected(self, elapsed: int, posted: list[int]) -> list[tuple[int, twin.Anchors]]:
        return [
            twin.effective_spot(spot, anchors, self.ages, elapsed, allowed)
            for spot, anchors, (_, allowed) in zip(posted, self.anchors, UNDERLYINGS, strict=True)
        ]

    def post(self, elapsed: int, posted: list[int]) -> int:
        """Posts with the twin's effective spots, compares all there is to see; answers the outside bits."""
        self.feed.wait(elapsed)
        self.latest += elapsed
        after = self.expected(elapsed, posted)
        self.ages = self.ages.after(elapsed).clamped()
        self.anchors = [anchors for _, anchors in after]
        send(self.feed, posted, [effective for effective, _ in after])
        header = self.feed.oracle.header()
        for i, (spot, (effective, anchors)) in enumerate(zip(posted, after, strict=True)):
            assert tuple(self.feed.oracle.spot(i + 1)) == (spot, effective, anchors.ten, anchors.hour)
            assert header.outside >> i & 1 == (spot != effective)
        assert (header.tenAge, header.hourAge) == self.ages
        assert header.timestamp == self.latest
        return int(header.outside)


def send(feed: Feed, posted: list[int], effective: list[int]) -> None:
    given = [p << 64 | e for p, e in zip(posted, effective, strict=True)]
    feed.send(feed.epoch(given), given)


def wander(draw: random.Random, spot: int) -> int:
    """A small move, a move beyond the minute band, or a print off by up to the whole range."""
    reach = draw.choice((20, 20, 150, 600, 3_000))
    if draw.random() < 0.05:
        return draw.choice((1, 2, MAX_PRICE - 1, MAX_PRICE))
    moved = spot + spot * draw.randint(-reach, reach) // 10_000 + draw.randint(-1, 1)
    return min(max(moved, 1), MAX_PRICE)


@pytest.mark.parametrize("seed", range(4))
def test_post_epoch__random_spots__follows_the_twin(feed, seed):
    draw = random.Random(seed)
    path = Path(feed)
    outside = [
        path.post(
            draw.choice((0, 12, 15, 59, 60, 61, 120, 300, 601, 3_601)),
            [wander(draw, anchors.effective) for anchors in path.anchors],
        )
        for _ in range(60)
    ]

    assert all(any(word >> i & 1 for word in outside) for i in range(len(UNDERLYINGS)))
    assert not all(outside)


def test_post_epoch__edge_of_each_band__is_the_last_spot_inside(feed):
    """The contract looks for no edge inside the bands: it must agree one unit to either side of each."""
    draw = random.Random(7)
    path = Path(feed)
    for side in (0, 1) * 6:
        elapsed = draw.choice((15, 60, 90))
        sought = [
            twin.edges(anchors, path.ages, elapsed, allowed)[side]
            for anchors, (_, allowed) in zip(path.anchors, UNDERLYINGS, strict=True)
        ]
        beyond = [edge + (1 if side else -1) for edge in sought]
        outside = sum((0 < spot <= MAX_PRICE) << i for i, spot in enumerate(beyond))
        with boa.env.anchor():
            ages, anchors, latest = path.ages, path.anchors, path.latest
            posted = [b if 0 < b <= MAX_PRICE else e for b, e in zip(beyond, sought, strict=True)]
            assert path.post(elapsed, posted) == outside
            path.ages, path.anchors, path.latest = ages, anchors, latest
        assert path.post(elapsed, sought) == 0


@pytest.mark.parametrize(("posted", "edge"), [(2_100 * USD, 2_040 * USD), (1_900 * USD, 1_960 * USD)])
def test_post_epoch__wrong_effective_spot__is_refused(feed, posted, edge):
    for effective in (0, 1, edge - 1, edge + 1, SPOTS[0], posted, 2**64 - 1):
        with boa.reverts(WRONG):
            feed.follow(posted, effective)
    feed.follow(posted, edge)

    assert feed.effective() == [edge, SPOTS[1]]
    assert feed.oracle.header().outside == 1


def test_post_epoch__clamped_although_inside__is_refused(feed):
    with boa.reverts(WRONG):
        feed.follow(2_010 * USD, 2_009 * USD)
    with boa.reverts(WRONG):
        feed.follow(2_010 * USD, SPOTS[0])
    feed.follow(2_010 * USD, 2_010 * USD)


@pytest.mark.parametrize("posted", [0, MAX_PRICE + 1, 2**64, 2**192 - 1])
def test_post_epoch__price_out_of_range__is_refused(feed, posted):
    for effective in (SPOTS[0], 1_960 * USD, 2_040 * USD):
        with boa.reverts("oracle: price out of range"):
            feed.follow(posted, effective)
    with pytest.raises(ValueError, match="price out of range"):
        twin.effective_spot(posted, twin.Anchors(*[SPOTS[0]] * 3), twin.Ages(), 15, twin.Bands(*BANDS))


@pytest.mark.parametrize(("posted", "effective"), [(1, 1_960 * USD), (MAX_PRICE, 2_040 * USD)])
def test_post_epoch__first_and_last_price__are_followed_at_the_edge(feed, posted, effective):
    feed.follow(posted, effective)
    assert tuple(feed.oracle.spot(1)) == (posted, effective, SPOTS[0], SPOTS[0])


def test_post_epoch__back_inside__clears_the_outside_bit(feed):
    feed.follow(2_100 * USD, 2_040 * USD)
    feed.wait()
    given = words(2_040 * USD, SPOTS[1])
    feed.send(feed.epoch(given), given)

    assert feed.oracle.header().outside == 0
    assert feed.oracle.header().timestamp == START + 30
    assert feed.oracle.spot(1).posted == 2_040 * USD
