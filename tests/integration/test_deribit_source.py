"""Deribit as a source, over REST and streamed, on a recorded chain of ETH."""

import json
import time
from collections.abc import Iterator
from math import exp

import numpy as np
import pytest

from keeper.pricing import black76, svi
from keeper.sources.deribit import DeribitSource
from keeper.sources.deribit_feeds import RestFeed, StreamFeed
from keeper.sources.deribit_messages import BookSummary, quote_of_summary
from keeper.sources.deribit_rest import DeribitRest, Patience
from keeper.sources.deribit_stream import DeribitStream, Reconnect
from keeper.sources.source import Observation
from keeper.units.constants import SECONDS_PER_YEAR
from tests.support import deribit
from tests.support.deribit import INDEX, NOW, subscription

ETH = 2
JANUARY, MARCH, JUNE = 1_706_256_000, 1_711_699_200, 1_719_561_600
BETWEEN = 1_710_000_000
Streamed = tuple[DeribitSource, deribit.Stream, DeribitStream]
LISTED = {1: [], ETH: [JANUARY, BETWEEN, MARCH, JUNE]}


@pytest.fixture
def venue() -> Iterator[deribit.Rest]:
    with deribit.rest() as found:
        found.methods["get_instruments"] = lambda _: [
            {
                "instrument_name": s["instrument_name"],
                "kind": "option",
                "base_currency": "ETH",
                "is_active": True,
                "expiration_timestamp": 1,
            }
            for s in deribit.summaries()
        ]
        yield found


@pytest.fixture
def client(venue: deribit.Rest) -> Iterator[DeribitRest]:
    made = DeribitRest(venue.url, Patience(timeout=2.0, attempts=1))
    yield made
    made.close()


@pytest.fixture
def streamed(client: DeribitRest) -> Iterator[Streamed]:
    with deribit.stream() as venue:
        update = {"index_name": "eth_usd", "price": INDEX, "timestamp": NOW * 1_000 - 2_000}
        venue.frames = [
            subscription("deribit_price_index.eth_usd", update),
            subscription("ticker.ETH-PERPETUAL.agg2", deribit.perpetual()),
            *(subscription(f"ticker.{t['instrument_name']}.agg2", t) for t in deribit.option_tickers()),
        ]
        stream = DeribitStream(venue.url, Reconnect(first_pause=0.01, open_timeout=2))
        feed = StreamFeed(stream, client, ["ETH"], patience=15.0)
        stream.start()
        yield DeribitSource(feed, {ETH: "ETH"}), venue, stream
        stream.close()


def errors(found: Observation) -> list[float]:
    """Vol points between the marks of the recorded out-of-the-money options and the fitted slices."""
    away = []
    for summary in deribit.summaries():
        quote = quote_of_summary(BookSummary.model_validate(summary))
        assert quote is not None and quote.forward is not None and quote.mark is not None
        if quote.is_call != (quote.strike >= quote.forward):
            continue
        years = (quote.expiry - NOW) / SECONDS_PER_YEAR
        implied = black76.implied_vol(
            is_call=np.array([quote.is_call]),
            forward=np.array([quote.forward]),
            strike=np.array([quote.strike]),
            years=np.array([years]),
            price=np.array([quote.mark]),
        )
        slice_ = svi.from_integers(found.expiries[(ETH, quote.expiry)].svi)
        variance = svi.total_variance(parameters=slice_, log_moneyness=np.log(quote.strike / quote.forward))
        away.append(abs(float(implied[0]) - float(np.sqrt(variance / years))) * 100)
    return away


def check(found: Observation) -> None:
    """Spot, forwards and vols are those of the recorded chain."""
    assert found.spots == {ETH: round(INDEX * 10**8)}
    assert sorted(found.expiries) == [(ETH, e) for e in LISTED[ETH]]
    forwards = {
        q.expiry: q.forward
        for s in deribit.summaries()
        if (q := quote_of_summary(BookSummary.model_validate(s)))
    }
    for expiry in (JANUARY, MARCH, JUNE):
        assert found.expiries[(ETH, expiry)].forward == pytest.approx(forwards[expiry] * 1e8, rel=2e-4)  # type: ignore[operator]
    carry = found.expiries[(ETH, BETWEEN)].forward / found.spots[ETH]
    assert 1.0 < carry < exp(0.2 * (BETWEEN - NOW) / SECONDS_PER_YEAR)
    assert svi.arbitrage([svi.from_integers(found.expiries[(ETH, e)].svi) for e in LISTED[ETH]]) == []
    away = errors(found)
    assert len(away) > 50 and float(np.median(away)) < 0.5 and max(away) < 5.0


def test_observe__rest__recorded_chain_fitted(client: DeribitRest, venue: deribit.Rest) -> None:
    found = DeribitSource(RestFeed(client), {ETH: "ETH"}).observe(NOW, LISTED)
    check(found)
    assert [m for m, _ in venue.requests] == ["ticker", "get_book_summary_by_currency"]


def test_observe__streamed__same_market_and_the_older_age(
    streamed: Streamed,
) -> None:
    source, venue, stream = streamed
    source.observe(NOW, {ETH: []})  # looks up the options, which are then streamed
    deadline = time.monotonic() + 20
    while stream.board.counts["taken"] < len(venue.frames):
        assert time.monotonic() < deadline, stream.problem
        time.sleep(0.02)
    found = source.observe(NOW, LISTED)
    check(found)
    assert found.age == 2
    channels = [
        c for r in venue.asked[0] if r["method"] == "public/subscribe" for c in r["params"]["channels"]
    ]
    assert len(channels) == len(set(channels)) == 126


def test_observe__stream_then_silence__old_values_grow_old(
    streamed: Streamed,
) -> None:
    source, _, _ = streamed
    assert source.observe(NOW + 500, {ETH: []}).age == 502


def test_observe__stream_that_never_speaks__said_after_a_while(client: DeribitRest) -> None:
    stream = DeribitStream("ws://127.0.0.1:9", Reconnect(first_pause=0.01))
    source = DeribitSource(StreamFeed(stream, client, ["ETH"], patience=0.2), {ETH: "ETH"})
    stream.start()
    with pytest.raises(LookupError, match="deribit: nothing of ETH yet: deribit: stream: "):
        source.observe(NOW, {ETH: []})
    stream.close()


def test_observe__venue_without_the_coin__said(client: DeribitRest, venue: deribit.Rest) -> None:
    venue.methods["get_book_summary_by_currency"] = lambda _: []
    with pytest.raises(LookupError, match="no option quote of ETH is younger"):
        DeribitSource(RestFeed(client), {ETH: "ETH"}).observe(NOW, LISTED)


def test_observe__answer_of_another_shape__said(client: DeribitRest, venue: deribit.Rest) -> None:
    venue.methods["get_book_summary_by_currency"] = lambda _: [json.loads('{"instrument_name": 7}')]
    with pytest.raises(
        LookupError, match="get_book_summary_by_currency: malformed answer at 0.instrument_name"
    ):
        DeribitSource(RestFeed(client), {ETH: "ETH"}).observe(NOW, LISTED)
