"""A short run of the soak; SOAK_BLOCKS=20000 for the long one."""

import os
from pathlib import Path

from tests.chaos.soak import problems, soak

BLOCKS = int(os.environ.get("SOAK_BLOCKS", "200"))
SEED = int(os.environ.get("SOAK_SEED", "1"))


def test_soak__two_hundred_blocks__flat_and_nothing_missed(tmp_path: Path) -> None:
    with soak(tmp_path, BLOCKS, SEED) as run:
        found = run.run(BLOCKS)
        assert problems(found) == [], run.town.logs()
    assert found.blocks >= BLOCKS and found.epochs > BLOCKS // 12 and found.trades > 0, found
    assert found.expiries >= 1 and found.faults > 0, found
