"""The sections of a process's configuration; see `keeper.app.config` for how they are read and checked."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator

from keeper.app.section import Section
from keeper.units.constants import WAD

Role = Literal["proposer", "attester", "settler", "liquidator", "api", "canary"]

_Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]


class Web3SignerSection(Section):
    """A remote signer that speaks web3signer's HTTP API, and which of its keys to use.

    authority, certificate, key: PEM files; who it must be, and who we are to it.
    """

    url: str
    address: _Address
    timeout_seconds: float = Field(default=2.0, gt=0, le=60)
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class KmsSection(Section):
    """A key in AWS KMS; credentials are found as AWS's own tools find them, never in this file."""

    key_id: Annotated[str, Field(min_length=1)]
    region: Annotated[str, Field(min_length=1)]
    endpoint: str | None = None
    timeout_seconds: float = Field(default=2.0, gt=0, le=60)


class KeySection(Section):
    """Where a key is: an encrypted keystore, web3signer or AWS KMS; one of them."""

    keystore: Path | None = None
    password_file: Path | None = None
    web3signer: Web3SignerSection | None = None
    kms: KmsSection | None = None

    def problems(self, name: str) -> list[str]:
        """What is wrong with it; `name` is the section's."""
        problems = []
        ways = [way for way in (self.keystore, self.web3signer, self.kms) if way is not None]
        if not ways:
            problems.append(f"{name}: name a keystore, a web3signer or a kms key")
        if len(ways) > 1:
            problems.append(f"{name}: keystore, web3signer and kms exclude each other")
        if self.keystore is not None and self.password_file is None:
            problems.append(f"{name}.password_file: needed to open the keystore")
        if self.web3signer is not None and not self.web3signer.url.startswith(("http://", "https://")):
            problems.append(f"{name}.web3signer.url: must start with http:// or https://")
        return problems

    def anchored(self, folder: Path) -> Self:
        """With paths relative to a folder."""

        def anchor(path: Path | None) -> Path | None:
            return None if path is None else folder / path

        remote = self.web3signer
        if remote is not None:
            files = {n: anchor(getattr(remote, n)) for n in ("authority", "certificate", "key")}
            remote = remote.model_copy(update=files)
        files = {n: anchor(getattr(self, n)) for n in ("keystore", "password_file")}
        return self.model_copy(update=files | {"web3signer": remote})


class KeeperSection(KeySection):
    """What this process is, and its key.

    name: who it is among the processes of one database (holder of leases), by default host and process.
    next: a second key that also attests while the set of attesters changes.
    """

    roles: Annotated[list[Role], Field(min_length=1)]
    name: str = ""
    database: str = "sqlite:///keeper.sqlite"
    next: KeySection | None = None
    tick_seconds: float = Field(default=2.0, ge=0.05, le=60)
    lease_seconds: float = Field(default=15.0, ge=1, le=600)


class ChainSection(Section):
    """Its own nodes, and where the protocol is.

    rpc: one endpoint or several.
    websocket: only wakes the process at a new block; what is read is read from `rpc`.
    agree: how many endpoints must say the same of anything that moves money.
    snapshot: what an empty index starts from instead of the first block (`plimsoll snapshot`).
    """

    rpc: Annotated[list[str], Field(min_length=1)]
    websocket: str | None = None
    agree: int = Field(default=1, ge=1)
    deployment: Path
    snapshot: Path | None = None
    timeout_seconds: float = Field(default=5.0, gt=0, le=60)

    @field_validator("rpc", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class ProposerSection(Section):
    """When an epoch is due, whose turn it is, and whom to ask.

    attester_seconds: that an attester has to answer.
    surface_vol: mean move of an underlying's vols, weighted by vega, that is reason for an epoch.
    health_levels: of equity over maintenance margin: an account that crosses one is reason for an epoch.
    early_share: two reasons that are this near to due make one epoch for both.
    proposers: addresses of all proposers, this one included; none: it is the only one.
    stage_seconds: of chain time that each back-up waits longer than the one before it.
    """

    attesters: list[str] = Field(default_factory=list)
    attester_seconds: float = Field(default=5.0, gt=0, le=60)
    proposers: list[_Address] = Field(default_factory=list)
    stage_seconds: int = Field(default=10, ge=1, le=3_600)
    heartbeat_seconds: int = Field(default=60, gt=0)
    deviation_bps: int = Field(default=25, gt=0)
    surface_vol: float = Field(default=0.02, gt=0, le=1)
    health_levels: list[float] = Field(default=[1.0], max_length=8)
    early_share: float = Field(default=0.8, gt=0, le=1)


class AttesterSection(Section):
    """Whom an attester asks.

    keepers: APIs of proposers, to name the account that differs, and of fellow attesters, to see whether a
        proposer says the same to all.
    """

    keepers: list[str] = Field(default_factory=list)


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


class LaneSection(Section):
    """What one kind of transactions may cost. A lane with a key of its own is never held up by the others.

    gas_per_day: coins that it may spend on gas a day.
    """

    key: KeySection | None = None
    gas_per_day: float = Field(default=1.0, gt=0)

    def anchored(self, folder: Path) -> Self:
        """With paths relative to a folder."""
        return self.model_copy(update={"key": self.key.anchored(folder) if self.key else None})


class LanesSection(Section):
    """Transactions by urgency: epochs; flags, bids and what goes with them; settlements and the rest."""

    oracle: LaneSection = LaneSection()
    liquidate: LaneSection = LaneSection()
    housekeeping: LaneSection = LaneSection()

    def by_name(self) -> dict[str, LaneSection]:
        """Every lane."""
        return {"oracle": self.oracle, "liquidate": self.liquidate, "housekeeping": self.housekeeping}

    def anchored(self, folder: Path) -> Self:
        """With paths relative to a folder."""
        return self.model_copy(update={n: lane.anchored(folder) for n, lane in self.by_name().items()})


class RelaySection(Section):
    """A private relay for transactions with much at stake: sent there alone at first.

    public_after_blocks: not mined by then, everybody gets it.
    minimum_value: USD at risk from which it is used.
    """

    url: str
    public_after_blocks: int = Field(default=5, ge=1)
    minimum_value: float = Field(default=0.0, ge=0)


class TransactionsSection(Section):
    """What a transaction may cost and how long it may take; wei and blocks.

    floor_fee_wei: per gas, that any transaction may cost, whatever is at stake.
    max_fee_wei: per gas, where it is not known what is at stake.
    value_share: of the value at risk, that its transaction may cost beyond that.
    coin_usd: price of the chain's coin, to compare the two; a guess on the high side is the careful one.
    final_blocks: mined so deep, a transaction is final.
    max_in_flight: transactions of one key that are out and not mined.
    dry_run: nothing is sent, only said; by default everywhere but on a devnet.
    """

    max_attempts: int = Field(default=8, ge=1)
    replace_after_blocks: int = Field(default=3, ge=1)
    tip_wei: int = Field(default=10**9, ge=0)
    floor_fee_wei: int = Field(default=30 * 10**9, ge=0)
    max_fee_wei: int = Field(default=500 * 10**9, gt=0)
    value_share: float = Field(default=0.05, ge=0, le=1)
    coin_usd: float = Field(default=10_000, gt=0)
    final_blocks: int = Field(default=64, ge=1)
    max_in_flight: int = Field(default=64, ge=4)
    dry_run: bool | None = None
    lanes: LanesSection = LanesSection()
    relay: RelaySection | None = None


class NetworkSection(Section):
    """Whom this process listens to, and how much.

    proposers: addresses that may ask for signatures, besides the quorum's members.
    requests_per_second, burst: of one peer or one address.
    max_body_bytes: of one request, counted while it streams.
    """

    proposers: list[_Address] = Field(default_factory=list)
    requests_per_second: float = Field(default=50, gt=0)
    burst: int = Field(default=200, ge=1)
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1_024)


class EngineSection(Section):
    """Where margins are computed: in this process, by Dask `workers` of its own, or at a `scheduler`."""

    workers: int = Field(default=0, ge=0, le=256)
    scheduler: str | None = None
    timeout_seconds: float = Field(default=30.0, gt=0)


class CanarySection(Section):
    """When the canary gives alarm: seconds and blocks that something may stand, and the fund's floor.

    max_epoch_age_seconds: 0: the oracle's own age of staleness.
    """

    max_epoch_age_seconds: int = Field(default=0, ge=0)
    max_unflagged_blocks: int = Field(default=2, ge=0)
    max_auction_seconds: int = Field(default=1_800, gt=0)
    max_settlement_seconds: int = Field(default=900, gt=0)
    minimum_fund: float = Field(default=0, ge=0)
    keepers: list[str] = Field(default_factory=list)


class NoticesSection(Section):
    """Margin-call notices and alarms.

    subscriptions: a TOML file of who hears of which account, and how; addresses with passwords live there.
    """

    subscriptions: Path | None = None


class OperationsSection(Section):
    """What makes a process not ready, and what its dashboards warn of.

    silent_seconds: a loop not heard of for so long makes `/live` answer 503.
    minimum_balance: coins for gas, below which a sender is not ready.
    max_clock_skew_seconds: of this machine's clock against the chain's and the sources'.
    """

    silent_seconds: float = Field(default=60.0, gt=0)
    minimum_balance: float = Field(default=0.01, ge=0)
    max_clock_skew_seconds: float = Field(default=60.0, gt=0)
    minimum_disk_bytes: int = Field(default=100_000_000, ge=0)


class LogSection(Section):
    """How it logs."""

    format: Literal["json", "console"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"
