"""Where the protocol lives: `deployments/<chain id>.json`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.address import is_address, to_checksum_address

REQUIRED = (
    "Clearinghouse",
    "Vault",
    "RiskOracle",
    "AttesterQuorum",
    "Markets",
    "Exchange",
    "BookValuer",
    "AuctionHouse",
    "CollateralSale",
    "InsuranceFund",
)
DEVNETS = (1337, 31337)  # short and private: indexed from genesis


class DeploymentError(RuntimeError):
    """The deployment file is missing or wrong."""


@dataclass(frozen=True)
class Deployment:
    """Checksummed addresses by contract name, and the block to index from."""

    chain_id: int
    block: int
    addresses: dict[str, str]

    @property
    def clearinghouse(self) -> str:
        return self.addresses["Clearinghouse"]

    @property
    def oracle(self) -> str:
        return self.addresses["RiskOracle"]

    @property
    def quorum(self) -> str:
        return self.addresses["AttesterQuorum"]

    @property
    def markets(self) -> str:
        return self.addresses["Markets"]

    @property
    def exchange(self) -> str:
        return self.addresses["Exchange"]


def load(path: Path) -> Deployment:
    """Read a deployment. Raises DeploymentError naming everything that is wrong."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeploymentError(f"deployment {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise DeploymentError(f"deployment {path} is not JSON") from None
    contracts: Any = content.get("contracts") if isinstance(content, dict) else None
    if not isinstance(contracts, dict) or not isinstance(content.get("chain_id"), int):
        raise DeploymentError(f"deployment {path} needs chain_id and contracts")
    addresses = {name: entry.get("address") for name, entry in contracts.items() if isinstance(entry, dict)}
    problems = [f"no {name}" for name in REQUIRED if name not in addresses]
    problems += [f"{name} has a bad address" for name, a in addresses.items() if not is_address(a)]
    if problems:
        raise DeploymentError(f"deployment {path}: {', '.join(problems)}")
    checksummed = {name: str(to_checksum_address(address)) for name, address in addresses.items()}
    chain_id = content["chain_id"]
    first = 0 if chain_id in DEVNETS else int(content.get("block", 0))
    return Deployment(chain_id, first, checksummed)
