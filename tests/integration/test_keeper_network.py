"""Keepers over real sockets: slow, large, many and malformed requests hold nobody else up; peers hear each
other."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from keeper.attestation.typed_data import digest, preimage
from keeper.chain.keys import Signer, signer_of
from keeper.network.client import Attesters
from keeper.network.limits import Limits
from keeper.network.peers import Door, Peer, domain_of
from keeper.network.schemas import (
    EpochMessage,
    EpochProposal,
    ProposalsAnswer,
    SignatureAnswer,
    hex_text,
)
from keeper.network.server import Refusal, create_app
from tests.support.serving import serving

DOMAIN = domain_of(31_337, "0x" + "11" * 20)  # of peers
QUORUM = domain_of(31_337, "0x" + "22" * 20)
PROPOSER, STRANGER = signer_of(b"\x0a" * 32), signer_of(b"\x0b" * 32)
MEMBERS = [signer_of(bytes([i]) * 32) for i in (1, 2, 3)]
ADDRESSES = [member.address for member in MEMBERS]
LIMITS = Limits(
    header_seconds=0.5,
    body_seconds=0.5,
    max_body_bytes=64 * 1024,
    connections_per_address=12,
    requests_per_second=200,
    burst=400,
)


def proposal(number: int = 8) -> EpochProposal:
    zero = "0x" + "00" * 32
    hashes = ("block_hash", "snapshot_hash", "methodology_hash", "market_root", "margin_root", "spots_hash")
    epoch = EpochMessage(number=number, timestamp=1, block_number=1, **dict.fromkeys(hashes, zero))
    return EpochProposal(patience_seconds=5, market="{}", epoch=epoch)


def message(asked: EpochProposal) -> bytes:
    return preimage(QUORUM, asked.epoch.to_epoch().struct_hash())


def digest_of(asked: EpochProposal) -> bytes:
    return digest(QUORUM, asked.epoch.to_epoch().struct_hash())


@dataclass
class Member:
    """Signs whatever a peer asks, after `seconds`, or something else."""

    signer: Signer
    seconds: float = 0.0
    says: Callable[[EpochProposal], EpochProposal] = lambda asked: asked
    refuses: str = ""
    asked: int = 0

    def sign_epoch(self, asked: EpochProposal, _peer: Peer) -> SignatureAnswer:
        self.asked += 1
        if self.refuses:
            raise Refusal(self.refuses)
        time.sleep(self.seconds)
        said = self.says(asked)
        r, vs = self.signer.sign(message(said)).compact
        found = hex_text(digest_of(said))
        return SignatureAnswer(signer=self.signer.address, digest=found, r=hex_text(r), vs=str(vs))

    def sign_report(self, _asked: Any, _peer: Peer) -> SignatureAnswer:
        raise Refusal("no reports here")

    def proposals(self, _number: int) -> ProposalsAnswer:
        return ProposalsAnswer(proposals=[])


class Nothing:
    """No epoch is served."""

    def latest(self) -> None:
        return None

    def get(self, _number: int) -> None:
        return None

    def snapshot_text(self, _number: int) -> None:
        return None

    def inputs_text(self, _number: int) -> None:
        return None


def app_of(member: Member, limits: Limits = LIMITS) -> FastAPI:
    door = Door(DOMAIN, lambda: {PROPOSER.address, *ADDRESSES})
    return create_app(Nothing(), lambda: {"ready": True}, attester=member, door=door, limits=limits)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(app_of(Member(MEMBERS[0])), LIMITS) as found:
        yield found


def is_alive(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/live", timeout=5).status_code == 200


def connect(port: int) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", port), timeout=5)
    found.settimeout(5)
    return found


def rest(line: socket.socket) -> bytes:
    """Whatever still comes, until the other side closes."""
    parts = []
    try:
        while part := line.recv(65_536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


# Slow


def test_headers__dripping__connection_is_closed_in_time(port: int) -> None:
    started = time.monotonic()
    with connect(port) as line:
        for byte in b"GET /live HTTP/1.1\r\nX-Slow: " + b"a" * 100:
            try:
                line.send(bytes([byte]))
            except OSError:
                break
            time.sleep(0.02)
        rest(line)
    assert 0.3 < time.monotonic() - started < 3


def test_connection__silent__closed_in_time(port: int) -> None:
    started = time.monotonic()
    with connect(port) as line:
        assert rest(line) == b""
    assert 0.3 < time.monotonic() - started < 3


def test_headers__second_request_drips__closed_too(port: int) -> None:
    with connect(port) as line:
        line.send(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        line.send(b"GET /live HTT")
        rest(line)
        assert 0.3 < time.monotonic() - started < 3


def test_body__never_ends__refused_in_time(port: int) -> None:
    with connect(port) as line:
        line.send(b"POST /v1/epochs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        assert rest(line).startswith(b"HTTP/1.1 408")


def test_connections__very_many_of_one_address__the_rest_are_closed_and_others_served(port: int) -> None:
    with ExitStack() as stack:
        lines = [stack.enter_context(connect(port)) for _ in range(30)]
        time.sleep(0.1)
        closed = 0
        for line in lines:
            line.setblocking(False)
            try:
                closed += line.recv(1) == b""
            except BlockingIOError:
                continue
            except ConnectionError:
                closed += 1
        assert closed >= 30 - LIMITS.connections_per_address
    time.sleep(0.05)
    assert is_alive(port)


# Large and malformed


def test_body__chunked_without_end__cut_off_at_the_limit(port: int) -> None:
    chunk = b"400\r\n" + b"x" * 1_024 + b"\r\n"
    with connect(port) as line:
        line.send(b"POST /v1/epochs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            for _ in range(1_000):
                sent += line.send(chunk)
        except OSError:
            pass
        assert rest(line)[:12] in (b"HTTP/1.1 413", b"")
    assert is_alive(port)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00" * 200 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/epochs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/epochs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"GET /live HTTP/1.1\r\n" + b"X: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET /v1/epochs/99999999999999999999999999999999 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/epochs/-1/leaves/margins?offset=18446744073709551616 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["nulls", "version", "negative", "smuggling", "header", "number", "offset"],
)
def test_request__malformed__answered_or_closed_and_the_server_lives(port: int, raw: bytes) -> None:
    with connect(port) as line:
        line.sendall(raw)
        line.shutdown(socket.SHUT_WR)
        answer = rest(line)
    assert not answer.startswith(b"HTTP/1.1 500"), answer
    assert is_alive(port)


def test_flood__one_address__slowed_down_and_health_is_still_told() -> None:
    limits = Limits(requests_per_second=1, burst=5)
    with serving(app_of(Member(MEMBERS[0]), limits), limits) as port, httpx.Client() as client:
        codes = [client.get(f"http://127.0.0.1:{port}/v1/epochs/latest").status_code for _ in range(20)]
        assert codes.count(429) >= 14 and codes[0] == 503, "no epoch yet, then too many"
        assert client.get(f"http://127.0.0.1:{port}/live").status_code == 200


# Peers


@contextmanager
def attesters(*members: Member, timeout: float = 2.0, signer: Signer = PROPOSER) -> Iterator[Attesters]:
    """Asks each of them at a server of its own."""
    with ExitStack() as stack:
        ports = [stack.enter_context(serving(app_of(member), LIMITS)) for member in members]
        urls = tuple(f"http://127.0.0.1:{port}" for port in ports)
        found = Attesters(urls, timeout, signer, DOMAIN)
        try:
            yield found
        finally:
            found.close()


def test_gather__two_of_three_at_once__assembled() -> None:
    asked = proposal()
    with attesters(*(Member(member) for member in MEMBERS)) as all_of_them:
        gathered = all_of_them.gather("/v1/epochs", asked, digest_of(asked), ADDRESSES, 2)
    assert gathered.assemble(2) is not None and gathered.dissents == []


def test_gather__one_silent_beyond_the_deadline__goes_on_without_it() -> None:
    asked, slow = proposal(), Member(MEMBERS[2], seconds=1.5)
    started = time.monotonic()
    with attesters(Member(MEMBERS[0]), Member(MEMBERS[1]), slow, timeout=0.5) as some:
        gathered = some.gather("/v1/epochs", asked, digest_of(asked), ADDRESSES, 2)
        took = time.monotonic() - started
        assert gathered.assemble(2) is not None and took < 5
        alone = some.gather("/v1/epochs", proposal(9), digest_of(proposal(9)), ADDRESSES, 3)
    assert alone.assemble(3) is None
    assert any("unreachable" in why or "time" in why for why in alone.refusals.values())


def test_gather__one_signs_something_else__named_and_kept_as_dissent() -> None:
    asked = proposal()
    other = Member(MEMBERS[2], says=lambda _asked: proposal(77))
    with attesters(Member(MEMBERS[0]), other) as some:
        gathered = some.gather("/v1/epochs", asked, digest_of(asked), ADDRESSES, 2)
    assert gathered.assemble(2) is None and len(gathered.signatures) == 1
    (dissent,) = gathered.dissents
    assert dissent.digest == hex_text(digest_of(proposal(77)))
    assert any(why.startswith("signed another digest") for why in gathered.refusals.values())


def test_gather__refused__first_difference_comes_through() -> None:
    why = "margin 7 initial_margin: 1 here, 2 there"
    with attesters(Member(MEMBERS[0], refuses=why)) as some:
        gathered = some.gather("/v1/epochs", proposal(), b"\x00" * 32, ADDRESSES, 1)
    assert list(gathered.refusals.values()) == [f"409: {why}"]


def test_gather__asked_by_a_stranger__nobody_signs() -> None:
    member = Member(MEMBERS[0])
    with attesters(member, signer=STRANGER) as some:
        gathered = some.gather("/v1/epochs", proposal(), b"\x00" * 32, ADDRESSES, 1)
    (why,) = gathered.refusals.values()
    assert why.startswith("401: ") and STRANGER.address in why and member.asked == 0


def test_gather__recorded_request_again__refused(port: int) -> None:
    """What was overheard is worth nothing: not to the same attester again, not with other content."""
    sent: list[httpx.Request] = []
    some = Attesters((f"http://127.0.0.1:{port}",), 2.0, PROPOSER, DOMAIN)
    some._client = httpx.Client(event_hooks={"request": [sent.append]})
    asked = proposal(500)
    assert some.gather("/v1/epochs", asked, digest_of(asked), ADDRESSES, 1).assemble(1) is not None
    some.close()
    (request,) = sent
    url, headers, body = str(request.url), dict(request.headers), request.read()
    again = httpx.post(url, content=body, headers=headers)
    assert (again.status_code, again.json()["detail"]) == (401, "this request was made before")
    changed = json.loads(body)
    changed["epoch"]["number"] = 501
    headers.pop("content-length")
    other = httpx.post(url, content=json.dumps(changed).encode(), headers=headers)
    assert other.status_code == 401


def test_gather__answer_drips__given_up_in_time() -> None:
    """Bytes that keep coming keep no proposer waiting."""

    async def drip(scope: Any, _receive: Any, send: Any) -> None:
        import asyncio

        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.05)

    with serving(drip) as port:  # type: ignore[arg-type]
        some = Attesters((f"http://127.0.0.1:{port}",), 0.5, PROPOSER, DOMAIN)
        started = time.monotonic()
        gathered = some.gather("/v1/epochs", proposal(), b"\x00" * 32, ADDRESSES, 1)
        assert time.monotonic() - started < 3
        assert list(gathered.refusals.values()) == ["no answer in time"]
        some.close()
