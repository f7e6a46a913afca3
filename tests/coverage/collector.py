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
    """Receives every computation of every environment."""

    def __init__(self) -> None:
        self._maps: dict[int, tuple[Any, CodeMap]] = {}

    def trace(self, env: Env, computation: Any, contract: Any = None) -> None:
        """In place of the environment's own hook, which drops the order of execution."""
        if (source := getattr(contract, "source_map", None)) is not None:
            self._map_of(source, computation).trace(computation.code._trace)
        for child in computation.children:
            if address := child.msg.code_address:
                self.trace(env, child, env._lookup_contract_fast(address))

    def tally(self) -> Tally:
        """Of all that ran."""
        result = Tally()
        for _, code in self._maps.values():
            result.add(code.tally())
        return result

    def _map_of(self, source: Any, computation: Any) -> CodeMap:
        found = self._maps.get(id(source))
        if found is None:  # the source map is kept, so that its id stays its own
            code = bytes(computation.code._raw_code_bytes)
            found = source, CodeMap(code, source["pc_raw_ast_map"], ROOT)
            self._maps[id(source)] = found
        return found[1]


def pytest_configure(config: Any) -> None:
    """Before anything is deployed."""
    config.contract_coverage = collector = Collector()
    Env._coverage_enabled = True
    Env._trace_computation = lambda env, *traced: collector.trace(env, *traced)


def pytest_sessionfinish(session: Any) -> None:
    """One file a process."""
    tally = session.config.contract_coverage.tally()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    values = {name: sorted(found) for name, found in asdict(tally).items()}
    Path(os.environ["PLIMSOLL_COVERAGE"], f"{worker}.json").write_text(json.dumps(values))
