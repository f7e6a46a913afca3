"""One process: builds what its roles need, ticks, serves, and stops cleanly on SIGTERM."""

import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from keeper.app.config import Config
from keeper.app.sources import Sources, open_sources, rules_of
from keeper.chain import deployment as deployments
from keeper.chain.contracts import BOUNTIES, Protocol
from keeper.chain.index import Index, IndexingError
from keeper.chain.keys import Signer, open_keystore
from keeper.chain.node import Node, NodeError
from keeper.chain.transactions import Policy, Sender
from keeper.jobs.accounts import Accounts
from keeper.jobs.attest import Attester
from keeper.jobs.decide import Trigger
from keeper.jobs.desk import Desk
from keeper.jobs.follow import Follower
from keeper.jobs.liquidate import Liquidator, Mandate
from keeper.jobs.observe import ObservationError
from keeper.jobs.propose import Proposer
from keeper.jobs.settle import Settler
from keeper.jobs.statements import Statements
from keeper.jobs.upkeep import Upkeep
from keeper.jobs.watch import Watch
from keeper.network.client import Attesters
from keeper.network.server import Refusal, Unavailable, create_app
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.risk.methodology import Methodology
from keeper.sources.market_check import Tolerance
from keeper.store.database import Database

_STOP_SECONDS = 10
_TRANSIENT = (NodeError, ObservationError, Refusal, Unavailable)


@dataclass
class Keeper:
    """All parts of one process; those its roles do not need are None."""

    config: Config
    database: Database
    desk: Desk
    signer: Signer | None
    sender: Sender | None = None
    attester: Attester | None = None
    proposer: Proposer | None = None
    settler: Settler | None = None
    upkeep: Upkeep | None = None
    liquidator: Liquidator | None = None
    follower: Follower | None = None
    attesters: Attesters | None = None
    last_tick: float = 0.0
    problem: str = "starting"
    metrics: Metrics = field(default_factory=Metrics)
    sources: Sources = Sources(())

    def tick(self) -> str | None:
        """One round of every duty; returns why an epoch was proposed. Transient failures are kept, not
        raised."""
        reason = None
        try:
            if self.sender is not None:
                self.sender.advance()
            if self.proposer is not None:
                reason = self.proposer.tick()
            if self.settler is not None:
                self.settler.tick(self.desk.view())
            if self.follower is not None:
                self.follower.tick(self.desk.view())
            if self.upkeep is not None:
                self.upkeep.tick(self.desk.view())
            if self.liquidator is not None:
                self.liquidator.tick(self.desk.view())
            if self.attester is not None or self.proposer is None:
                self._follow()
            self.problem = ""
        except _TRANSIENT as error:
            self.problem = str(error)
        self.last_tick = time.monotonic()
        return reason

    def status(self) -> dict[str, Any]:
        """The operator's view."""
        stale = time.monotonic() - self.last_tick > 10 * max(self.config.keeper.tick_seconds, 0.5)
        problem = self.problem or ("no tick for a while" if stale else "")
        latest = self.desk.statements.latest()
        found: dict[str, Any] = {
            "ready": not problem,
            "reason": problem,
            "roles": self.config.keeper.roles,
            "chain_id": self.desk.protocol.deployment.chain_id,
            "address": self.signer.address if self.signer else None,
            "epoch": latest.epoch.number if latest else 0,
            "epoch_timestamp": latest.epoch.timestamp if latest else 0,
            "accounts": len(latest.margins) if latest else 0,
            "methodology": "0x" + self.desk.methodology.hash().hex(),
        }
        if self.attester is not None:
            found["attester"] = {"signed": self.attester.signed, "last_refusal": self.attester.last_refusal}
        if self.proposer is not None:
            status = self.proposer.status
            found["proposer"] = {
                "posted": status.posted,
                "last_reason": status.last_reason,
                "last_error": status.last_error,
                "seconds": round(status.seconds, 4),
                "refusals": status.refusals,
            }
        if self.settler is not None:
            found["settler"] = {"finalized": self.settler.finalized, "settled": self.settler.settled}
        if self.upkeep is not None:
            found["upkeep"] = self.upkeep.status()
        if self.liquidator is not None:
            found["liquidator"] = self.liquidator.status()
        if self.sender is not None:
            found["transactions"] = self.sender.counts()
        return found

    def close(self) -> None:
        """Give everything back."""
        if self.attesters is not None:
            self.attesters.close()
        self.sources.close()
        self.database.close()

    def _follow(self) -> None:
        """Keep the index near the head and know the latest epoch."""
        head = self.desk.sync()
        self.desk.statements.publish(self.desk.protocol.header(head.hash).number)


def build(config: Config) -> Keeper:
    """Wire one process. Raises one of the packages' errors with a clear sentence; nothing is sent."""
    deployment = deployments.load(config.chain.deployment)
    node = Node(config.chain.rpc, config.chain.timeout_seconds)
    found = node.chain_id()
    if found != deployment.chain_id:
        raise NodeError(f"node {node.url} is on chain {found}, the deployment on {deployment.chain_id}")
    keeper = config.keeper
    signer = None
    if config.needs_key:
        assert keeper.keystore is not None and keeper.password_file is not None  # checked by `load`
        signer = open_keystore(keeper.keystore, keeper.password_file)
    database = Database(keeper.database)
    protocol = Protocol(node, deployment)
    methodology = Methodology.load(config.methodology) if config.methodology else Methodology.default()
    source = config.source
    sources = open_sources(source, node, protocol.symbols(node.head().hash), methodology)
    tolerance = Tolerance(source.spot_bps, source.forward_bps, source.vol, source.max_age_seconds)
    metrics = Metrics()
    desk = Desk(
        protocol=protocol,
        index=Index(protocol, database),
        sources=sources.all,
        methodology=methodology,
        statements=Statements(database, methodology),
        tolerance=tolerance,
        rules=rules_of(source),
        watch=Watch(database, metrics),
    )
    made = Keeper(config, database, desk, signer, metrics=metrics, sources=sources)
    return _with_roles(config, made)


def _with_roles(config: Config, keeper: Keeper) -> Keeper:
    if keeper.signer is None:
        return keeper
    desk, signer = keeper.desk, keeper.signer
    if config.has("attester"):
        keeper.attester = Attester(desk, keeper.database, signer)
    if {"proposer", "settler", "liquidator"} & set(config.keeper.roles):
        limits = config.transactions
        policy = Policy(limits.max_attempts, limits.replace_after_blocks, limits.tip_wei, limits.max_fee_wei)
        chain_id = desk.protocol.deployment.chain_id
        bounties = desk.protocol.deployment.addresses.get(BOUNTIES, "")
        keeper.sender = Sender(desk.protocol.node, keeper.database, signer, chain_id, policy, bounties)
    if config.has("proposer") and keeper.sender is not None:
        keeper.attesters = Attesters(tuple(url.rstrip("/") for url in config.proposer.attesters))
        trigger = Trigger(config.proposer.heartbeat_seconds, config.proposer.deviation_bps)
        keeper.proposer = Proposer(desk, keeper.attesters, keeper.sender, trigger)
    if config.has("settler") and keeper.sender is not None:
        keeper.settler = Settler(desk.protocol, keeper.sender)
        keeper.upkeep = Upkeep(desk, keeper.sender)
    if config.has("liquidator") and keeper.sender is not None:
        mandate = Mandate(config.liquidator.account, config.liquidator.minimum_return_wad)
        if keeper.attester is None and keeper.proposer is None:
            urls = tuple(url.rstrip("/") for url in config.liquidator.keepers)
            keeper.follower = Follower(desk, urls)
        keeper.liquidator = Liquidator(desk, keeper.sender, mandate, keeper.metrics)
    return keeper


def run(keeper: Keeper) -> None:
    """Serve and tick until SIGTERM or SIGINT. Raises IndexingError when the chain's logs cannot be
    trusted."""
    stop, wake = threading.Event(), threading.Event()

    def on_signal(_number: int, _frame: Any) -> None:
        stop.set()
        wake.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, on_signal)
    server, thread = _serve(keeper)
    scheduler = _schedule(keeper.config.keeper.tick_seconds, wake)
    log = logger("process")
    log.info("started", roles=keeper.config.keeper.roles, port=keeper.config.api.port)
    try:
        while not stop.is_set() and thread.is_alive():
            wake.wait(timeout=keeper.config.keeper.tick_seconds * 5)
            wake.clear()
            if not stop.is_set():
                keeper.tick()
    except IndexingError as error:
        log.error("halted", reason=str(error))
        raise
    finally:
        scheduler.shutdown(wait=False)
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        keeper.close()
        log.info("stopped")


def _schedule(seconds: float, wake: threading.Event) -> Any:
    """APScheduler only sets the pace: it wakes the one thread that works, so ticks never overlap."""
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(
        wake.set, "interval", seconds=seconds, misfire_grace_time=None, coalesce=True, max_instances=1
    )
    scheduler.start()
    return scheduler


def _serve(keeper: Keeper) -> tuple[Any, threading.Thread]:
    import uvicorn

    app = create_app(
        statements=keeper.desk.statements,
        status=keeper.status,
        attester=keeper.attester,
        reports=keeper.proposer,
        metrics=keeper.metrics.text,
        accounts=Accounts(keeper.desk),
    )
    api = keeper.config.api
    settings = uvicorn.Config(app, host=api.host, port=api.port, log_level="warning", access_log=False)
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, name="http", daemon=True)
    thread.start()
    return server, thread
