"""How fast an index reads, stores and starts again. Measured in the project's own environment, which has the
database's driver and the contracts."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable

from tests.benchmarks.harness import ROOT, Context, Row

_PATIENCE_SECONDS = 1_800


def rows(context: Context) -> Iterable[Row]:
    """Rows of the index."""
    own = ROOT / ".venv/bin/python"
    program = [str(own if own.exists() else sys.executable), "-m", "tests.benchmarks.index_sides"]
    done = subprocess.run(
        [*program, str(context.folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=True,
    )
    for line in done.stdout.splitlines():
        yield Row(*json.loads(line))
