"""The sender that a configuration asks for."""

from decimal import Decimal

from keeper.app.config import Config
from keeper.app.keys import open_signer
from keeper.app.sections import RelaySection, TransactionsSection
from keeper.chain.contracts import BOUNTIES
from keeper.chain.deployment import DEVNETS, Deployment
from keeper.chain.fees import Policy
from keeper.chain.keys import Signer
from keeper.chain.node import Node, Rpc
from keeper.chain.outbox_rows import Relay
from keeper.chain.transactions import Lane, Sender
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.store.database import Database
from keeper.units.constants import WAD

_COIN = 10**18


def sender_of(
    config: Config,
    rpc: Rpc,
    database: Database,
    signer: Signer,
    deployment: Deployment,
    metrics: Metrics,
    holder: str,
) -> Sender:
    """Lanes without a key of their own share the process's. Raises KeyFileError or SigningError."""
    settings, chain_id = config.transactions, deployment.chain_id
    policy = policy_of(settings, chain_id)
    if policy.dry_run:
        logger("sender").warning("dry run: transactions are only said, not sent", chain_id=chain_id)
    keys = {lane: settings.lanes.by_name()[lane].key for lane in Lane}
    signers = {lane: open_signer(key) if key is not None else signer for lane, key in keys.items()}
    return Sender(
        rpc,
        database,
        signers,
        chain_id,
        policy,
        metrics,
        holder=holder,
        lease_seconds=config.keeper.lease_seconds,
        relay=_relay(settings.relay, config.chain.timeout_seconds) if settings.relay else None,
        bounties=deployment.addresses.get(BOUNTIES, ""),
    )


def policy_of(settings: TransactionsSection, chain_id: int) -> Policy:
    """Nothing is sent by default on a chain that is not a devnet: to pay there must be asked for."""
    dry_run = chain_id not in DEVNETS if settings.dry_run is None else settings.dry_run
    lanes = settings.lanes.by_name().items()
    return Policy(
        max_attempts=settings.max_attempts,
        replace_after_blocks=settings.replace_after_blocks,
        tip=settings.tip_wei,
        floor_fee=settings.floor_fee_wei,
        max_fee=settings.max_fee_wei,
        value_share=_scaled(settings.value_share, WAD),
        coin_usd=_scaled(settings.coin_usd, WAD),
        final_blocks=settings.final_blocks,
        max_in_flight=settings.max_in_flight,
        gas_per_day=tuple((name, _scaled(lane.gas_per_day, _COIN)) for name, lane in lanes),
        dry_run=dry_run,
    )


def _relay(section: RelaySection, timeout: float) -> Relay:
    minimum = _scaled(section.minimum_value, WAD)
    return Relay(Node(section.url, timeout), section.public_after_blocks, minimum)


def _scaled(value: float, unit: int) -> int:
    return int(Decimal(str(value)) * unit)
