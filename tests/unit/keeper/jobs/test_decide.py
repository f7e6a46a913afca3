"""When an epoch is due and what is settled."""

from dataclasses import replace

from keeper.chain.contracts import Header, Limits, Listing, Spot
from keeper.chain.node import BlockRef
from keeper.jobs.decide import Settlements, Trigger, decide_epoch, decide_settlements
from keeper.jobs.observe import ChainView
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
SPOTS, ATTESTED, TRIGGER = {1: 10_000}, frozenset({3}), Trigger(heartbeat_seconds=60, deviation_bps=25)


def _header(**changes: int) -> ChainView:
    return replace(VIEW, header=replace(VIEW.header, **changes))


def test_decide_epoch__calm__nothing() -> None:
    assert decide_epoch(VIEW, SPOTS, ATTESTED, TRIGGER) is None


def test_decide_epoch__each_trigger__named() -> None:
    assert decide_epoch(_header(number=0, timestamp=0), SPOTS, ATTESTED, TRIGGER) == "first"
    assert decide_epoch(_header(timestamp=NOW - 60), SPOTS, ATTESTED, TRIGGER) == "heartbeat"
    assert decide_epoch(VIEW, {1: 10_025}, ATTESTED, TRIGGER) == "spot of 1"
    assert decide_epoch(VIEW, {1: 9_976}, ATTESTED, TRIGGER) is None
    assert decide_epoch(VIEW, SPOTS, frozenset(), TRIGGER) == "new account"


def test_decide_epoch__too_soon_for_the_chain__waits() -> None:
    assert decide_epoch(_header(posted_block=98, timestamp=NOW - 90), SPOTS, ATTESTED, TRIGGER) is None
    assert decide_epoch(_header(posted_block=97, timestamp=NOW - 90), SPOTS, ATTESTED, TRIGGER) == "heartbeat"
    assert decide_epoch(_header(timestamp=NOW), {1: 20_000}, ATTESTED, TRIGGER) is None


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
