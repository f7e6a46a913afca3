"""Wiring: what the roles of a configuration need, put together. Nothing is sent."""

from importlib.metadata import version

from keeper.app.config import Config
from keeper.app.duties import Duties
from keeper.app.engine import open_engine
from keeper.app.keys import open_signer
from keeper.app.network import attester_of, attesters_of, proposer_of
from keeper.app.nodes import open_pool
from keeper.app.process import Keeper
from keeper.app.readiness import Readiness, clock_skew, disk_space, gas_float
from keeper.app.sending import sender_of
from keeper.app.sources import open_sources, rules_of
from keeper.app.subscriptions import Subscriptions
from keeper.chain import deployment as deployments
from keeper.chain.cold_start import start_from
from keeper.chain.contracts import Protocol
from keeper.chain.index import Index
from keeper.jobs.books import Books
from keeper.jobs.decide_notices import Calm
from keeper.jobs.desk import Desk
from keeper.jobs.follow import Follower
from keeper.jobs.liquidate import Liquidator, Mandate
from keeper.jobs.notices import Notices
from keeper.jobs.settle import Settler
from keeper.jobs.statements import Statements
from keeper.jobs.upkeep import Upkeep
from keeper.jobs.watch import Watch
from keeper.network.notify import Notifier
from keeper.observability.metrics import Metrics
from keeper.observability.names import BUILD
from keeper.observability.watchdog import Watchdog
from keeper.risk.methodology import Methodology
from keeper.sources.market_check import Tolerance
from keeper.store.database import Database
from keeper.store.lease import INDEX, PROPOSER, Lease, holder_at

_ASK_SECONDS = 15.0  # between looks at balance, clock and disk


def build(config: Config) -> Keeper:
    """Wire one process. Raises one of the packages' errors with a clear sentence."""
    deployment = deployments.load(config.chain.deployment)
    keeper, metrics = config.keeper, _metrics(config, deployment.chain_id)
    pool = open_pool(config.chain, deployment.chain_id, metrics)
    signer = open_signer(keeper) if config.needs_key else None
    database = Database(keeper.database)
    protocol = Protocol(pool, deployment)
    methodology = Methodology.load(config.methodology) if config.methodology else Methodology.default()
    source = config.source
    sources = open_sources(source, pool, protocol.symbols(pool.head().hash), methodology)
    lease = Lease(database, INDEX, holder_at(keeper.name, config.api.port), keeper.lease_seconds)
    index = Index(protocol, database, lease, metrics)
    snapshot = config.chain.snapshot
    start = None if snapshot is None else start_from(index, protocol, snapshot)
    books = Books(index, checked=start.block if start else None)
    engine, close_engine = open_engine(config.engine, metrics)
    desk = Desk(
        protocol=protocol,
        index=index,
        sources=sources.all,
        methodology=methodology,
        statements=Statements(database, methodology, books),
        books=books,
        tolerance=Tolerance(source.spot_bps, source.forward_bps, source.vol, source.max_age_seconds),
        rules=rules_of(source),
        watch=Watch(database, metrics),
        engine=engine,
        metrics=metrics,
    )
    made = Keeper(
        config=config,
        database=database,
        desk=desk,
        signer=signer,
        duties=Duties(metrics),
        readiness=Readiness(metrics),
        watchdog=Watchdog(metrics, config.operations.silent_seconds),
        metrics=metrics,
        sources=sources,
        leases=[lease],
        closers=[pool.close, close_engine],
    )
    _add_roles(config, made)
    made.follower = _follower(config, made)
    made.notices = notices_of(config, made)
    _add_duties(made)
    _add_questions(config, made)
    return made


def _metrics(config: Config, chain_id: int) -> Metrics:
    metrics = Metrics()
    metrics.watch_process()
    roles = ",".join(config.keeper.roles)
    metrics.set(BUILD, 1, version=version("plimsoll"), roles=roles, chain_id=chain_id)
    return metrics


def _add_roles(config: Config, keeper: Keeper) -> None:
    if keeper.signer is None:
        return
    desk, signer = keeper.desk, keeper.signer
    if config.has("attester"):
        keeper.attester = attester_of(config, desk, keeper.database, signer, keeper.metrics)
    if config.sends:
        rpc, deployment = desk.protocol.node, desk.protocol.deployment
        holder = holder_at(config.keeper.name, config.api.port)
        keeper.sender = sender_of(config, rpc, keeper.database, signer, deployment, keeper.metrics, holder)
        keeper.leases.extend(keeper.sender.leases)
    if config.has("proposer") and keeper.sender is not None:
        keeper.attesters = attesters_of(config, desk, signer, keeper.metrics)
        holder = holder_at(config.keeper.name, config.api.port)
        lease = Lease(keeper.database, PROPOSER, holder, config.keeper.lease_seconds)
        keeper.leases.append(lease)
        parts = (keeper.database, keeper.attesters, keeper.sender, signer, lease, keeper.metrics)
        keeper.proposer = proposer_of(config, desk, *parts)
    if config.has("settler") and keeper.sender is not None:
        keeper.settler = Settler(desk.protocol, keeper.sender, keeper.metrics)
        keeper.upkeep = Upkeep(desk, keeper.sender)
    if config.has("liquidator") and keeper.sender is not None:
        mandate = Mandate(config.liquidator.account, config.liquidator.minimum_return_wad)
        keeper.liquidator = Liquidator(desk, keeper.sender, mandate, keeper.metrics)


def _follower(config: Config, keeper: Keeper) -> Follower | None:
    """Whom to ask for epochs that this process has neither proposed nor signed: it was down, or another was
    first."""
    urls = config.proposer.attesters if keeper.proposer is not None else []
    found = dict.fromkeys(
        url.rstrip("/") for url in (*config.liquidator.keepers, *config.attester.keepers, *urls)
    )
    return Follower(keeper.desk, tuple(found)) if found else None


def notices_of(config: Config, keeper: Keeper) -> Notices | None:
    """Margin-call notices, where somebody has subscribed."""
    found = Subscriptions.load(config.notices.subscriptions)
    if not found.accounts:
        return None
    calm = Calm(found.hysteresis, found.cooldown_seconds)
    parts = (keeper.desk, keeper.database, Notifier(), found.subscribers, calm, keeper.metrics)
    return Notices(*parts)


def _add_duties(keeper: Keeper) -> None:
    """By importance: what is on its way first, then epochs, then what follows from them."""
    duties, desk = keeper.duties, keeper.desk
    if keeper.sender is not None:
        duties.add("send", keeper.sender.advance)
    if keeper.proposer is not None:
        duties.add("propose", keeper.proposer.tick)
    if keeper.attester is not None:
        duties.add("attest", keeper.attester.tick)
    if (follower := keeper.follower) is not None:
        duties.add("follow", lambda: follower.tick(desk.view()))
    if (liquidator := keeper.liquidator) is not None:
        duties.add("liquidate", lambda: liquidator.tick(desk.view()))
    if (settler := keeper.settler) is not None:
        duties.add("settle", lambda: settler.tick(desk.view()))
    if (upkeep := keeper.upkeep) is not None:
        duties.add("upkeep", lambda: upkeep.tick(desk.view()))
    if keeper.attester is not None or keeper.proposer is None:
        duties.add("index", keeper.follow)
    if (notices := keeper.notices) is not None:
        duties.add("notify", lambda: notices.tick(desk.view()))


def _add_questions(config: Config, keeper: Keeper) -> None:
    node, deployment = keeper.desk.protocol.node, keeper.desk.protocol.deployment
    settings, metrics, ready = config.operations, keeper.metrics, keeper.readiness
    payers = sorted(set(keeper.sender.addresses.values())) if keeper.sender is not None else []
    for address in payers:
        name = "gas" if len(payers) == 1 else f"gas of {address}"
        ready.add(name, gas_float(node, address, settings, metrics), _ASK_SECONDS)
    ready.add("clock", clock_skew(node, deployment.chain_id, settings, metrics), _ASK_SECONDS)
    ready.add("disk", disk_space(config.keeper.database, settings, metrics), _ASK_SECONDS)
    if keeper.proposer is not None:
        ready.add("proposer", lambda: keeper.proposer.status.last_error if keeper.proposer else "")
