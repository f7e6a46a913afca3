"""Types of the fields of portfolio and market files, and what they say of a wrong value."""

from math import isfinite
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidatorFunctionWrapHandler

from keeper.portfolio.moments import unix_seconds


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("is not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r} is not a number") from None
    if not isfinite(number):
        raise ValueError(f"{value!r} is not finite")
    return number


def _symbol(value: object) -> str:
    if not isinstance(value, str) or not value.replace("_", "").isalnum():
        raise ValueError(f"{value!r} is no symbol: write letters and digits, such as BTC")
    return value.upper()


# a JSON or TOML number, or the same as text
Number = Annotated[float, BeforeValidator(_number)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
# 0.6 is 60 %: whoever writes 60 means something else
Vol = Annotated[Number, Field(gt=0, le=20)]
Moment = Annotated[int, BeforeValidator(unix_seconds)]
Symbol = Annotated[str, BeforeValidator(_symbol)]


class Section(BaseModel):
    """One object of a file. Unknown fields are refused: a misspelt one must not be a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def distinct(values: list[Any], what: str) -> None:
    """ValueError unless no value comes twice."""
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{what} {value} comes twice")


def keys_once(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """A map whose keys stay distinct when they are read ("80000" and "80000.0" are one strike)."""
    found = read(value)
    if len(found) != len(value):
        raise ValueError("two of its keys mean the same: keep one")
    return found
