"""Compiler output of the contracts, cached under .build/artifacts until any source changes."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
COMPILER = Path(sys.executable).parent / "vyper"
_CACHE = ROOT / ".build" / "artifacts"
# contracts that run a second one's code over their own storage, for what they do not know themselves
EXTENSIONS = {"Clearinghouse": "ClearinghouseExtension"}
_FORMATS = ("abi", "bytecode", "bytecode_runtime", "layout", "method_identifiers")


@dataclass(frozen=True)
class Artifact:
    """What the compiler says about one deployed contract."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str  # hex, creation code
    runtime: str  # hex, deployed code without immutables
    layout: dict[str, Any]
    selectors: dict[str, str]


def source_of(name: str) -> Path:
    """Path of the contract `name`; the CamelCase file names are unique."""
    found = list(CONTRACTS.rglob(f"{name}.vy"))
    if len(found) != 1:
        raise LookupError(f"contract {name}: {len(found)} sources under {CONTRACTS}")
    return found[0]


@cache
def artifact(name: str) -> Artifact:
    """Compiles `name`, or reads what an earlier run compiled from the same sources."""
    output = _cached(name, "", _FORMATS)
    abi, selectors = json.loads(output["abi"]), json.loads(output["method_identifiers"])
    if name in EXTENSIONS:
        second = artifact(EXTENSIONS[name])
        abi = [entry for entry in abi if entry["type"] != "fallback"]
        abi += [entry for entry in second.abi if entry["type"] != "constructor" and entry not in abi]
        selectors |= second.selectors
    return Artifact(
        name, abi, output["bytecode"], output["bytecode_runtime"], json.loads(output["layout"]), selectors
    )


def prepare(names: Iterable[str]) -> None:
    """Compiles what is not compiled yet, on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(artifact, names))


def verification(name: str) -> tuple[str, str]:
    """Integrity hash of all sources of `name`, and the standard-json input that reproduces its code."""
    # the compiler gives the standard-json input only when it is asked for alone
    standard_json = _cached(name, "-input", ("solc_json",))["solc_json"]
    return json.loads(standard_json)["integrity"], standard_json


def _cached(name: str, suffix: str, formats: tuple[str, ...]) -> dict[str, str]:
    path = _CACHE / f"{name}{suffix}-{_sources_hash()}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")  # several processes may compile at once
        part.write_text(json.dumps(dict(zip(formats, compiler_output(name, *formats), strict=True))))
        part.replace(path)
    return dict(json.loads(path.read_text()))


def compiler_output(name: str, *formats: str) -> list[str]:
    """One line of compiler output per format. RuntimeError with the compiler's words if it fails."""
    command = [str(COMPILER), "-f", ",".join(formats), str(source_of(name).relative_to(ROOT))]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # the order in which exports are listed depends on it
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} does not compile:\n{done.stderr}")
    return [line for line in done.stdout.splitlines() if line]


@cache
def _sources_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in CONTRACTS.rglob("*") if p.suffix in (".vy", ".vyi")):
        digest.update(f"{path.relative_to(ROOT)}\n{path.read_text()}".encode())
    return digest.hexdigest()[:16]
