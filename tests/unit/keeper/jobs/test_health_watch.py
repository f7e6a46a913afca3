"""Accounts near a level of their health: watched exactly, and named when they cross."""

from dataclasses import replace

import pytest

from keeper.attestation.epoch import build
from keeper.attestation.snapshot import AccountState, Snapshot
from keeper.chain.contracts import Header, Limits, Spot
from keeper.chain.node import BlockRef
from keeper.jobs.health_watch import MAINTENANCE, MARK, crossing, floats, watched_of
from keeper.jobs.observe import ChainView
from keeper.markets.instrument import Instrument, Kind, Leg
from keeper.pricing.market import Market
from keeper.store.index_store import AccountRow
from keeper.units.constants import WAD
from tests.unit.keeper.attestation.test_epoch import METHODOLOGY, NOW, make_snapshot

PERP = Instrument(2, 0, 0, Kind.PERP).pack()
MARKET = make_snapshot().market
LEVELS = (WAD,)


def world(cash: dict[int, int], quantity: int = WAD) -> tuple[ChainView, Snapshot]:
    """Everybody holds perps of ether; `cash` is WAD by account."""
    states = tuple(AccountState(n, (Leg(PERP, quantity),), 0, 0, bytes(32)) for n in sorted(cash))
    rows = tuple(AccountRow(n, "0x", cash[n], 0, 0, bytes(32), ((PERP, quantity),)) for n in sorted(cash))
    snapshot = Snapshot(31_337, 10, b"\2" * 32, MARKET, states, (PERP,), METHODOLOGY.hash())
    view = ChainView(
        chain_id=31_337,
        block=BlockRef(10, "0x" + "02" * 32, "0x", NOW),
        header=Header(3, 2, NOW, 10, 11, 0, 0),
        limits=Limits(120, 180, 600, 4),
        spots=tuple(Spot(u.posted, u.effective, 0, 0) for u in MARKET.underlyings),
        bands=((200, 500, 1_000),) * 2,
        listings=(),
        accounts=rows,
        windows={},
        prices={},
    )
    return view, snapshot


def moved(share: float) -> Market:
    """Ether at `share` of its price."""
    first, ether = MARKET.underlyings
    spot = int(ether.posted * share)
    expiries = tuple(replace(e, forward=int(e.forward * share)) for e in ether.expiries)
    return replace(
        MARKET, underlyings=(first, replace(ether, posted=spot, effective=spot, expiries=expiries))
    )


def _edge() -> tuple[int, int]:
    """(what a perp is worth and needs, so that equity is cash plus the first)."""
    _, snapshot = world({1: 0})
    leaf = build(snapshot, METHODOLOGY, 3).margin(1)
    return leaf.mark_to_market, leaf.maintenance_margin


def test_floats__words_of_leaves__their_numbers_with_signs() -> None:
    _, snapshot = world({1: 0, 2: 0}, quantity=-WAD)
    margins = build(snapshot, METHODOLOGY, 3).margins
    for place, name in ((MARK, "mark_to_market"), (MAINTENANCE, "maintenance_margin")):
        expected = [float(getattr(leaf, name)) for leaf in margins]
        assert floats(margins, place).tolist() == pytest.approx(expected, rel=1e-12)


def test_watched_of__many__the_nearest_to_the_level_are_chosen() -> None:
    mark, maintenance = _edge()
    edge = maintenance - mark
    view, snapshot = world({n: edge + n * maintenance // 10 for n in range(1, 9)})
    found = watched_of(view, build(snapshot, METHODOLOGY, 3), LEVELS, size=3)
    assert (found.epoch, found.accounts) == (3, (1, 2, 3))
    assert found.above == ((True,),) * 3


def test_crossing__price_as_it_was__nobody() -> None:
    mark, maintenance = _edge()
    edge = maintenance - mark
    view, snapshot = world({1: edge, 2: edge - 1, 3: edge + maintenance})
    watched = watched_of(view, build(snapshot, METHODOLOGY, 3), LEVELS)
    assert watched.above == ((True,), (False,), (True,)), "to the wei"
    assert crossing(view, watched, MARKET, METHODOLOGY, LEVELS) is None


def test_crossing__small_fall__only_who_is_at_the_edge_is_named() -> None:
    mark, maintenance = _edge()
    edge = maintenance - mark
    view, snapshot = world({1: edge + maintenance, 2: edge + WAD // 100, 3: edge + 2 * maintenance})
    watched = watched_of(view, build(snapshot, METHODOLOGY, 3), LEVELS)
    said = crossing(view, watched, moved(0.999), METHODOLOGY, LEVELS)
    assert said == "account 2 falls below 1 of its maintenance margin"


def test_crossing__rise__named_too() -> None:
    mark, maintenance = _edge()
    edge = maintenance - mark
    view, snapshot = world({5: edge - WAD // 100})
    watched = watched_of(view, build(snapshot, METHODOLOGY, 3), LEVELS)
    said = crossing(view, watched, moved(1.002), METHODOLOGY, LEVELS)
    assert said == "account 5 rises above 1 of its maintenance margin"


def test_crossing__account_is_new_or_gone__not_judged() -> None:
    mark, maintenance = _edge()
    edge = maintenance - mark
    view, snapshot = world({1: edge + maintenance, 2: edge + maintenance})
    watched = watched_of(view, build(snapshot, METHODOLOGY, 3), LEVELS)
    later, _ = world({2: edge + maintenance, 9: 0})
    assert crossing(later, watched, MARKET, METHODOLOGY, LEVELS) is None


def test_watched_of__no_levels__nobody() -> None:
    view, snapshot = world({1: 0})
    assert watched_of(view, build(snapshot, METHODOLOGY, 3), ()).accounts == ()
