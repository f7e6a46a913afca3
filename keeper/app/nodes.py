"""A process's way to the chain, as its configuration names it."""

from keeper.app.sections import ChainSection
from keeper.chain.endpoint import State
from keeper.chain.node import NodeError
from keeper.chain.pool import Pool, Settings
from keeper.observability.metrics import Metrics


def open_pool(section: ChainSection, chain_id: int, metrics: Metrics | None = None) -> Pool:
    """All endpoints as one node, each asked once.

    Raises:
        NodeError: one of them is on another chain (a mistake that stays one), or none answers.
    """
    settings = Settings(agree=section.agree, timeout=section.timeout_seconds)
    pool = Pool(section.rpc, chain_id, settings, metrics)
    try:
        pool.look()
        for endpoint in pool.endpoints:
            if endpoint.state == State.WRONG_CHAIN:
                raise NodeError(f"node {endpoint.node.url} {endpoint.problem} as the deployment")
        pool.head()
    except NodeError:
        pool.close()
        raise
    return pool
