"""`make bench`: how long an epoch takes to compute, by number of accounts."""

import random
import time

from rich.console import Console
from rich.table import Table

from keeper.markets.instrument import Kind, Leg
from keeper.risk.margin import account_margin, build_table
from keeper.risk.methodology import Methodology
from keeper.sources.recorded import RecordedSource
from keeper.sources.source import market_of
from keeper.units.constants import WAD
from scripts import _demo_story as story

_LEGS = 16
_ACCOUNTS = (10, 100, 1_000)


def main() -> None:
    """Prices the demo's market once, then margins random books of 16 legs on one core."""
    listed = {u: [story.NEAR, story.FAR] for u in (story.BTC, story.ETH)}
    observation = RecordedSource("binance").observe(story.START, listed)
    market = market_of(observation, observation.spots, {})
    methodology = Methodology.default()
    kinds = (Kind.CALL, Kind.PUT)
    strikes = range(1_300, 2_300, 50)
    expiries = (story.NEAR, story.FAR)
    universe = [story.option(story.ETH, e, k, kind) for e in expiries for k in strikes for kind in kinds]
    started = time.perf_counter()
    table = build_table(market, methodology, universe)
    shown = Table("what", "seconds", title="margin engine")
    shown.add_row(
        f"price {len(universe)} instruments in every scenario", f"{time.perf_counter() - started:.3f}"
    )
    draw = random.Random(1)
    for count in _ACCOUNTS:
        books = [_book(draw, universe) for _ in range(count)]
        started = time.perf_counter()
        for legs in books:
            account_margin(legs, table, 0)
        shown.add_row(f"margin {count} accounts of {_LEGS} legs", f"{time.perf_counter() - started:.3f}")
    Console().print(shown)


def _book(draw: random.Random, universe: list[int]) -> tuple[Leg, ...]:
    chosen = sorted(draw.sample(universe, _LEGS))
    return tuple(Leg(i, draw.choice((-1, 1)) * draw.randint(1, 50) * WAD) for i in chosen)


if __name__ == "__main__":
    main()
