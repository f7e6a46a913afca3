"""One transaction per thing, whoever asks for it and however often: what liquidator and upkeep submit."""

from keeper.chain.transactions import Sender
from keeper.observability.logs import logger
from keeper.store.transaction_store import Intent, State

_STALE_SECONDS = 300  # of chain time; not mined by then, it is cancelled and decided anew


def submit_once(
    sender: Sender, job: str, id: str, kind: str, target: str, calldata: str, now: int, worth: int = 0
) -> Intent | None:
    """Submit an intent, once per id, and log under `job` how it went.

    Args:
        now: unix seconds of chain time.
        worth: USD, WAD, concerned; its gas may cost a share of it. 0: not known.

    Returns:
        None where it was submitted before; a dropped intent says why in `error`.
    """
    if sender.find(id) is not None:
        return None
    deadline = now + _STALE_SECONDS
    intent = sender.submit(id, kind, target, calldata, now, value_at_risk=worth, deadline=deadline)
    if intent.state == State.DROPPED:
        logger(job).warning(kind, id=id, error=intent.error)
    else:
        logger(job).info(kind, id=id, state=intent.state)
    return intent
