"""Parameters of the presets: JSON beside the formulas, every one overridable by a user's file.

A table with an entry "*" is open: it takes entries of any name, and each starts from "*". All other tables
are closed, so that a misspelt parameter is an error and not a silent default.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

ANY = "*"


def preset_parameters(name: str) -> dict[str, Any]:
    """Published parameters of a preset.

    Raises:
        LookupError: there is no preset of this name.
    """
    resource = files("keeper.presets") / f"{name.replace('-', '_')}.json"
    if not resource.is_file():
        raise LookupError(f"presets: no parameters of {name!r}")
    table: dict[str, Any] = json.loads(resource.read_text())
    return table


def load_parameters(name: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Published parameters of a preset with a user's laid over them.

    Raises:
        LookupError: there is no preset of this name, or the overrides name an unknown parameter.
        ValueError: an override has the wrong type.
    """
    return merge(preset_parameters(name), overrides or {}, name)


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any], path: str) -> dict[str, Any]:
    """`base` with `overrides` laid over it, table by table; lists are replaced whole.

    Raises:
        LookupError: an unknown key in a closed table.
        ValueError: a value of another type than the one it replaces.
    """
    merged = dict(base)
    for key, value in overrides.items():
        if key in base:
            merged[key] = _replaced(base[key], value, f"{path}.{key}")
        elif ANY in base:
            merged[key] = _replaced(base[ANY], value, f"{path}.{key}")
        else:
            raise LookupError(f"presets: {path} has no parameter {key!r}; it has {', '.join(sorted(base))}")
    return merged


def entry(table: Mapping[str, Any], name: str) -> Any:
    """Entry of an open table: its own, or that of "*"."""
    return table.get(name, table[ANY])


def _replaced(old: Any, new: Any, path: str) -> Any:
    if isinstance(old, Mapping):
        if not isinstance(new, Mapping):
            raise ValueError(f"presets: {path} must be a table")
        return merge(old, new, path)
    if isinstance(old, list):
        if not isinstance(new, list):
            raise ValueError(f"presets: {path} must be a list")
        return [_element(old, x, f"{path}[{i}]") for i, x in enumerate(new)]
    if not _same_type(old, new):
        example, value = json.dumps(old), json.dumps(new, default=str)
        raise ValueError(f"presets: {path} must be of the type of {example}, not {value}")
    return new


def _element(old: list[Any], new: Any, path: str) -> Any:
    """One element of a new list, held against the first of the old; a table must be complete."""
    if not old:
        return new
    if isinstance(old[0], Mapping) and isinstance(new, Mapping) and old[0].keys() - new.keys():
        missing = ", ".join(sorted(old[0].keys() - new.keys()))
        raise LookupError(f"presets: {path} lacks {missing}")
    return _replaced(old[0], new, path)


def _same_type(old: Any, new: Any) -> bool:
    if old is None or new is None:
        return old is None
    if isinstance(old, bool) or isinstance(new, bool):
        return isinstance(old, bool) and isinstance(new, bool)
    if isinstance(old, int | float):
        return isinstance(new, int | float)
    return isinstance(new, type(old))
