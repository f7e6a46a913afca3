"""An oracle that replaces another: every expiry has one price, whichever of the two is asked."""

import boa
import pytest

from keeper.units import constants as c
from tests.unit.contracts.attestation.conftest import BANDS, LIMITS, METHODOLOGY, SPOTS, USD, ZERO, Feed

NOT_YET = 2**40 - 1


@pytest.fixture
def successor(feed):
    """Of the same quorum, deployed beside the oracle in force."""
    oracle = boa.load("contracts/attestation/RiskOracle.vy", feed.quorum.address, LIMITS, feed.oracle.address)
    for spot in SPOTS:
        oracle.add_underlying(spot, BANDS)
    oracle.set_methodology(METHODOLOGY)
    return Feed(oracle, feed.quorum)


def run(seconds: int, *feeds: Feed) -> int:
    """Posts on every feed each minute; answers the time."""
    for _ in range(seconds // 60):
        feeds[0].wait(60)
        for feed in feeds:
            feed.post()
    return int(boa.env.evm.patch.timestamp)


def on_grid() -> int:
    """The next boundary."""
    return int(-(-boa.env.evm.patch.timestamp // c.SETTLEMENT_GRID) * c.SETTLEMENT_GRID)


def test_settlement_price__expired_before_the_switch__is_the_predecessors(feed, successor):
    run(3_600, feed)
    expiry = on_grid() - c.SETTLEMENT_GRID
    assert feed.oracle.finalize_settlement(1, expiry) == SPOTS[0]
    successor.oracle.take_over()

    assert successor.oracle.settlement_price(1, expiry) == SPOTS[0]
    with boa.reverts("oracle: the predecessor's expiry"):
        successor.oracle.finalize_settlement(1, expiry)


def test_settlement_price__expired_and_not_final_at_the_switch__follows_once_it_is(feed, successor):
    run(3_600, feed)
    expiry = on_grid() - c.SETTLEMENT_GRID
    successor.oracle.take_over()
    assert successor.oracle.settlement_price(2, expiry) == 0
    feed.oracle.finalize_settlement(2, expiry)

    assert successor.oracle.settlement_price(2, expiry) == SPOTS[1]


def test_settlement_price__running_at_the_switch__is_the_successors_alone(feed, successor):
    run(3_600, feed, successor)
    expiry = on_grid() + c.SETTLEMENT_GRID
    successor.oracle.take_over()
    run(expiry - boa.env.evm.patch.timestamp, feed, successor)
    feed.wait(60)
    feed.post()
    successor.post(2_030 * USD, SPOTS[1])
    feed.oracle.finalize_settlement(1, expiry)

    assert successor.oracle.settlement_price(1, expiry) == 0
    # accumulated while it ran beside its predecessor: no expiry waits for a new window
    price = successor.oracle.finalize_settlement(1, expiry)
    assert successor.oracle.settlement_price(1, expiry) == price > feed.oracle.settlement_price(1, expiry)


def test_settlement_price__predecessor_without_a_window__is_its_last_spot_after_a_day(feed, successor):
    feed.post()
    expiry = on_grid()
    feed.wait(expiry - boa.env.evm.patch.timestamp)
    successor.oracle.take_over()
    feed.wait(c.SETTLEMENT_FALLBACK + 1)
    feed.oracle.finalize_settlement(1, expiry)

    assert successor.oracle.settlement_price(1, expiry) == SPOTS[0]


def test_finalize_settlement__before_the_successor_is_in_force__is_refused(feed, successor):
    run(3_600, feed, successor)
    with boa.reverts("oracle: the predecessor's expiry"):
        successor.oracle.finalize_settlement(1, on_grid() - c.SETTLEMENT_GRID)
    assert successor.oracle.took_over() == NOT_YET


def test_take_over__only_once_and_only_after_another(feed, successor, outsider):
    with boa.reverts("oracle: in force already"):
        feed.oracle.take_over()
    with boa.env.prank(outsider), boa.reverts("ownable: caller is not the owner"):
        successor.oracle.take_over()
    successor.oracle.take_over()
    (event,) = [e for e in successor.oracle.get_logs() if type(e).__name__ == "TakenOver"]

    assert event.predecessor == successor.oracle.predecessor() == feed.oracle.address
    assert successor.oracle.took_over() == boa.env.evm.patch.timestamp
    assert (feed.oracle.predecessor(), feed.oracle.took_over()) == (ZERO, 0)
    with boa.reverts("oracle: in force already"):
        successor.oracle.take_over()


def test_finalize_settlement__listed_within_the_window__has_no_average_of_it(feed):
    run(1_800, feed)
    feed.oracle.add_underlying(100 * USD, BANDS)
    expiry = on_grid() + c.SETTLEMENT_GRID
    run(expiry + 120 - boa.env.evm.patch.timestamp, feed)

    assert feed.oracle.finalize_settlement(1, expiry) == SPOTS[0]
    # its lane of the checkpoint at the window's start is older than the underlying
    with boa.reverts("oracle: no complete window yet"):
        feed.oracle.finalize_settlement(3, expiry)
    assert tuple(feed.oracle.settlement_window(3, on_grid() + c.SETTLEMENT_GRID)) == (0, 0)
    run(1_800, feed)
    assert feed.oracle.finalize_settlement(3, expiry) == 100 * USD
