"""What every margin model answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Requirement:
    """Margin of one portfolio under one model, USD.

    Attributes:
        model: name of the preset.
        mark: mark-to-market of the positions, signed; without cash and collateral.
        equity: cash, mark and collateral at market value.
        initial, maintenance: what equity must not fall below. Where a model counts an asset at less than
            its market value, the difference is part of them: `equity - initial` is the model's own answer.
        breakdown: charges and binding scenarios in the model's own terms; JSON-ready.
    """

    model: str
    mark: float
    equity: float
    initial: float
    maintenance: float
    breakdown: Mapping[str, Any] = field(default_factory=dict)
