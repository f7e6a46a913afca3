"""When an epoch is due and what is settled."""

from dataclasses import replace

from keeper.chain.contracts import Header, Limits, Listing, Spot
from keeper.chain.node import BlockRef
from keeper.jobs.decide import Due, Settlements, decide_epoch, decide_settlements, may_post
from keeper.jobs.observe import ChainView
from keeper.jobs.triggers import Measure, Trigger
from keeper.jobs.universe import MAX_STRIKES, universe
from keeper.markets.instrument import Instrument, Kind
from keeper.store.index_store import AccountRow
from keeper.units.constants import WAD

NOW = 1_000_000
FUTURE = Instrument(1, NOW - 10, 0, Kind.FUTURE).pack()
PERP = Instrument(1, 0, 0, Kind.PERP).pack()
HOLDER = AccountRow(3, "0x", 0, 0, 0, bytes(32), ((PERP, -WAD), (FUTURE, 5 * WAD)))
VIEW = ChainView(
    chain_id=1,
    block=BlockRef(100, "0x1", "0x0", NOW),
    header=Header(7, 6, NOW - 30, 90, 91, 0, 0),
    limits=Limits(120, 180, 600, 4),
    spots=(Spot(10_000, 10_000, 10_000, 10_000),),
    bands=((200, 500, 1_000),),
    listings=(),
    accounts=(HOLDER,),
    windows={},
    prices={(1, NOW - 10): 0},
)
TRIGGER = Trigger()


def _header(**changes: int) -> ChainView:
    return replace(VIEW, header=replace(VIEW.header, **changes))


def _measure(trigger: str, share: float) -> Measure:
    return Measure(trigger, share, f"{share:g}", NOW - 5)


def test_may_post__too_near_or_no_time_has_passed__waits() -> None:
    assert may_post(VIEW) and may_post(_header(number=0, posted_block=100, timestamp=NOW))
    assert not may_post(_header(posted_block=98)) and may_post(_header(posted_block=97))
    assert not may_post(_header(timestamp=NOW)) and not may_post(_header(timestamp=NOW + 1))


def test_decide_epoch__nothing_near__nothing() -> None:
    assert (
        decide_epoch(VIEW, [_measure("heartbeat", 0.79), _measure("spot_deviation", 0.79)], TRIGGER) is None
    )


def test_decide_epoch__first__whatever_is_measured() -> None:
    assert decide_epoch(_header(number=0), [], TRIGGER) == Due("first", "", NOW)


def test_decide_epoch__several_due__the_most_telling_is_named() -> None:
    found = [_measure("request", 0.0), _measure("spot_deviation", 1.0), _measure("heartbeat", 3.0)]
    due = decide_epoch(VIEW, found, TRIGGER)
    assert due == Due("spot_deviation", "1", NOW - 5) and due.text == "spot_deviation: 1"


def test_decide_epoch__account_crosses__before_all_others() -> None:
    due = decide_epoch(VIEW, [_measure("heartbeat", 2.0)], TRIGGER, "account 3 falls below 1")
    assert due == Due("account_health", "account 3 falls below 1", NOW)


def test_decide_epoch__two_nearly_due__one_epoch_for_both() -> None:
    near = [_measure("spot_deviation", 0.8), _measure("heartbeat", 0.85)]
    assert decide_epoch(VIEW, near, TRIGGER) == Due("early", "heartbeat 0.85, spot_deviation 0.8", NOW)
    same = [_measure("spot_deviation", 0.9), _measure("spot_deviation", 0.8)]
    assert decide_epoch(VIEW, same, TRIGGER) is None, "two spots are one reason"


def test_decide_settlements__price_open_then_final__finalize_then_settle_the_whole_book() -> None:
    assert decide_settlements(VIEW) == Settlements(((1, NOW - 10),), ())
    final = replace(VIEW, prices={(1, NOW - 10): 10_000})
    assert decide_settlements(final) == Settlements((), ((3, (PERP, FUTURE)),))


def test_universe__grid_around_the_spot__nearest_strikes_and_all_held() -> None:
    alive = Listing(1, NOW + 300, 1_000, 100_000, 1_000)
    far = Instrument(1, NOW + 300, 100_000, Kind.PUT).pack()
    found = universe([alive], [10_000], [far, FUTURE], NOW)
    strikes = {Instrument.unpack(i).strike for i in found if Instrument.unpack(i).kind == Kind.CALL}
    assert len(strikes) == MAX_STRIKES and min(strikes) == 1_000 and 10_000 in strikes
    assert far in found and PERP in found and FUTURE not in found
    assert list(found) == sorted(set(found))
