"""Raw SVI, all of it by one name: formulas, arbitrage checks, interpolation, calibration, repair."""

from keeper.pricing.svi_arbitrage import arbitrage, slice_arbitrage
from keeper.pricing.svi_calibration import calibrate
from keeper.pricing.svi_path import interpolate, path_gap
from keeper.pricing.svi_repair import Repaired, repair
from keeper.pricing.svi_slice import (
    SVI_UNIT,
    Svi,
    density,
    from_integers,
    nodes,
    scale,
    total_variance,
)

__all__ = [
    "SVI_UNIT",
    "Repaired",
    "Svi",
    "arbitrage",
    "calibrate",
    "density",
    "from_integers",
    "interpolate",
    "nodes",
    "path_gap",
    "repair",
    "scale",
    "slice_arbitrage",
    "total_variance",
]
