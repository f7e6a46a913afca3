"""Rates, room and bodies: what is too much is refused at once."""

import asyncio
from typing import Any

import pytest

from keeper.network.limits import Buckets, Limits, Refused, Room, read_body


def test_take__burst_then_rate__one_key_does_not_touch_another() -> None:
    moment = [0.0]
    buckets = Buckets(rate=2, burst=3, clock=lambda: moment[0])
    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b")
    moment[0] = 0.5
    assert [buckets.take("a") for _ in range(2)] == [True, False]
    moment[0] = 100.0
    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]


def test_take__many_keys__only_so_many_are_remembered() -> None:
    buckets = Buckets(rate=1, burst=1, clock=lambda: 0.0)
    for number in range(10_000):
        buckets.take(str(number))
    assert len(buckets._levels) == 4_096


def test_room__full__refused_and_free_again_after_a_failure() -> None:
    room = Room(1)
    with room, pytest.raises(Refused) as caught, room:
        pytest.fail("there was room for two")
    assert caught.value.status == 503
    with pytest.raises(ZeroDivisionError), room:
        _ = 1 / 0
    with room:
        pass


def parts(*bodies: bytes, ends: bool = True) -> Any:
    """What arrives, in parts; without an end nothing more ever comes."""
    waiting = list(bodies)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.sleep(60)
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting) or not ends}

    return receive


def refusal(receive: Any, limits: Limits) -> int:
    with pytest.raises(Refused) as caught:
        asyncio.run(read_body(receive, limits))
    return caught.value.status


def test_read_body__in_parts__whole() -> None:
    assert asyncio.run(read_body(parts(b"ab", b"", b"c"), Limits(max_body_bytes=3))) == b"abc"


def test_read_body__one_byte_too_many__refused_before_the_end() -> None:
    assert refusal(parts(b"ab", b"cd", ends=False), Limits(max_body_bytes=3)) == 413


def test_read_body__never_ends__refused_in_time() -> None:
    assert refusal(parts(b"ab", ends=False), Limits(body_seconds=0.02)) == 408


def test_read_body__client_leaves__refused() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert refusal(receive, Limits()) == 400
