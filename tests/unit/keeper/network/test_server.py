"""The read API, refusals, and the document of all messages."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from keeper.attestation.leaves import Leaves
from keeper.attestation.typed_data import ForwardLeaf, InstrumentLeaf, MarginLeaf
from keeper.chain.keys import signer_of
from keeper.network.client import Gathered
from keeper.network.leaf_rows import forward_of, instrument_of, margin_of
from keeper.network.peers import Door, Peer, authorize, domain_of
from keeper.network.schemas import EpochProposal, SignatureAnswer
from keeper.network.server import Refusal, create_app

_LEAVES = tuple(
    MarginLeaf(account, 0, -5, bytes(32), 10**30, 2, 1, 10**30, 1, 10**18, 0, b"\xab" * 32)
    for account in range(1, 8)
)
_INSTRUMENTS = (InstrumentLeaf(9, 1, 2, 3, 4, 5), InstrumentLeaf(10, 1, 2, 3, 4, 5))
_FORWARDS = (ForwardLeaf(1, 1_750_000_000, 10**20, (1, 2, -3, 4, 5)),)
_EPOCH = SimpleNamespace(number=7, margin_root=b"\x01" * 32, market_root=b"\x02" * 32)
_DOMAIN, _PEER = domain_of(31_337, "0x" + "11" * 20), signer_of(b"\x01" * 32)
_SNAPSHOT = Path(__file__).parents[3] / "snapshots" / "openapi.json"


class _Statements:
    """Serves epoch 7."""

    def latest(self) -> SimpleNamespace:
        return self.get(7)

    def get(self, number: int) -> SimpleNamespace | None:
        found = SimpleNamespace(
            epoch=_EPOCH, margins=Leaves.of(_LEAVES), instruments=_INSTRUMENTS, forwards=_FORWARDS
        )
        return found if number == 7 else None

    def snapshot_text(self, number: int) -> str | None:
        return '{"format":2}' if number == 7 else None


class _Attester:
    """Refuses everything."""

    def __init__(self) -> None:
        self.peer: Peer | None = None

    def sign_epoch(self, _proposal: EpochProposal, peer: Peer) -> SignatureAnswer:
        self.peer = peer
        raise Refusal("margin 7 initial_margin: 1 here, 2 there")

    def sign_report(self, _proposal: Any, _peer: Peer) -> SignatureAnswer:
        raise Refusal("no")

    def proposals(self, _number: int) -> Any:
        return {"proposals": []}


def _client(attester: _Attester | None = None) -> TestClient:
    door = Door(_DOMAIN, lambda: {_PEER.address})
    return TestClient(create_app(_Statements(), dict, attester=attester, door=door))  # type: ignore[arg-type]


def _ask(client: TestClient, body: bytes) -> Any:
    header = authorize(_PEER, _DOMAIN, "POST", "/v1/epochs", body)
    headers = {"authorization": header, "content-type": "application/json"}
    return client.post("/v1/epochs", content=body, headers=headers)


def _proposal(**changed: Any) -> bytes:
    zero = "0x" + "00" * 32
    hashes = ("block_hash", "snapshot_hash", "methodology_hash", "market_root", "margin_root", "spots_hash")
    epoch = {"number": 8, "timestamp": 1, "block_number": 1} | dict.fromkeys(hashes, zero)
    return json.dumps({"patience_seconds": 5, "market": "{}", "epoch": epoch} | changed).encode()


def test_leaves__page_by_page__all_of_them_in_order_under_their_root() -> None:
    client, found, offset = _client(), [], 0
    while offset is not None:
        answer = client.get(f"/v1/epochs/7/leaves/margins?offset={offset}&limit=3")
        page = answer.json()
        assert (page["epoch"], page["kind"], page["count"]) == (7, "margins", 7)
        assert page["root"] == "0x" + "01" * 32
        found += [margin_of(row) for row in page["rows"]]
        offset = page["next"]
    assert tuple(found) == _LEAVES


def test_leaves__instruments_and_forwards__read_back_as_they_were() -> None:
    client = _client()
    rows = client.get("/v1/proposals/7/instruments").json()["rows"]
    assert tuple(instrument_of(row) for row in rows) == _INSTRUMENTS
    rows = client.get("/v1/proposals/7/forwards").json()["rows"]
    assert tuple(forward_of(row) for row in rows) == _FORWARDS


def test_leaves__known_root__not_sent_again() -> None:
    client = _client()
    first = client.get("/v1/epochs/7/leaves/margins")
    tag = first.headers["etag"]
    again = client.get("/v1/epochs/7/leaves/margins", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = client.get("/v1/epochs/7/leaves/instruments", headers={"if-none-match": tag})
    assert other.status_code == 200 and other.headers["etag"] != tag


def test_leaves__large_page__compressed() -> None:
    answer = _client().get("/v1/epochs/7/leaves/margins", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip" and len(answer.json()["rows"]) == 7


@pytest.mark.parametrize("query", ["offset=-1", "limit=0", "limit=10001", "offset=x"])
def test_leaves__bad_page__refused(query: str) -> None:
    assert _client().get(f"/v1/epochs/7/leaves/margins?{query}").status_code == 422


def test_leaves__beyond_the_end__empty() -> None:
    page = _client().get("/v1/epochs/7/leaves/margins?offset=100").json()
    assert page["rows"] == [] and page["next"] is None


def test_leaves__epoch_not_served__not_found() -> None:
    answer = _client().get("/v1/epochs/8/leaves/margins")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "epoch 8 is not served here"


def test_snapshot__served_epoch__its_text_as_it_is() -> None:
    assert _client().get("/v1/epochs/7/snapshot").text == '{"format":2}'
    assert _client().get("/v1/epochs/8/snapshot").status_code == 404


def test_sign_epoch__refused__reason_and_who_asked() -> None:
    attester = _Attester()
    answer = _ask(_client(attester), _proposal())
    assert (answer.status_code, answer.json()["detail"]) == (409, "margin 7 initial_margin: 1 here, 2 there")
    assert attester.peer is not None and attester.peer.address == _PEER.address


@pytest.fixture
def recursion_limit() -> Iterator[None]:
    """As in a keeper's process: py-evm, which other tests import, raises it beyond what the stack holds."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (_proposal(schema_version=3), "schema_version: Input should be 2"),
        (_proposal(patience_seconds=61), "patience_seconds: "),
        (_proposal(extra=1), "extra: Extra inputs are not permitted"),
        (_proposal(market="x" * (2**20 + 1)), "market: "),
        (b"not json", "JSON decode error"),
        (b"[" * 100_000, ""),
        (b'{"epoch":' * 50_000, ""),
        (b"\xff\xfe", ""),
        (b"", "Field required"),
    ],
    ids=["version", "patience", "extra", "market", "text", "lists", "objects", "bytes", "nothing"],
)
@pytest.mark.usefixtures("recursion_limit")
def test_sign_epoch__malformed__short_refusal_without_what_was_sent(body: bytes, said: str) -> None:
    answer = _ask(_client(_Attester()), body)
    assert answer.status_code in (400, 422)
    assert said in answer.json()["detail"] and len(answer.content) < 500


def test_sign_epoch__no_attester__path_is_not_there() -> None:
    assert _ask(_client(), _proposal()).status_code in (404, 405)


def test_openapi__as_committed() -> None:
    """What other programs were written against; UPDATE_SNAPSHOTS=1 writes it anew."""
    everything: dict[str, Any] = dict.fromkeys(("reports", "accounts"), _Everything())
    app = create_app(_Statements(), dict, attester=_Attester(), metrics=str, **everything)  # type: ignore[arg-type]
    found = json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        _SNAPSHOT.write_text(found, encoding="utf-8")
    assert found == _SNAPSHOT.read_text(encoding="utf-8"), "the API has changed: see the test"


class _Everything:
    """Services that are only described."""

    def report(self, request: Any) -> Any: ...


def test_gathered__nobody__nothing() -> None:
    assert Gathered({}).assemble(1) is None
