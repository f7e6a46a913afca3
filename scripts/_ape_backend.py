"""The recipe over ape: the connected network, and an account that ape unlocks."""

from functools import cache
from typing import Any

from ape import Contract as ContractAt
from ape.api import AccountAPI
from ape.contracts import ContractContainer
from ethpm_types import ContractType

from scripts._artifacts import artifact
from scripts._protocol import Contract


class ApeBackend:
    """Sends from one ape account and waits for every receipt."""

    def __init__(self, account: AccountAPI) -> None:
        self._account = account
        self.deployer: str = str(account.address)

    def deploy(self, name: str, *arguments: Any) -> Contract:
        """Deploys `name`."""
        deployed = self._account.deploy(ContractContainer(_type_of(name)), *arguments)
        return Contract(name, str(deployed.address))

    def send(self, contract: Contract, function: str, *arguments: Any) -> Any:
        """Sends one transaction and waits; ape raises if it reverts."""
        return getattr(self._at(contract), function)(*arguments, sender=self._account)

    def call(self, contract: Contract, function: str, *arguments: Any) -> Any:
        """Reads from the latest block."""
        return getattr(self._at(contract), function)(*arguments)

    def _at(self, contract: Contract) -> Any:
        return ContractAt(contract.address, contract_type=_type_of(contract.name))


@cache
def _type_of(name: str) -> ContractType:
    built = artifact(name)
    return ContractType.model_validate(
        {"contractName": name, "abi": built.abi, "deploymentBytecode": {"bytecode": built.bytecode}}
    )
