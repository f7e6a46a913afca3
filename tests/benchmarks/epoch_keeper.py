"""One keeper as a process of its own: `python -m tests.benchmarks.epoch_keeper CONFIG BPS`.

All of it is what `plimsoll run` runs, but for the market data: recorded prices times the basis points that
stand in the file BPS, read at every look. So a tick of the market happens when that file changes.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from keeper.app import process
from keeper.app.build import build
from keeper.app.config import load
from keeper.sources.source import Listed, Observation, Source


@dataclass
class Tape:
    """A source whose prices are those of another at one moment, moved by the file."""

    source: Source
    moment: int
    file: Path

    @property
    def venue(self) -> str:
        return self.source.venue

    def observe(self, now: int, listed: Listed) -> Observation:
        found = self.source.observe(self.moment, listed)
        bps = int(self.file.read_text())
        quotes = {key: replace(q, forward=q.forward * bps // 10_000) for key, q in found.expiries.items()}
        spots = {u: spot * bps // 10_000 for u, spot in found.spots.items()}
        return replace(found, timestamp=now, age=0, spots=spots, expiries=quotes)


def main(config: str, file: str, moment: str) -> None:
    """Until SIGTERM."""
    keeper = build(load(Path(config)))
    sources = keeper.desk.sources
    keeper.desk.sources = tuple(Tape(source, int(moment), Path(file)) for source in sources)
    process.run(keeper)


if __name__ == "__main__":
    main(*sys.argv[1:])
