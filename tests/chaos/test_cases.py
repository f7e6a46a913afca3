"""The list of what can go wrong is whole, and every test that it names exists."""

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CASES: list[dict[str, Any]] = tomllib.loads((ROOT / "tests/chaos/cases.toml").read_text())["case"]


def test_list__of_all_cases__each_once_and_in_order() -> None:
    assert [case["id"] for case in CASES] == [f"F{number}" for number in range(1, 79)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case__covered_by_tests_that_exist__or_explained(case: dict[str, Any]) -> None:
    assert set(case) == {"id", "name", "tests"} or set(case) == {"id", "name", "why_not"}
    for test in case.get("tests", []):
        path, _, name = test.partition("::")
        assert name in _tests_of(ROOT / path), test
    assert case.get("tests") or len(case["why_not"]) > 40


def _tests_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
