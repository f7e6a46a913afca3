"""Wiring of what keepers say to each other: attester, proposer, and who is let in."""

from decimal import Decimal

from eth_utils.address import to_checksum_address

from keeper.app.config import Config
from keeper.app.keys import open_signer
from keeper.chain.keys import Signer
from keeper.chain.transactions import Sender
from keeper.jobs.attest import Attester
from keeper.jobs.desk import Desk
from keeper.jobs.propose import Proposer
from keeper.jobs.rota import Rota
from keeper.jobs.triggers import Trigger
from keeper.network.client import Attesters
from keeper.network.leaf_reader import LeafReader
from keeper.network.limits import Limits
from keeper.network.peers import Door, domain_of
from keeper.observability import names
from keeper.observability.metrics import Metrics
from keeper.store.database import Database
from keeper.store.lease import Lease
from keeper.units.constants import WAD


def attester_of(config: Config, desk: Desk, database: Database, signer: Signer, metrics: Metrics) -> Attester:
    """The attester; around a change of the set it has the key of the coming one, too."""
    coming = config.keeper.next
    signers = (signer,) if coming is None else (signer, open_signer(coming))
    keepers = _urls(config.attester.keepers)
    return Attester(desk, database, signers, LeafReader(keepers), metrics, keepers)


def attesters_of(config: Config, desk: Desk, signer: Signer, metrics: Metrics) -> Attesters:
    """The attesters that a proposer asks."""

    def heard(url: str, result: str) -> None:
        metrics.count(names.ATTESTER_ANSWERS, attester=url, result=_kind(result))

    timeout = config.proposer.attester_seconds
    return Attesters(_urls(config.proposer.attesters), timeout, signer, _domain(desk), heard)


def _kind(result: str) -> str:
    """Of an answer, in few words for a metric."""
    start = result.partition(":")[0]
    return {"signed": "signed", "409": "refused", "503": "unavailable", "unreachable": "unreachable"}.get(
        start, "late" if "in time" in result else "wrong"
    )


def proposer_of(
    config: Config,
    desk: Desk,
    database: Database,
    attesters: Attesters,
    sender: Sender,
    signer: Signer,
    lease: Lease,
    metrics: Metrics,
) -> Proposer:
    """The proposer; under `lease` it is the only one over its database."""
    terms = config.proposer
    trigger = Trigger(
        heartbeat_seconds=terms.heartbeat_seconds,
        deviation_bps=terms.deviation_bps,
        surface_vol=terms.surface_vol,
        health_levels=tuple(int(Decimal(str(level)) * WAD) for level in terms.health_levels),
        early_share=terms.early_share,
    )
    rota = Rota(signer.address, terms.proposers, terms.stage_seconds)
    return Proposer(desk, database, attesters, sender, trigger, rota, lease, metrics)


def door_of(config: Config, desk: Desk, attester: Attester) -> Door:
    """Who may ask for signatures."""
    proposers = frozenset(str(to_checksum_address(address)) for address in config.network.proposers)
    return Door(_domain(desk), lambda: attester.callers(proposers))


def limits_of(config: Config) -> Limits:
    """How much is let in."""
    section = config.network
    return Limits(
        requests_per_second=section.requests_per_second,
        burst=section.burst,
        max_body_bytes=section.max_body_bytes,
    )


def _domain(desk: Desk) -> bytes:
    deployment = desk.protocol.deployment
    return domain_of(deployment.chain_id, deployment.oracle)


def _urls(urls: list[str]) -> tuple[str, ...]:
    return tuple(url.rstrip("/") for url in urls)
