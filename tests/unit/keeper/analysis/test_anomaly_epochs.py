"""Epochs as the scans see them."""

from dataclasses import replace

import numpy as np

from keeper.analysis.anomaly_epochs import EpochRecord, scan_epochs
from keeper.attestation.snapshot import AccountState, Snapshot
from keeper.markets.instrument import Instrument, Kind, Leg
from keeper.pricing.market import Market
from keeper.units.constants import WAD
from tests.support.flat_market import DAY, NOW, flat_market

CALL = Instrument(2, NOW + 30 * DAY, 2_000 * 10**8, Kind.CALL).pack()
PERP = Instrument(2, 0, 0, Kind.PERP).pack()
SYMBOLS = {1: "BTC", 2: "ETH", 3: "SOL"}


def market(step: int, spot: int, vol: float) -> Market:
    """The flat market, a quarter of an hour per step, with another spot and vol of ETH."""
    flat = flat_market()
    btc, eth, sol = flat.underlyings
    moved = tuple(replace(e, svi=(int(e.svi[0] * (vol / 0.6) ** 2), *e.svi[1:])) for e in eth.expiries)
    others = (replace(btc, posted=btc.posted + step % 3), replace(sol, posted=sol.posted + step % 3))
    return Market(NOW + 900 * step, (others[0], replace(eth, posted=spot, expiries=moved), others[1]))


def records(
    steps: int = 60, jump: int | None = None, vol_jump: int | None = None, margin_jump: int | None = None
) -> list[EpochRecord]:
    rng = np.random.default_rng(1)
    found = []
    for step in range(steps):
        spot = int(
            2_000 * 10**8 * (1 + 0.001 * rng.normal()) * (0.8 if jump is not None and step >= jump else 1.0)
        )
        vol = 0.6 + 0.003 * rng.normal() + (0.2 if vol_jump is not None and step >= vol_jump else 0.0)
        states = tuple(
            AccountState(a, (Leg(PERP, a * WAD), Leg(CALL, -a * WAD)), 0, 0, bytes(32)) for a in (1, 2, 3)
        )
        snapshot = Snapshot(31337, step, bytes(32), market(step, spot, vol), states, (PERP, CALL), bytes(32))
        margins = {a: int(a * 100 * WAD * (1 + 0.002 * rng.normal())) for a in (1, 2, 3)}
        if margin_jump is not None and step >= margin_jump:
            margins[2] *= 2
        found.append(EpochRecord(snapshot, margins))
    return found


def found(epochs: list[EpochRecord]) -> set[tuple[str, str, int]]:
    return {(f.kind, f.subject, (f.time - NOW) // 900) for f in scan_epochs(epochs, SYMBOLS)}


def test_scan__calm_epochs__nothing() -> None:
    assert found(records()) == set()


def test_scan__spot_jumps__return_of_its_symbol() -> None:
    assert ("return", "ETH", 40) in found(records(jump=40))


def test_scan__vols_jump__surface_of_every_expiry() -> None:
    jumps = {(kind, step) for kind, _, step in found(records(vol_jump=40))}
    assert jumps == {("surface jump", 40)}


def test_scan__margin_jumps_without_a_trade__its_account() -> None:
    assert found(records(margin_jump=40)) == {("margin jump", "account 2", 40)}


def test_scan__one_epoch_or_retries_of_it__nothing_to_compare() -> None:
    (first,) = records(steps=1)
    assert scan_epochs([first, first]) == scan_epochs([]) == []
