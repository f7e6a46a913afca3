"""The read API."""

from types import SimpleNamespace

from fastapi.testclient import TestClient

from keeper.attestation.typed_data import MarginLeaf
from keeper.network.server import create_app

_LEAVES = tuple(
    MarginLeaf(account, 0, -5, bytes(32), 10**30, 2, 1, 10**30, 1, 10**18, 0, b"\xab" * 32)
    for account in (1, 2)
)


class _Statements:
    """Serves epoch 7."""

    def latest(self) -> SimpleNamespace:
        return self.get(7)

    def get(self, number: int) -> SimpleNamespace | None:
        return SimpleNamespace(margins=_LEAVES) if number == 7 else None

    def snapshot_text(self, number: int) -> str | None:
        return '{"format":2}' if number == 7 else None


def _client() -> TestClient:
    return TestClient(create_app(_Statements(), dict))


def test_margins__served_epoch__every_leaf_by_its_field_names() -> None:
    answer = _client().get("/v1/epochs/7/margins").json()
    assert answer["epoch"] == 7
    assert [leaf["account"] for leaf in answer["margins"]] == ["1", "2"]
    first = answer["margins"][0]
    assert (first["addedMark"], first["markToMarket"], first["initialMargin"]) == ("-5", str(10**30), "2")
    assert first["breakdownHash"] == "0x" + "ab" * 32


def test_margins__epoch_not_served__not_found() -> None:
    answer = _client().get("/v1/epochs/8/margins")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "epoch 8 is not served here"


def test_snapshot__served_epoch__its_text_as_it_is() -> None:
    assert _client().get("/v1/epochs/7/snapshot").text == '{"format":2}'
    assert _client().get("/v1/epochs/8/snapshot").status_code == 404
