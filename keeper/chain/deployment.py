"""Where the protocol lives: `deployments/<chain id>.json`."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_utils.abi import function_abi_to_4byte_selector
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
    """Checksummed addresses by contract name, the block to index from, and, where the record holds them, the
    keccak256 of each contract's code and the functions of its interface, by selector (0x text)."""

    chain_id: int
    block: int
    addresses: dict[str, str]
    code_hashes: dict[str, str] = field(default_factory=dict)
    selectors: dict[str, frozenset[str]] = field(default_factory=dict)

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
    entries = {name: entry for name, entry in contracts.items() if isinstance(entry, dict)}
    hashes = {name: str(entry["code_hash"]) for name, entry in entries.items() if "code_hash" in entry}
    return Deployment(chain_id, first, checksummed, hashes, _selectors(entries))


def _selectors(entries: dict[str, dict[str, Any]]) -> dict[str, frozenset[str]]:
    """Of the functions of every contract whose interface is recorded."""
    found = {}
    for name, entry in entries.items():
        if isinstance(abi := entry.get("abi"), list):
            functions: list[Any] = [e for e in abi if isinstance(e, dict) and e.get("type") == "function"]
            found[name] = frozenset("0x" + function_abi_to_4byte_selector(f).hex() for f in functions)
    return found
