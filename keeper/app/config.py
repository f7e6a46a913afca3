"""Configuration: one TOML file per process. Every problem is reported at once; paths are relative to the
file."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from keeper.app.section import Section
from keeper.app.source_config import SourceSection
from keeper.units.constants import WAD

Role = Literal["proposer", "attester", "settler", "liquidator", "api"]


class ConfigError(RuntimeError):
    """The configuration cannot be used; the text names everything that is wrong."""


class KeeperSection(Section):
    """What this process is."""

    roles: Annotated[list[Role], Field(min_length=1)]
    database: str = "sqlite:///keeper.sqlite"
    keystore: Path | None = None
    password_file: Path | None = None
    tick_seconds: float = Field(default=2.0, ge=0.05, le=60)


class ChainSection(Section):
    """Its own node, and where the protocol is."""

    rpc: str
    deployment: Path
    timeout_seconds: float = Field(default=5.0, gt=0, le=60)


class ProposerSection(Section):
    """When an epoch is due, and whom to ask."""

    attesters: list[str] = Field(default_factory=list)
    heartbeat_seconds: int = Field(default=60, gt=0)
    deviation_bps: int = Field(default=25, gt=0)


class LiquidatorSection(Section):
    """With whose account it bids, and for how much.

    account: opened beforehand; the key is its owner or operator.
    minimum_return: least share of the equity (of an insolvent account: of its maintenance margin) gained.
    keepers: APIs that serve the snapshots of epochs; none where this process proposes or attests itself.
    """

    account: int = Field(default=0, ge=0)
    minimum_return: float = Field(default=0.03, ge=0, le=1)
    keepers: list[str] = Field(default_factory=list)

    @property
    def minimum_return_wad(self) -> int:
        """The same, WAD."""
        return int(Decimal(str(self.minimum_return)) * WAD)


class ApiSection(Section):
    """Where HTTP is served."""

    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65_535)


class TransactionsSection(Section):
    """What a transaction may cost; wei and blocks."""

    max_attempts: int = Field(default=5, ge=1)
    replace_after_blocks: int = Field(default=3, ge=1)
    tip_wei: int = Field(default=10**9, ge=0)
    max_fee_wei: int = Field(default=500 * 10**9, gt=0)


class LogSection(Section):
    """How it logs."""

    format: Literal["json", "console"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section):
    """One process."""

    keeper: KeeperSection
    chain: ChainSection
    source: SourceSection
    api: ApiSection
    proposer: ProposerSection = ProposerSection()
    liquidator: LiquidatorSection = LiquidatorSection()
    transactions: TransactionsSection = TransactionsSection()
    log: LogSection = LogSection()
    methodology: Path | None = None

    def has(self, role: Role) -> bool:
        return role in self.keeper.roles

    @property
    def needs_key(self) -> bool:
        return bool({"proposer", "attester", "settler", "liquidator"} & set(self.keeper.roles))


def load(path: Path) -> Config:
    """Read and check a configuration. Raises ConfigError naming all problems."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"configuration {path} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"configuration {path} is not TOML: {error}") from None
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors()]
        raise ConfigError(f"configuration {path}: " + "; ".join(problems)) from None
    problems = _problems(config)
    if problems:
        raise ConfigError(f"configuration {path}: " + "; ".join(problems))
    return _anchored(config, path.resolve().parent)


def _problems(config: Config) -> list[str]:
    problems = []
    if config.needs_key and config.keeper.keystore is None:
        problems.append("keeper.keystore: needed by these roles")
    if config.needs_key and config.keeper.password_file is None:
        problems.append("keeper.password_file: needed by these roles")
    if config.has("proposer") and not config.proposer.attesters:
        problems.append("proposer.attesters: a proposer needs at least one")
    if config.has("liquidator") and not config.liquidator.account:
        problems.append("liquidator.account: a liquidator bids with an account opened beforehand")
    if config.has("liquidator") and not ({"proposer", "attester"} & set(config.keeper.roles)):
        if not config.liquidator.keepers:
            problems.append("liquidator.keepers: needs one, or the role of an attester or proposer beside it")
        problems += [
            f"liquidator.keepers: {u} is not a URL" for u in config.liquidator.keepers if "://" not in u
        ]
    if config.has("attester") and config.has("proposer"):
        problems.append("keeper.roles: an attester runs in a process of its own, apart from the proposer")
    if not config.chain.rpc.startswith(("http://", "https://")):
        problems.append("chain.rpc: must start with http:// or https://")
    problems += [f"proposer.attesters: {u} is not a URL" for u in config.proposer.attesters if "://" not in u]
    return problems + config.source.problems()


def _anchored(config: Config, folder: Path) -> Config:
    """Relative paths mean: beside the file."""

    def anchor(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    database = config.keeper.database
    if database.startswith("sqlite:///") and not database.startswith("sqlite:////"):
        database = f"sqlite:///{folder / database.removeprefix('sqlite:///')}"
    keeper = config.keeper.model_copy(
        update={
            "keystore": anchor(config.keeper.keystore),
            "password_file": anchor(config.keeper.password_file),
            "database": database,
        }
    )
    chain = config.chain.model_copy(update={"deployment": folder / config.chain.deployment})
    source = config.source.anchored(folder)
    anchored = {"keeper": keeper, "chain": chain, "source": source, "methodology": anchor(config.methodology)}
    return config.model_copy(update=anchored)
