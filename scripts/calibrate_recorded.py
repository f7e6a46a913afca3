"""Make the recorded tables of `keeper/sources/recorded` from the raw files.

    python scripts/calibrate_recorded.py DIRECTORY

DIRECTORY holds `options/deribit_eth_chain_20240108.csv.gz` (option chain, MIT,
github.com/jiaxiang-cheng/definer) and
`prices/perp_1h_multivenue_202504_tariff.csv.gz` (hourly candles, Unlicense,
github.com/0xknxwledge/group-m-finm33150-final). Without them it says so and leaves the tables alone.
"""

import argparse
import csv
import gzip
import json
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from keeper.pricing import black76, svi

CHAIN = Path("options/deribit_eth_chain_20240108.csv.gz")
CANDLES = Path("prices/perp_1h_multivenue_202504_tariff.csv.gz")
TABLES = Path(__file__).parent.parent / "keeper" / "sources" / "recorded"
SNAPSHOT = datetime(2024, 1, 8, 11, 19, 41, tzinfo=UTC)
# marks are rounded to 1e-6 of the coin: below this one cannot be turned into a vol
LEAST_PRICE = 5e-5

Row = dict[str, str]


def read(path: Path) -> list[Row]:
    """Rows of a gzipped CSV."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def seconds_of(text: str) -> int:
    """Unix seconds of an ISO time."""
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def calibrate_tenor(rows: list[Row], floor: svi.Svi | None) -> tuple[dict[str, Any], svi.Svi]:
    """One expiry: out-of-the-money marks to vols, vols to a slice that may follow `floor`."""
    seconds = seconds_of(rows[0]["expiry"]) - int(SNAPSHOT.timestamp())
    years = seconds / 31_536_000
    forward, index = float(rows[0]["underlying_price"]), float(rows[0]["index_price"])
    strike = np.array([float(r["strike"]) for r in rows])
    is_call = np.array([r["option_type"] == "call" for r in rows])
    price = np.array([float(r["mark_price"]) for r in rows]) * forward
    vol = black76.implied_vol(
        is_call=is_call, forward=forward, strike=strike, years=years, price=price, invalid="nan"
    )
    keep = (
        np.where(is_call, strike >= forward, strike < forward)
        & (price > LEAST_PRICE * forward)
        & np.isfinite(vol)
    )
    strike, vol = strike[keep], vol[keep]
    k, variance = np.log(strike / forward), vol**2 * years
    vega = black76.greeks(is_call=True, forward=forward, strike=strike, years=years, vol=vol).vega / forward
    # vega, plus a little so that the wings are not ignored, turned into a weight on total variance
    weights = (vega / np.sqrt(years) + 0.02) ** 2 / variance
    fitted = svi.calibrate(log_moneyness=k, variance=variance, weights=weights, floor=floor).quantise()
    parameters = svi.from_integers(fitted)
    model = np.sqrt(svi.total_variance(parameters=parameters, log_moneyness=k) / years)
    errors = [round(float(100 * x), 3) for x in np.abs(model - vol)]
    tenor = {
        "seconds": seconds,
        "log_basis_e12": round(float(np.log(forward / index)) * 10**12),
        "svi_e12": list(fitted),
        "errors_vol_points": errors,
    }
    return tenor, parameters


def surface(directory: Path) -> dict[str, Any]:
    """The whole chain, nearest expiry first."""
    by_expiry: dict[str, list[Row]] = defaultdict(list)
    for row in read(directory / CHAIN):
        by_expiry[row["expiry"]].append(row)
    tenors, floor = [], None
    for expiry in sorted(by_expiry):
        tenor, floor = calibrate_tenor(by_expiry[expiry], floor)
        tenors.append(tenor)
    return {
        "source": "Deribit ETH option chain, github.com/jiaxiang-cheng/definer data/deribit_options.csv",
        "licence": "MIT",
        "snapshot": SNAPSHOT.isoformat(),
        "tenors": tenors,
    }


def closes(directory: Path) -> list[list[str]]:
    """Hourly closes, one column per venue and coin; the time is the end of the bar."""
    table: dict[int, dict[str, str]] = defaultdict(dict)
    for row in read(directory / CANDLES):
        table[seconds_of(row["ts"]) + 3600][f"{row['venue']} {row['coin']}"] = row["close"]
    names = sorted(table[min(table)])
    return [["time", *names], *([str(time), *(table[time][n] for n in names)] for time in sorted(table))]


def main() -> int:
    """Write both tables."""
    parser = argparse.ArgumentParser(description="Make the recorded tables from the raw files.")
    parser.add_argument("directory", type=Path, help="directory with options/ and prices/")
    directory = parser.parse_args().directory
    missing = [str(p) for p in (CHAIN, CANDLES) if not (directory / p).exists()]
    if missing:
        print(f"nothing done: {', '.join(missing)} not found in {directory}", file=sys.stderr)
        return 0
    text = json.dumps(surface(directory), indent=1)
    (TABLES / "eth_surface.json").write_text(text + "\n", encoding="utf-8")
    with (TABLES / "perp_closes.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(closes(directory))
    return 0


if __name__ == "__main__":
    sys.exit(main())
