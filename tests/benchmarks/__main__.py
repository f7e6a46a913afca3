"""Measures every row and writes build/bench.json: `python -m tests.benchmarks [module ...]`.

A module of rows is a file here with `rows(context) -> Iterable[Row]`. Where modules are named, only those are
measured, and their keys replace those of the last complete run.
"""

import json
import shutil
import sys
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.harness import ROOT, Context, Row, flat

MODULES = ("machine", "greeks", "implied_vol", "portfolio", "index", "epochs")
OUTPUT = ROOT / "build/bench.json"


def main(chosen: list[str]) -> None:
    """Measures the chosen modules, all by default."""
    console = Console()
    context = Context()
    rows: list[Row] = []
    try:
        for name in chosen or MODULES:
            if not (Path(__file__).parent / f"{name}.py").exists():
                raise SystemExit(f"bench: no rows named {name}; there are {', '.join(MODULES)}")
            with console.status(f"measuring {name}"):
                found = list(import_module(f"tests.benchmarks.{name}").rows(context))
            console.print(_table(name, found))
            rows += found
    finally:
        shutil.rmtree(context.folder, ignore_errors=True)
    earlier = json.loads(OUTPUT.read_text()) if chosen and OUTPUT.exists() else {}
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(earlier | flat(rows), indent=1) + "\n")
    console.print(f"written: {OUTPUT.relative_to(ROOT)}")


def _table(title: str, rows: list[Row]) -> Table:
    shown = Table("row", "value", "unit", title=title)
    shown.columns[1].justify = "right"
    for row in rows:
        value = row.value if isinstance(row.value, str) else f"{row.value:.4g}"
        shown.add_row(row.key, value, row.unit)
    return shown


if __name__ == "__main__":
    main(sys.argv[1:])
