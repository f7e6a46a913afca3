"""Epochs as a keeper keeps them, made into what the other scans look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from keeper.analysis.anomalies import Finding
from keeper.analysis.anomaly_accounts import AccountPoint, scan_behaviour, scan_margins
from keeper.analysis.anomaly_series import scan_series
from keeper.analysis.anomaly_surface import SmileHistory, scan_smiles
from keeper.attestation.snapshot import AccountState, Snapshot
from keeper.markets.instrument import Instrument, Kind
from keeper.pricing.market import Market
from keeper.sources.prices import PriceSeries
from keeper.sources.smile_distance import standard_vols
from keeper.units.constants import SECONDS_PER_YEAR, WAD

_PRICE_UNIT = 10**8
_LEAST_SECONDS = 3_600  # to expiry: the last hour's smile moves as it likes


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: what it was computed from, and the maintenance margins (WAD) where they are known."""

    snapshot: Snapshot
    maintenance: Mapping[int, int]

    @property
    def market(self) -> Market:
        return self.snapshot.market


def scan_epochs(epochs: Sequence[EpochRecord], symbols: Mapping[int, str] | None = None) -> list[Finding]:
    """Spots, surfaces, margins and behaviour over epochs in ascending order of time.

    Args:
        symbols: of the underlyings; "underlying 1" where none is given.
    """
    ordered = _distinct(epochs)
    if len(ordered) < 2:
        return []
    names = {u.underlying: f"underlying {u.underlying}" for u in ordered[-1].market.underlyings}
    names |= dict(symbols or {})
    found: list[Finding] = []
    for underlying, name in sorted(names.items()):
        found += scan_series(_spots(ordered, underlying, name), is_regular=False)
        found += scan_smiles(_smiles(ordered, underlying, name))
    points = _points(ordered)
    return [*found, *scan_margins(points), *scan_behaviour(points)]


def _distinct(epochs: Sequence[EpochRecord]) -> list[EpochRecord]:
    """By time, the last of each moment: a retry repeats it."""
    by_time = {e.market.timestamp: e for e in epochs}
    return [by_time[t] for t in sorted(by_time)]


def _spots(epochs: Sequence[EpochRecord], underlying: int, name: str) -> PriceSeries:
    known = [
        (e.market.timestamp, u.posted)
        for e in epochs
        for u in e.market.underlyings
        if u.underlying == underlying
    ]
    times = np.array([t for t, _ in known], dtype=np.int64)
    closes = np.array([p for _, p in known], dtype=np.float64) / _PRICE_UNIT
    interval = max(int(np.median(np.diff(times))), 1) if len(times) > 1 else 1
    return PriceSeries(name, times, closes, interval=interval)


def _smiles(epochs: Sequence[EpochRecord], underlying: int, name: str) -> list[SmileHistory]:
    rows: dict[int, list[tuple[int, list[float]]]] = {}
    for e in epochs:
        for u in e.market.underlyings:
            for expiry in u.expiries if u.underlying == underlying else ():
                seconds = expiry.expiry - e.market.timestamp
                if seconds > _LEAST_SECONDS:
                    vols = standard_vols(expiry.svi, seconds / SECONDS_PER_YEAR).tolist()
                    rows.setdefault(expiry.expiry, []).append((e.market.timestamp, vols))
    return [
        SmileHistory(
            f"{name} {datetime.fromtimestamp(expiry, UTC):%Y-%m-%d}",
            np.array([t for t, _ in found], dtype=np.int64),
            np.array([v for _, v in found]),
        )
        for expiry, found in sorted(rows.items())
        if len(found) > 1
    ]


def _points(epochs: Sequence[EpochRecord]) -> list[AccountPoint]:
    points: list[AccountPoint] = []
    last: dict[int, Mapping[int, int]] = {}
    for e in epochs:
        spots = {u.underlying: u.posted / _PRICE_UNIT for u in e.market.underlyings}
        for state in e.snapshot.accounts:
            points.append(_point(state, e, spots, last.get(state.account)))
            last[state.account] = points[-1].positions
    return points


def _point(
    state: AccountState, epoch: EpochRecord, spots: Mapping[int, float], before: Mapping[int, int] | None
) -> AccountPoint:
    positions = {leg.instrument: leg.quantity for leg in state.legs}
    gross = net = short = 0.0
    for packed, quantity in positions.items():
        instrument = Instrument.unpack(packed)
        value = quantity / WAD * spots[instrument.underlying]
        gross += abs(value)
        net += -value if instrument.kind == Kind.PUT else value
        if value < 0.0 and instrument.kind in (Kind.CALL, Kind.PUT):
            short -= value
    held = positions if before is None else before
    changed = {p: positions.get(p, 0) - held.get(p, 0) for p in positions.keys() | held.keys()}
    traded = sum(abs(q) / WAD * spots[Instrument.unpack(p).underlying] for p, q in changed.items())
    maintenance = epoch.maintenance.get(state.account, 0) / WAD
    return AccountPoint(
        state.account, epoch.market.timestamp, positions, gross, net, short, maintenance, traded
    )
