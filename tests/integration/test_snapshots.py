"""Interfaces, storage and code size change only on purpose: run `python -m scripts.snapshot` and commit."""

import json

import pytest

from scripts._artifacts import artifact
from scripts._protocol import DEPLOYED
from scripts.export_abi import drift
from scripts.snapshot import FOLDER, current

CODE_LIMIT = 24_576  # EIP-170
FORBIDDEN = {0xF4: "DELEGATECALL", 0xF2: "CALLCODE", 0xFF: "SELFDESTRUCT"}
# Their own code only: the extension fixed at deployment, and the Vault itself (`multicall`)
DELEGATING = {"Clearinghouse", "Vault"}


@pytest.mark.parametrize("name", ["abi", "layout", "size"])
def test_snapshot__compiled_now__equals_committed(name):
    assert current()[name] == json.loads((FOLDER / f"{name}.json").read_text())


def test_abi__exported__equals_compiled():
    assert drift() == []


@pytest.mark.parametrize("name", DEPLOYED)
def test_runtime__every_contract__fits_the_code_limit(name):
    assert len(bytes.fromhex(artifact(name).runtime[2:])) < CODE_LIMIT


@pytest.mark.parametrize("name", DEPLOYED)
def test_runtime__every_contract__has_no_opcode_that_runs_foreign_code(name):
    found = FORBIDDEN.keys() & set(_opcodes(bytes.fromhex(artifact(name).runtime[2:])))
    assert {FORBIDDEN[code] for code in found} == ({"DELEGATECALL"} if name in DELEGATING else set())


def _opcodes(code: bytes) -> list[int]:
    """Opcodes up to the compiler's trailer; what PUSH instructions carry is skipped."""
    found, at, end = [], 0, _end_of_code(code)
    while at < end:
        found.append(code[at])
        at += 1 + (code[at] - 0x5F if 0x60 <= code[at] <= 0x7F else 0)
    return found


def _end_of_code(code: bytes) -> int:
    """Length without the CBOR trailer, whose size is in the last two bytes, and its immutables."""
    return len(code) - int.from_bytes(code[-2:], "big")
