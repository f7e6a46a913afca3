"""Histories out of CSV: shapes, units, and what is wrong with a file said by line."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from keeper.sources.price_files import read_funding, read_price, read_prices

ROOT = Path(__file__).parents[4]
DATA = Path(os.environ.get("PLIMSOLL_DATA", ROOT.parent / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the recorded market data is not on this machine")

# Binance BTCUSDT perpetual, first hours of March 2020
BARS = """ts,open,high,low,close,volume
2020-03-01T00:00:00Z,8532.5,8618.47,8526.0,8554.99,7585.961
2020-03-01T01:00:00Z,8554.94,8657.76,8520.06,8646.81,
"""


def written(folder: Path, text: str, name: str = "btc.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_read_prices__bars__typed(tmp_path: Path) -> None:
    series = read_price(written(tmp_path, BARS))
    assert (series.name, series.interval) == ("btc", 3_600)
    assert list(series.timestamps) == [1_583_020_800, 1_583_024_400]
    assert list(series.close) == [8554.99, 8646.81]
    assert series.volume is not None and np.isnan(series.volume[1])


def test_read_prices__gzip__same_as_plain(tmp_path: Path) -> None:
    packed = tmp_path / "btc.csv.gz"
    packed.write_bytes(gzip.compress(BARS.encode()))
    assert list(read_price(packed).close) == [8554.99, 8646.81]


@pytest.mark.parametrize("moment", ["1583020800", "1583020800000", "2020-03-01", "2020-03-01 00:00:00"])
def test_read_prices__every_form_of_time__utc_seconds(tmp_path: Path, moment: str) -> None:
    assert list(read_price(written(tmp_path, f"time,close\n{moment},1\n")).timestamps) == [1_583_020_800]


def test_read_prices__several_series__split_by_what_they_are_of(tmp_path: Path) -> None:
    text = "ts,venue,coin,close\n1,a,BTC,10\n1,a,ETH,2\n2,a,BTC,11\n2,a,ETH,3\n"
    found = read_prices(written(tmp_path, text))
    assert {name: list(s.close) for name, s in found.items()} == {"a/BTC": [10, 11], "a/ETH": [2, 3]}
    with pytest.raises(LookupError, match="holds a/BTC, a/ETH: name one"):
        read_price(tmp_path / "btc.csv")
    assert list(read_price(tmp_path / "btc.csv", "a/ETH").close) == [2, 3]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: no time column"),
        ("ts,price\n", "line 1: no column close"),
        ("ts,close\n1,2\n2\n", "line 3: 1 cells under 2 columns"),
        ("ts,close\n1,abc\n", "line 2: close 'abc' is not a number"),
        ("ts,close\n1,nan\n", "line 2: close 'nan' is not a number"),
        ("ts,close\n1,0\n", "line 2: close 0 is not positive"),
        ("ts,close\nyesterday,1\n", "line 2: time 'yesterday' is neither"),
        ("ts,close\n2,1\n2,1\n", "line 3: time 2 is not after"),
        ("ts,open,high,low,close\n1,5,6,4,7\n", "line 2: open or close lies outside"),
    ],
)
def test_read_prices__faulty__file_line_and_remedy(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        read_prices(written(tmp_path, text))
    assert "btc.csv" in str(caught.value) and ", " in str(caught.value)


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08broken", b"ts,close\n\xff,1\n"])
def test_read_prices__no_text__value_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.csv.gz").write_bytes(content)
    with pytest.raises(ValueError, match="prices: .*x.csv.gz"):
        read_prices(tmp_path / "x.csv.gz")
    with pytest.raises(ValueError, match="cannot be read"):
        read_prices(tmp_path / "absent.csv")


def test_read_funding__spot_rows__passed_over(tmp_path: Path) -> None:
    text = "ts,venue,funding_rate\n0,a,0.0001\n0,spot,\n28800,a,-0.0002\n"
    found = read_funding(written(tmp_path, text))
    assert list(found) == ["a"] and list(found["a"].rates) == [0.0001, -0.0002]
    assert found["a"].interval == 28_800


@needs_data
def test_read_prices__recorded_files__rows_and_days_of_the_provenance() -> None:
    sol = read_price(DATA / "prices" / "solusdt_spot_1h_2020_2025.csv.gz")
    assert len(sol) == 41_350 and len(sol.daily()) == 1_724  # 2020-08-11 to 2025-04-30, ten bars missing
    venues = read_prices(DATA / "prices" / "perp_1h_multivenue_202504_tariff.csv.gz")
    assert len(venues) == 9 and {len(s.daily()) for s in venues.values()} == {15}
    funding = read_funding(DATA / "funding" / "btcusdt_funding_8h_2020_2023.csv.gz")
    assert sorted(funding) == [f"{v}/BTC-USDT" for v in ("binance", "bybit", "htx", "kucoin")]
    assert {s.interval for s in funding.values()} == {28_800}
