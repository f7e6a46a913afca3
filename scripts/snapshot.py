"""Writes what must not drift unnoticed to tests/snapshots: selectors, storage layout, runtime size, gas."""

import json
import sys
from typing import Any

from scripts._artifacts import ROOT, artifact
from scripts._figures import measure
from scripts._protocol import DEPLOYED

FOLDER = ROOT / "tests" / "snapshots"


def current() -> dict[str, dict[str, Any]]:
    """File name -> contract -> facts, as compiled now."""
    built = [artifact(name) for name in DEPLOYED]
    return {
        "abi": {a.name: a.selectors for a in built},
        "layout": {a.name: a.layout.get("storage_layout", {}) for a in built},
        "size": {a.name: len(bytes.fromhex(a.runtime[2:])) for a in built},
    }


def write(name: str, content: Any) -> None:
    """One file of facts."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def main() -> int:
    """Writes the files; with the argument `gas`, only the gas."""
    if "gas" not in sys.argv[1:]:
        for name, content in current().items():
            write(name, content)
    write("gas", measure())
    return 0


if __name__ == "__main__":
    sys.exit(main())
