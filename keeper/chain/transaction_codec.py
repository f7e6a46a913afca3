"""EIP-1559 transactions as bytes: what is signed, and what is sent."""

from dataclasses import dataclass

import rlp  # type: ignore[import-untyped]
from eth_utils.crypto import keccak

from keeper.chain.keys import Signature, Signer

_TYPE = b"\x02"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction; fees and value in wei, target and data 0x text."""

    chain_id: int
    nonce: int
    tip: int
    max_fee: int
    gas: int
    target: str
    data: str = "0x"
    value: int = 0

    def preimage(self) -> bytes:
        """The unsigned bytes (EIP-2718); their keccak is signed."""
        return _TYPE + bytes(rlp.encode(self._fields()))

    def raw(self, signature: Signature) -> str:
        """The signed bytes, 0x text."""
        r = int.from_bytes(signature.r, "big")
        fields = [*self._fields(), signature.y_parity, r, signature.s]
        return "0x" + (_TYPE + bytes(rlp.encode(fields))).hex()

    def _fields(self) -> list[object]:
        target, data = bytes.fromhex(self.target[2:]), bytes.fromhex(self.data[2:])
        numbers = [self.chain_id, self.nonce, self.tip, self.max_fee, self.gas]
        return [*numbers, target, self.value, data, []]


def decode(raw: str) -> Transaction:
    """The transaction that signed bytes of ours carry."""
    fields = rlp.decode(bytes.fromhex(raw[4:]))
    chain_id, nonce, tip, max_fee, gas = (int.from_bytes(field, "big") for field in fields[:5])
    target, value, data = "0x" + fields[5].hex(), int.from_bytes(fields[6], "big"), "0x" + fields[7].hex()
    return Transaction(chain_id, nonce, tip, max_fee, gas, target, data, value)


def sign_transaction(transaction: Transaction, signer: Signer) -> tuple[str, str]:
    """(hash, signed bytes), 0x text. Raises SigningError."""
    raw = transaction.raw(signer.sign(transaction.preimage()))
    return "0x" + keccak(hexstr=raw).hex(), raw
