"""Configuration: one TOML file per process. Every problem is reported at once; paths are relative to the
file."""

import tomllib
from pathlib import Path

from pydantic import ValidationError

from keeper.app.section import Section
from keeper.app.sections import (
    ApiSection,
    AttesterSection,
    CanarySection,
    ChainSection,
    EngineSection,
    KeeperSection,
    KeySection,
    LiquidatorSection,
    LogSection,
    NetworkSection,
    NoticesSection,
    OperationsSection,
    ProposerSection,
    Role,
    TransactionsSection,
)
from keeper.app.source_config import SourceSection

SIGNING = frozenset({"proposer", "attester", "settler", "liquidator"})  # roles that need a key
SENDING = SIGNING - {"attester"}  # and coins to pay for gas


class ConfigError(RuntimeError):
    """The configuration cannot be used; the text names everything that is wrong."""


class Config(Section):
    """One process."""

    keeper: KeeperSection
    chain: ChainSection
    source: SourceSection
    api: ApiSection
    proposer: ProposerSection = ProposerSection()
    attester: AttesterSection = AttesterSection()
    liquidator: LiquidatorSection = LiquidatorSection()
    transactions: TransactionsSection = TransactionsSection()
    network: NetworkSection = NetworkSection()
    engine: EngineSection = EngineSection()
    canary: CanarySection = CanarySection()
    notices: NoticesSection = NoticesSection()
    operations: OperationsSection = OperationsSection()
    log: LogSection = LogSection()
    methodology: Path | None = None

    def has(self, role: Role) -> bool:
        return role in self.keeper.roles

    @property
    def needs_key(self) -> bool:
        return bool(SIGNING & set(self.keeper.roles))

    @property
    def sends(self) -> bool:
        """Whether it pays for transactions."""
        return bool(SENDING & set(self.keeper.roles))


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
    problems = _key_problems(config)
    problems += _url_problems(config)
    if config.chain.agree > len(config.chain.rpc):
        problems.append(f"chain.agree: {config.chain.agree} of {len(config.chain.rpc)} can never agree")
    if config.has("proposer") and not config.proposer.attesters:
        problems.append("proposer.attesters: a proposer needs at least one")
    if config.has("liquidator") and not config.liquidator.account:
        problems.append("liquidator.account: a liquidator bids with an account opened beforehand")
    alone = config.has("liquidator") and not {"proposer", "attester"} & set(config.keeper.roles)
    if alone and not config.liquidator.keepers:
        problems.append("liquidator.keepers: needs one, or the role of an attester or proposer beside it")
    if config.has("attester") and config.has("proposer"):
        problems.append("keeper.roles: an attester runs in a process of its own, apart from the proposer")
    if config.has("canary") and len(config.keeper.roles) > 1:
        problems.append("keeper.roles: a canary runs in a process of its own, apart from what it watches")
    return problems + config.source.problems()


def _url_problems(config: Config) -> list[str]:
    chain, signer, kms = config.chain, config.keeper.web3signer, config.keeper.kms
    nodes = {"chain.rpc": chain.rpc, "keeper.web3signer.url": [signer.url] if signer else []}
    nodes |= {"keeper.kms.endpoint": [kms.endpoint] if kms and kms.endpoint else []}
    problems = [
        f"{name}: must start with http:// or https://"
        for name, urls in nodes.items()
        if not all(url.startswith(("http://", "https://")) for url in urls)
    ]
    if chain.websocket is not None and not chain.websocket.startswith(("ws://", "wss://")):
        problems.append("chain.websocket: must start with ws:// or wss://")
    keepers = {
        "proposer.attesters": config.proposer.attesters,
        "liquidator.keepers": config.liquidator.keepers,
        "attester.keepers": config.attester.keepers,
    }
    return problems + [
        f"{n}: {u} is not a URL" for n, urls in keepers.items() for u in urls if "://" not in u
    ]


def _key_problems(config: Config) -> list[str]:
    """One key, wherever it is, for the roles that sign."""
    keys: dict[str, KeySection | None] = {"keeper.next": config.keeper.next}
    if config.needs_key:
        keys["keeper"] = config.keeper
    for name, lane in config.transactions.lanes.by_name().items():
        keys[f"transactions.lanes.{name}.key"] = lane.key
    return [text for name, key in keys.items() if key is not None for text in key.problems(name)]


def _anchored(config: Config, folder: Path) -> Config:
    """Relative paths mean: beside the file."""

    def anchor(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    database = config.keeper.database
    if database.startswith("sqlite:///") and not database.startswith("sqlite:////"):
        database = f"sqlite:///{folder / database.removeprefix('sqlite:///')}"
    following = config.keeper.next.anchored(folder) if config.keeper.next else None
    keeper = config.keeper.anchored(folder).model_copy(update={"database": database, "next": following})
    lanes = config.transactions.lanes.anchored(folder)
    files = {"deployment": anchor(config.chain.deployment), "snapshot": anchor(config.chain.snapshot)}
    chain = config.chain.model_copy(update=files)
    source = config.source.anchored(folder)
    notices = config.notices.model_copy(update={"subscriptions": anchor(config.notices.subscriptions)})
    anchored = {
        "keeper": keeper,
        "transactions": config.transactions.model_copy(update={"lanes": lanes}),
        "chain": chain,
        "source": source,
        "notices": notices,
        "methodology": anchor(config.methodology),
    }
    return config.model_copy(update=anchored)
