"""Gathering signatures: only valid ones of members count, and the others are named."""

import httpx
import pytest

from keeper.attestation.typed_data import sign
from keeper.chain.keys import LocalSigner, signer_of
from keeper.network.client import Attesters
from keeper.network.schemas import Message, SignatureAnswer, hex_text

DIGEST = b"\x42" * 32
MEMBERS = [signer_of(bytes([i]) * 32) for i in (1, 2, 3)]
ADDRESSES = [member.address for member in MEMBERS]


def _answer(signer: LocalSigner, digest: bytes = DIGEST) -> httpx.Response:
    r, vs = sign(digest, signer._key)
    body = SignatureAnswer(signer=signer.address, digest=hex_text(digest), r=hex_text(r), vs=str(vs))
    return httpx.Response(200, text=body.model_dump_json())


def _attesters(answers: dict[str, httpx.Response]) -> Attesters:
    made = Attesters(tuple(f"http://{name}" for name in answers), timeout=1)

    def handler(request: httpx.Request) -> httpx.Response:
        return answers[request.url.host]

    made._client = httpx.Client(transport=httpx.MockTransport(handler))
    return made


def test_gather__two_of_three_sign__threshold_in_bitmap_order() -> None:
    refused = httpx.Response(409, json={"detail": "margin 7 markToMarket: 1 here, 2 there"})
    answers = {"c": _answer(MEMBERS[2]), "a": _answer(MEMBERS[0]), "b": refused}
    gathered = _attesters(answers).gather("/v1/epochs", Message(), DIGEST, ADDRESSES, 2)
    assembled = gathered.assemble(2)
    assert assembled is not None
    assert assembled == (0b101, [sign(DIGEST, MEMBERS[i]._key) for i in (0, 2)])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_answer(signer_of(b"\x09" * 32)), "no member"),
        (_answer(MEMBERS[1], b"\x43" * 32), "another digest"),
        (httpx.Response(409, json={"detail": "spot differs"}), "spot differs"),
        (httpx.Response(200, text="not json"), "malformed"),
        (httpx.Response(200, text="x" * 100_000), "too large"),
    ],
)
def test_gather__bad_answer__does_not_count_and_is_named(answer: httpx.Response, reason: str) -> None:
    gathered = _attesters({"a": _answer(MEMBERS[0]), "b": answer}).gather(
        "/", Message(), DIGEST, ADDRESSES, 3
    )
    assert gathered.assemble(2) is None
    assert reason in gathered.refusals["http://b"]


def test_gather__one_member_twice__counts_once() -> None:
    answers = {"a": _answer(MEMBERS[0]), "b": _answer(MEMBERS[0])}
    assert _attesters(answers).gather("/", Message(), DIGEST, ADDRESSES, 2).assemble(2) is None
