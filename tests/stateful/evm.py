"""A fast EVM for campaigns of many thousand calls: contracts as Python objects, reverts as expected
reasons.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import abi_to_signature
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from pyrevm import EVM, BlockEnv, CfgEnv, Env

from scripts._artifacts import artifact

GENESIS_BLOCK = 1_000
DEPLOYER = to_checksum_address("0x" + "d0" * 20)
_ERROR_SELECTOR = bytes.fromhex("08c379a0")


def abi_type(item: dict[str, Any]) -> str:
    """ABI type with tuples spelled out, as `eth_abi` reads it."""
    if not item["type"].startswith("tuple"):
        return str(item["type"])
    inner = ",".join(abi_type(part) for part in item["components"])
    return f"({inner}){item['type'][len('tuple') :]}"


class RefusedError(AssertionError):
    """A call that the test expected to succeed was refused."""


class Chain:
    """One chain: block clock, calls, the log of the last call."""

    def __init__(self, timestamp: int, chain_id: int = 31_337) -> None:
        self.chain_id = chain_id
        self.block = GENESIS_BLOCK
        self.timestamp = timestamp
        env = Env(cfg=CfgEnv(chain_id=chain_id), block=BlockEnv(number=self.block, timestamp=timestamp))
        self.evm = EVM(env, spec_id="CANCUN")
        self.calls = self.changes = 0  # so many calls, and so many of them changed the state
        self.last = ("", b"", "")  # to, data, sender of the last call that changed anything
        self.result: Any = None

    def mine(self, blocks: int = 1, seconds: int = 12) -> None:
        """Advance by `blocks` blocks and `seconds` in all."""
        self.block += blocks
        self.timestamp += seconds
        self.evm.set_block_env(BlockEnv(number=self.block, timestamp=self.timestamp))

    def block_hash(self, number: int) -> bytes:
        return bytes(self.evm.block_hash(number))

    def deploy(self, name: str, *arguments: Any, sender: str = DEPLOYER) -> "Contract":
        compiled = artifact(name)
        constructor = [item for item in compiled.abi if item["type"] == "constructor"]
        types = [abi_type(item) for item in constructor[0]["inputs"]] if constructor else []
        code = bytes.fromhex(compiled.bytecode.removeprefix("0x")) + encode(types, arguments)
        return Contract(self, to_checksum_address(self.evm.deploy(sender, code)), compiled.abi)

    def call(self, to: str, data: bytes, sender: str, is_view: bool = False) -> tuple[bytes | None, str]:
        """(returned data, "") or (None, reason). A panic or a lack of gas has the reason "panic"."""
        self.calls += 1
        self.evm.reset_transient_storage()
        try:
            returned = bytes(self.evm.message_call(sender, to, calldata=data))
        except RuntimeError as error:
            return None, _reason(str(error))
        if not is_view:
            self.last, self.result = (to, data, sender), self.evm.result
            self.changes += 1
        return returned, ""

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever is done inside has not happened."""
        checkpoint, last = self.evm.snapshot(), (self.last, self.result)
        try:
            yield
        finally:
            self.evm.revert(checkpoint)
            self.changes += 1
            self.last, self.result = last

    def logs(self) -> list[Any]:
        """Logs of the last call that changed anything."""
        return list(self.result.logs)


class Contract:
    """Functions of one deployed contract as methods. They return a value or raise `RefusedError` with the
    reason.
    """

    def __init__(self, chain: Chain, address: str, abi: list[dict[str, Any]]) -> None:
        self.chain = chain
        self.address = address
        self.abi = abi
        self.functions = {item["name"]: item for item in abi if item["type"] == "function"}
        self.inputs = {name: _types(item["inputs"]) for name, item in self.functions.items()}
        self.outputs = {name: _types(item["outputs"]) for name, item in self.functions.items()}

    def __getattr__(self, name: str) -> Any:
        if name not in self.functions:
            raise AttributeError(name)
        return lambda *arguments, sender=DEPLOYER: self._succeed(name, arguments, sender)

    def attempt(self, name: str, *arguments: Any, sender: str = DEPLOYER) -> str:
        """Reason of the refusal; empty where the call succeeded."""
        return self.chain.call(self.address, self.calldata(name, arguments), sender)[1]

    def calldata(self, name: str, arguments: Sequence[Any]) -> bytes:
        try:
            return _calldata(name, self.inputs[name], tuple(arguments))
        except TypeError:  # lists among them
            return _calldata.__wrapped__(name, self.inputs[name], arguments)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Decoded events `name` of the last call that this contract emitted."""
        (item,) = [entry for entry in self.abi if entry["type"] == "event" and entry["name"] == name]
        topic = "0x" + keccak(text=abi_to_signature(item)).hex()
        logs = self.chain.logs()
        return [
            _decoded(item, log)
            for log in logs
            if log.topics[0] == topic and to_checksum_address(log.address) == self.address
        ]

    def _succeed(self, name: str, arguments: Sequence[Any], sender: str) -> Any:
        is_view = self.functions[name]["stateMutability"] in ("view", "pure")
        returned, reason = self.chain.call(self.address, self.calldata(name, arguments), sender, is_view)
        if returned is None:
            raise RefusedError(f"{name}: {reason}")
        values = _decode(self.outputs[name], returned)
        named = [_named(o, value) for o, value in zip(self.functions[name]["outputs"], values, strict=True)]
        return named[0] if len(named) == 1 else tuple(named)


class Struct(dict[str, Any]):
    """A returned struct: fields as attributes."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


@cache
def selector(name: str, inputs: tuple[str, ...]) -> bytes:
    """First four bytes of a call to this function."""
    return keccak(text=f"{name}({','.join(inputs)})")[:4]


def _types(items: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(abi_type(item) for item in items)


@lru_cache(maxsize=50_000)
def _calldata(name: str, inputs: tuple[str, ...], arguments: Sequence[Any]) -> bytes:
    return selector(name, inputs) + encode(inputs, arguments)


@lru_cache(maxsize=50_000)
def _decode(types: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
    """Most views answer what they have answered before."""
    return decode(types, data)


def _named(item: dict[str, Any], value: Any) -> Any:
    if item["type"] != "tuple":
        return value
    return Struct({c["name"]: v for c, v in zip(item["components"], value, strict=True)})


def _decoded(item: dict[str, Any], log: Any) -> dict[str, Any]:
    indexed = [i for i in item["inputs"] if i["indexed"]]
    plain = [i for i in item["inputs"] if not i["indexed"]]
    topics = [bytes.fromhex(topic.removeprefix("0x")) for topic in log.topics[1:]]
    fields = {i["name"]: decode([i["type"]], topic)[0] for i, topic in zip(indexed, topics, strict=True)}
    values = decode([abi_type(i) for i in plain], log.data[1])
    return fields | {i["name"]: value for i, value in zip(plain, values, strict=True)}


def _reason(error: str) -> str:
    """Reason string of a revert as pyrevm prints it."""
    if "output: 0x" not in error:
        return "panic"
    output = bytes.fromhex(error.split("output: 0x")[1].split(" ")[0].rstrip("}"))
    return str(decode(["string"], output[4:])[0]) if output[:4] == _ERROR_SELECTOR else "panic"
