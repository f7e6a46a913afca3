"""Names of the scan's scenarios in words: "BTC -16.0 %, ETH -18.0 %, vols up"."""

import re
from collections.abc import Mapping

from keeper.risk.methodology import Methodology
from keeper.risk.parameters import PPM

_GRID = re.compile(r"grid (?P<step>[+-]\d+)/(?P<steps>\d+) vol (?P<vol>up|flat|down)")
_STRIKE = re.compile(r"strike \d+ (?P<move>[+-][\d.]+) vol (?P<vol>up|flat|down)")
_TAIL = re.compile(r"tail (?P<move>[+-]\d+)ppm vol up")
_SMILE = re.compile(r"(?P<turn>twist|tilt|bend)-(?P<side>up|down) at (?P<move>[+-][\d.]+)")
_TURNS = {
    ("twist", "up"): "far vols up, near vols down",
    ("twist", "down"): "far vols down, near vols up",
    ("tilt", "up"): "vols above the forward up, below it down",
    ("tilt", "down"): "vols above the forward down, below it up",
    ("bend", "up"): "vols of both wings up",
    ("bend", "down"): "vols of both wings down",
}


def scenario_text(name: str, symbols: Mapping[int, str], methodology: Methodology) -> str:
    """A scenario in words; its name where it is of another kind.

    Args:
        symbols: of the underlyings that move, by id.
    """
    if found := _GRID.fullmatch(name):
        moves = _spots(int(found["step"]) / int(found["steps"]), symbols, methodology)
        return f"{moves}, {_vols(found['vol'])}"
    if found := _STRIKE.fullmatch(name):
        return f"{_spots(float(found['move']), symbols, methodology)}, {_vols(found['vol'])}"
    if found := _TAIL.fullmatch(name):
        return f"{_tails(int(found['move']) / PPM, symbols, methodology)}, vols up"
    if found := _SMILE.fullmatch(name):
        spots = _spots(float(found["move"]), symbols, methodology)
        return f"{spots}, {_TURNS[found['turn'], found['side']]}"
    return name


def _spots(share: float, symbols: Mapping[int, str], methodology: Methodology) -> str:
    """Spot moves as a share of every underlying's range."""
    if share == 0.0:
        return "spots unmoved"
    moves = ((symbol, 100.0 * share * methodology.spot(u).range_ppm / PPM) for u, symbol in symbols.items())
    return ", ".join(f"{symbol} {move:+.1f} %" for symbol, move in moves)


def _tails(move: float, symbols: Mapping[int, str], methodology: Methodology) -> str:
    """One move of every spot, with the share of its profit and loss that counts."""
    share = methodology.scan.tail_share_ppm / PPM
    weights = {u: min(1.0, share * methodology.spot(u).range_ppm / PPM / abs(move)) for u in symbols}
    return ", ".join(
        f"{symbol} {100.0 * move:+.0f} % counted at {100.0 * weights[u]:.0f} %"
        for u, symbol in symbols.items()
    )


def _vols(state: str) -> str:
    return "vols unmoved" if state == "flat" else f"vols {state}"
