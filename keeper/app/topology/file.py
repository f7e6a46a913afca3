"""The topology file. Every problem is reported at once."""

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from keeper.app.config import SIGNING, ConfigError
from keeper.app.section import Section
from keeper.app.sections import Role

VENUES = ("binance", "bybit", "hyperliquid")

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
_Port = Annotated[int, Field(ge=1, le=65_535)]


class ChainPart(Section):
    """The node: a devnet of our own, or endpoints that exist.

    start: of a devnet, its first moment; UTC where no offset is given.
    rpc, deployment: of an existing chain.
    """

    kind: Literal["devnet", "existing"] = "devnet"
    port: _Port = 8545
    block_seconds: int = Field(default=1, ge=1, le=60)
    start: datetime | None = None
    rpc: list[str] = Field(default_factory=list)
    deployment: Path | None = None


class DatabasePart(Section):
    """Where the processes keep what they must not forget."""

    kind: Literal["postgresql", "sqlite"] = "sqlite"
    port: _Port = 5433


class PrometheusPart(Section):
    """Who collects the metrics and judges the alert rules."""

    port: _Port = 9090


class KeeperPart(Section):
    """One process.

    database: shared with the keepers that name the same; its own by default.
    account: of a liquidator.
    """

    name: _Name
    roles: Annotated[list[Role], Field(min_length=1)]
    port: _Port
    database: _Name | None = None
    venues: Annotated[list[str], Field(min_length=1)] = list(VENUES)
    account: int = Field(default=0, ge=0)
    tick_seconds: float = Field(default=0.5, ge=0.05, le=60)

    @property
    def store(self) -> str:
        """Name of its database."""
        return self.database or self.name

    @property
    def signs(self) -> bool:
        """Whether it has a key."""
        return bool(SIGNING & set(self.roles))


class Topology(Section):
    """All of a network."""

    name: _Name
    chain: ChainPart = ChainPart()
    database: DatabasePart = DatabasePart()
    prometheus: PrometheusPart | None = None
    keepers: Annotated[list[KeeperPart], Field(min_length=1)]

    def having(self, role: Role) -> list[KeeperPart]:
        """Keepers with a role, in the file's order."""
        return [keeper for keeper in self.keepers if role in keeper.roles]


def load(path: Path) -> Topology:
    """Read and check a topology. Raises ConfigError naming all problems."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        topology = Topology.model_validate(content)
    except OSError as error:
        raise ConfigError(f"topology {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"topology {path} is not TOML: {error}") from None
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors()]
        raise ConfigError(f"topology {path}: " + "; ".join(problems)) from None
    problems = _problems(topology)
    if problems:
        raise ConfigError(f"topology {path}: " + "; ".join(problems))
    return topology


def _problems(found: Topology) -> list[str]:
    names, ports = [k.name for k in found.keepers], _ports(found)
    problems = [f"keepers: {n} is named twice" for n in sorted({n for n in names if names.count(n) > 1})]
    numbers = list(ports.values())
    for number in sorted({n for n in numbers if numbers.count(n) > 1}):
        problems.append(f"port {number}: {' and '.join(n for n in ports if ports[n] == number)} both want it")
    if found.chain.kind == "existing" and (not found.chain.rpc or found.chain.deployment is None):
        problems.append("chain: an existing one needs rpc and deployment")
    if not found.having("attester"):
        problems.append("keepers: without an attester nothing is signed")
    alone = [k.name for k in found.having("liquidator") if not k.account]
    return problems + [f"keepers: {name} needs an account, opened beforehand" for name in alone]


def _ports(found: Topology) -> dict[str, int]:
    ports = {keeper.name: keeper.port for keeper in found.keepers}
    if found.chain.kind == "devnet":
        ports["chain"] = found.chain.port
    if found.database.kind == "postgresql":
        ports["database"] = found.database.port
    if found.prometheus is not None:
        ports["prometheus"] = found.prometheus.port
    return ports
