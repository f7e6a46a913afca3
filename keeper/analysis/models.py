"""Margin models side by side on days of history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from json import dumps
from typing import Any, Protocol

from keeper.analysis.history import PriceHistory
from keeper.analysis.regime import Regimes
from keeper.analysis.requirement_buffer import Buffer, buffer_of
from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Portfolio
from keeper.presets import plimsoll, registry
from keeper.risk.methodology import Methodology

OURS = plimsoll.NAME


class Model(Protocol):
    """A margin model on one day of history."""

    @property
    def name(self) -> str:
        """How reports call it."""

    def buffers(self, portfolios: Sequence[Portfolio], market: MarketState, day: date) -> list[Buffer | None]:
        """Of each portfolio; None of one that the model cannot hold, such as a future on a venue without."""


@dataclass(frozen=True)
class ModelChoice:
    """A model by name, as processes pass it on.

    Attributes:
        preset: which formulas; overrides: parameters in place of the published ones.
    """

    name: str
    preset: str
    overrides: Mapping[str, Any] = field(default_factory=dict)


def choices(names: Sequence[str], overrides: Mapping[str, Mapping[str, Any]]) -> tuple[ModelChoice, ...]:
    """Models by the names of their presets.

    Raises:
        LookupError: there is no preset of a name.
    """
    unknown = sorted(set(names) - set(registry.NAMES))
    if unknown:
        raise LookupError(f"models: no preset {unknown[0]}; there are {', '.join(registry.NAMES)}")
    return tuple(ModelChoice(name, name, overrides.get(name, {})) for name in names)


def model_of(choice: ModelChoice, history: PriceHistory) -> Model:
    """The model of a choice."""
    if choice.preset == OURS:
        parameters = dumps(plimsoll.load_parameters(choice.overrides))
        return PlimsollModel(choice.name, Regimes(history, Methodology.from_json(parameters)))
    return PresetModel(choice.name, registry.model(choice.preset, choice.overrides))


@dataclass(frozen=True)
class PlimsollModel:
    """Our methodology with the scenario sets and regimes of each day."""

    name: str
    regimes: Regimes

    def buffers(self, portfolios: Sequence[Portfolio], market: MarketState, day: date) -> list[Buffer | None]:
        """See `Model`."""
        found = plimsoll.requirements(portfolios, market, self.regimes.methodology_on(day))
        return [buffer_of(p, r, market) for p, r in zip(portfolios, found, strict=True)]


@dataclass(frozen=True)
class PresetModel:
    """Another venue's model."""

    name: str
    preset: registry.Model

    def buffers(self, portfolios: Sequence[Portfolio], market: MarketState, day: date) -> list[Buffer | None]:
        """See `Model`."""
        return [self._buffer(portfolio, market) for portfolio in portfolios]

    def _buffer(self, portfolio: Portfolio, market: MarketState) -> Buffer | None:
        try:
            return buffer_of(portfolio, self.preset.evaluate(portfolio, market), market)
        except (ValueError, LookupError):
            return None
