"""`stake` and `unstake` against the real fund on a devnet, with a vault that knows nothing else."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from eth_account import Account
from web3 import Web3

from scripts._artifacts import artifact
from scripts._devnet import CHAIN_ID, MNEMONIC, start_anvil
from scripts._protocol import Contract
from scripts._web3_backend import Web3Backend
from tests.support.wallet import Wallet

DAY = 86_400
COOLDOWN = 7 * DAY
STAKER = ("--account", "TEST::0")


@dataclass(frozen=True)
class Shell(Wallet):
    """Scripts, and what the vault that they do not see says."""

    backend: Web3Backend
    vault: Contract

    def wait(self, seconds: int) -> None:
        self.devnet.rpc("evm_increaseTime", seconds)
        self.devnet.rpc("evm_mine")

    def open_deficit(self, dollars: int) -> None:
        self.backend.send(self.vault, "set_open_deficit", dollars * 10**18)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("deployments")
    with start_anvil() as devnet:
        Account.enable_unaudited_hdwallet_features()
        key = bytes(Account.from_mnemonic(MNEMONIC).key)
        backend = Web3Backend(Web3(Web3.HTTPProvider(devnet.url)), key)
        token = backend.deploy("MockToken", 6)
        vault = backend.deploy("MockVault", token.address)
        fund = backend.deploy("InsuranceFund", vault.address, 10**18 // 2, COOLDOWN)
        backend.send(token, "mint", backend.deployer, 1_000 * 10**6)
        named = {"Clearinghouse": vault, "Vault": vault, "InsuranceFund": fund}
        record = {
            "chain_id": CHAIN_ID,
            "contracts": {
                name: {"address": c.address, "abi": artifact(c.name).abi} for name, c in named.items()
            },
        }
        (folder / f"{CHAIN_ID}.json").write_text(json.dumps(record))
        yield Shell(devnet, folder, backend, vault)


def test_stake_and_unstake__a_whole_round(shell: Shell) -> None:
    assert "less than 1001" in shell.refusal("stake", *STAKER, "--amount", "1001")
    assert "give one of" in shell.refusal("unstake", *STAKER, "--finish", "--cancel")
    assert "has not requested to leave" in shell.refusal("unstake", *STAKER, "--finish")

    assert shell.answer("stake", *STAKER, "--amount", "600")["worth"] == "600"
    asked = shell.answer("unstake", *STAKER, "--amount", "250")
    assert (asked["exit"], asked["quoted"], asked["worth"]) == ("cooling", "250", "600")
    assert "is cooling down until" in shell.refusal("unstake", *STAKER, "--finish")

    shell.wait(COOLDOWN)
    shell.open_deficit(1)
    assert "insolvent auction is open" in shell.refusal("unstake", *STAKER, "--finish")
    assert "insolvent auction is open" in shell.refusal("stake", *STAKER, "--amount", "1")
    shell.open_deficit(0)
    left = shell.answer("unstake", *STAKER, "--finish")
    assert left["exit"] == "none"
    assert float(left["worth"]) == pytest.approx(350, abs=1e-5)

    shell.answer("unstake", *STAKER, "--all")
    shell.wait(COOLDOWN + 2 * DAY + 60)
    assert "request again" in shell.refusal("unstake", *STAKER, "--finish")
    assert shell.answer("unstake", *STAKER, "--cancel")["exit"] == "none"
