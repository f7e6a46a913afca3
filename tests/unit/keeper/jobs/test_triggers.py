"""How near an epoch is to being due, by each reason."""

from dataclasses import replace

import numpy as np
import pytest

from keeper.chain.contracts import Header, Limits, Listing, Spot
from keeper.chain.node import BlockRef
from keeper.jobs.observe import ChainView
from keeper.jobs.triggers import Attested, Measure, Trigger, measures, surface_move
from keeper.sources.source import ExpiryQuote, Observation, Parameters
from keeper.store.index_store import AccountRow
from keeper.units.constants import SECONDS_PER_YEAR

NOW = 1_750_000_000
EXPIRY = NOW + SECONDS_PER_YEAR // 4
VIEW = ChainView(
    chain_id=1,
    block=BlockRef(100, "0x1", "0x0", NOW),
    header=Header(7, 6, NOW - 30, 90, 91, 0, 0),
    limits=Limits(120, 180, 600, 4),
    spots=(Spot(10_000, 10_000, 10_000, 10_000), Spot(10_000, 10_000, 10_000, 10_000)),
    bands=((200, 500, 1_000),) * 2,
    listings=(Listing(1, EXPIRY, 1, 2, 1),),
    accounts=tuple(AccountRow(n, "0x", 0, 0, 0, bytes(32), ()) for n in (2, 3)),
    windows={},
    prices={},
)
TRIGGER = Trigger(heartbeat_seconds=60, deviation_bps=25, surface_vol=0.02)


def flat(vol: float, years: float) -> Parameters:
    """Raw SVI of a flat smile, 1e-12."""
    return int(vol**2 * years * 10**12), 0, 0, 0, 10**11


YEARS = (EXPIRY - NOW) / SECONDS_PER_YEAR
BEFORE = (EXPIRY - NOW + 30) / SECONDS_PER_YEAR
ATTESTED = Attested(np.array([2, 3]), {(1, EXPIRY): flat(0.5, BEFORE)}, NOW - 30)


def observed(*spots: int, vol: float = 0.5) -> Observation:
    quotes = {(1, EXPIRY): ExpiryQuote(10_000, flat(vol, YEARS))}
    return Observation("x", NOW, 0, dict(enumerate(spots, start=1)), quotes)


def due(view: ChainView, observation: Observation, attested: Attested | None = ATTESTED) -> list[Measure]:
    return [m for m in measures(view, observation, attested, TRIGGER) if m.share >= 1]


def test_measures__calm__nothing_is_due_and_the_heartbeat_is_half_over() -> None:
    found = measures(VIEW, observed(10_000, 10_000), ATTESTED, TRIGGER)
    assert [m.trigger for m in found] == ["spot_deviation"] * 2 + ["surface_deviation", "heartbeat"]
    assert found[-1] == Measure("heartbeat", 0.5, "30 s", NOW + 30)
    assert max(m.share for m in found[:-1]) < 1e-3


def test_measures__age__due_since_the_heartbeat_was_over() -> None:
    old = replace(VIEW, header=replace(VIEW.header, timestamp=NOW - 75))
    assert due(old, observed(10_000, 10_000)) == [Measure("heartbeat", 1.25, "75 s", NOW - 15)]


@pytest.mark.parametrize(("spot", "is_due"), [(9_976, False), (9_975, True), (10_024, False), (10_025, True)])
def test_measures__spot__due_from_its_deviation_on(spot: int, is_due: bool) -> None:
    found = due(VIEW, observed(10_000, spot))
    assert [m.trigger for m in found] == ["spot_deviation"] * is_due
    assert not is_due or found[0].detail == "underlying 2 by 25.0 bp"


@pytest.mark.parametrize(("vol", "is_due"), [(0.519, False), (0.521, True), (0.479, True)])
def test_measures__surface__due_from_two_vol_points_on(vol: float, is_due: bool) -> None:
    found = due(VIEW, observed(10_000, 10_000, vol=vol))
    assert [m.trigger for m in found] == ["surface_deviation"] * is_due


def test_measures__time_passes_on_the_same_vols__no_deviation() -> None:
    later = replace(ATTESTED, timestamp=NOW - 86_400, surfaces={(1, EXPIRY): flat(0.5, YEARS + 1 / 365)})
    found = measures(VIEW, observed(10_000, 10_000), later, TRIGGER)
    assert next(m for m in found if m.trigger == "surface_deviation").share < 0.01


def test_measures__account_without_leaf__requests_one() -> None:
    found = due(VIEW, observed(10_000, 10_000), replace(ATTESTED, accounts=np.array([2])))
    assert found == [Measure("request", 1.0, "account 3 has no leaf", NOW)]


def test_measures__expiry_listed_since__requests_its_leaves() -> None:
    found = due(VIEW, observed(10_000, 10_000), replace(ATTESTED, surfaces={}))
    assert [m.detail for m in found] == [f"expiry {EXPIRY} of underlying 1 has no leaf"]
    expired = replace(VIEW, listings=(Listing(1, NOW, 1, 2, 1),))
    assert due(expired, observed(10_000, 10_000), replace(ATTESTED, surfaces={})) == []


def test_measures__latest_epoch_not_known_here__no_request_is_made_up() -> None:
    assert due(VIEW, observed(10_000, 10_000), None) == []


def test_surface_move__only_a_wing__weighs_as_little_as_its_vega() -> None:
    smile = (flat(0.5, 0.25)[0], 10**10, 0, 0, 10**11)
    whole, weight = surface_move(flat(0.5, 0.25), flat(0.55, 0.25), 0.25, 0.25)
    bent, _ = surface_move(flat(0.5, 0.25), smile, 0.25, 0.25)
    assert whole == pytest.approx(0.05, rel=1e-6) and weight > 0
    assert 0 < bent < 0.02
