import random

import boa
import pytest

from keeper.attestation import settlement as twin
from keeper.units import constants as c
from tests.unit.contracts.attestation.conftest import BANDS, SPOTS, START, USD, Feed

NONE_YET = "oracle: no complete window yet"
DENSE, SPARSE = (30, 60, 90, 120), (110, 120, 121, 150, 300, 900)
HIGHEST = c.MAX_PRICE * 99 // 100  # its integral wraps around within two hours


class Path:
    """Epochs on the contract and in the twin: an accumulator and checkpoints per underlying."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.latest = feed.oracle.header().timestamp
        self.before = [twin.Accumulator(self.latest, s, started=False) for s in feed.effective()]
        self.checkpoints: list[dict[int, twin.Checkpoint]] = [{} for _ in self.before]

    def post(self, elapsed: int, *spots: int) -> None:
        """Spots inside their bands, `elapsed` seconds after the last epoch."""
        self.feed.wait(self.latest + elapsed - boa.env.evm.patch.timestamp)
        self.latest += elapsed
        self.feed.post(*spots)
        for i, spot in enumerate(spots):
            pinned = twin.checkpoint(self.before[i], self.latest, spot)
            self.checkpoints[i] |= dict([pinned] if pinned else [])
            self.before[i] = twin.accumulate(self.before[i], self.latest, spot)

    def expected(self, underlying: int, expiry: int) -> tuple[int, int] | None:
        return twin.settlement(expiry, self.latest, self.checkpoints[underlying - 1])


def finalised(feed: Feed, underlying: int, expiry: int) -> tuple[int, int]:
    price = feed.oracle.finalize_settlement(underlying, expiry)
    (event,) = [e for e in feed.oracle.get_logs() if type(e).__name__ == "SettlementFinalized"]
    assert price == event.price == feed.oracle.settlement_price(underlying, expiry)
    return price, event.windowEnd


def random_path(feed: Feed, seed: int) -> Path:
    """Some two hours: dense, then a stretch with gaps, then dense; some epochs on grid boundaries."""
    draw = random.Random(seed)
    feed.oracle.add_underlying(HIGHEST, BANDS)
    path = Path(feed)
    for steps, count in ((DENSE, 40), (SPARSE, draw.randrange(6, 14)), (DENSE, 40)):
        for _ in range(count):
            elapsed = draw.choice(steps)
            if draw.random() < 0.15:
                elapsed = c.SETTLEMENT_GRID - path.latest % c.SETTLEMENT_GRID
            path.post(elapsed, *(s * draw.randrange(9_960, 10_040) // 10_000 for s in (*SPOTS, HIGHEST)))
    return path


@pytest.mark.parametrize("seed", range(3))
def test_finalize_settlement__random_epochs__equals_the_twin(feed, seed):
    path = random_path(feed, seed)
    expiries = range(START + c.SETTLEMENT_GRID, path.latest + 1, c.SETTLEMENT_GRID)
    kinds = set()
    for expiry in expiries:
        for underlying in (1, 2, 3):
            expected = path.expected(underlying, expiry)
            if expected is None:
                kinds.add("none")
                with boa.reverts(NONE_YET):
                    feed.oracle.finalize_settlement(underlying, expiry)
            else:
                kinds.add("at once" if expected[1] == expiry else "later")
                assert finalised(feed, underlying, expiry) == expected

    assert {"at once", "later"} <= kinds
    # the highest integral wrapped around
    assert path.before[2].counted.cumulative < 2 * HIGHEST * path.before[2].counted.covered * 99 // 100


@pytest.mark.parametrize("seed", [10, 11])
def test_finalize_settlement__a_day_after_expiry__takes_the_last_spot_if_there_is_no_window(feed, seed):
    path = random_path(feed, seed)
    last = path.latest - path.latest % c.SETTLEMENT_GRID
    expiry = last + c.SETTLEMENT_GRID
    feed.wait(expiry + c.SETTLEMENT_FALLBACK - boa.env.evm.patch.timestamp)
    with boa.reverts(NONE_YET):
        feed.oracle.finalize_settlement(1, expiry)
    feed.wait(1)
    now = boa.env.evm.patch.timestamp

    assert path.expected(1, expiry) is None
    assert [finalised(feed, u, expiry) for u in (1, 2, 3)] == [(s, now) for s in feed.effective()]
    # an expiry with a complete window has its average, however late
    early = next(e for e in range(START, last, c.SETTLEMENT_GRID) if path.expected(2, e))
    assert finalised(feed, 2, early) == path.expected(2, early)


def test_finalize_settlement__silence_after_one_print__does_not_count_it_until_expiry(feed):
    path = Path(feed)
    low, high = 1_980 * USD, 2_020 * USD
    while path.latest < START + 300:
        path.post(15, low, SPOTS[1])
    expiry = path.latest + c.SETTLEMENT_WINDOW
    for _ in range(16):
        path.post(60, low, SPOTS[1])
    path.post(75, high, SPOTS[1])
    held_flat = (16 * low + 14 * high) // 30
    feed.wait(expiry - path.latest)
    with boa.reverts(NONE_YET):
        feed.oracle.finalize_settlement(1, expiry)
    path.post(expiry - path.latest, high, SPOTS[1])  # pins the window's end down, covers none of the silence
    with boa.reverts(NONE_YET):
        feed.oracle.finalize_settlement(1, expiry)
    while path.expected(1, expiry) is None:
        path.post(60, high, SPOTS[1])
    price, end = finalised(feed, 1, expiry)

    assert (price, end) == path.expected(1, expiry)
    assert end > expiry and price > held_flat


def test_finalize_settlement__final__stays_whatever_follows(feed):
    path = Path(feed)
    expiry = START + c.SETTLEMENT_WINDOW + c.SETTLEMENT_GRID
    while path.latest < expiry:
        path.post(15, *SPOTS)
    assert finalised(feed, 1, expiry) == (SPOTS[0], expiry)
    for _ in range(3):
        path.post(60, 2_030 * USD, SPOTS[1])
        with boa.reverts("oracle: already final"):
            feed.oracle.finalize_settlement(1, expiry)

    assert feed.oracle.settlement_price(1, expiry) == SPOTS[0]
    assert feed.oracle.settlement_price(2, expiry) == 0


def test_finalize_settlement__what_cannot_expire__is_refused(feed):
    for underlying, expiry, reason in (
        (1, START + 1, "oracle: expiry off grid"),
        (1, 0, "oracle: expiry off grid"),
        (1, START + 300, "oracle: not expired"),
        (0, START, "oracle: unknown underlying"),
        (3, START, "oracle: unknown underlying"),
    ):
        with boa.reverts(reason):
            feed.oracle.finalize_settlement(underlying, expiry)


def test_settlement_window__gap_longer_than_two_minutes__does_not_count(feed):
    feed.post(*SPOTS)
    feed.wait(START + 300 - boa.env.evm.patch.timestamp)
    feed.post(*SPOTS)
    expiry = START + 300 + c.SETTLEMENT_WINDOW
    for elapsed, doubled, covered in ((120, 240, 120), (121, 240, 120), (1, 242, 121)):
        feed.wait(elapsed)
        feed.post(*SPOTS)
        assert tuple(feed.oracle.settlement_window(1, expiry)) == (doubled * SPOTS[0], covered)


def test_finalize_settlement__seven_underlyings__each_has_its_own_lane(feed):
    others = [(n + 1) * 100 * USD for n in range(5)]
    for spot in others:
        feed.oracle.add_underlying(spot, BANDS)
    path = Path(feed)
    expiry = START + c.SETTLEMENT_WINDOW + 2 * c.SETTLEMENT_GRID
    while path.latest < expiry:
        path.post(60, *SPOTS, *others)

    assert [finalised(feed, u, expiry)[0] for u in range(1, 8)] == [*SPOTS, *others]
