"""Daily scenarios of the expected shortfall: published as integers, checked, never recomputed.

Two parts in one set: `filtered` days are recent returns divided by the volatility forecast of their day and
multiplied by the underlying's reference volatility, so that an epoch's volatility scale turns them into moves
of today's regime (filtered historical simulation); `stressed` days are crises as they were. A column is the
same day for every underlying, which carries the dependence between them.

Reference: G. Barone-Adesi, K. Giannopoulos, L. Vosper, "VaR without correlations for portfolios of derivative
securities", Journal of Futures Markets 19 (1999), 583-602.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

KINDS = ("spot", "level", "skew", "curvature")
# spot times or over 20: more than any day has shown, even at the largest scale; vols times four
_MOST_MOVE = 3_000_000
_MOST_SCENARIOS = 5_000


@dataclass(frozen=True, slots=True)
class Moves:
    """Moves of one underlying, one entry per scenario, ppm.

    Attributes:
        spot: logarithm of the ratio of the spot after to before; forwards move alike.
        level: relative move of vols at the reference tenor.
        skew: relative move of a vol per unit of log-moneyness.
        curvature: relative move of a vol per unit of absolute log-moneyness.
    """

    spot: tuple[int, ...]
    level: tuple[int, ...]
    skew: tuple[int, ...]
    curvature: tuple[int, ...]


@dataclass(frozen=True)
class ScenarioSet:
    """Joint daily scenarios, the filtered ones first.

    Attributes:
        labels: the day each scenario comes from.
        filtered: how many are filtered; the others are stressed.
        references: daily volatility by symbol that the filtered returns are stated at, ppm.
        moves: by symbol.
    """

    labels: tuple[str, ...]
    filtered: int
    references: Mapping[str, int]
    moves: Mapping[str, Moves]

    def __post_init__(self) -> None:
        rows = [getattr(m, kind) for m in self.moves.values() for kind in KINDS]
        rules = {
            "both parts need scenarios": 0 < self.filtered < len(self.labels) <= _MOST_SCENARIOS,
            "labels must not repeat inside a part": self._distinct(),
            "every underlying needs moves and a reference": bool(self.moves)
            and set(self.moves) == set(self.references),
            "every scenario needs one move of each kind": all(len(r) == len(self.labels) for r in rows),
            "moves must be whole ppm of at most three": all(
                isinstance(x, int) and abs(x) <= _MOST_MOVE for r in rows for x in r
            ),
            "references must be positive": all(0 < x < _MOST_MOVE for x in self.references.values()),
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise ValueError("scenarios: " + "; ".join(broken))

    def __hash__(self) -> int:
        return int.from_bytes(self.hash()[:8], "big")

    @property
    def stressed(self) -> int:
        """How many scenarios are stressed."""
        return len(self.labels) - self.filtered

    def name(self, index: int) -> str:
        """Readable name of a scenario."""
        return f"{'filtered' if index < self.filtered else 'stressed'} {self.labels[index]}"

    @classmethod
    def from_json(cls, text: str) -> "ScenarioSet":
        """Parse and check a scenario file.

        Raises:
            ValueError: it is malformed or breaks a rule.
        """
        try:
            data = json.loads(text)
            parts = [data["filtered"], data["stressed"]]
            return cls(
                labels=tuple(str(day) for part in parts for day in part["days"]),
                filtered=len(parts[0]["days"]),
                references=dict(data["references"]),
                moves={symbol: _moves(parts, symbol) for symbol in data["references"]},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"scenarios: malformed file: {error!r}") from error

    @classmethod
    def load(cls, path: Path) -> "ScenarioSet":
        """Read a scenario file."""
        return cls.from_json(path.read_text(encoding="utf-8"))

    @classmethod
    def default(cls) -> "ScenarioSet":
        """The scenarios shipped with the package."""
        text = resources.files("keeper.risk").joinpath("default_scenarios.json").read_text(encoding="utf-8")
        return cls.from_json(text)

    def to_json(self, source: str = "") -> str:
        """The file's text, one array a line.

        Args:
            source: where the prices come from and on what terms; not part of the hash.
        """
        head = json.dumps({"source": source, "references": dict(self.references)}, indent=1)[:-2]
        bounds = {"filtered": slice(0, self.filtered), "stressed": slice(self.filtered, None)}
        parts = [f' "{name}": {self._part_text(part)}' for name, part in bounds.items()]
        return ",\n".join([head, *parts]) + "\n}\n"

    def hash(self) -> bytes:
        """keccak256 of the content; the methodology names it."""
        return self._hash

    @cached_property
    def _hash(self) -> bytes:
        content = {
            "filtered": self.filtered,
            "labels": self.labels,
            "moves": {s: [getattr(m, kind) for kind in KINDS] for s, m in self.moves.items()},
            "references": dict(self.references),
        }
        return keccak(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())

    def _distinct(self) -> bool:
        parts = (self.labels[: self.filtered], self.labels[self.filtered :])
        return all(len(set(part)) == len(part) for part in parts)

    def _part_text(self, part: slice) -> str:
        lines = [f'  "days": {json.dumps(self.labels[part])}']
        for symbol, moves in self.moves.items():
            rows = [f'   "{kind}": {json.dumps(getattr(moves, kind)[part])}' for kind in KINDS]
            lines.append(f'  "{symbol}": {{\n' + ",\n".join(rows) + "\n  }")
        return "{\n" + ",\n".join(lines) + "\n }"


def _moves(parts: list[dict[str, Any]], symbol: str) -> Moves:
    return Moves(*(tuple(x for part in parts for x in part[symbol][kind]) for kind in KINDS))
