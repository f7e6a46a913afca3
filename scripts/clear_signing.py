"""`python -m scripts.clear_signing deployments/<chain id>.json`: ERC-7730 descriptors of a deployment.

Writes build/clear_signing/*.json, ready for a wallet's registry: the sources name no address, and a wallet
takes a descriptor only for the contracts that it names.
"""

import json
import sys
from pathlib import Path
from typing import Any

from scripts._artifacts import CONTRACTS, ROOT

SOURCES = CONTRACTS / "clear_signing"


def bound(descriptor: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """A descriptor with the address of its contract, as a deployment's record has it."""
    (kind,) = set(descriptor["context"]) - {"$id"}
    address = record["contracts"][descriptor["metadata"]["contractName"]]["address"]
    deployments = [{"chainId": record["chain_id"], "address": address}]
    context = descriptor["context"] | {kind: descriptor["context"][kind] | {"deployments": deployments}}
    return descriptor | {"context": context}


def write_bound(path: Path, folder: Path) -> list[Path]:
    """Every descriptor, bound to the deployment that `path` records."""
    record = json.loads(path.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sorted(SOURCES.glob("*.json")):
        target = folder / source.name
        target.write_text(json.dumps(bound(json.loads(source.read_text()), record), indent=2) + "\n")
        written.append(target)
    return written


def main() -> int:
    """Exit code 1 without a record."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        print(__doc__, file=sys.stderr)
        return 1
    print("\n".join(map(str, write_bound(Path(sys.argv[1]), ROOT / "build" / "clear_signing"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
