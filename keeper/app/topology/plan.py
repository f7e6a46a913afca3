"""The services of a topology: what to start, in which order, and how to see that each is up. Pure: the runner
and the compose file are two readings of the same plan."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from keeper.app.topology.file import KeeperPart, Topology

CHAIN_ID = 31337
NODE, DATABASE, PROTOCOL, PROMETHEUS = "chain", "database", "protocol", "prometheus"
USER, SECRET = "plimsoll", "plimsoll"  # of a database that only this network reaches


@dataclass(frozen=True, slots=True)
class Place:
    """Where services live: on one machine, or each in a container.

    Attributes:
        folder: holding one folder for each keeper.
        apart: each service has a host of its own, by its name, and listens to all.
    """

    folder: str
    apart: bool = False

    def host(self, service: str) -> str:
        """Name by which others reach a service."""
        return service if self.apart else "127.0.0.1"

    @property
    def metrics(self) -> str:
        """Where Prometheus keeps what it collects; in a container, where its image lets it."""
        return "/prometheus" if self.apart else f"{self.folder}/prometheus"

    @property
    def bind(self) -> str:
        """Address that a service listens on."""
        return "0.0.0.0" if self.apart else "127.0.0.1"  # noqa: S104  a container's own network


@dataclass(frozen=True, slots=True)
class Service:
    """One process to start.

    Attributes:
        command: with arguments.
        port: that it listens on; 0: none.
        path: of HTTP, that answers 200 once it is ready; empty: it is ready when the port answers.
        after: services that must be ready before, or, of those that end, have ended well.
        ends: it does one thing and ends.
    """

    name: str
    command: tuple[str, ...]
    port: int = 0
    path: str = ""
    after: tuple[str, ...] = ()
    ends: bool = False


def services(topology: Topology, place: Place) -> list[Service]:
    """All of them, each after those that it needs."""
    found = []
    if topology.chain.kind == "devnet":
        found.append(_node(topology, place))
    if topology.database.kind == "postgresql":
        found.append(_database(topology))
    if topology.chain.kind == "devnet":
        command = ("python", "-m", "scripts.network", place.folder)
        found.append(Service(PROTOCOL, command, after=(NODE,), ends=True))
    base = tuple(service.name for service in found if service.name != NODE)
    found += [_keeper(topology, keeper, place, base) for keeper in _ordered(topology)]
    if topology.prometheus is not None:
        found.append(_prometheus(topology, place))
    return found


def rpc(topology: Topology, place: Place) -> list[str]:
    """Endpoints of the chain."""
    if topology.chain.kind == "existing":
        return topology.chain.rpc
    return [f"http://{place.host(NODE)}:{topology.chain.port}"]


def database_url(topology: Topology, keeper: KeeperPart, place: Place) -> str:
    """Of a keeper's database."""
    if topology.database.kind == "sqlite":
        return f"sqlite:///{place.folder}/{keeper.store}.sqlite"
    server = f"{USER}:{SECRET}@{place.host(DATABASE)}:{topology.database.port}"
    return f"postgresql+psycopg://{server}/{keeper.store.replace('-', '_')}"


def databases(topology: Topology) -> list[str]:
    """Names of the databases that a PostgreSQL server must have; the canary has none."""
    stores = {k.store.replace("-", "_") for k in topology.keepers if k.roles != ["canary"]}
    return sorted(stores)


def url(keeper: KeeperPart, place: Place) -> str:
    """Of a keeper's API."""
    return f"http://{place.host(keeper.name)}:{keeper.port}"


def process_file(topology: Topology, keeper: KeeperPart, place: Place, addresses: Mapping[str, str]) -> str:
    """The TOML of one process. `addresses`: of the keys, by keeper."""
    attesters = [url(k, place) for k in topology.having("attester")]
    proposers = topology.having("proposer")
    theirs = [addresses[k.name] for k in proposers]
    deployment = topology.chain.deployment or f"{place.folder}/{CHAIN_ID}.json"
    sections: dict[str, dict[str, object]] = {
        "keeper": {
            "name": keeper.name,
            "roles": keeper.roles,
            "database": database_url(topology, keeper, place),
            "tick_seconds": keeper.tick_seconds,
        },
        "chain": {"rpc": rpc(topology, place), "deployment": str(deployment)},
        "source": {"venues": keeper.venues, "spot_bps": 200, "forward_bps": 200},
        "api": {"host": place.bind, "port": keeper.port},
        "network": {"proposers": theirs},
        "log": {"format": "json"},
    }
    if keeper.signs:
        sections["keeper"] |= {"keystore": "keystore.json", "password_file": "password.txt"}
    if "attester" in keeper.roles:
        others = [url(k, place) for k in (*proposers, *topology.having("attester")) if k.name != keeper.name]
        sections["attester"] = {"keepers": others}
    if "proposer" in keeper.roles:
        sections["proposer"] = {"attesters": attesters, "proposers": theirs}
    if "liquidator" in keeper.roles:
        keepers = [url(k, place) for k in proposers] or attesters
        sections["liquidator"] = {"account": keeper.account, "keepers": keepers}
    if "canary" in keeper.roles:
        sections["canary"] = {"keepers": [url(k, place) for k in (*proposers, *topology.having("attester"))]}
    return _toml(sections)


def prometheus_file(topology: Topology, place: Place, rules: str) -> str:
    """Prometheus' configuration: every keeper, by its name, and the alert rules in the file `rules`."""
    jobs = [
        {"targets": [f"{place.host(k.name)}:{k.port}"], "labels": {"instance": k.name}}
        for k in topology.keepers
    ]
    lines = [
        "global: {scrape_interval: 5s, evaluation_interval: 5s}",
        f"rule_files: [{json.dumps(rules)}]",
        "scrape_configs:",
        "  - job_name: plimsoll",
        "    static_configs:",
        *(f"      - {json.dumps(job)}" for job in jobs),
    ]
    return "\n".join(lines) + "\n"


def _node(topology: Topology, place: Place) -> Service:
    chain = topology.chain
    command = ["anvil", "--host", place.bind, "--port", str(chain.port), "--chain-id", str(CHAIN_ID)]
    command += ["--block-time", str(chain.block_seconds), "--accounts", "40", "--balance", "100000"]
    command += ["--base-fee", "0", "--gas-limit", "36000000", "--order", "fifo", "--quiet"]
    if chain.start is not None:
        command += ["--timestamp", str(int(chain.start.timestamp()))]
    return Service(NODE, tuple(command), chain.port)


def _database(topology: Topology) -> Service:
    port = str(topology.database.port)
    return Service(DATABASE, ("postgres", "-p", port, "-c", "max_connections=200"), topology.database.port)


def _keeper(topology: Topology, keeper: KeeperPart, place: Place, base: tuple[str, ...]) -> Service:
    command = ("plimsoll", "run", "--config", f"{place.folder}/{keeper.name}/plimsoll.toml")
    # the canary watches from outside: it comes up whatever the others do
    after = {
        "proposer": [k.name for k in topology.having("attester")],
        "liquidator": [k.name for k in topology.having("proposer")],
    }
    needed = [name for role in keeper.roles for name in after.get(role, []) if name != keeper.name]
    path = "/live" if keeper.roles == ["canary"] else "/ready"
    return Service(keeper.name, command, keeper.port, path, (*base, *dict.fromkeys(needed)))


def _prometheus(topology: Topology, place: Place) -> Service:
    assert topology.prometheus is not None  # asked before
    port = topology.prometheus.port
    command = (
        "prometheus",
        f"--config.file={place.folder}/prometheus.yml",
        f"--storage.tsdb.path={place.metrics}",
        f"--web.listen-address={place.bind}:{port}",
    )
    return Service(PROMETHEUS, command, port, "/-/ready", tuple(k.name for k in topology.keepers))


def _ordered(topology: Topology) -> list[KeeperPart]:
    """Attesters, then proposers, then the others: each after those that it waits for."""
    rank = {"attester": 0, "proposer": 1}
    return sorted(topology.keepers, key=lambda k: min(rank.get(role, 2) for role in k.roles))


def _toml(sections: Mapping[str, Mapping[str, object]]) -> str:
    """TOML of texts, numbers and lists: JSON's writing of those is TOML's."""
    lines = []
    for name, fields in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
        lines.append("")
    return "\n".join(lines)
