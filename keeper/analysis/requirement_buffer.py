"""What an account may lose under a model before it is liquidated.

Models count equity differently: some leave the value of long options out, some take haircuts. The buffer is
what all have in common: cash, mark and coins at full value less what the model lets the account lose,

    buffer = net value - (equity - requirement),

both as the model states them. A loss beyond the buffer of the day before is an exceedance.
"""

from dataclasses import dataclass

from keeper.analysis.history_market import net_value
from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Portfolio
from keeper.presets.requirement import Requirement


@dataclass(frozen=True, slots=True)
class Buffer:
    """USD that an account may lose at its initial and at its maintenance margin."""

    initial: float
    maintenance: float


def buffer_of(portfolio: Portfolio, requirement: Requirement, market: MarketState) -> Buffer:
    """The buffer that a requirement asks for."""
    beyond = net_value(portfolio, requirement.mark, market) - requirement.equity
    return Buffer(requirement.initial + beyond, requirement.maintenance + beyond)
