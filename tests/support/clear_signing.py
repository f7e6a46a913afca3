"""ERC-7730 descriptors (schema 2.0.0) as a wallet reads them: what they name, and what they display.

Holds the rules of the schema that our files need, and no others: an unknown key or format fails.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path("contracts/clear_signing")
SCHEMA = "https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json"
PARAMS = {  # of each format: parameters, those it needs
    "raw": ((), ()),
    "addressName": (("types", "sources"), ()),
    "tokenAmount": (("tokenPath",), ("tokenPath",)),
    "date": (("encoding",), ("encoding",)),
    "unit": (("base", "decimals", "prefix"), ("base",)),
    "enum": (("$ref",), ("$ref",)),
}
_STRUCT = re.compile(r"(\w+)\(([^()]*)\)")


@dataclass(frozen=True)
class Field:
    """A displayed value, its path from the root of the message."""

    path: str
    label: str
    format: str
    params: Mapping[str, Any]
    visible: Any


def load(name: str) -> dict[str, Any]:
    """One descriptor."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def fields_of(entries: Sequence[Mapping[str, Any]], prefix: str = "") -> Iterator[Field]:
    """All fields of a format, groups resolved. Raises for keys that the schema does not have."""
    for entry in entries:
        path = prefix + entry["path"]
        if "fields" in entry:
            _require(set(entry) <= {"$id", "path", "label", "iteration", "fields"}, entry)
            yield from fields_of(entry["fields"], path + ".")
        else:
            _require(set(entry) <= {"$id", "path", "label", "format", "params", "visible"}, entry)
            yield _field(path, entry)


def typed_data_types(encoded: str) -> dict[str, list[dict[str, str]]]:
    """Struct types of an encodeType, the primary one first."""
    return {
        name: [dict(zip(("type", "name"), member.split(" "), strict=True)) for member in members.split(",")]
        for name, members in _STRUCT.findall(encoded)
    }


def typed_data_paths(types: Mapping[str, Sequence[Mapping[str, str]]], primary: str) -> dict[str, str]:
    """Type of every value in a message by its path."""
    found = {}
    for member in types[primary]:
        element = member["type"].removesuffix("[]")
        path = member["name"] + ".[]" * member["type"].endswith("[]")
        if element in types:
            found |= {f"{path}.{rest}": kind for rest, kind in typed_data_paths(types, element).items()}
        else:
            found[path] = element
    return found


def calldata_key(function: Mapping[str, Any]) -> str:
    """Signature of a function with the names of its parameters."""
    return f"{function['name']}({','.join(_parameter(one) for one in function['inputs'])})"


def calldata_paths(inputs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Type of every argument by its path; no arrays of structs."""
    found = {}
    for one in inputs:
        if one["type"] == "tuple":
            nested = calldata_paths(one["components"])
            found |= {f"{one['name']}.{rest}": kind for rest, kind in nested.items()}
        else:
            found[one["name"]] = one["type"]
    return found


def display(descriptor: Mapping[str, Any], key: str, message: Any, tokens: Mapping[str, Any]) -> list[str]:
    """What a wallet shows, line by line; `tokens`: (ticker, decimals) by address."""
    shown = descriptor["display"]["formats"][key]
    lines = [shown["intent"]]
    for field in fields_of(shown["fields"]):
        for value in _values(message, field.path.split(".")):
            if _is_visible(field, value):
                lines.append(f"{field.label}: {_text(field, value, message, descriptor, tokens)}")
    return lines


def _require(condition: bool, culprit: Any) -> None:
    if not condition:
        raise ValueError(f"not in the schema: {culprit}")


def _field(path: str, entry: Mapping[str, Any]) -> Field:
    params = entry.get("params", {})
    allowed, needed = PARAMS[entry["format"]]
    _require(set(needed) <= set(params) <= set(allowed), entry)
    visible = entry.get("visible", "always")
    _require(visible in ("always", "never", "optional") or set(visible) == {"ifNotIn"}, entry)
    return Field(path, entry["label"], entry["format"], params, visible)


def _parameter(one: Mapping[str, Any]) -> str:
    kind = one["type"]
    if kind.startswith("tuple"):
        members = ",".join(_parameter(member) for member in one["components"])
        kind = f"({members}){kind.removeprefix('tuple')}"
    return f"{kind} {one['name']}"


def _values(value: Any, path: Sequence[str]) -> list[Any]:
    if not path:
        return [value]
    step, *rest = path
    if step == "[]":
        return [found for element in value for found in _values(element, rest)]
    return _values(value[step], rest)


def _is_visible(field: Field, value: Any) -> bool:
    if isinstance(field.visible, str):
        return field.visible != "never"
    return value not in field.visible["ifNotIn"]


def _text(field: Field, value: Any, message: Any, descriptor: Any, tokens: Mapping[str, Any]) -> str:
    params = field.params
    if field.format == "unit":
        return f"{_scaled(value, params.get('decimals', 0))} {params['base']}"
    if field.format == "tokenAmount":
        (token,) = _values(message, params["tokenPath"].split("."))
        ticker, decimals = tokens[token]
        return f"{ticker} {_scaled(value, decimals)}"
    if field.format == "date":
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}"
    if field.format == "enum":
        _, _, _, name = params["$ref"].split(".")
        return str(descriptor["metadata"]["enums"][name][str(value)])
    return str(value)


def _scaled(value: int, decimals: int) -> str:
    whole, part = divmod(abs(value), 10**decimals)
    digits = f"{part:0{decimals}d}".rstrip("0")
    return "-" * (value < 0) + str(whole) + (f".{digits}" if digits else "")
