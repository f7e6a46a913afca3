"""The shipped alert rules and dashboard: accepted by promtool, and about metrics that exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from keeper.observability.names import TABLE

OPERATIONS = files("keeper.operations")
PROMTOOL = shutil.which("promtool")
OTHERS = {"process_open_fds", "process_max_fds", "process_resident_memory_bytes"}
# what a selector's name may end in, of a histogram
PARTS = ("_bucket", "_sum", "_count")

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed on this machine")


def content(name: str) -> str:
    return OPERATIONS.joinpath(name).read_text(encoding="utf-8")


RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(content("alerts.yml"))["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads(content("dashboard.json"))


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    assert PROMTOOL is not None
    folder = str(OPERATIONS)
    return subprocess.run(
        [PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


@needs_promtool
def test_rules__promtool__accepts_them() -> None:
    found = promtool("check", "rules", "alerts.yml")
    assert found.returncode == 0, found.stdout + found.stderr


@needs_promtool
def test_rules__promtool_tests__silent_while_all_is_well_and_firing_when_not() -> None:
    found = promtool("test", "rules", "alerts.test.yml")
    assert found.returncode == 0, found.stdout + found.stderr


@needs_promtool
def test_dashboard__every_query__is_promql(tmp_path: Path) -> None:
    """As a recording rule each: that is how promtool reads a query."""
    queries = sorted({target["expr"] for panel in panels() for target in panel["targets"]})
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(queries)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    found = promtool("check", "rules", str(path))
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"{len(queries)} rules found" in found.stdout


def test_rules__each__has_a_test() -> None:
    tested = {test["name"] for test in yaml.safe_load(content("alerts.test.yml"))["tests"]}
    assert {rule["alert"] for rule in RULES} <= tested


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_rule__each__says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "warn")
    assert len(rule["annotations"]["summary"]) > 20
    runbook = rule["annotations"]["runbook"]
    assert len(runbook) > 30 and runbook.endswith(".") and "\n" not in runbook


def test_expressions__every_metric__exists() -> None:
    known = {m.name for m in TABLE} | OTHERS | {"up"}
    known |= {f"{m.name}{part}" for m in TABLE if m.kind == "histogram" for part in PARTS}
    used = {
        name for e in expressions() for name in re.findall(r"\b((?:plimsoll|process)_[a-z0-9_]+|up)\b", e)
    }
    assert len(used) > 40 and used <= known, used - known


def test_expressions__every_label_that_is_matched_or_shown__is_declared() -> None:
    """A label that a metric does not have matches nothing: the alert would never fire."""
    labels = {m.name: set(m.labels) for m in TABLE}
    for expression in expressions():
        for name, inside in re.findall(r"\b(plimsoll_[a-z0-9_]+)\{([^}]*)\}", expression):
            base = next((name.removesuffix(p) for p in PARTS if name.removesuffix(p) in labels), name)
            matched = set(re.findall(r"([a-z_]+)\s*(?:=~|!=|!~|=)", inside)) - {"instance", "job"}
            assert matched <= labels[base], (expression, matched)


def test_dashboard__every_metric_of_ours__is_on_it() -> None:
    """What is measured is shown somewhere, or nobody will look at it."""
    shown = " ".join(expressions())
    assert not {m.name for m in TABLE if not re.search(rf"\b{m.name}(_bucket)?\b", shown)}


def test_dashboard__panels__do_not_overlap_and_have_ids_of_their_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])

    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        g = panel["gridPos"]
        assert g["x"] + g["w"] <= 24
        return {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}

    for a, b in combinations(DASHBOARD["panels"], 2):
        assert not cells(a) & cells(b), (a["title"], b["title"])
