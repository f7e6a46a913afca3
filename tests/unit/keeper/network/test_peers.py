"""Requests of peers: signed by a known address, fresh, and each once."""

import time

import pytest

from keeper.attestation.typed_data import digest
from keeper.chain.keys import CURVE_ORDER, signer_of
from keeper.network.peers import (
    MAX_SKEW_SECONDS,
    Door,
    Unauthenticated,
    authorize,
    domain_of,
    signed_by,
)

DOMAIN = domain_of(31_337, "0x" + "11" * 20)
PEER, STRANGER = signer_of(b"\x01" * 32), signer_of(b"\x02" * 32)
BODY = b'{"number":7}'
NOW = 1_750_000_000.0


def door(now: float = NOW, domain: bytes = DOMAIN) -> Door:
    return Door(domain, lambda: {PEER.address}, lambda: now)


def header(now: float = NOW, **changed: object) -> str:
    asked = {"signer": PEER, "domain": DOMAIN, "method": "POST", "path": "/v1/epochs", "body": BODY}
    return authorize(**(asked | changed), now=now)  # type: ignore[arg-type]


def reason(found: Door, text: str, method: str = "POST", path: str = "/v1/epochs", body: bytes = BODY) -> str:
    with pytest.raises(Unauthenticated) as caught:
        found.admit(method, path, body, text)
    return str(caught.value)


def test_admit__known_peer__address_skew_and_proof() -> None:
    text = header(NOW - 3)
    peer = door().admit("POST", "/v1/epochs", BODY, text)
    assert (peer.address, peer.skew) == (PEER.address, -3)
    assert (peer.authorization, peer.body) == (text, BODY)
    assert signed_by(DOMAIN, "POST", "/v1/epochs", BODY, peer.authorization)[0] == PEER.address


def test_admit__by_the_real_clock__let_in() -> None:
    found = Door(DOMAIN, lambda: {PEER.address})
    assert abs(found.admit("POST", "/", b"", authorize(PEER, DOMAIN, "POST", "/", b"")).skew) < 2
    assert abs(time.time() - NOW) > MAX_SKEW_SECONDS, "the other tests' moment is not now"


def test_admit__stranger__named() -> None:
    said = reason(door(), header(signer=STRANGER))
    assert said.startswith(STRANGER.address) and "neither a proposer" in said


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/epochs", BODY),
        ("POST", "/v1/attestations/reports", BODY),
        ("POST", "/v1/epochs?x=1", BODY),
        ("POST", "/v1/epochs", BODY + b" "),
    ],
)
def test_admit__signed_for_something_else__another_address_recovers(
    method: str, path: str, body: bytes
) -> None:
    assert "neither a proposer" in reason(door(), header(), method, path, body)


def test_admit__signed_for_another_deployment__refused() -> None:
    elsewhere = domain_of(31_337, "0x" + "22" * 20), domain_of(1, "0x" + "11" * 20)
    for domain in elsewhere:
        assert "neither a proposer" in reason(door(), header(domain=domain))


@pytest.mark.parametrize("skew", [-31, 31, -600, 600])
def test_admit__old_or_future__refused(skew: int) -> None:
    assert "clocks differ" in reason(door(), header(NOW + skew))


@pytest.mark.parametrize("skew", [-30, 0, 30])
def test_admit__within_half_a_minute__let_in(skew: int) -> None:
    assert door().admit("POST", "/v1/epochs", BODY, header(NOW + skew)).skew == skew


def test_admit__twice__refused_as_long_as_it_would_be_fresh() -> None:
    moment = [NOW]
    found, text = Door(DOMAIN, lambda: {PEER.address}, lambda: moment[0]), header(NOW + 30)
    found.admit("POST", "/v1/epochs", BODY, text)
    for moment[0] in (NOW, NOW + 29, NOW + 60):
        assert reason(found, text) == "this request was made before"
    moment[0] = NOW + 61
    assert "clocks differ" in reason(found, text)


def test_admit__many__nonces_are_forgotten_in_time() -> None:
    moment = [NOW]
    found = Door(DOMAIN, lambda: {PEER.address}, lambda: moment[0])
    for _ in range(20):
        moment[0] += 10
        found.admit("POST", "/v1/epochs", BODY, header(moment[0]))
    assert len(found._seen) <= 8


def with_signature(signature: str) -> str:
    return header().rpartition(".")[0] + "." + signature


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bearer x",
        with_signature(""),
        with_signature("11" * 63),
        with_signature("11" * 65),
        with_signature("11" * 66),
        with_signature("zz" * 64),
        header().upper(),
        header() + "\n",
        header().replace("Plimsoll 1", "Plimsoll -1"),
        header().replace("Plimsoll ", "Plimsoll 99999999999999"),
    ],
    ids=lambda text: "",  # headers hold random words, and every worker must call the tests the same
)
def test_admit__malformed_header__says_what_is_needed(text: str) -> None:
    assert reason(door(), text) == "this path needs an authorization header of a peer"


def test_admit__high_s__refused() -> None:
    """The other signature of the same content is not taken: a header is one thing only."""
    found = header()
    rest, _, signature = found.rpartition(".")
    r, vs = signature[:64], int(signature[64:], 16)
    s, parity = vs & (2**255 - 1), vs >> 255
    mirrored = (CURVE_ORDER - s) | (
        (1 - parity) << 255
    )  # the top bit of such an s is the place of the parity
    reason(door(), f"{rest}.{r}{mirrored:064x}")
    assert reason(door(), f"{rest}.{r}{CURVE_ORDER // 2 + 1:064x}") == "malformed signature of the request"


@pytest.mark.parametrize("signature", ["00" * 64, "ff" * 64, "00" * 32 + "11" * 32])
def test_admit__no_point_on_the_curve__refused(signature: str) -> None:
    assert reason(door(), with_signature(signature)) == "malformed signature of the request"


def test_domain_of__epochs_of_a_quorum__is_never_theirs() -> None:
    """What a peer signs to ask is nothing that an oracle takes: another type under another domain."""
    assert digest(DOMAIN, b"\x00" * 32) != digest(domain_of(31_337, "0x" + "12" * 20), b"\x00" * 32)
