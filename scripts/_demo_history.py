"""What the demo remembers: every account after every epoch; then what events and snapshots tell.

Figures for people are floats in USD; whatever must be exact is checked in `_demo_checks`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, sqrt
from pathlib import Path
from typing import Any

from keeper.analysis.report_data import (
    AccountHistory,
    FundHistory,
    Smile,
    SpotHistory,
    Surface,
)
from keeper.attestation.snapshot import Snapshot
from keeper.chain.contracts import CLEARINGHOUSE, INSURANCE_FUND, Call, Protocol
from keeper.pricing import svi
from keeper.sources.recorded import VOL_SCALE, slice_at, tenors
from keeper.store import statement_store
from keeper.store.database import Database
from keeper.units.constants import BASIS_POINTS, SECONDS_PER_YEAR, WAD
from scripts._demo_desk import TOKEN_UNIT, Desk
from scripts._demo_story import BTC, ETH, Role

SYMBOLS = {BTC: "BTC", ETH: "ETH"}
_USD8 = 10**8
_DAY = 86_400


@dataclass(frozen=True)
class Figures:
    """One account after one epoch, USD. `equity` counts collateral after its maintenance haircut."""

    equity: float
    initial: float
    maintenance: float
    in_auction: bool

    @property
    def is_below(self) -> bool:
        return self.equity < self.maintenance


@dataclass
class History:
    """Figures by account and epoch."""

    desk: Desk
    protocol: Protocol
    roles: dict[int, Role] = field(default_factory=dict)  # by account
    times: list[int] = field(default_factory=list)
    figures: dict[int, list[tuple[int, Figures]]] = field(default_factory=dict)
    fund: list[float] = field(default_factory=list)

    def add(self, account: int, role: Role) -> None:
        """Remembers an account from now on."""
        self.roles[account] = role
        self.figures[account] = []

    def record(self, number: int) -> dict[int, Figures]:
        """Reads all accounts as an epoch has them; those that it does not attest yet are left out.

        Shares may be sold and time may go on meanwhile: cash and positions are of the epoch's block.
        """
        epoch = self.desk.keepers.client.epoch(number)
        margins = {int(leaf["account"]): leaf for leaf in self.desk.keepers.client.margins(number)}
        now, at = int(epoch["epoch"]["timestamp"]), epoch["epoch"]["blockHash"]
        asked = [account for account in self.roles if account in margins]
        standing = self.protocol.structs(at, [Call(CLEARINGHOUSE, "standing", (a, False)) for a in asked])
        spots = {u: int(spot["effective"]) for u, spot in enumerate(epoch["spots"], start=1)}
        found = {
            account: _figures(margins[account], fields, spots)
            for account, fields in zip(asked, standing, strict=True)
        }
        for account, figures in found.items():
            self.figures[account].append((now, figures))
        self.times.append(now)
        self.fund.append(self.protocol.read(at, INSURANCE_FUND, "totalAssets") / TOKEN_UNIT)
        return found

    def accounts(self, states: Mapping[int, str]) -> list[AccountHistory]:
        """For the page. `states`: the last word on each account."""
        return [
            AccountHistory(
                name=self.roles[account].name,
                times=[time for time, _ in rows],
                equity=[f.equity for _, f in rows],
                initial=[f.initial for _, f in rows],
                maintenance=[f.maintenance for _, f in rows],
                state=states[account],
                note=self.roles[account].note,
                fully_collateralised=self.roles[account].fully_collateralised,
            )
            for account, rows in self.figures.items()
        ]

    def fund_history(self, covered: Sequence[tuple[int, float]]) -> FundHistory:
        """For the page."""
        return FundHistory(self.times, self.fund, covered)


def _figures(leaf: Mapping[str, Any], standing: Mapping[str, Any], spots: Mapping[int, int]) -> Figures:
    equity = standing["liquid"] + int(leaf["markToMarket"])
    equity += sum(_worth(word, spots) for word in standing["collateral"])
    return Figures(
        equity / WAD,
        int(leaf["initialMargin"]) / WAD,
        int(leaf["maintenanceMargin"]) / WAD,
        bool(standing["frozen"]),
    )


def _worth(word: int, spots: Mapping[int, int]) -> int:
    """Value after the maintenance haircut of one packed word (contracts/clearing/collateral.vy), WAD."""
    underlying, haircut, amount = word >> 224 & 0xFFFF, word >> 192 & 0xFFFF, word & (1 << 128) - 1
    return amount * spots[underlying] * (BASIS_POINTS - haircut) // (_USD8 * BASIS_POINTS)


def kept_snapshots(database: Path) -> list[Snapshot]:
    """Every snapshot that a keeper has kept, oldest first; without accounts, which are the index's."""
    store = Database(f"sqlite:///{database}")
    try:
        with store.begin() as connection:
            last = statement_store.highest_number(connection)
            rows = [statement_store.kept_snapshot(connection, n) for n in range(1, last + 1)]
    finally:
        store.close()
    return [Snapshot.from_json(row.content) for row in rows if row]


def spot_histories(snapshots: Sequence[Snapshot]) -> list[SpotHistory]:
    """Posted and effective spots of every epoch."""
    times = [s.market.timestamp for s in snapshots]
    rows = [[(u.posted / _USD8, u.effective / _USD8) for u in s.market.underlyings] for s in snapshots]
    return [
        SpotHistory(symbol, times, [row[u - 1][0] for row in rows], [row[u - 1][1] for row in rows])
        for u, symbol in SYMBOLS.items()
    ]


def smiles(snapshots: Sequence[Snapshot], moments: Sequence[int]) -> list[Smile]:
    """Attested volatilities of the expiries open at the first epoch from each moment on."""
    found = []
    for moment in moments:
        snapshot = next((s for s in snapshots if s.market.timestamp >= moment), None)
        if snapshot is not None:
            found += _smiles_of(snapshot)
    return found


def _smiles_of(snapshot: Snapshot) -> list[Smile]:
    now, found = snapshot.market.timestamp, []
    for listed in snapshot.market.underlyings:
        for expiry in (e for e in listed.expiries if e.expiry > now):
            years = (expiry.expiry - now) / SECONDS_PER_YEAR
            width = min(2.5 * sqrt(years), 0.5)
            grid = [width * i / 16 for i in range(-16, 17)]
            variance = svi.total_variance(parameters=svi.from_integers(expiry.svi), log_moneyness=grid)
            strikes = [expiry.forward / _USD8 * exp(k) for k in grid]
            vols = [sqrt(float(v) / years) for v in variance]
            found.append(Smile(SYMBOLS[listed.underlying], now, expiry.expiry, strikes, vols))
    return found


def surfaces() -> list[Surface]:
    """The surface that the venues quote, over the recorded tenors."""
    first, last = tenors()[0].seconds, tenors()[-1].seconds
    seconds = [round(first * (last / first) ** (i / 23)) for i in range(24)]
    moneyness = [i / 20 for i in range(-10, 11)]
    return [
        Surface(
            symbol, [s / _DAY for s in seconds], moneyness, [_vols(symbol, s, moneyness) for s in seconds]
        )
        for symbol in SYMBOLS.values()
    ]


def _vols(symbol: str, seconds: int, moneyness: Sequence[float]) -> list[float]:
    found = svi.from_integers(slice_at(seconds, VOL_SCALE[symbol]))
    variance = svi.total_variance(parameters=found, log_moneyness=moneyness)
    return [sqrt(float(v) * SECONDS_PER_YEAR / seconds) for v in variance]
