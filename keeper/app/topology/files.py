"""The files that a topology's processes read: their configuration, their keys, Prometheus' configuration."""

import json
import shutil
from importlib.resources import as_file, files
from pathlib import Path

from eth_utils.address import to_checksum_address

from keeper.app.topology import plan
from keeper.app.topology.file import Topology
from keeper.app.topology.plan import Place
from keeper.chain.keys import create_keystore

SHIPPED = files("keeper.operations")


def write(topology: Topology, folder: Path, place: Place) -> dict[str, str]:
    """One folder for each keeper, with a new key where there is none; returns the addresses by keeper.

    `network.json` tells whoever deploys the protocol which keys attest, and which need coins.
    """
    folder.mkdir(parents=True, exist_ok=True)
    addresses = {k.name: _key(folder / k.name, topology) for k in topology.keepers if k.signs}
    for keeper in topology.keepers:
        path = folder / keeper.name / "plimsoll.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(plan.process_file(topology, keeper, place, addresses), encoding="utf-8")
    keepers = [
        {"name": k.name, "roles": k.roles, "address": addresses[k.name], "account": k.account}
        for k in topology.keepers
        if k.signs
    ]
    network = {"rpc": plan.rpc(topology, place)[0], "keepers": keepers}
    (folder / "network.json").write_text(json.dumps(network, indent=2) + "\n", encoding="utf-8")
    if topology.prometheus is not None:
        rules = plan.prometheus_file(topology, place, f"{place.folder}/alerts.yml")
        (folder / "prometheus.yml").write_text(rules, encoding="utf-8")
        (folder / "alerts.yml").write_text(SHIPPED.joinpath("alerts.yml").read_text(encoding="utf-8"))
    return addresses


def write_shipped(folder: Path) -> list[Path]:
    """What comes with the package: alert rules and their tests, dashboard, Dockerfile, example topology."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for item in SHIPPED.iterdir():
        if item.name.startswith("__"):
            continue
        with as_file(item) as source:
            written.append(Path(shutil.copy(source, folder / item.name)))
    return sorted(written)


def _key(folder: Path, topology: Topology) -> str:
    """Address of the key in a folder, made if it is not there. A devnet's is weak, and quick to open."""
    folder.mkdir(parents=True, exist_ok=True)
    keystore = folder / "keystore.json"
    if keystore.exists():
        content = json.loads(keystore.read_text(encoding="utf-8"))
        return str(to_checksum_address(content["address"]))
    light = topology.chain.kind == "devnet"
    return create_keystore(keystore, folder / "password.txt", light=light).address
