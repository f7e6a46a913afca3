"""Descriptors bound to a deployment."""

import json

import pytest

from scripts import clear_signing
from scripts.clear_signing import SOURCES, write_bound

ADDRESSES = {name: f"0x{index:040x}" for index, name in enumerate(("AttesterQuorum", "Exchange", "Vault"), 1)}


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "1.json"
    contracts = {name: {"address": address} for name, address in ADDRESSES.items()}
    path.write_text(json.dumps({"chain_id": 1, "contracts": contracts}))
    return path


def test_write_bound__record__each_descriptor_names_its_contract_and_nothing_else_changes(record, tmp_path):
    written = write_bound(record, tmp_path / "bound")

    assert [path.name for path in written] == sorted(path.name for path in SOURCES.glob("*.json"))
    for path in written:
        source, found = json.loads((SOURCES / path.name).read_text()), json.loads(path.read_text())
        kind = "contract" if path.name.startswith("calldata") else "eip712"
        address = ADDRESSES[source["metadata"]["contractName"]]
        assert found["context"][kind].pop("deployments") == [{"chainId": 1, "address": address}]
        assert source["context"][kind].pop("deployments") == []
        assert found == source


def test_main__no_record__refuses(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["clear_signing", "missing.json"])

    assert clear_signing.main() == 1
    assert "deployments/<chain id>.json" in capsys.readouterr().err
