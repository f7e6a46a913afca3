"""All margin models by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keeper.portfolio.files import read_object
from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Portfolio
from keeper.presets import deribit_pm, deribit_standard, derive_pm1, derive_pm2, derive_srm, plimsoll, span
from keeper.presets.parameters import load_parameters
from keeper.presets.requirement import Requirement

Evaluate = Callable[[Portfolio, MarketState, Mapping[str, Any]], Requirement]

_VENUES: Mapping[str, Evaluate] = {
    derive_pm1.NAME: derive_pm1.evaluate,
    derive_pm2.NAME: derive_pm2.evaluate,
    derive_srm.NAME: derive_srm.evaluate,
    deribit_pm.NAME: deribit_pm.evaluate,
    deribit_standard.NAME: deribit_standard.evaluate,
    span.NAME: span.evaluate,
}
NAMES: tuple[str, ...] = (plimsoll.NAME, *_VENUES)


@dataclass(frozen=True)
class Model:
    """A margin model with its parameters."""

    name: str
    parameters: Mapping[str, Any]

    def evaluate(self, portfolio: Portfolio, market: MarketState) -> Requirement:
        """Requirement of a portfolio.

        Raises:
            LookupError: the market lacks what the portfolio needs.
            ValueError: the model has no such position.
        """
        evaluate = plimsoll.evaluate if self.name == plimsoll.NAME else _VENUES[self.name]
        return evaluate(portfolio, market, self.parameters)


def model(name: str, overrides: Mapping[str, Any] | None = None) -> Model:
    """A model, with parameters of one's own laid over the published ones.

    Raises:
        LookupError: no such model, or no such parameter.
        ValueError: a parameter of the wrong type.
    """
    if name not in NAMES:
        raise LookupError(f"presets: no model {name!r}; there are {', '.join(NAMES)}")
    if name == plimsoll.NAME:
        return Model(name, plimsoll.load_parameters(overrides))
    return Model(name, load_parameters(name, overrides))


def overrides_of(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parameters by model from files: "FILE" holds one table per model, "NAME=FILE" the parameters of one.

    Raises:
        LookupError: a model that does not exist.
        ValueError: a file cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, separator, path = text.partition("=")
        content = read_object(Path(path if separator else text))
        for table, parameters in ({name: content} if separator else content).items():
            if table not in NAMES:
                raise LookupError(f"{text}: no model {table!r}; there are {', '.join(NAMES)}")
            if not isinstance(parameters, dict):
                raise ValueError(f"{text}: {table} must be a table of parameters")
            found[table] = parameters
    return found
