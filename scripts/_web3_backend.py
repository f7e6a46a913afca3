"""The recipe over plain web3: one key, one transaction at a time, each below half of the gas cap."""

from typing import Any, cast

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract import Contract as Web3Contract
from web3.types import TxParams, TxReceipt

from scripts._artifacts import artifact
from scripts._protocol import Contract

GAS_LIMIT = 8_400_000  # half of EIP-7825's cap


class Web3Backend:
    """Sends from one private key and waits for every receipt; fees are fixed so that runs repeat."""

    def __init__(self, web3: Web3, key: bytes) -> None:
        self.web3 = web3
        self._account: LocalAccount = Account.from_key(key)
        self.deployer: str = self._account.address
        self.receipts: list[TxReceipt] = []

    def deploy(self, name: str, *arguments: Any) -> Contract:
        """Deploys `name`."""
        built = artifact(name)
        factory = self.web3.eth.contract(abi=built.abi, bytecode=built.bytecode)
        receipt = self._transact(factory.constructor(*arguments).build_transaction(self._fields()), name)
        return Contract(name, str(receipt["contractAddress"]))

    def send(self, contract: Contract, function: str, *arguments: Any) -> TxReceipt:
        """Sends one transaction and waits. RuntimeError with the contract's reason if it reverts."""
        call = self.at(contract).functions[function](*arguments)
        return self._transact(call.build_transaction(self._fields()), f"{contract.name}.{function}")

    def call(self, contract: Contract, function: str, *arguments: Any) -> Any:
        """Reads from the latest block."""
        return self.at(contract).functions[function](*arguments).call({"from": self._account.address})

    def code_of(self, address: str) -> bytes:
        """Runtime code at an address."""
        return bytes(self.web3.eth.get_code(Web3.to_checksum_address(address)))

    def at(self, contract: Contract) -> Web3Contract:
        """web3's object for a deployed contract."""
        address = Web3.to_checksum_address(contract.address)
        return self.web3.eth.contract(address=address, abi=artifact(contract.name).abi)

    def _fields(self) -> TxParams:
        return {
            "from": self._account.address,
            "nonce": self.web3.eth.get_transaction_count(self._account.address, "pending"),
            "gas": GAS_LIMIT,
            "maxFeePerGas": Web3.to_wei(100, "gwei"),
            "maxPriorityFeePerGas": Web3.to_wei(1, "gwei"),
            "chainId": self.web3.eth.chain_id,
        }

    def _transact(self, fields: TxParams, what: str) -> TxReceipt:
        signed = self._account.sign_transaction(cast(dict[str, Any], fields))
        sent = self.web3.eth.send_raw_transaction(signed.raw_transaction)
        receipt = self.web3.eth.wait_for_transaction_receipt(sent, timeout=60, poll_latency=0.005)
        if not receipt["status"]:
            raise RuntimeError(f"{what} reverted: {self._reason(fields, receipt)}")
        self.receipts.append(receipt)
        return receipt

    def _reason(self, fields: TxParams, receipt: TxReceipt) -> str:
        replay = cast(TxParams, {k: v for k, v in fields.items() if k in ("from", "to", "data", "gas")})
        try:
            self.web3.eth.call(replay, receipt["blockNumber"])
        except Exception as error:  # whatever the node answers is the reason
            return str(error)
        return "out of gas or a state that has passed"
