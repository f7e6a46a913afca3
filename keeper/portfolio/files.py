"""Portfolio and market files: TOML or JSON, by their suffix. The schemas are `portfolio_file` and
`market_file`.

What cannot be read ends in a ValueError of one sentence: the file, the field, what to do.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from keeper.portfolio.fields import Section
from keeper.portfolio.market_file import MarketFile
from keeper.portfolio.market_state import MarketState
from keeper.portfolio.portfolio import Portfolio
from keeper.portfolio.portfolio_file import PortfolioFile

_File = TypeVar("_File", bound=Section)


def load_portfolio(path: Path) -> Portfolio:
    """The portfolio of a file; without a name it takes the file's. Raises ValueError, see above."""
    content = read_object(path)
    return parse(PortfolioFile, {"name": path.stem, **content}, str(path)).portfolio()


def load_market(path: Path) -> MarketState:
    """The market of a file. Raises ValueError, see above."""
    return parse(MarketFile, read_object(path), str(path)).market()


def read_object(path: Path) -> dict[str, Any]:
    """The object that a TOML or JSON file holds.

    Raises:
        ValueError: it cannot be read, has another suffix, is malformed, holds no object, or names a field
            twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ValueError(f"{path}: cannot be read: {reason}") from None
    if path.suffix not in (".toml", ".json"):
        raise ValueError(f"{path}: the name must end in .toml or .json")
    try:
        found = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:
        raise ValueError(f"{path}: is no {path.suffix[1:].upper()}: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: holds no object")
    return found


def parse(schema: type[_File], content: Mapping[str, Any], source: str) -> _File:
    """Content checked against a schema. Raises ValueError, see above; `source` names the file."""
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ValueError(f"{source}: {_sentence(schema, problems[0])}{more}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a field come twice and readers drop one of the two."""
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"{name!r} comes twice in one object")
        result[name] = value
    return result


def _sentence(schema: type[Section], problem: ErrorDetails) -> str:
    location = problem["loc"]
    if problem["type"] == "extra_forbidden":
        known = ", ".join(_section_at(schema, location[:-1]).model_fields)
        return f"{_path(location)} is no field; known here: {known}"
    if problem["type"] == "missing":
        return f"{_path(location)} is missing: add it"
    text = problem["msg"].removeprefix("Value error, ").replace("Input should", "must")
    return f"{_path(location)}: {text}" if location else text


def _path(location: Sequence[int | str]) -> str:
    """Such as positions[2].strike; of the entries of a list the first is 0."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removesuffix(".[key]").removeprefix(".")


def _section_at(schema: type[Section], location: Sequence[int | str]) -> type[Section]:
    """The section that a path leads to; list indices and keys of maps stay where they are."""
    for part in location:
        field = schema.model_fields.get(str(part))
        schema = (_inner(field.annotation) if field else None) or schema
    return schema


def _inner(annotation: Any) -> type[Section] | None:
    """The section inside an annotation such as tuple[Section, ...] or Section | None."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner(part))), None)
