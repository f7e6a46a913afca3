"""One topology, two readings: what the runner starts and what the compose file says are the same, and both
are what this release's own command line and configuration accept."""

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
import yaml

from keeper.app import cli
from keeper.app import config as configs
from keeper.app.config import ConfigError
from keeper.app.topology import compose, plan
from keeper.app.topology.file import Topology, load
from keeper.app.topology.files import write, write_shipped
from keeper.app.topology.plan import Place
from scripts._devnet import ROOT, anvil_path

SHIPPED = Path(str(files("keeper.operations").joinpath("topology.toml")))
DOCKERFILE = files("keeper.operations").joinpath("Dockerfile").read_text()
NAMES = ["attester-1", "attester-2", "attester-3", "proposer-1", "proposer-2", "liquidator", "settler", "api"]
APART = Place(compose.FOLDER, apart=True)


@pytest.fixture(scope="module")
def shipped() -> Topology:
    return load(SHIPPED)


@pytest.fixture(scope="module")
def composed(shipped: Topology, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The compose file as a YAML parser reads it."""
    folder = tmp_path_factory.mktemp("deploy")
    compose.write(shipped, SHIPPED, ROOT, folder)
    content: dict[str, Any] = yaml.safe_load((folder / "compose.yaml").read_text())
    return content


def accepts(command: list[str]) -> None:
    """The command line takes these arguments; click raises where it does not."""
    assert command[0] == "plimsoll"
    found: click.Command = typer.main.get_command(cli.app)
    context = click.Context(found, info_name="plimsoll")
    rest = command[1:]
    while isinstance(found, click.Group):
        name, inner, rest = found.resolve_command(context, rest)
        assert inner is not None
        found, context = inner, click.Context(inner, parent=context, info_name=name)
    found.parse_args(context, rest)


# The plan


def test_shipped__services__all_that_a_network_needs(shipped: Topology) -> None:
    found = [service.name for service in plan.services(shipped, Place("/tmp/x"))]
    assert found[:3] == ["chain", "database", "protocol"] and found[-1] == "prometheus"
    assert set(found[3:-1]) == {*NAMES, "canary"}


def test_services__each__comes_after_those_it_needs(shipped: Topology) -> None:
    seen: set[str] = set()
    for service in plan.services(shipped, Place("/tmp/x")):
        assert set(service.after) <= seen, service.name
        seen.add(service.name)


def test_services__canary__waits_for_no_keeper(shipped: Topology) -> None:
    (canary,) = [s for s in plan.services(shipped, Place("/tmp/x")) if s.name == "canary"]
    assert not set(canary.after) & set(NAMES) and canary.path == "/live"


@pytest.mark.parametrize("place", [Place("/tmp/x"), APART], ids=["one machine", "containers"])
def test_services__every_command_of_ours__is_one_that_the_command_line_takes(
    shipped: Topology, place: Place
) -> None:
    ours = [list(s.command) for s in plan.services(shipped, place) if s.command[0] == "plimsoll"]
    assert len(ours) == len(NAMES) + 1
    for command in ours:
        accepts(command)


def test_services__node__by_options_that_the_pinned_anvil_has(shipped: Topology) -> None:
    said = subprocess.run([anvil_path(), "--help"], capture_output=True, text=True, check=True).stdout
    node = plan.services(shipped, Place("/tmp/x"))[0]
    options = [part for part in node.command if part.startswith("--")]
    assert options and not [option for option in options if not re.search(rf"{option}\b", said)]


def test_services__existing_chain_and_sqlite__neither_node_nor_server(shipped: Topology) -> None:
    chain = shipped.chain.model_copy(
        update={"kind": "existing", "rpc": ["https://node.example"], "deployment": Path("/8453.json")}
    )
    database = shipped.database.model_copy(update={"kind": "sqlite"})
    found = shipped.model_copy(update={"chain": chain, "database": database, "prometheus": None})
    assert {s.name for s in plan.services(found, Place("/tmp/x"))} == {*NAMES, "canary"}
    text = plan.process_file(
        found, found.keepers[0], Place("/tmp/x"), {k.name: "0x" + "12" * 20 for k in found.keepers}
    )
    assert (
        'rpc = ["https://node.example"]' in text and 'database = "sqlite:////tmp/x/attester-1.sqlite"' in text
    )


# What the processes read


@pytest.mark.parametrize("apart", [False, True], ids=["one machine", "containers"])
def test_write__every_process_file__loads_and_knows_the_others(
    shipped: Topology, tmp_path: Path, apart: bool
) -> None:
    addresses = write(shipped, tmp_path, Place(str(tmp_path), apart=apart))
    found = {k.name: configs.load(tmp_path / k.name / "plimsoll.toml") for k in shipped.keepers}
    proposers = [addresses["proposer-1"], addresses["proposer-2"]]
    for name, config in found.items():
        host = name if apart else "127.0.0.1"
        assert config.api.host == ("0.0.0.0" if apart else "127.0.0.1")
        assert config.network.proposers == proposers
        asked = found["proposer-1"].proposer.attesters
        assert (f"http://{host}:{config.api.port}" in asked) == name.startswith("attester")
    assert found["proposer-2"].proposer.proposers == proposers
    assert found["liquidator"].liquidator.account == 1
    shared = {found[n].keeper.database for n in ("proposer-1", "proposer-2", "liquidator", "settler", "api")}
    assert len(shared) == 1 and len({c.keeper.database for c in found.values()}) == 5
    assert not found["canary"].needs_key and not (tmp_path / "canary" / "keystore.json").exists()


def test_write__again__keeps_the_keys(shipped: Topology, tmp_path: Path) -> None:
    first = write(shipped, tmp_path, Place(str(tmp_path)))
    assert write(shipped, tmp_path, Place(str(tmp_path))) == first and len(set(first.values())) == 7


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed on this machine")
def test_write__prometheus__promtool_accepts_it_and_finds_the_rules(
    shipped: Topology, tmp_path: Path
) -> None:
    write(shipped, tmp_path, Place(str(tmp_path)))
    command = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "rules found" in done.stdout, done.stdout + done.stderr


def test_write_shipped__all_files__nothing_of_the_package_itself(tmp_path: Path) -> None:
    written = {path.name for path in write_shipped(tmp_path)}
    assert written == {"Dockerfile", "alerts.test.yml", "alerts.yml", "dashboard.json", "topology.toml"}
    assert load(tmp_path / "topology.toml") == load(SHIPPED)


# The compose file


def test_compose__services__those_of_the_runner_and_the_one_that_writes_the_files(
    shipped: Topology, composed: dict[str, Any]
) -> None:
    assert set(composed["services"]) == {"setup"} | {s.name for s in plan.services(shipped, APART)}


def test_compose__each_service__command_ports_and_health_are_the_plans(
    shipped: Topology, composed: dict[str, Any]
) -> None:
    for service in plan.services(shipped, APART):
        found = composed["services"][service.name]
        command = list(service.command)
        assert found["command"] == (command[1:] if service.name == "prometheus" else command)
        if service.port:
            assert found["ports"] == [f"127.0.0.1:{service.port}:{service.port}"], "reached from here alone"
            test = " ".join(found["healthcheck"]["test"])
            assert str(service.port) in test and service.path in test
        else:
            assert service.ends and "healthcheck" not in found


def test_compose__commands_and_health_checks_of_ours__are_ones_that_the_command_line_takes(
    composed: dict[str, Any],
) -> None:
    commands = [s["command"] for s in composed["services"].values()]
    commands += [s["healthcheck"]["test"][1:] for s in composed["services"].values() if "healthcheck" in s]
    ours = [command for command in commands if command[0] == "plimsoll"]
    assert len(ours) == 2 * (len(NAMES) + 1) + 1
    for command in ours:
        accepts(command)


def test_compose__order__the_plans_with_the_condition_that_fits(
    shipped: Topology, composed: dict[str, Any]
) -> None:
    services = composed["services"]
    for service in plan.services(shipped, APART):
        after = services[service.name]["depends_on"]
        assert set(after) == {"setup", *service.after}
        for name, condition in after.items():
            healthy = condition["condition"] == "service_healthy"
            assert healthy == ("healthcheck" in services[name]), (service.name, name)


def test_compose__volumes__declared_and_holding_what_the_commands_name(composed: dict[str, Any]) -> None:
    for name, service in composed["services"].items():
        mounts = [volume.split(":") for volume in service.get("volumes", [])]
        for source, *_ in mounts:
            assert source.startswith("./") or source in composed["volumes"], name
        targets = [target for _, target, *_ in mounts]
        paths = re.findall(r"/(?:network|prometheus|topology)[^\s,]*", " ".join(service["command"]))
        assert all(any(path.startswith(target) for target in targets) for path in paths), name


def test_compose__images__targets_of_the_dockerfile_and_pinned_versions(composed: dict[str, Any]) -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE))
    for service in composed["services"].values():
        if "build" in service:
            assert service["build"]["target"] in targets and Path(service["build"]["context"]) == ROOT
            assert Path(service["build"]["dockerfile"]).name == "Dockerfile"
        else:
            assert re.fullmatch(r"\S+:v?\d[\w.]*", service["image"])


def test_compose__databases__each_that_a_process_opens(shipped: Topology, composed: dict[str, Any]) -> None:
    made = set(re.findall(r"CREATE DATABASE (\w+);", composed["configs"]["databases"]["content"]))
    urls = [plan.database_url(shipped, k, APART) for k in shipped.keepers if k.name != "canary"]
    assert made == {url.rpartition("/")[2] for url in urls} and all("@database:5433/" in url for url in urls)


def test_dockerfile__everything_copied__is_in_the_repository() -> None:
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = line.split()
        assert not [source for source in sources if not (ROOT / source).exists()]
    assert re.search(r"^USER plimsoll$", DOCKERFILE.split("AS devnet")[0], re.MULTILINE), "never root"


# What is wrong with a file


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("port = 8602", "port = 8601", "port 8601: attester-1 and attester-2 both want it"),
        ('name = "attester-2"', 'name = "attester-1"', "attester-1 is named twice"),
        ('kind = "devnet"', 'kind = "existing"', "an existing one needs rpc and deployment"),
        ('roles = ["attester"]', 'roles = ["api"]', "without an attester nothing is signed"),
        ("account = 1 ", "account = 0 ", "liquidator needs an account"),
        ('roles = ["canary"]', 'roles = ["parrot"]', "keepers.8.roles.0"),
        ("block_seconds = 1", "block_second = 1", "chain.block_second: extra inputs"),
        ("[database]", "[database", "is not TOML"),
    ],
)
def test_load__something_wrong__one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "topology.toml"
    path.write_text(SHIPPED.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value).strip()


def test_load__no_file__says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "gone.toml")
