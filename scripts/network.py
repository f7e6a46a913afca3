"""Deploys the protocol for a topology's keepers: `python -m scripts.network FOLDER`, which the runner calls.

FOLDER holds `network.json`: the node, and each keeper's roles, address and account. The attesters become the
quorum, whoever sends gets coins, a liquidator gets its account. Nothing is done twice.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import Web3

from keeper.risk.methodology import Methodology
from keeper.units.constants import WAD
from scripts import _demo_story as story
from scripts._artifacts import prepare
from scripts._demo_network import COLLATERAL
from scripts._devnet import CHAIN_ID, MNEMONIC, DevnetError, rpc
from scripts._protocol import BTC, DEPLOYED, ETH, Deployment, Parameters, deploy, write_record
from scripts._web3_backend import Web3Backend

_USDC = 10**6
_LIQUIDATOR_CASH = 100_000 * _USDC
_RECEIPT_SECONDS = 120


def main(folder: Path) -> None:
    """Deploys, unless this chain has the protocol of the record already."""
    network = json.loads((folder / "network.json").read_text(encoding="utf-8"))
    keepers: list[dict[str, Any]] = network["keepers"]
    if is_deployed(folder, network["rpc"]):
        return
    prepare((*DEPLOYED, "MockToken"))
    backend = backend_of(network["rpc"])
    deployment = deploy(backend, parameters_of(keepers, backend.deployer, now(network["rpc"])))
    for keeper in keepers:
        if keeper["roles"] != ["attester"]:
            rpc(network["rpc"], "anvil_setBalance", keeper["address"], hex(1_000 * WAD))
    for keeper in sorted(keepers, key=lambda k: int(k["account"])):
        if keeper["account"]:
            open_account(backend, deployment, keeper)
    write_record(deployment, CHAIN_ID, 0, folder, verified=False, code_of=backend.code_of)


def is_deployed(folder: Path, url: str) -> bool:
    """Whether the record's contracts are on the chain."""
    path = folder / f"{CHAIN_ID}.json"
    if not path.exists():
        return False
    oracle = json.loads(path.read_text(encoding="utf-8"))["contracts"]["RiskOracle"]["address"]
    return str(rpc(url, "eth_getCode", oracle, "latest")) != "0x"


def backend_of(url: str) -> Web3Backend:
    """Transactions of the first of the public keys, which has the devnet's coins."""
    Account.enable_unaudited_hdwallet_features()
    web3 = Web3(Web3.HTTPProvider(url, request_kwargs={"timeout": 60}))
    return Web3Backend(web3, bytes(Account.from_mnemonic(MNEMONIC).key))


def now(url: str) -> int:
    """Time of the latest block."""
    return int(rpc(url, "eth_getBlockByNumber", "latest", False)["timestamp"], 16)


def parameters_of(keepers: Sequence[dict[str, Any]], deployer: str, moment: int) -> Parameters:
    """Two of three attesters, or their majority; expiries that are still to come."""
    attesters = [k["address"] for k in keepers if "attester" in k["roles"]]
    return Parameters(
        attesters=tuple(sorted(attesters, key=lambda address: int(address, 16))),
        threshold=len(attesters) // 2 + 1,
        methodology_hash=Methodology.default().hash(),
        guardian=deployer,
        proposers=(deployer,),
        underlyings=(BTC, ETH),
        expiries=tuple(grid for grid in story.GRIDS if grid[1] > moment),
        collaterals=(COLLATERAL,),
    )


def open_account(backend: Web3Backend, deployment: Deployment, keeper: dict[str, Any]) -> None:
    """The next account, owned by a keeper, with cash. ValueError if it gets another number than planned."""
    token, vault, clearing = (deployment[name] for name in ("MockToken", "Vault", "Clearinghouse"))
    backend.send(clearing, "open_account", keeper["address"])
    account = int(backend.call(clearing, "totals")[0])
    if account != keeper["account"]:
        raise ValueError(f"{keeper['name']}: its account is {account}, the topology says {keeper['account']}")
    backend.send(token, "mint", backend.deployer, _LIQUIDATOR_CASH)
    backend.send(token, "approve", vault.address, _LIQUIDATOR_CASH)
    backend.send(vault, "deposit", account, token.address, _LIQUIDATOR_CASH)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.network FOLDER")
    started = time.monotonic()
    try:
        main(Path(sys.argv[1]))
    except (DevnetError, ValueError, OSError) as error:
        sys.exit(f"network: {error}")
    print(f"the protocol is on the chain after {time.monotonic() - started:.0f} s")
