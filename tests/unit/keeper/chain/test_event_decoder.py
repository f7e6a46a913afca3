"""The compiled decoder against eth_abi, for every event that the index reads."""

import re
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.chain import abi_codec
from keeper.chain.abi_codec import Event
from keeper.chain.index import WATCHED

EVENTS = [event for name in WATCHED for event in abi_codec.load(name).events.values()]
IDS = [f"{name}-{event.name}" for name in WATCHED for event in abi_codec.load(name).events.values()]
WORDS = st.binary(min_size=32, max_size=32)


def of_type(kind: str) -> st.SearchStrategy[Any]:
    if kind.endswith("[]"):
        return st.lists(of_type(kind[:-2]), max_size=4)
    if kind.startswith("("):
        return st.tuples(*(of_type(member) for member in kind[1:-1].split(",")))
    if kind == "bool":
        return st.booleans()
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex())
    if kind == "string":
        return st.text(max_size=40)
    name, size = re.fullmatch(r"([a-z]+)(\d+)", kind).groups()
    if name == "bytes":
        return st.binary(min_size=int(size), max_size=int(size))
    bits = int(size)
    low, high = (0, 2**bits - 1) if name == "uint" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.one_of(st.sampled_from([low, high, 0, 1]), st.integers(low, high))


def reference(event: Event, topics: list[str], data: bytes) -> dict[str, Any]:
    """As eth_abi decodes it."""
    values = {
        name: decode([kind], bytes.fromhex(topic[2:]))[0]
        for (name, kind), topic in zip(event.indexed, topics[1:], strict=True)
    }
    values |= zip([n for n, _ in event.plain], decode([k for _, k in event.plain], data), strict=True)
    return {
        name: dict(zip(event.fields[name], plain(value), strict=True))
        if name in event.fields
        else plain(value)
        for name, value in values.items()
    }


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def outcome(function: Any, *arguments: Any) -> Any:
    """What comes out; `refused` for an error of either kind."""
    try:
        return function(*arguments)
    except (DecodingError, ValueError, OverflowError):
        return "refused"


@pytest.mark.parametrize("event", EVENTS, ids=IDS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_decode__any_arguments__as_eth_abi(event: Event, data: st.DataObject) -> None:
    kinds = [kind for _, kind in event.plain]
    topics = [event.topic]
    topics += ["0x" + encode([k], [data.draw(of_type(k))]).hex() for _, k in event.indexed]
    body = encode(kinds, [data.draw(of_type(kind)) for kind in kinds])
    expected = reference(event, topics, body)
    assert event.decode(topics, body) == expected
    assert event.decode(topics, body + b"\x01") == expected, "what follows is nobody's"
    if body:
        with pytest.raises((DecodingError, ValueError)):
            event.decode(topics, body[:-33] if len(body) > 32 else b"")


@pytest.mark.parametrize("event", EVENTS, ids=IDS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_decode__any_words__accepts_and_refuses_what_eth_abi_does(event: Event, data: st.DataObject) -> None:
    small = st.integers(0, 2**9).map(lambda n: n.to_bytes(32, "big"))
    ones = st.just(b"\xff" * 32)
    word = st.one_of(small, ones, WORDS)
    topics = [event.topic, *("0x" + data.draw(word).hex() for _ in event.indexed)]
    body = b"".join(data.draw(st.lists(word, max_size=14)))
    assert outcome(event.decode, topics, body) == outcome(reference, event, topics, body)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_decode__other_number_of_topics__refused(count: int) -> None:
    event = next(e for e in EVENTS if e.name == "PositionChanged")
    with pytest.raises(ValueError):
        event.decode([event.topic] * count, bytes(32 * 7))


def test_decode__topic_is_no_word__refused() -> None:
    event = next(e for e in EVENTS if e.name == "AccountFrozen")
    with pytest.raises(DecodingError, match="is no word"):
        event.decode([event.topic, "0x01"], bytes(64))
