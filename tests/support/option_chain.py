"""A small option chain in the columns of a venue's file: prices of known smiles, rounded to ticks, with
crossed, one-sided and empty quotes among them.
"""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from keeper.pricing import black76, svi

MOMENT = datetime(2026, 1, 31, 21, 0, tzinfo=UTC)
SPOT = 80_000.0
TICK = 0.0001
SMILES = {
    2: svi.Svi(0.0004, 0.02, -0.2, 0.0, 0.05),
    9: svi.Svi(0.001, 0.05, -0.15, 0.01, 0.12),
    40: svi.Svi(0.002, 0.1, -0.1, 0.02, 0.3),
    200: svi.Svi(0.01, 0.2, -0.05, 0.05, 0.7),
}


def rows(moment: datetime = MOMENT) -> list[dict[str, str]]:
    """The chain; of every eleven quotes one is crossed, one lacks its bid, one its ask and one both."""
    found = []
    for days, smile in SMILES.items():
        expiry = moment + timedelta(days=days)
        years = days / 365
        forward = SPOT * (1.0 + 0.05 * years)
        reach = 2.5 * np.sqrt(smile.at_money)
        strikes = np.unique(np.round(forward * np.exp(np.linspace(-reach, reach, 17)), -3))
        for strike in strikes:
            for kind in ("call", "put"):
                found.append(_row(moment, expiry, years, forward, float(strike), kind, smile, len(found)))
    return found


def write(path: Path, lines: list[dict[str, str]]) -> Path:
    """The rows as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path


def _row(
    moment: datetime,
    expiry: datetime,
    years: float,
    forward: float,
    strike: float,
    kind: str,
    smile: svi.Svi,
    number: int,
) -> dict[str, str]:
    w = svi.total_variance(parameters=smile, log_moneyness=np.log(strike / forward))
    vol = float(np.sqrt(w / years))
    value = black76.price(is_call=kind == "call", forward=forward, strike=strike, years=years, vol=vol)
    mark = float(value) / forward
    bid, ask = np.floor(0.99 * mark / TICK) * TICK, np.ceil(1.01 * mark / TICK) * TICK
    if number % 11 == 3:
        bid, ask = ask, bid
    empty = {5: ("bid_price",), 7: ("ask_price",), 9: ("bid_price", "ask_price")}.get(number % 11, ())
    row = {
        "snapshot_ts": moment.isoformat(),
        "instrument_name": f"BTC-{strike:.0f}-{kind}",
        "currency": "BTC",
        "option_type": kind,
        "strike": f"{strike}",
        "expiry": expiry.isoformat(),
        "underlying_price": f"{forward}",
        "index_price": f"{SPOT}",
        "bid_price": f"{bid:.4f}",
        "ask_price": f"{ask:.4f}",
        "mark_price": f"{mark:.6f}",
        "mark_iv": f"{vol:.4f}",
    }
    return {name: "" if name in empty else text for name, text in row.items()}
