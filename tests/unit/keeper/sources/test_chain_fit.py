"""Fits of whole chains: a made one always, the recorded ones where they are."""

import os
from pathlib import Path

import numpy as np
import pytest

from keeper.pricing import black76, svi
from keeper.sources.chain_fit import ChainFit, fit_chain, forward_of
from keeper.sources.chains import read_chain, read_quotes, snapshots
from keeper.sources.option_quote import Chain, OptionQuote, latest
from tests.support import option_chain

DATA = Path(os.environ.get("PLIMSOLL_DATA", Path(__file__).parents[5] / "shared" / "data")) / "options"
SEQUENCE = "deribit_btc_surface_sequence_20260128_20260202.csv.gz"
# largest median error of an expiry, vol points: half a point, one on the days of the crash
BARS = {
    "deribit_btc_chain_20260115T153452Z.csv.gz": 0.5,
    "deribit_eth_chain_20260115T153452Z.csv.gz": 0.5,
    "deribit_btc_chain_20260131T212133Z.csv.gz": 1.0,
    "deribit_eth_chain_20260131T212133Z.csv.gz": 1.0,
    "deribit_btc_chain_20260415T161504Z.csv.gz": 0.5,
    "deribit_eth_chain_20260415T161504Z.csv.gz": 0.5,
    "deribit_eth_chain_20240108.csv.gz": 0.5,
    "deribit_option_tickers_20210722.csv.gz": 0.5,
    "ivs_btc_20211021.csv.gz": 0.5,
    "ivs_spy_20220715.csv.gz": 0.5,
}


def recorded(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no raw file: {path} (set PLIMSOLL_DATA)")
    return path


def worst(fit: ChainFit) -> float:
    return max(piece.median_error for piece in fit.slices)


def made(path: Path) -> Chain:
    return read_chain(option_chain.write(path / "chain.csv", option_chain.rows()))


def test_fit_chain__made_chain__close_and_free_of_arbitrage(tmp_path: Path) -> None:
    fit = fit_chain(made(tmp_path))
    assert svi.arbitrage([piece.parameters for piece in fit.slices]) == []
    assert worst(fit) <= 0.1
    states = fit.slices[-1].quotes.states
    assert min(states[kind] for kind in ("two-sided", "one-sided", "crossed", "mark only")) >= 1
    for piece, smile in zip(fit.slices, option_chain.SMILES.values(), strict=True):
        assert piece.at_money_vol == pytest.approx(np.sqrt(smile.at_money / piece.quotes.years), abs=0.002)


def test_fit_chain__published_form__same_slices(tmp_path: Path) -> None:
    for piece in fit_chain(made(tmp_path)).slices:
        assert svi.from_integers(piece.parameters.quantise()) == piece.parameters


def test_fit_chain__wild_quotes__hardly_move_it(tmp_path: Path) -> None:
    rows = option_chain.rows()
    for row in rows[4::19]:
        row.update(mark_iv="3.5", bid_price="", ask_price="")
    fit = fit_chain(read_chain(option_chain.write(tmp_path / "c.csv", rows)))
    assert worst(fit) <= 0.3


def test_fit_chain__three_quotes_of_an_expiry__ssvi(tmp_path: Path) -> None:
    chain = made(tmp_path)
    first = chain.quotes[0].expiry
    few = [q for q in chain.quotes if q.expiry == first and abs(q.strike / 80_000 - 1) < 0.03][:3]
    quotes = tuple(few) + tuple(q for q in chain.quotes if q.expiry != first)
    fit = fit_chain(Chain(chain.timestamp, quotes))
    assert [piece.method for piece in fit.slices] == ["ssvi", "svi", "svi", "svi"]
    assert svi.arbitrage([piece.parameters for piece in fit.slices]) == []


def test_fit_chain__no_information__last_surface(tmp_path: Path) -> None:
    chain = made(tmp_path)
    last = fit_chain(chain).surface
    silent = latest(
        [OptionQuote("BTC", q.expiry, q.strike, q.is_call, q.timestamp, q.years) for q in chain.quotes[:4]]
    )
    silent = Chain(silent.timestamp, tuple(q for q in silent.quotes))
    with pytest.raises(ValueError, match="forward: too few strikes"):
        fit_chain(silent, last=last)
    known = latest(
        [
            OptionQuote("BTC", q.expiry, q.strike, q.is_call, q.timestamp, q.years, q.forward)
            for q in chain.quotes
        ]
    )
    assert fit_chain(known, last=last).surface == last
    with pytest.raises(ValueError, match="no quote of BTC says anything of a vol"):
        fit_chain(known)


def test_fit_chain__unknown_underlying__lookup_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="chains: name one of the underlyings BTC"):
        fit_chain(made(tmp_path), "ETH")


def test_fit_chain__progress__ends_at_one(tmp_path: Path) -> None:
    told: list[float] = []
    fit_chain(made(tmp_path), progress=told.append)
    assert told == sorted(told) and told[-1] == pytest.approx(1.0)


def test_forward_of__none_recorded__put_call_parity() -> None:
    quotes = [
        OptionQuote("BTC", 1, strike, is_call, 0, 0.5, bid=0.99 * value, ask=1.01 * value)
        for strike in (80.0, 100.0, 120.0)
        for is_call in (True, False)
        for value in [float(black76.price(is_call=is_call, forward=104.0, strike=strike, years=0.5, vol=0.7))]
    ]
    assert forward_of(quotes) == pytest.approx(104.0, rel=1e-9)


@pytest.mark.parametrize("name", sorted(BARS))
def test_fit_chain__recorded_chain__free_of_arbitrage_and_inside_the_bar(name: str) -> None:
    chain = read_chain(recorded(name))
    for underlying in chain.underlyings:
        fit = fit_chain(chain, underlying)
        assert svi.arbitrage([piece.parameters for piece in fit.slices]) == []
        assert worst(fit) <= BARS[name]


@pytest.mark.parametrize("index", [0, 3, 20])
def test_fit_chain__snapshots_of_the_crash__inside_the_bar(index: int) -> None:
    """In its last day an expiry's vols rise in proportion to |ln(K/F)|: five parameters do not bend so."""
    fit = fit_chain(snapshots(read_quotes(recorded(SEQUENCE)))[index])
    assert svi.arbitrage([piece.parameters for piece in fit.slices]) == []
    for piece in fit.slices:
        assert piece.median_error <= (1.0 if piece.quotes.years > 1 / 365 else 1.4)


def test_fit_chain__first_dozen_of_an_index__inside_the_bar() -> None:
    chain = read_chain(recorded("spx_ivs_20230215.csv.gz"))
    near = sorted({q.expiry for q in chain.quotes})[:12]
    fit = fit_chain(Chain(chain.timestamp, tuple(q for q in chain.quotes if q.expiry in near)))
    assert svi.arbitrage([piece.parameters for piece in fit.slices]) == []
    assert worst(fit) <= 0.5
