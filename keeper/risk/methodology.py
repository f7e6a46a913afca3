"""The margin model's parameters. They are governed: the chain registers the hash and refuses epochs computed
otherwise.

Ratios are integers in parts per million (`_ppm`), so that no decimal fraction has to be parsed the same way
everywhere.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from importlib import resources
from math import isqrt
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from keeper.risk.correlation import Matrix, least_eigenvalue, nearest
from keeper.risk.methodology_rules import broken_rules
from keeper.risk.parameters import (
    PPM,
    AddonParameters,
    CorrelationParameters,
    ExpectedShortfallParameters,
    GreeksParameters,
    LiquidityParameters,
    MaintenanceParameters,
    RollParameters,
    ScanParameters,
    SizeParameters,
    SpotParameters,
    UnderlyingParameters,
)
from keeper.risk.scenario_set import ScenarioSet


@dataclass(frozen=True)
class Methodology:
    """All parameters of the margin model.

    Attributes:
        quantum_e8: unit in which profit and loss is rounded and summed, in 1e-8 USD.
        tiers_ppm: multiplier of the core margin by credit tier: anonymous, new, verified maker, backing
            institution.
        max_added_im: most stand-alone margin, WAD, that may be added to a leaf before a new one is needed;
            the room below the concentration thresholds may allow less.
        other: spot risk of an underlying that has no parameters of its own.
        scenarios: the set that `expected_shortfall` names by its hash.
    """

    version: int
    quantum_e8: int
    scan: ScanParameters
    greeks: GreeksParameters
    expected_shortfall: ExpectedShortfallParameters
    correlations: CorrelationParameters
    addons: AddonParameters
    liquidity: LiquidityParameters
    sizes: SizeParameters
    roll: RollParameters
    maintenance: MaintenanceParameters
    tiers_ppm: tuple[int, ...]
    max_added_im: int
    underlyings: tuple[UnderlyingParameters, ...]
    other: SpotParameters
    scenarios: ScenarioSet = field(repr=False)

    @classmethod
    def from_json(cls, text: str, scenarios: ScenarioSet | None = None) -> "Methodology":
        """Parse and check a parameter file.

        Args:
            scenarios: of the expected shortfall; the shipped ones when left out.

        Raises:
            ValueError: a parameter is missing, unknown or out of range.
        """
        data = json.loads(text)
        try:
            methodology = cls(
                version=data["version"],
                quantum_e8=data["quantum_e8"],
                scan=ScanParameters(**{**data["scan"], "tails_ppm": tuple(data["scan"]["tails_ppm"])}),
                greeks=GreeksParameters(**data["greeks"]),
                expected_shortfall=ExpectedShortfallParameters(**data["expected_shortfall"]),
                correlations=_correlations(data["correlations"]),
                addons=AddonParameters(**data["addons"]),
                liquidity=LiquidityParameters(**data["liquidity"]),
                sizes=_sizes(data["sizes"]),
                roll=RollParameters(**data["roll"]),
                maintenance=MaintenanceParameters(**data["maintenance"]),
                tiers_ppm=tuple(data["tiers_ppm"]),
                max_added_im=int(data["max_added_im"]),
                underlyings=tuple(_underlying(u) for u in data["underlyings"]),
                other=SpotParameters(**data["other"]),
                scenarios=ScenarioSet.default() if scenarios is None else scenarios,
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"methodology: malformed parameters: {error}") from error
        broken = broken_rules(methodology)
        if broken:
            raise ValueError("methodology: " + "; ".join(broken))
        return methodology

    @classmethod
    def load(cls, path: Path) -> "Methodology":
        """Read a parameter file; `NAME.scenarios.json` beside `NAME.json` stands before the shipped set."""
        beside = path.with_suffix(".scenarios.json")
        scenarios = ScenarioSet.load(beside) if beside.exists() else None
        return cls.from_json(path.read_text(encoding="utf-8"), scenarios)

    @classmethod
    def default(cls) -> "Methodology":
        """The parameters shipped with the package."""
        text = resources.files("keeper.risk").joinpath("default_methodology.json").read_text(encoding="utf-8")
        return cls.from_json(text)

    def to_json(self) -> str:
        """Canonical text: sorted keys, no spaces, integers only; of the scenarios the hash."""
        data: dict[str, Any] = {
            f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.name != "scenarios"
        }
        data["max_added_im"] = str(self.max_added_im)
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    def hash(self) -> bytes:
        """keccak256 of the canonical text: the `methodologyHash` of epochs."""
        return self._hash

    @cached_property
    def _hash(self) -> bytes:
        return keccak(self.to_json().encode())

    @cached_property
    def _spots(self) -> dict[int, SpotParameters]:
        return {u.underlying: u.spot for u in self.underlyings}

    @cached_property
    def _groups(self) -> dict[int, int]:
        return {u.underlying: u.offset_group for u in self.underlyings if u.offset_group > 0}

    def spot(self, underlying: int) -> SpotParameters:
        """Spot risk of an underlying; the `other` parameters when it has none of its own."""
        return self._spots.get(underlying, self.other)

    @cached_property
    def _symbols(self) -> dict[int, str]:
        return {u.underlying: u.symbol for u in self.underlyings}

    def symbol(self, underlying: int) -> str:
        """Symbol of an underlying; empty when the file does not name it."""
        return self._symbols.get(underlying, "")

    def offset_group(self, underlying: int) -> int:
        """A key shared by the underlyings that offset each other; negative and unique for one that
        offsets nothing.
        """
        return self._groups.get(underlying, -underlying)

    @cached_property
    def correlated(self) -> dict[int, int]:
        """Row of an underlying in the correlation sets. One that the file does not name has none: its delta
        charge offsets nothing.
        """
        return {u.underlying: row for row, u in enumerate(self.underlyings)}

    @cached_property
    def correlation_sets(self) -> tuple[tuple[str, Matrix], ...]:
        """The sets `base`, `high` and `low` of correlations between spot moves, each the nearest valid one.

        Valid: eigenvalues above 1 - expiry_base. The delta charge of one underlying leaves that share of its
        variance to the expiries, so the joint form stays positive definite whatever the expiries are.
        """
        floor = PPM - self.greeks.expiry_base_ppm
        return tuple((name, nearest(self._correlations_of(name), floor)) for name in ("base", "high", "low"))

    @cached_property
    def spread_ppm(self) -> int:
        """Most that the delta charges of single underlyings can sum to, as a multiple of their joint charge.

        With e the largest of the sets' least eigenvalues, b the least correlation of expiries and n
        underlyings, the joint square is at least (e - (1 - b)) / b times the sum of the single squares,
        which is at least the square of their sum over n.
        """
        base = self.greeks.expiry_base_ppm
        least = max(least_eigenvalue(matrix) for _, matrix in self.correlation_sets)
        return isqrt(len(self.underlyings) * base * PPM**2 // max(least - (PPM - base), 1)) + 1

    def _correlations_of(self, name: str) -> Matrix:
        """A correlation set before it is made valid."""
        ids = [u.underlying for u in self.underlyings]
        return tuple(
            tuple(PPM if a == b else self._shifted(name, self._assumed(a, b)) for b in ids) for a in ids
        )

    def _shifted(self, name: str, base: int) -> int:
        """A correlation in one of the sets, from its base value; ppm."""
        if name == "high":
            return min(base * self.greeks.high_factor_ppm // PPM, PPM)
        if name == "low":
            return max(2 * base - PPM, base * self.greeks.low_factor_ppm // PPM)
        return base

    def _assumed(self, a: int, b: int) -> int:
        """Base correlation of two different underlyings before it is made valid, ppm."""
        for first, second, value in self.correlations.pairs:
            if {first, second} == {a, b}:
                return value
        majors = {u.underlying for u in self.underlyings if u.major}
        return self.correlations.majors_ppm if {a, b} <= majors else self.correlations.others_ppm

    def multiplier_ppm(self, tier: int) -> int:
        """Multiplier of the core margin for a credit tier.

        Raises:
            ValueError: no such tier.
        """
        if not 0 <= tier < len(self.tiers_ppm):
            raise ValueError(f"methodology: no credit tier {tier}")
        return self.tiers_ppm[tier]

    def counted_tier(self, stated: int) -> int:
        """The credit tier that counts for one that the chain states: itself, or the dearest where the
        methodology does not name it. One account's tier must never keep an epoch from being computed.
        """
        if stated < len(self.tiers_ppm):
            return stated
        return max(range(len(self.tiers_ppm)), key=self.tiers_ppm.__getitem__)


def _plain(value: Any) -> Any:
    """Groups of parameters as dictionaries."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def _correlations(data: dict[str, Any]) -> CorrelationParameters:
    pairs = tuple((first, second, value) for first, second, value in data["pairs"])
    return CorrelationParameters(**{**data, "pairs": pairs})


def _sizes(data: dict[str, Any]) -> SizeParameters:
    return SizeParameters(**{**data, "tiers": tuple((start, share) for start, share in data["tiers"])})


def _underlying(data: dict[str, Any]) -> UnderlyingParameters:
    return UnderlyingParameters(**{**data, "spot": SpotParameters(**data["spot"])})
