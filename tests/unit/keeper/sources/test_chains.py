"""Option files: every shape, snapshots, and errors that say where and what to do."""

import gzip
from pathlib import Path

import pytest

from keeper.sources.chains import read_chain, read_quotes
from keeper.sources.option_quote import OptionQuote, QuoteState, latest
from tests.support import option_chain

TICKERS = """\
ts,instrument_name,underlying_price,index_price,bid_price,ask_price,mark_price,bid_iv,ask_iv,mark_iv
2021-07-22T22:42:02.929Z,BTC-24SEP21-34000-P,32374.0,32201.0,0.1555,0.1585,0.1568,75.93,77.74,76.57
2021-07-22T22:42:34.146Z,BTC-24SEP21-34000-P,32374.6,32201.7,0.1556,0.1585,0.1568,75.95,77.74,76.58
2021-07-22T22:42:30.827Z,ETH-23JUL21-2300-C,2005.98,2001.5,0.0,0.001,0.0002,0.0,227.11,111.39
"""
VOLS = """\
snapshot_ts,ticker,expiry_label,ttm_years,forward,discount_factor,option_type,strike,bid_iv,ask_iv
2022-07-15,SPY,2w,0.056,382.8,0.9988,put,342.0,0.296,0.298
"""
INDEX = """\
date,expiry,ttm_years,strike,bid_iv,ask_iv,forward,call_mid
2023-02-15,20230317,0.0821,4200.0,,0.151,4155.7,
2023-02-15,20230317,0.0821,4000.0,0.17,0.172,4155.7,190.1
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_read_chain__prices_in_coin__usd(tmp_path: Path) -> None:
    chain = read_chain(option_chain.write(tmp_path / "c.csv", option_chain.rows()))
    quote = chain.quotes[1]
    assert (quote.underlying, quote.timestamp) == ("BTC", int(option_chain.MOMENT.timestamp()))
    assert quote.expiry - quote.timestamp == 2 * 86_400
    assert quote.years == pytest.approx(2 / 365)
    assert quote.mark is not None and quote.forward is not None
    assert quote.mark == pytest.approx(quote.forward - quote.strike, rel=0.03)  # deep in the money


def test_read_chain__gzipped__same(tmp_path: Path) -> None:
    plain = option_chain.write(tmp_path / "c.csv", option_chain.rows())
    packed = tmp_path / "c.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_chain(packed) == read_chain(plain)


def test_read_chain__tickers__vols_from_percent_and_the_last_of_each(tmp_path: Path) -> None:
    chain = read_chain(written(tmp_path / "t.csv", TICKERS))
    assert chain.underlyings == ("BTC", "ETH") and chain.repeated == 1
    put = chain.quotes[0]
    assert (put.strike, put.is_call, put.expiry) == (34_000.0, False, 1_632_470_400)
    assert (put.bid_vol, put.mark_vol) == (pytest.approx(0.7595), pytest.approx(0.7658))
    assert put.bid == pytest.approx(0.1556 * 32_374.6)


def test_read_chain__zero_of_a_ticker__no_quote(tmp_path: Path) -> None:
    call = read_chain(written(tmp_path / "t.csv", TICKERS)).quotes[-1]
    assert call.bid is None and call.bid_vol is None and call.state is QuoteState.ONE_SIDED


def test_read_chain__vols_by_time__expiry_after_the_snapshot(tmp_path: Path) -> None:
    quote = read_chain(written(tmp_path / "v.csv", VOLS)).quotes[0]
    assert (quote.underlying, quote.years, quote.discount) == ("SPY", 0.056, 0.9988)
    assert quote.expiry - quote.timestamp == round(0.056 * 31_536_000)


def test_read_chain__index_vols__out_of_the_money_and_named_by_the_file(tmp_path: Path) -> None:
    put, call = read_chain(written(tmp_path / "spx_20230215.csv", INDEX)).quotes
    assert (put.underlying, put.is_call, call.is_call) == ("SPX", False, True)
    assert call.state is QuoteState.ONE_SIDED and put.state is QuoteState.TWO_SIDED


def test_read_chain__several_snapshots__the_last_not_after(tmp_path: Path) -> None:
    early = option_chain.rows()
    late = [{**row, "snapshot_ts": "2026-01-31T22:00:00+00:00"} for row in early]
    path = option_chain.write(tmp_path / "c.csv", late + early)
    start = int(option_chain.MOMENT.timestamp())
    assert read_chain(path).timestamp == start + 3_600
    assert read_chain(path, start + 3_599).timestamp == start


def test_read_chain__before_the_first_snapshot__says_when_it_is(tmp_path: Path) -> None:
    path = option_chain.write(tmp_path / "c.csv", option_chain.rows())
    with pytest.raises(
        LookupError, match=r"c\.csv has no snapshot as early; the first is of 2026-01-31T21:00"
    ):
        read_chain(path, 0)


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("strike", "high", "strike 'high' is not a number"),
        ("strike", "-1", "strike must be above zero, it is -1"),
        ("strike", "", "strike is empty"),
        ("strike", "inf", "strike 'inf' is not finite"),
        ("bid_price", "-0.01", "bid_price -0.01 is negative"),
        ("option_type", "straddle", "option_type 'straddle' is neither call nor put"),
        ("expiry", "soon", "expiry 'soon' is no ISO-8601 time"),
        ("underlying_price", "", "underlying_price is empty"),
    ],
)
def test_read_quotes__bad_cell__file_line_and_remedy(
    tmp_path: Path, column: str, text: str, reason: str
) -> None:
    rows = option_chain.rows()[:3]
    rows[1][column] = text
    path = option_chain.write(tmp_path / "c.csv", rows)
    expected = f"chains: c.csv line 3: {reason}; correct or remove the row"
    with pytest.raises(ValueError) as caught:
        read_quotes(path)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [("BTC-PERPETUAL", "is not of the form BTC-24SEP21-34000-P"), ("BTC-99SEP21-3-P", "holds no date")],
)
def test_read_quotes__bad_instrument_name__refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_quotes(written(tmp_path / "t.csv", TICKERS.replace("BTC-24SEP21-34000-P", name)))


def test_read_quotes__column_missing__nearest_shape_and_columns_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no known shape; for a vols by expiry date add ask_iv, forward"):
        read_quotes(written(tmp_path / "i.csv", "date,expiry,ttm_years,strike,bid_iv\n"))


def test_read_quotes__no_file__lookup_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="chains: no file"):
        read_quotes(tmp_path / "none.csv")


def test_read_quotes__not_gzip__refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a CSV file in UTF-8"):
        read_quotes(written(tmp_path / "c.csv.gz", "plain"))


def test_latest__expired_quote__left_out() -> None:
    dead = OptionQuote("BTC", 100, 1.0, True, 200, 0.0, mark_vol=0.5)
    assert latest([dead]).expired == 1


def test_latest__nothing__refused() -> None:
    with pytest.raises(ValueError, match="chains: no quotes"):
        latest([])
