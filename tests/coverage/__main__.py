"""`make coverage`: runs the tests that use titanoboa and prints what of the contracts they cover.

Fails below 98 % of statements or of branches, where anything uncovered is not in `uncovered.toml`, and where
something in that file is covered or gone.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.coverage.source import Branch, Place, Tally, statements_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".build" / "coverage"
TESTS = ("tests/unit/contracts", "tests/attacks", "tests/parity")
LEAST = 0.98

TYPE_NAMES = {"If": "if", "IfExp": "ternary", "BoolOp": "and/or", "Assert": "assert"}


def run(arguments: list[str]) -> int:
    """The tests, on both cores; exit code of pytest."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.coverage.collector"]
    command += arguments or ["-n", "2", "--dist", "loadfile", *TESTS]
    environment = {**os.environ, "PLIMSOLL_COVERAGE": str(FOLDER)}
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def collected() -> Tally:
    """What the processes wrote, joined.

    A statement that compiles to nothing of its own (a zero in fresh memory) counts only where its whole
    function does: such a function no test has ever compiled.
    """
    result = Tally()
    for path in FOLDER.glob("*.json"):
        values = json.loads(path.read_text())
        result.add(Tally(**{name: {tuple(one) for one in found} for name, found in values.items()}))
    sources = [path.relative_to(ROOT) for path in sorted((ROOT / "contracts").rglob("*.vy"))]
    kept = {str(path) for path in sources if "mocks" not in path.parts}
    exist: set[Place] = set()
    for path in kept:
        for lines in statements_of(ROOT / path):
            function = {(path, line) for line in lines}
            exist |= function & result.statements or function
    return Tally(
        exist,
        result.executed & exist,
        {one for one in result.branches if one[0] in kept},
        {one for one in result.taken if one[0] in kept},
    )


def table_of(tally: Tally) -> Table:
    """A row a file, those without statements left out."""
    table = Table("contract", title="Coverage of contracts/")
    for name in ("statements", "", "branches", " "):
        table.add_column(name, justify="right")
    for path in sorted({path for path, _ in tally.statements}):
        table.add_row(path.removeprefix("contracts/"), *_cells(tally, path))
    table.add_section()
    table.add_row("all", *_cells(tally, ""))
    return table


def missing(tally: Tally) -> dict[Place, list[str]]:
    """What did not run, by line."""
    found: dict[Place, list[str]] = {}
    for place in tally.statements - tally.executed:
        found[place] = ["never runs"]
    for branch in tally.branches - tally.taken:
        found.setdefault(branch[:2], []).append(_described(branch))
    return {place: sorted(set(texts)) for place, texts in sorted(found.items())}


def reasons() -> dict[tuple[str, str], str]:
    """Why a line is not covered, by file and code: lines move, what they say does not."""
    listed = tomllib.loads((Path(__file__).parent / "uncovered.toml").read_text()).get("line", [])
    return {(one["file"], one["code"]): one["reason"] for one in listed}


def explained(found: dict[Place, list[str]]) -> Table:
    """Uncovered lines with their reasons."""
    table = Table("line", "not covered because", title="Not covered, and why")
    for path, line in found:
        if (reason := reasons().get((path, _code(path, line)))) is not None:
            table.add_row(f"{path}:{line}", reason)
    return table


def unexplained(found: dict[Place, list[str]]) -> list[str]:
    """Uncovered lines without a reason, and reasons without an uncovered line."""
    known = set(reasons())
    present = {(path, _code(path, line)): line for path, line in found}
    lines = [
        f"{path}:{line}: {'; '.join(texts)}: {_code(path, line)}"
        for (path, line), texts in found.items()
        if (path, _code(path, line)) not in known
    ]
    return lines + [f"{path}: covered or gone: {code}" for path, code in sorted(known - set(present))]


def _described(branch: Branch) -> str:
    _, _, column, kind, index, jumps = branch
    return f"{TYPE_NAMES[kind]} at {column}.{index} never {'jumps' if jumps else 'falls through'}"


def _code(path: str, line: int) -> str:
    return (ROOT / path).read_text().splitlines()[line - 1].strip()


def _cells(tally: Tally, path: str) -> list[str]:
    cells = []
    for part, whole in ((tally.executed, tally.statements), (tally.taken, tally.branches)):
        done, total = (sum(one[0].startswith(path) for one in items) for items in (part, whole))
        cells += [f"{done}/{total}", f"{done / total:.1%}" if total else "-"]
    return cells


def _share(part: Iterable[object], whole: Iterable[object]) -> float:
    return len(set(part)) / len(set(whole))


def main() -> int:
    """0 if the tests pass and the coverage suffices."""
    failed = run(sys.argv[1:]) if sys.argv[1:] != ["--report"] else 0
    tally = collected()
    Console(width=110).print(table_of(tally))
    found = missing(tally)
    lines = unexplained(found)
    Console(width=110).print(explained(found))
    print("\n".join(lines))
    statements, branches = _share(tally.executed, tally.statements), _share(tally.taken, tally.branches)
    return int(bool(failed or lines) or min(statements, branches) < LEAST)


if __name__ == "__main__":
    sys.exit(main())
