"""Whether this machine's clock can be trusted with a signature: seconds, ours less another's."""

from keeper.observability import names
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics

WARN_SECONDS = 2.0
REFUSE_SECONDS = 10.0


def skew_refusal(skew: float, against: str, metrics: Metrics) -> str | None:
    """Why nothing is signed by such a clock, or None. A small skew is only warned of."""
    metrics.set(names.CLOCK_SKEW, skew, against=against)
    if abs(skew) > REFUSE_SECONDS:
        return (
            f"clock: {skew:+.0f} seconds from the {against}'s; nothing is signed beyond {REFUSE_SECONDS:.0f}"
        )
    if abs(skew) > WARN_SECONDS:
        logger("clock").warning("skew", seconds=round(skew, 1), against=against)
    return None
