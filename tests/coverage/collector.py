"""pytest plugin: records what titanoboa executes. `PLIMSOLL_COVERAGE` names the folder to write to."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from boa.environment import Env

from tests.coverage.source import CodeMap, Tally

ROOT = Path(__file__).parents[2]


class Collector:
    """Receives every computation of every environment.

    Code is known by its bytes, not by its address: a contract may run another's code in its own place.
    """

    def __init__(self) -> None:
        self._runtimes: dict[bytes, Any] = {}
        self._maps: dict[int, tuple[Any, CodeMap]] = {}
        self._of_code: dict[int, CodeMap | None] = {}

    def register(self, contract: Any) -> None:
        """A contract that exists from now on."""
        if (compiled := getattr(contract, "compiler_data", None)) is not None:
            self._runtimes.setdefault(compiled.bytecode_runtime, compiled.source_map)

    def trace(self, env: Env, computation: Any, contract: Any = None) -> None:
        """In place of the environment's own hook, which drops the order of execution."""
        code = bytes(computation.code._raw_code_bytes)
        if (found := self._map_of(code, contract)) is not None:
            found.trace(computation.code._trace)
        for child in computation.children:
            if child.msg.code_address:
                self.trace(env, child)

    def tally(self) -> Tally:
        """Of all that ran."""
        result = Tally()
        for _, code in self._maps.values():
            result.add(code.tally())
        return result

    def _map_of(self, code: bytes, contract: Any) -> CodeMap | None:
        key = hash(code)
        if key not in self._of_code:
            source = self._source_of(code, contract)
            self._of_code[key] = None if source is None else self._code_map(code, source, contract)
        return self._of_code[key]

    def _source_of(self, code: bytes, contract: Any) -> Any:
        """Immutables follow the runtime code. Constructors and internal functions have maps of their own."""
        for runtime, source in self._runtimes.items():
            if code.startswith(runtime):
                return source
        return getattr(contract, "source_map", None)

    def _code_map(self, code: bytes, source: Any, contract: Any) -> CodeMap:
        """Creation code carries the runtime code, which does not run there and has a map of its own."""
        compiled = getattr(contract, "compiler_data", None)
        at = -1 if compiled is None else code.find(compiled.bytecode_runtime)
        own = code[:at] if at > 0 else code
        if id(source) not in self._maps:  # the source map is kept, so that its id stays its own
            self._maps[id(source)] = source, CodeMap(own, source["pc_raw_ast_map"], ROOT)
        return self._maps[id(source)][1]


def pytest_configure(config: Any) -> None:
    """Before anything is deployed."""
    config.contract_coverage = collector = Collector()
    register = Env.register_contract

    def registered(env: Env, address: Any, contract: Any) -> None:
        register(env, address, contract)
        collector.register(contract)

    Env._coverage_enabled = True
    Env.register_contract = registered
    Env._trace_computation = lambda env, *traced: collector.trace(env, *traced)


def pytest_sessionfinish(session: Any) -> None:
    """One file a process."""
    tally = session.config.contract_coverage.tally()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    values = {name: sorted(found) for name, found in asdict(tally).items()}
    Path(os.environ["PLIMSOLL_COVERAGE"], f"{worker}.json").write_text(json.dumps(values))
