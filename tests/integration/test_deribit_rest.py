"""The REST client against a venue on this machine: what it retries, and what it says when it gives up."""

from collections.abc import Iterator

import pytest

from keeper.sources.deribit_rest import DeribitError, DeribitRest, Patience, RateLimitError
from tests.support import deribit
from tests.support.deribit import MESSAGES, Answer


@pytest.fixture
def venue() -> Iterator[deribit.Rest]:
    with deribit.rest() as found:
        yield found


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(venue: deribit.Rest, pauses: list[float]) -> Iterator[DeribitRest]:
    made = DeribitRest(venue.url, Patience(timeout=0.5, attempts=3), sleep=pauses.append)
    yield made
    made.close()


def test_book_summaries__recorded_chain__every_row(venue: deribit.Rest, client: DeribitRest) -> None:
    found = client.book_summaries("ETH")
    assert len(found) == 124
    assert venue.requests == [("get_book_summary_by_currency", {"currency": "ETH", "kind": "option"})]


def test_ticker__recorded_perpetual__typed(client: DeribitRest, venue: deribit.Rest) -> None:
    venue.queue.append(Answer(MESSAGES["perpetual"]))
    found = client.ticker("BTC-PERPETUAL")
    assert (found.index_price, found.mark_price, found.timestamp) == (7748.01, 7750.02, 1_583_778_859_480)


def test_tickers__many__in_order(client: DeribitRest, venue: deribit.Rest) -> None:
    venue.methods["ticker"] = lambda p: {**deribit.perpetual(), "instrument_name": p["instrument_name"]}
    names = [f"ETH-{i}" for i in range(20)]
    assert [t.instrument_name for t in client.tickers(names)] == names


@pytest.mark.parametrize(
    "fault",
    [
        Answer(MESSAGES["too_many_requests"], 429),
        Answer(MESSAGES["too_many_requests"]),
        Answer(b"<html>502 Bad Gateway</html>", 502),
        Answer(None),
        Answer({}, delay=1.0),
    ],
    ids=["429", "10028", "502", "closed", "timeout"],
)
def test_call__passing_fault__retried(
    client: DeribitRest, venue: deribit.Rest, pauses: list[float], fault: Answer
) -> None:
    venue.queue.append(fault)
    assert client.index_price("btc_usd") == 11_628.81
    assert len(venue.requests) == 2 and len(pauses) == 1


def test_call__refused_every_time__says_so_after_growing_pauses(
    client: DeribitRest, venue: deribit.Rest, pauses: list[float]
) -> None:
    venue.queue.extend([Answer(MESSAGES["too_many_requests"], 429)] * 3)
    with pytest.raises(RateLimitError, match=r"get_index_price: too many requests \(3 attempts\)"):
        client.index_price("btc_usd")
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1.0 and len(pauses) == 2


def test_call__venue_asks_for_a_long_pause__given_up_at_once(
    client: DeribitRest, venue: deribit.Rest, pauses: list[float]
) -> None:
    venue.queue.append(Answer(b"", 429, {"Retry-After": "3600"}))
    with pytest.raises(RateLimitError, match=r"\(1 attempts\)"):
        client.index_price("btc_usd")
    assert pauses == []


def test_call__wrong_argument__not_retried(client: DeribitRest, venue: deribit.Rest) -> None:
    venue.queue.append(Answer(MESSAGES["bad_argument"], 400))
    with pytest.raises(DeribitError, match=r"ticker: refused with -32602 Invalid params \(wrong format\)"):
        client.ticker("nonsense")
    assert len(venue.requests) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", "no JSON-RPC result"),
        ([], "no JSON-RPC result"),
        ({"result": {"index_price": "NaN"}}, "malformed answer at index_price"),
        ({"result": {"index_price": -1}}, "malformed answer at index_price"),
        ({"result": {}}, "malformed answer at index_price: field required"),
        ({"result": None}, "malformed answer"),
    ],
)
def test_call__malformed__named_and_not_retried(
    client: DeribitRest, venue: deribit.Rest, body: object, reason: str
) -> None:
    venue.queue.append(Answer(body))
    with pytest.raises(DeribitError, match=reason):
        client.index_price("btc_usd")
    assert len(venue.requests) == 1


def test_call__nobody_there__one_sentence(pauses: list[float]) -> None:
    client = DeribitRest("http://127.0.0.1:9", Patience(attempts=2), sleep=pauses.append)
    with pytest.raises(DeribitError, match=r"no answer, ConnectError \(2 attempts\)"):
        client.index_price("btc_usd")
