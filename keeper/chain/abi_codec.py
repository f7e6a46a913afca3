"""Calls and events by ABI, without contract objects."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from keeper.chain.event_decoder import Decoder


@dataclass(frozen=True)
class Function:
    """One function of a contract: four-byte selector and the types of both sides."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    fields: tuple[str, ...] = ()  # names, where it returns a single struct

    def encode(self, *arguments: Any) -> str:
        """Calldata as 0x text. Raises eth_abi's EncodingError for arguments that do not fit."""
        return "0x" + (self.selector + encode(self.inputs, arguments)).hex()

    def decode(self, data: bytes) -> Any:
        """What the function returned: a single value, or a tuple of several. Structs are tuples."""
        values = decode(self.outputs, data)
        return values[0] if len(values) == 1 else values


@dataclass(frozen=True)
class Event:
    """One event of a contract; names and types in order, indexed ones apart; fields of structs by name."""

    name: str
    topic: str
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def decode(self, topics: Sequence[str], data: bytes) -> dict[str, Any]:
        """Arguments by name, JSON-ready: integers, booleans, text, 0x text, lists, structs by field.

        Raises eth_abi's DecodingError, or ValueError for too few or too many topics.
        """
        return self._decoder.decode(topics, data)

    @cached_property
    def _decoder(self) -> Decoder:
        return Decoder(self.indexed, self.plain, self.fields)


@dataclass(frozen=True)
class Interface:
    """Functions by name and events by topic of one contract."""

    name: str
    functions: Mapping[str, Function]
    events: Mapping[str, Event]


@cache
def load(name: str) -> Interface:
    """The interface of a contract from the ABI shipped with the package."""
    text = resources.files("keeper.chain").joinpath("abi", f"{name}.json").read_text(encoding="utf-8")
    content = json.loads(text)
    entries = content["abi"] if isinstance(content, dict) else content
    functions = [_function(e) for e in entries if e["type"] == "function"]
    events = [_event(e) for e in entries if e["type"] == "event"]
    return Interface(name, {f.name: f for f in functions}, {e.topic: e for e in events})


def _types(entries: Sequence[Any]) -> tuple[str, ...]:
    return tuple(collapse_if_tuple(entry) for entry in entries)


def _function(entry: Any) -> Function:
    inputs = _types(entry["inputs"])
    selector = keccak(text=f"{entry['name']}({','.join(inputs)})")[:4]
    outputs = entry["outputs"]
    is_struct = len(outputs) == 1 and outputs[0]["type"] == "tuple"
    fields = tuple(c["name"] for c in outputs[0]["components"]) if is_struct else ()
    return Function(entry["name"], selector, inputs, _types(outputs), fields)


def _event(entry: Any) -> Event:
    named = [(e["name"], collapse_if_tuple(e), e["indexed"]) for e in entry["inputs"]]
    topic = "0x" + keccak(text=f"{entry['name']}({','.join(kind for _, kind, _ in named)})").hex()
    indexed = tuple((name, kind) for name, kind, is_indexed in named if is_indexed)
    plain = tuple((name, kind) for name, kind, is_indexed in named if not is_indexed)
    fields = {
        e["name"]: tuple(c["name"] for c in e["components"]) for e in entry["inputs"] if e["type"] == "tuple"
    }
    return Event(entry["name"], topic, indexed, plain, fields)
