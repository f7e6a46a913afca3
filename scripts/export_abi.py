"""Writes the ABI of every contract that is deployed to keeper/chain/abi; --check only compares."""

import json
import sys

from scripts._artifacts import ROOT, artifact
from scripts._protocol import DEPLOYED

EXPORTED = (*DEPLOYED, "MockToken")  # the token of devnets and testnets
FOLDER = ROOT / "keeper" / "chain" / "abi"


def drift() -> list[str]:
    """Names whose committed ABI is missing or differs from the compiler's."""
    return [name for name in EXPORTED if _committed(name) != _text(name)]


def _text(name: str) -> str:
    return json.dumps(artifact(name).abi, indent=1) + "\n"


def _committed(name: str) -> str | None:
    path = FOLDER / f"{name}.json"
    return path.read_text() if path.exists() else None


def main() -> int:
    """Exit code 1 with --check if anything differs."""
    changed = drift()
    if "--check" not in sys.argv:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name in changed:
            (FOLDER / f"{name}.json").write_text(_text(name))
    print("\n".join(changed) or "no change")
    return 1 if changed and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
