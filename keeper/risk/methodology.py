"""Parameters of the margin model. They are governed: the chain registers the hash and refuses epochs
computed otherwise.

Ratios are integers in parts per million (`_ppm`), so that no decimal fraction has to be parsed the same way
everywhere.
"""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

PPM = 10**6


@dataclass(frozen=True)
class ScanParameters:
    """The scan: spot grid, vol states, tails, twist and skew.

    Attributes:
        grid_steps: nodes on each side of zero; node j is a move of j / grid_steps of the underlying's range.
        decay_seconds: time that passes in every scenario.
        offset_ppm: share of a gain that offsets the losses of other underlyings of the same offset group.
        vol_up_ppm, vol_down_ppm: relative vol shocks at the reference tenor, scaled by (reference / days) **
            power.
        vol_floor_ppm: least vol in the up state.
        short_power_ppm, long_power_ppm: the power at or below, and above, the reference tenor.
        tails_ppm: extreme spot moves, weighted by range / move.
        twist_ppm: relative vol move at the ends of the term structure: clip(ln(days / reference) /
            ln(twist_scale)).
        skew_ppm: relative vol move per unit of log-moneyness, which is clipped to [-1, 1].
    """

    grid_steps: int
    decay_seconds: int
    offset_ppm: int
    vol_up_ppm: int
    vol_down_ppm: int
    vol_floor_ppm: int
    vol_reference_days: int
    vol_min_days: int
    short_power_ppm: int
    long_power_ppm: int
    tails_ppm: tuple[int, ...]
    twist_ppm: int
    twist_scale: int
    skew_ppm: int


@dataclass(frozen=True)
class RollParameters:
    """Basis and roll charge per expiry: |dollar delta| * max(flat, per_year * years)."""

    flat_ppm: int
    per_year_ppm: int


@dataclass(frozen=True)
class MaintenanceParameters:
    """MM = max(of_core * Core, of_initial * IM)."""

    of_core_ppm: int
    of_initial_ppm: int


@dataclass(frozen=True)
class UnderlyingParameters:
    """Spot range of the scan; underlyings of one offset group above 0 offset each other, group 0 offsets
    nothing.
    """

    underlying: int
    symbol: str
    range_ppm: int
    offset_group: int


@dataclass(frozen=True)
class Methodology:
    """All parameters of the margin model.

    Attributes:
        quantum_e8: unit in which profit and loss is rounded and summed, in 1e-8 USD.
        tiers_ppm: multiplier of the core margin by credit tier: anonymous, new, verified maker, backing
            institution.
        max_added_im: stand-alone margin, WAD, that may be added to a leaf before a new one is needed. A
            finite bound:
            the margin is subadditive at every size, so it only has to lie beyond any account the venue will
            admit.
    """

    version: int
    quantum_e8: int
    scan: ScanParameters
    roll: RollParameters
    maintenance: MaintenanceParameters
    tiers_ppm: tuple[int, ...]
    max_added_im: int
    underlyings: tuple[UnderlyingParameters, ...]
    other_range_ppm: int

    @classmethod
    def from_json(cls, text: str) -> "Methodology":
        """Parse and check a parameter file.

        Raises:
            ValueError: a parameter is missing, unknown or out of range.
        """
        data = json.loads(text)
        try:
            scan = dict(data["scan"])
            scan["tails_ppm"] = tuple(scan["tails_ppm"])
            methodology = cls(
                version=data["version"],
                quantum_e8=data["quantum_e8"],
                scan=ScanParameters(**scan),
                roll=RollParameters(**data["roll"]),
                maintenance=MaintenanceParameters(**data["maintenance"]),
                tiers_ppm=tuple(data["tiers_ppm"]),
                max_added_im=int(data["max_added_im"]),
                underlyings=tuple(UnderlyingParameters(**u) for u in data["underlyings"]),
                other_range_ppm=data["other"]["range_ppm"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"methodology: malformed parameters: {error}") from error
        methodology._check()
        return methodology

    @classmethod
    def load(cls, path: Path) -> "Methodology":
        """Read a parameter file."""
        return cls.from_json(path.read_text(encoding="utf-8"))

    @classmethod
    def default(cls) -> "Methodology":
        """The parameters shipped with the package."""
        text = resources.files("keeper.risk").joinpath("default_methodology.json").read_text(encoding="utf-8")
        return cls.from_json(text)

    def to_json(self) -> str:
        """Canonical text: sorted keys, no spaces, integers only."""
        data: dict[str, Any] = asdict(self)
        data["max_added_im"] = str(self.max_added_im)
        data["other"] = {"range_ppm": data.pop("other_range_ppm")}
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    def hash(self) -> bytes:
        """keccak256 of the canonical text: the `methodologyHash` of epochs."""
        return self._hash

    @cached_property
    def _hash(self) -> bytes:
        return keccak(self.to_json().encode())

    def range_ppm(self, underlying: int) -> int:
        """Scan range of an underlying; the `other` range when it has none of its own."""
        return next(
            (u.range_ppm for u in self.underlyings if u.underlying == underlying), self.other_range_ppm
        )

    def offset_group(self, underlying: int) -> int:
        """A key shared by the underlyings that offset each other; negative and unique for one that
        offsets nothing.
        """
        group = next((u.offset_group for u in self.underlyings if u.underlying == underlying), 0)
        return group if group > 0 else -underlying

    def multiplier_ppm(self, tier: int) -> int:
        """Multiplier of the core margin for a credit tier.

        Raises:
            ValueError: no such tier.
        """
        if not 0 <= tier < len(self.tiers_ppm):
            raise ValueError(f"methodology: no credit tier {tier}")
        return self.tiers_ppm[tier]

    def _check(self) -> None:
        ranges = [u.range_ppm for u in self.underlyings] + [self.other_range_ppm]
        rules = {
            "version must be 1": self.version == 1,
            "quantum must be positive": 0 < self.quantum_e8 <= 10**8,
            "grid needs at least one step": 1 <= self.scan.grid_steps <= 100,
            "twist needs the spot moves of half the range": self.scan.grid_steps % 2 == 0,
            "ranges must lie in (0, 1)": all(0 < r < PPM for r in ranges),
            "tails must lie above -1 and differ from 0": all(
                t > -PPM and t != 0 for t in self.scan.tails_ppm
            ),
            "vol must stay positive": all(
                0 <= x < PPM for x in (self.scan.vol_down_ppm, self.scan.twist_ppm, self.scan.skew_ppm)
            ),
            "offset must lie in [0, 1]": 0 <= self.scan.offset_ppm <= PPM,
            # at .80 maintenance would equal initial margin
            "tiers must be at least .85": all(t >= 850_000 for t in self.tiers_ppm) and bool(self.tiers_ppm),
            "maintenance must not exceed initial margin": max(
                self.maintenance.of_initial_ppm, self.maintenance.of_core_ppm * PPM // min(self.tiers_ppm)
            )
            <= PPM,
            "added margin must be positive and fit 128 bits": 0 < self.max_added_im < 2**127,
            "underlyings must be distinct": len({u.underlying for u in self.underlyings})
            == len(self.underlyings),
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise ValueError("methodology: " + "; ".join(broken))
