"""What can be covered in a Vyper file: its statements, and the two ways out of each decision.

A statement counts by its first line. A decision is an `if`, an `assert`, a ternary, or an operand of `and` or
`or`; the checks that Vyper adds (overflow, bounds, calldata) are not counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import vyper.ast as ast

JUMPI, PUSH1, PUSH32 = 0x57, 0x60, 0x7F
DECISIONS = (ast.If, ast.Assert, ast.IfExp, ast.BoolOp)

Place = tuple[str, int]  # path in the project, line
Branch = tuple[str, int, int, str, int, bool]  # path, line, column, kind, which jump of the node, jumps


@dataclass
class Tally:
    """What exists in compiled code and what of it ran."""

    statements: set[Place] = field(default_factory=set)
    executed: set[Place] = field(default_factory=set)
    branches: set[Branch] = field(default_factory=set)
    taken: set[Branch] = field(default_factory=set)

    def add(self, other: "Tally") -> None:
        """Joins another's."""
        self.statements |= other.statements
        self.executed |= other.executed
        self.branches |= other.branches
        self.taken |= other.taken


def statements_of(path: Path) -> list[set[int]]:
    """First lines of the statements of each function of a file, compiled or not."""
    tree = ast.parse_to_ast(path.read_text())
    return [set(_lines(function.body)) for function in tree.get_children(ast.FunctionDef)]


def jumps_of(code: bytes) -> set[int]:
    """Program counters of the conditional jumps."""
    found, at = set(), 0
    while at < len(code):
        if code[at] == JUMPI:
            found.add(at)
        at += 1 + (code[at] - PUSH1 + 1 if PUSH1 <= code[at] <= PUSH32 else 0)
    return found


class CodeMap:
    """One piece of code, creation or runtime: what its program counters mean, and which have run."""

    def __init__(self, code: bytes, nodes: dict[int, Any], root: Path) -> None:
        self._nodes, self._root = nodes, root
        self.jumps = jumps_of(code)
        self.ran: set[int] = set()
        self.edges: set[tuple[int, int]] = set()

    def trace(self, counters: list[int]) -> None:
        """One execution."""
        self.ran.update(counters)
        self.edges.update(edge for edge in zip(counters, counters[1:], strict=False) if edge[0] in self.jumps)

    def tally(self) -> Tally:
        """In terms of the source."""
        result = Tally()
        for counter, node in self._nodes.items():
            if (place := self._place(node)) is not None:
                result.statements.add(place)
                if counter in self.ran:
                    result.executed.add(place)
        for jump, place in self._decisions():
            result.branches |= {(*place, False), (*place, True)}
            result.taken |= {(*place, to != jump + 1) for at, to in self.edges if at == jump}
        return result

    def _decisions(self) -> Iterator[tuple[int, tuple[str, int, int, str, int]]]:
        seen: dict[tuple[str, int, int, str], int] = {}
        for jump in sorted(self.jumps):
            node = self._nodes.get(jump)
            path = self._path(node)
            if path is None or not isinstance(node, DECISIONS) or node.lineno is None:
                continue  # a node without a line is of Vyper's own making
            key = (path, node.lineno, node.col_offset, type(node).__name__)
            seen[key] = seen.get(key, 0) + 1
            yield jump, (*key, seen[key])

    def _place(self, node: Any) -> Place | None:
        path = self._path(node)
        while node is not None and not _is_statement(node):
            node = node._parent
        return None if path is None or node is None or node.lineno is None else (path, node.lineno)

    def _path(self, node: Any) -> str | None:
        if node is None or (resolved := node.module_node.resolved_path) is None:
            return None  # code that a test had evaluated in place
        path = Path(resolved)
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root / "contracts") else None


def _is_statement(node: Any) -> bool:
    parent = node._parent
    if isinstance(parent, ast.For) and node is parent.target:
        return False
    return isinstance(parent, ast.FunctionDef | ast.If | ast.For) and node in _body(parent)


def _body(node: Any) -> list[Any]:
    return [*node.body, *(node.orelse if isinstance(node, ast.If) else [])]


def _lines(body: list[Any]) -> Iterator[int]:
    for statement in body:
        yield statement.lineno
        if isinstance(statement, ast.If | ast.For):
            yield from _lines(_body(statement))
