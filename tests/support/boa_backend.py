"""The recipe over titanoboa: contracts in memory, coverage and clear reverts."""

from typing import Any

import boa

from scripts._artifacts import EXTENSIONS, ROOT, source_of
from scripts._protocol import Contract
from tests.support.halves import Halves


class BoaBackend:
    """Keeps boa's contract objects by address, so that tests can use them directly."""

    def __init__(self, deployer: str | None = None) -> None:
        self.deployer: str = str(deployer or boa.env.eoa)
        self._contracts: dict[str, Any] = {}

    def deploy(self, name: str, *arguments: Any) -> Contract:
        """Deploys `name`."""
        with boa.env.prank(self.deployer):
            deployed = boa.load(str(source_of(name).relative_to(ROOT)), *arguments)
            if name in EXTENSIONS:
                extension = boa.load_partial(str(source_of(EXTENSIONS[name]).relative_to(ROOT)))
                deployed = Halves(deployed, extension)
        self._contracts[str(deployed.address)] = deployed
        return Contract(name, str(deployed.address))

    def send(self, contract: Contract, function: str, *arguments: Any) -> Any:
        """Calls a state-changing function."""
        return getattr(self.at(contract), function)(*arguments, sender=self.deployer)

    def call(self, contract: Contract, function: str, *arguments: Any) -> Any:
        """Reads."""
        return getattr(self.at(contract), function)(*arguments)

    def at(self, contract: Contract) -> Any:
        """boa's object for a deployed contract."""
        return self._contracts[contract.address]
