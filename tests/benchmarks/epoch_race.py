"""Ticks against blocks: `python -m tests.benchmarks.epoch_race ACCOUNTS ATTESTERS TICKS`, seconds as JSON.

A proposer and its attesters run as processes of their own on a chain that mines every second. A tick is a new
price, at a random moment of a block; it ends when a block is mined whose epoch has that price.
"""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.support.epoch_town import Race, race

_MOVES_BPS = (10_020, 10_040)  # inside every band, outside the trigger's deviation
_WARM = 3


def ticks(found: Race, count: int) -> list[float]:
    """Seconds of each tick, the first ones left out."""
    moments = random.Random(7)
    seconds = []
    for number in range(count + _WARM):
        time.sleep(1.0 + moments.random())
        seconds.append(found.tick(_MOVES_BPS[number % 2]))
    return seconds[_WARM:]


def main(accounts: str, attesters: str, count: str) -> None:
    """One race."""
    with (
        tempfile.TemporaryDirectory(prefix="race-") as folder,
        race(Path(folder), int(accounts), int(attesters)) as found,
    ):
        print(json.dumps(ticks(found, int(count))))


if __name__ == "__main__":
    main(*sys.argv[1:])
