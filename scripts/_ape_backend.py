"""The recipe over ape: the connected network, an account that ape unlocks."""

from typing import Any

from ape import Contract as ContractAt
from ape import project
from ape.api import AccountAPI

from scripts._protocol import Contract


class ApeBackend:
    """Sends from one ape account and waits for every receipt."""

    def __init__(self, account: AccountAPI) -> None:
        self._account = account
        self.deployer: str = str(account.address)

    def deploy(self, name: str, *arguments: Any) -> Contract:
        """Deploys `name`."""
        container = getattr(project, name)
        return Contract(name, str(container.deploy(*arguments, sender=self._account).address))

    def send(self, contract: Contract, function: str, *arguments: Any) -> Any:
        """Sends one transaction and waits; ape raises if it reverts."""
        return getattr(self._at(contract), function)(*arguments, sender=self._account)

    def call(self, contract: Contract, function: str, *arguments: Any) -> Any:
        """Reads from the latest block."""
        return getattr(self._at(contract), function)(*arguments)

    def _at(self, contract: Contract) -> Any:
        container = getattr(project, contract.name)
        return ContractAt(contract.address, contract_type=container.contract_type)
