"""Books in scenarios that history holds no close of: what each model's margin would leave uncovered.

Scenarios are instantaneous moves of spots (forwards in proportion) and vols (smiles in log-moneyness scaled);
two of them hold what makes a move worse: two hours in which nobody can be liquidated, as long as no price
arrives, and a settlement coin that loses a tenth, which raises every price in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from keeper.analysis.history_market import profits
from keeper.analysis.insurance import Adequacy, Participant, adequacy
from keeper.analysis.requirement_buffer import Buffer
from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.portfolio import Portfolio
from keeper.pricing import svi


@dataclass(frozen=True)
class StressScenario:
    """A move of the whole market.

    Attributes:
        spots: ratio of spots after to before by symbol; `others` where a symbol is missing.
        vols: ratio of vols.
    """

    name: str
    others: float
    vols: float
    spots: Mapping[str, float] = field(default_factory=dict)

    def spot(self, symbol: str) -> float:
        """Ratio of one underlying's spot."""
        return self.spots.get(symbol, self.others)


# worst two hours of recorded hourly closes: BTC and ETH perps of March 2020 (-21.6 %, -22.4 % and +26.9 %,
# +30.2 %), SOL spot of May 2021 (-24.4 %) and September 2020 (+33.0 %)
_TWO_HOURS_DOWN = {"BTC": 0.784, "ETH": 0.776, "SOL": 0.756}
_TWO_HOURS_UP = {"BTC": 1.269, "ETH": 1.302, "SOL": 1.330}

SCENARIOS: tuple[StressScenario, ...] = (
    StressScenario("spot -50 %, vol +150 %", 0.5, 2.5),
    StressScenario("spot +100 %, vol +80 %", 2.0, 1.8),
    StressScenario("settlement coin -10 %", 1.0 / 0.9, 1.3),
    StressScenario("no oracle for two hours, crash", 0.75, 1.6, _TWO_HOURS_DOWN),
    StressScenario("no oracle for two hours, rally", 1.33, 1.3, _TWO_HOURS_UP),
    StressScenario("correlation break, BTC up", 0.8, 1.3, {"BTC": 1.15, "ETH": 0.80, "SOL": 0.75}),
    StressScenario("correlation break, BTC down", 1.15, 1.3, {"BTC": 0.85, "ETH": 1.15, "SOL": 1.20}),
    StressScenario("vols halve", 1.0, 0.5),
)


@dataclass(frozen=True)
class StressResult:
    """One model in one scenario, over the same books.

    Attributes:
        profits: of each book, USD.
        beyond_maintenance, beyond_initial: books whose loss is larger.
        uncovered: sum of losses beyond the initial buffers, USD.
        adequacy: of the insurance fund when books sit at their initial margin.
    """

    model: str
    scenario: str
    profits: tuple[float, ...]
    beyond_maintenance: int
    beyond_initial: int
    uncovered: float
    adequacy: Adequacy


def stressed(market: MarketState, scenario: StressScenario) -> MarketState:
    """The market after a scenario, at the same moment."""
    return replace(
        market,
        underlyings={
            symbol: _underlying(listed, scenario.spot(symbol), scenario.vols)
            for symbol, listed in market.underlyings.items()
        },
    )


def stress(
    model: str,
    portfolios: Sequence[Portfolio],
    buffers: Sequence[Buffer | None],
    market: MarketState,
    scenario: StressScenario,
    fund: float,
) -> StressResult:
    """What a model's margins leave uncovered; books that the model cannot hold are left out.

    Args:
        fund: assets of the insurance fund, USD.
    """
    held = [(p, b) for p, b in zip(portfolios, buffers, strict=True) if b is not None]
    found = profits([p for p, _ in held], market, stressed(market, scenario))
    participants = [Participant(p.name, b.initial, float(x)) for (p, b), x in zip(held, found, strict=True)]
    return StressResult(
        model=model,
        scenario=scenario.name,
        profits=tuple(float(x) for x in found),
        beyond_maintenance=sum(
            float(x) < -b.maintenance - 0.01 for (_, b), x in zip(held, found, strict=True)
        ),
        beyond_initial=sum(float(x) < -b.initial - 0.01 for (_, b), x in zip(held, found, strict=True)),
        uncovered=sum(p.uncovered for p in participants),
        adequacy=adequacy(participants, fund),
    )


def _underlying(listed: Underlying, spot: float, vols: float) -> Underlying:
    return replace(
        listed,
        spot=listed.spot * spot,
        perp=listed.perp * spot,
        expiries={time: _expiry(e, spot, vols) for time, e in listed.expiries.items()},
    )


def _expiry(listed: Expiry, spot: float, vols: float) -> Expiry:
    """Forwards move with spot; a smile in log-moneyness moves with the forward, quoted vols stay with their
    strikes.
    """
    smile = None if listed.smile is None else svi.scale(listed.smile, vols * vols)
    quoted = tuple((strike, vol * vols) for strike, vol in listed.vols)
    return replace(listed, forward=listed.forward * spot, smile=smile, vols=quoted)
