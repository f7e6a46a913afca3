"""What a request passes before the application sees it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from keeper.chain.keys import signer_of
from keeper.network.limits import Limits
from keeper.network.peers import Door, authorize, domain_of
from keeper.network.reception import Reception, peer_of

DOMAIN = domain_of(31_337, "0x" + "11" * 20)
PEER, OTHER = signer_of(b"\x01" * 32), signer_of(b"\x03" * 32)


class Hall:
    """An application behind a reception: /sign for peers, /read for everybody."""

    def __init__(self, limits: Limits = Limits(), door: bool = True) -> None:  # noqa: B008  frozen
        self.counted: list[tuple[str, int]] = []
        app = FastAPI()
        self.entered, self.leave = asyncio.Event(), asyncio.Event()

        @app.post("/sign")
        async def sign(request: Request) -> dict[str, Any]:
            return {"peer": peer_of(request.scope).address, "body": (await request.body()).decode()}

        @app.get("/read/{number}")
        async def read(number: int) -> int:
            return number

        @app.get("/wait")
        async def wait() -> str:
            self.entered.set()
            await self.leave.wait()
            return "done"

        known = Door(DOMAIN, lambda: {PEER.address, OTHER.address}) if door else None
        count = self._count
        app.add_middleware(Reception, limits, known, frozenset({"/sign"}), {"/read/9": 9}, count)
        self.app = app
        self.client = TestClient(app)

    def _count(self, path: str, status: int) -> None:
        self.counted.append((path, status))

    def sign(self, body: bytes = b"x", signer: Any = PEER, **headers: str) -> httpx.Response:
        asked = {"authorization": authorize(signer, DOMAIN, "POST", "/sign", body)} | headers
        return self.client.post("/sign", content=body, headers=asked)


def test_call__peer__seen_by_the_application_with_the_body_whole() -> None:
    hall = Hall()
    assert hall.sign(b"hello").json() == {"peer": PEER.address, "body": "hello"}
    assert hall.counted == [("/sign", 200)]


def test_call__no_peer__refused_with_the_reason_and_the_connection_closed() -> None:
    hall = Hall()
    answer = hall.client.post("/sign", content=b"x")
    assert answer.status_code == 401 and "authorization header" in answer.json()["detail"]
    assert answer.headers["connection"] == "close"
    assert hall.counted == [("other", 401)]


def test_call__same_header_again__refused() -> None:
    hall, header = Hall(), authorize(PEER, DOMAIN, "POST", "/sign", b"x")
    asked = {"authorization": header}
    assert hall.client.post("/sign", content=b"x", headers=asked).status_code == 200
    assert hall.client.post("/sign", content=b"x", headers=asked).status_code == 401


def test_call__nobody_is_let_in__path_is_not_there() -> None:
    assert Hall(door=False).sign().status_code == 404


def test_call__body_in_chunks_without_length__bounded_while_it_streams() -> None:
    taken = []

    def chunks() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield b"x" * 1_024

    answer = Hall(Limits(max_body_bytes=2_048)).client.post("/sign", content=chunks())
    assert answer.status_code == 413 and "2048 bytes" in answer.json()["detail"]


def test_call__address_beyond_its_rate__refused_but_health_is_always_told() -> None:
    hall = Hall(Limits(requests_per_second=0.001, burst=2))
    codes = [hall.client.get(f"/read/{n}").status_code for n in range(4)]
    assert codes == [200, 200, 429, 429]
    assert hall.client.get("/read/1").headers["retry-after"] == "1"
    assert hall.client.get("/live").status_code == 404  # asked for, only not there in this application
    assert hall.counted[:2] == [("/read/{number}", 200)] * 2


def test_call__dear_path__takes_more_of_the_same_budget() -> None:
    hall = Hall(Limits(requests_per_second=0.001, burst=12))
    codes = [hall.client.get(f"/read/{n}").status_code for n in (9, 9, 1, 1, 1, 1)]
    assert codes == [200, 429, 200, 200, 200, 429]


def test_call__peer_beyond_its_rate__another_is_still_let_in() -> None:
    hall = Hall(Limits(requests_per_second=0.001, burst=3))
    assert [hall.sign().status_code for _ in range(3)] == [200, 200, 200]
    _reception(hall.app)._addresses._levels.clear()  # the address has tokens again, the peer has none
    answer = hall.sign()
    assert answer.status_code == 429 and "this peer" in answer.json()["detail"]
    assert hall.sign(signer=OTHER).status_code == 200


def _reception(app: FastAPI) -> Reception:
    found: Any = app.middleware_stack
    while not isinstance(found, Reception):
        found = found.app
    return found


def test_call__all_readers_busy__readers_are_refused_and_peers_are_not() -> None:
    hall = Hall(Limits(concurrent_reads=1))

    async def meet() -> list[int]:
        transport = httpx.ASGITransport(app=hall.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://keeper") as client:
            waiting = asyncio.create_task(client.get("/wait"))
            await hall.entered.wait()
            refused = await client.get("/read/1")
            header = {"authorization": authorize(PEER, DOMAIN, "POST", "/sign", b"x")}
            signed = await client.post("/sign", content=b"x", headers=header)
            hall.leave.set()
            return [refused.status_code, signed.status_code, (await waiting).status_code]

    assert asyncio.run(meet()) == [503, 200, 200]


@pytest.mark.parametrize("path", ["/read/1?x=" + "y" * 2_000, "/nowhere/" + "z" * 200])
def test_call__whatever_path__counted_under_few_names(path: str) -> None:
    hall = Hall()
    hall.client.get(path)
    assert {name for name, _ in hall.counted} <= {"/read/{number}", "other"}
