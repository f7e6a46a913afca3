"""The stream against a venue on this machine: heartbeats, lost connections, silence, nonsense."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from keeper.sources.deribit_stream import DeribitStream, Reconnect, index_channel, ticker_channel
from tests.support import deribit
from tests.support.deribit import MESSAGES, subscription

CHANNELS = [index_channel("btc_usd"), ticker_channel("BTC-24JUN22-15000-C")]
INDEX = json.dumps(MESSAGES["index_notification"])
TICKER = subscription(CHANNELS[1], MESSAGES["option_ticker"])
Asked = list[dict[str, Any]]


@pytest.fixture
def venue() -> Iterator[deribit.Stream]:
    with deribit.stream() as found:
        found.frames = [INDEX, TICKER]
        yield found


@pytest.fixture
def client(venue: deribit.Stream) -> Iterator[DeribitStream]:
    made = DeribitStream(
        venue.url, Reconnect(silence=0.6, first_pause=0.01, longest_pause=0.05, open_timeout=2)
    )
    made.watch(CHANNELS)
    yield made
    made.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait a little for it."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)


def taken(client: DeribitStream) -> bool:
    return client.board.counts["taken"] >= 2


def test_start__plain_venue__heartbeat_set_and_board_filled(
    venue: deribit.Stream, client: DeribitStream
) -> None:
    client.start()
    until(lambda: taken(client))
    assert client.problem == ""
    assert client.board.indices()["btc_usd"].price == 6521.17
    assert client.board.tickers()["BTC-24JUN22-15000-C"].mark_iv == 87.27
    assert [(r["method"], r["params"]) for r in venue.asked[0]] == [
        ("public/set_heartbeat", {"interval": 10}),
        ("public/subscribe", {"channels": sorted(CHANNELS)}),
    ]


def test_test_request__answered(venue: deribit.Stream, client: DeribitStream) -> None:
    venue.frames = [INDEX, json.dumps(MESSAGES["test_request"])]
    client.start()
    until(lambda: any(r["method"] == "public/test" for asked in venue.asked for r in asked))


def test_connection_lost__back_with_every_subscription(venue: deribit.Stream, client: DeribitStream) -> None:
    def lose(socket: ServerConnection, asked: Asked) -> None:
        asked += [json.loads(socket.recv()), json.loads(socket.recv())]
        socket.send(INDEX)
        socket.close(1012)

    venue.scripts += [lose, lose]
    client.start()
    until(lambda: client.connections >= 3 and "BTC-24JUN22-15000-C" in client.board.tickers())
    assert venue.asked[2][1]["params"] == {"channels": sorted(CHANNELS)}


def test_silence__connection_given_up(venue: deribit.Stream, client: DeribitStream) -> None:
    venue.scripts.append(lambda socket, _: time.sleep(2))
    client.start()
    until(lambda: client.connections >= 1)
    until(lambda: "nothing heard" in client.problem or taken(client))
    until(lambda: taken(client))
    assert client.connections == 2


@pytest.mark.parametrize(
    ("frame", "count"),
    [
        ("{", "malformed"),
        ("[1]", "malformed"),
        (b"\xff\x00", "malformed"),
        (subscription(CHANNELS[0], {"index_name": "btc_usd", "price": -1, "timestamp": 1}), "malformed"),
        (subscription(CHANNELS[0], {"index_name": "btc_usd", "price": 9.0, "timestamp": 1}), "late"),
        (subscription("trades.BTC", {}), "unknown"),
    ],
)
def test_frame__not_to_be_used__counted_and_nothing_changes(
    venue: deribit.Stream, client: DeribitStream, frame: str | bytes, count: str
) -> None:
    venue.frames = [INDEX, frame, TICKER]
    client.start()
    until(lambda: taken(client))
    assert client.board.counts[count] == 1 and client.connections == 1
    assert client.board.indices()["btc_usd"].price == 6521.17


def test_nonsense_without_end__connection_given_up(venue: deribit.Stream, client: DeribitStream) -> None:
    def talk(socket: ServerConnection, _: Asked) -> None:
        for _ in range(50):
            socket.send("nonsense")
        time.sleep(1)

    venue.scripts.append(talk)
    client.start()
    until(lambda: taken(client))
    assert client.board.counts["malformed"] == 20 and client.connections == 2


def test_refusal__reconnects_and_says_why(venue: deribit.Stream, client: DeribitStream) -> None:
    def refuse(socket: ServerConnection, _: Asked) -> None:
        socket.recv()
        socket.send(json.dumps(MESSAGES["too_many_requests"]))
        time.sleep(0.3)

    venue.scripts += [refuse] * 20
    client.start()
    until(lambda: "refused with 10028 too_many_requests" in client.problem)


def test_watch__other_channels__changed_on_the_same_connection(
    venue: deribit.Stream, client: DeribitStream
) -> None:
    client.start()
    until(lambda: taken(client))
    client.watch([CHANNELS[0]])
    until(lambda: not client.board.tickers())
    until(lambda: venue.asked[0][-1]["method"] == "public/unsubscribe")
    assert venue.asked[0][-1]["params"] == {"channels": [CHANNELS[1]]}


def test_start__nobody_there__keeps_trying(client: DeribitStream) -> None:
    lonely = DeribitStream("ws://127.0.0.1:9", Reconnect(first_pause=0.01, longest_pause=0.02))
    lonely.start()
    until(lambda: "deribit: stream:" in lonely.problem)
    lonely.close()
