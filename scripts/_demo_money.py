"""Funding and fees of the demo, from their events, for the page."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate

from keeper.analysis.report_data import FeeHistory, FundingHistory, SpotHistory
from keeper.markets.funding import PERIOD
from keeper.units.constants import WAD
from scripts._demo_desk import Desk
from scripts._demo_history import SYMBOLS
from scripts._demo_replay import Replay


def funding_histories(desk: Desk, spots: Sequence[SpotHistory]) -> list[FundingHistory]:
    """Of every underlying whose rate was ever set."""
    events = desk.contract("Funding").events.RateUpdated().get_logs(from_block=0)
    found = defaultdict(list)
    for event in events:
        found[SYMBOLS[event["args"]["underlying"]]].append(
            (desk.time_of(event["blockNumber"]), event["args"])
        )
    paths = {path.symbol: path for path in spots}
    return [
        FundingHistory(
            symbol,
            [time for time, _ in rows],
            [told["premium"] / WAD for _, told in rows],
            [told["rate"] / WAD * PERIOD / _spot_at(paths[symbol], time) for time, told in rows],
        )
        for symbol, rows in sorted(found.items())
    ]


def fee_history(replay: Replay) -> FeeHistory:
    """What all accounts had paid by each time at which one did."""
    times = [time for time, _, _ in replay.charged]
    fees, interest = ([row[n] / WAD for row in replay.charged] for n in (1, 2))
    return FeeHistory(times, list(accumulate(fees)), list(accumulate(interest)))


def _spot_at(path: SpotHistory, time: int) -> float:
    """Effective, by the latest epoch before a time."""
    return path.effective[max(0, bisect_right(path.times, time) - 1)]
