"""A deployment on a fresh chain, driven by the wallet scripts; for tampering its Timelock can be played."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak
from web3 import Web3

from scripts._devnet import CHAIN_ID, MNEMONIC, start_anvil
from scripts._protocol import ETH, Collateral, Deployment, Parameters, deploy, write_record
from scripts._web3_backend import Web3Backend
from tests.support.keys import ATTESTERS, address_for, key_of
from tests.support.wallet import Wallet

DELAY = 600
GRID = (1_000 * 10**8, 3_000 * 10**8, 100 * 10**8)
OPS = ("--account", "TEST::0")  # deployer and proposer
ANYONE = ("--account", "TEST::1")


@dataclass(frozen=True)
class Governed(Wallet):
    """Scripts, and a way to act as any address."""

    backend: Web3Backend
    deployment: Deployment
    snapshots: list[str] = field(default_factory=list)

    def act(self, sender: str, contract: str, function: str, *arguments: Any) -> None:
        """One transaction of an address whose key nobody has."""
        deployed = self.backend.at(self.deployment[contract])
        self.devnet.rpc("anvil_impersonateAccount", sender)
        self.devnet.rpc("anvil_setBalance", sender, hex(10**18))
        data = deployed.encode_abi(function, args=list(arguments))
        fields = {"from": sender, "to": deployed.address, "data": data, "gas": hex(5_000_000)}
        sent = self.devnet.rpc("eth_sendTransaction", fields)
        receipt = self.backend.web3.eth.wait_for_transaction_receipt(sent, timeout=60, poll_latency=0.01)
        assert receipt["status"], f"{contract}.{function} reverted"

    def as_timelock(self, contract: str, function: str, *arguments: Any) -> None:
        """What no operation says."""
        self.act(self.deployment.address("Timelock"), contract, function, *arguments)

    def answer(self, script: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        """The JSON that a script says."""
        done = self.run(script, *arguments, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def wait(self, seconds: int) -> None:
        self.devnet.rpc("evm_increaseTime", seconds)
        self.devnet.rpc("evm_mine")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever happens inside has not happened."""
        snapshot = self.devnet.rpc("evm_snapshot")
        try:
            yield
        finally:
            assert self.devnet.rpc("evm_revert", snapshot)


@contextmanager
def governed(folder: Path) -> Iterator[Governed]:
    """One underlying, one expiry, one collateral; a delay of ten minutes."""
    with start_anvil() as devnet:
        Account.enable_unaudited_hdwallet_features()
        web3 = Web3(Web3.HTTPProvider(devnet.url))
        backend = Web3Backend(web3, bytes(Account.from_mnemonic(MNEMONIC).key))
        now = int(web3.eth.get_block("latest")["timestamp"])
        parameters = Parameters(
            attesters=ATTESTERS,
            threshold=3,
            methodology_hash=keccak(text="methodology of the tests"),
            guardian=address_for(key_of("guardian")),
            proposers=(backend.deployer,),
            exit_window=DELAY,
            minimum_delay=DELAY,
            underlyings=(ETH,),
            expiries=((1, now // 300 * 300 + 30 * 86_400, GRID),),
            collaterals=(Collateral("WETH", 18, 1, 1_000, 500, 10**24),),
        )
        deployment = deploy(backend, parameters)
        write_record(deployment, CHAIN_ID, 0, folder, verified=False)
        yield Governed(devnet, folder, backend, deployment)
