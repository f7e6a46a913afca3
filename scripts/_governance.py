"""Operations of the Timelock: calls written by hand, what is scheduled, and what an operation would do."""

import json
import re
from dataclasses import dataclass
from typing import Any

from eth_utils.address import is_address
from web3 import Web3
from web3.exceptions import Web3Exception

from scripts._verification import Deployed, Operation, plain

NO_PREDECESSOR = bytes(32)
_CALL = re.compile(r"^\s*([\w-]+)\.(\w+)\s*\((.*)\)\s*$", re.DOTALL)


class GovernanceError(ValueError):
    """A call that cannot be made, or an operation that is not there."""


@dataclass(frozen=True)
class Scheduled:
    """An operation as the Timelock's events tell it."""

    identifier: str
    calls: tuple[Operation, ...]
    predecessor: bytes
    salt: bytes
    # unix seconds from which it may be executed, and the last one; 0: not scheduled any more
    due: int
    lapses: int

    def state(self, now: int) -> str:
        """waiting, due or lapsed."""
        if now < self.due:
            return "waiting"
        return "due" if now <= self.lapses else "lapsed"

    def batch(self) -> tuple[list[str], list[int], list[bytes], bytes, bytes]:
        """Arguments of execute_batch."""
        targets = [call.target for call in self.calls]
        payloads = [call.payload for call in self.calls]
        return targets, [0] * len(targets), payloads, self.predecessor, self.salt


def operation_of(deployed: Deployed, calls: tuple[str, ...], salt: str) -> Scheduled:
    """An operation not scheduled yet, of calls as a person writes them. Its salt is the hash of a text."""
    if not calls:
        raise GovernanceError("no call given: --call 'Exchange.set_fees(100000000000000, 300000000000000)'")
    made = tuple(
        Operation("", index, target, payload)
        for index, (target, payload) in enumerate(call_of(deployed, text) for text in calls)
    )
    hashed = bytes(Web3.keccak(text=salt)) if salt else bytes(32)
    unscheduled = Scheduled("", made, NO_PREDECESSOR, hashed, 0, 0)
    identifier = deployed.contract("Timelock").functions.hash_operation_batch(*unscheduled.batch()).call()
    return Scheduled("0x" + identifier.hex(), made, NO_PREDECESSOR, hashed, 0, 0)


def call_of(deployed: Deployed, text: str) -> tuple[str, bytes]:
    """Target and calldata of `Contract.function(arguments)`; the arguments are JSON, the name of a recorded
    contract stands for its address."""
    found = _CALL.match(text)
    if found is None:
        raise GovernanceError(f"{text} is not Contract.function(arguments)")
    name, function, inside = found.groups()
    if name not in deployed.entries:
        raise GovernanceError(f"{name} is not in the record: {', '.join(deployed.entries)}")
    if not deployed.has(name, function):
        raise GovernanceError(f"{name} has no function {function}")
    try:
        arguments = json.loads(f"[{inside}]")
    except ValueError:
        raise GovernanceError(f"the arguments of {text} are not JSON") from None
    contract = deployed.contract(name)
    (abi,) = (
        item for item in deployed.abi(name) if item.get("name") == function and item["type"] == "function"
    )
    if len(arguments) != len(abi["inputs"]):
        raise GovernanceError(f"{name}.{function} takes {len(abi['inputs'])} arguments, not {len(arguments)}")
    values = [_value(deployed, item, value) for item, value in zip(abi["inputs"], arguments, strict=True)]
    try:
        data = contract.encode_abi(function, args=values)
    except (Web3Exception, TypeError, ValueError) as error:
        raise GovernanceError(f"{text}: {error}") from None
    return deployed.address(name), bytes.fromhex(data[2:])


def _value(deployed: Deployed, item: dict[str, Any], value: Any) -> Any:
    """An argument as the ABI takes it."""
    if item["type"].endswith("]"):
        inner = item | {"type": item["type"].rsplit("[", 1)[0]}
        return [_value(deployed, inner, part) for part in value]
    if item["type"] == "tuple":
        return tuple(_value(deployed, part, v) for part, v in zip(item["components"], value, strict=True))
    if item["type"] == "address" and isinstance(value, str):
        if value in deployed.entries:
            return deployed.address(value)
        if not is_address(value):
            raise GovernanceError(f"{value} is neither an address nor a contract of the record")
        return Web3.to_checksum_address(value)
    return value


def scheduled(deployed: Deployed) -> list[Scheduled]:
    """Operations that are scheduled and not executed, in the order of scheduling."""
    timelock = deployed.contract("Timelock")
    grace = timelock.functions.GRACE_PERIOD().call()
    salts = {event["id"]: bytes(event["salt"]) for event in deployed.events("Timelock", "CallSalt")}
    events: dict[bytes, list[dict[str, Any]]] = {}
    for event in deployed.events("Timelock", "CallScheduled"):
        made = events.setdefault(bytes(event["id"]), [])
        if event["index"] == 0:
            made.clear()  # scheduled again after it was cancelled
        made.append(event)
    found = []
    for identifier, made in events.items():
        due = timelock.functions.get_timestamp(identifier).call()
        if due <= 1:  # cancelled or done
            continue
        hexed = "0x" + identifier.hex()
        calls = tuple(Operation(hexed, e["index"], e["target"], bytes(e["payload"])) for e in made)
        predecessor = bytes(made[0]["predecessor"])
        salt = salts.get(identifier, bytes(32))
        found.append(Scheduled(hexed, calls, predecessor, salt, due, due + grace))
    return found


def find(deployed: Deployed, identifier: str) -> Scheduled:
    """The scheduled operation of an identifier, or of its beginning."""
    fitting = [one for one in scheduled(deployed) if one.identifier.startswith(identifier.lower())]
    if len(fitting) != 1:
        raise GovernanceError(f"{len(fitting)} scheduled operations begin with {identifier}")
    return fitting[0]


def described(deployed: Deployed, call: Operation) -> str:
    """A call as it is read off its bytes, never as somebody describes it."""
    decoded = deployed.decoded(call)
    if decoded is None:
        return f"UNKNOWN {call.target} 0x{call.payload.hex()}"
    function, arguments = decoded
    name = deployed.names[call.target.lower()]
    return f"{name}.{function}({', '.join(_shown(deployed, value) for value in arguments)})"


def _shown(deployed: Deployed, value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_shown(deployed, part) for part in value)}]"
    named = deployed.names.get(value) if isinstance(value, str) else None
    return f"{named} {value}" if named else json.dumps(plain(value))


def refusal(deployed: Deployed, call: Operation) -> str | None:
    """Why a call would fail if the Timelock made it now, alone; None where it would pass."""
    try:
        deployed.web3.eth.call(
            {
                "from": Web3.to_checksum_address(deployed.address("Timelock")),
                "to": Web3.to_checksum_address(call.target),
                "data": Web3.to_hex(call.payload),
            }
        )
    except Web3Exception as error:
        return str(error)
    return None
