"""Build the shipped scenario set and the recorded volatility scales from price files.

Usage: python -m scripts.calibrate_scenarios BTC=daily.csv.gz ETH=daily.csv.gz SOL=hourly.csv.gz

Prints the hash that the methodology names.
"""

import csv
import json
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from keeper.analysis.scenario_days import STRESSED, Windows, build
from keeper.risk.parameters import PPM, ExpectedShortfallParameters
from keeper.risk.scenario_set import ScenarioSet
from keeper.risk.volatility import ewma, log_returns, scale_ppm
from keeper.sources.price_files import read_price

ROOT = Path(__file__).parents[1]
SCENARIOS = ROOT / "keeper/risk/default_scenarios.json"
SCALES = ROOT / "keeper/sources/recorded/volatility_scales.csv"
PARAMETERS = ROOT / "keeper/risk/default_methodology.json"
LAST = date(2025, 3, 31)
RECORDED = [date(2025, 4, 1) + timedelta(days=n) for n in range(16)]
SOURCE = (
    "Daily returns of BTC, ETH and SOL, derived from Binance spot closes (public market data; SOL: MIT"
    " licence of DaruFinance/quant-research-framework-rs; BTC, ETH:"
    " recorded by rongyouwow-svg/v3-trading-system, no licence stated, facts only)."
    " Built by scripts/calibrate_scenarios.py."
)


def main(arguments: list[str]) -> None:
    """Write both files."""
    raw = json.loads(PARAMETERS.read_text(encoding="utf-8"))["expected_shortfall"]
    parameters = ExpectedShortfallParameters(**raw)
    closes = {symbol: _closes(Path(name)) for symbol, name in (a.split("=", 1) for a in arguments)}
    decay = parameters.volatility_decay_ppm / PPM
    scenarios = build(closes, Windows(LAST, STRESSED), decay, stand_in={"SOL": "ETH"})
    SCENARIOS.write_text(scenarios.to_json(SOURCE), encoding="utf-8")
    _write_scales(closes, scenarios, parameters)
    print("0x" + scenarios.hash().hex())


def _closes(path: Path) -> dict[date, float]:
    bars = read_price(path).daily()
    days = [datetime.fromtimestamp(int(t), UTC).date() for t in bars.timestamps]
    return dict(zip(days, (float(x) for x in bars.close), strict=True))


def _write_scales(
    closes: dict[str, dict[date, float]], scenarios: ScenarioSet, parameters: ExpectedShortfallParameters
) -> None:
    """The scale of each recorded day, from closes up to the day before."""
    with SCALES.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["day", *closes])
        for day in RECORDED:
            row = [_scale(closes[symbol], day, scenarios.references[symbol], parameters) for symbol in closes]
            writer.writerow([day.isoformat(), *row])


def _scale(prices: dict[date, float], day: date, reference: int, p: ExpectedShortfallParameters) -> int:
    known = [prices[d] for d in sorted(prices) if d < day]
    return scale_ppm(ewma(log_returns(known), p.volatility_decay_ppm / PPM), reference, p)


if __name__ == "__main__":
    main(sys.argv[1:])
