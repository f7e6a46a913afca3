"""One row of an option file, read with errors that name the file, the line and the remedy."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite


@dataclass(frozen=True, slots=True)
class Row:
    """Cells by column, and where they stand."""

    cells: Mapping[str, str | None]
    file: str
    line: int

    def error(self, what: str) -> ValueError:
        """What is wrong with this row."""
        return ValueError(f"chains: {self.file} line {self.line}: {what}; correct or remove the row")

    def text(self, column: str) -> str:
        """A cell that must not be empty. Raises ValueError when it is."""
        value = (self.cells.get(column) or "").strip()
        if not value:
            raise self.error(f"{column} is empty")
        return value

    def optional(self, column: str) -> float | None:
        """A number, or None for an empty cell or a column that the file does not have."""
        value = (self.cells.get(column) or "").strip()
        if not value:
            return None
        try:
            number = float(value)
        except ValueError:
            raise self.error(f"{column} {value!r} is not a number") from None
        if not isfinite(number):
            raise self.error(f"{column} {value!r} is not finite")
        return number

    def quoted(self, column: str, unit: float = 1.0) -> float | None:
        """A price or a vol in `unit`s; None when empty or zero, which means no quote."""
        number = self.optional(column)
        if number is None:
            return None
        if number < 0.0:
            raise self.error(f"{column} {number:g} is negative")
        return number * unit or None

    def positive(self, column: str) -> float:
        """A number above zero. Raises ValueError for anything else."""
        self.text(column)
        number = self.optional(column)
        if number is None or number <= 0.0:
            raise self.error(f"{column} must be above zero, it is {self.text(column)}")
        return number

    def moment(self, column: str) -> datetime:
        """An ISO time; without an offset it is UTC."""
        value = self.text(column)
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise self.error(f"{column} {value!r} is no ISO-8601 time") from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def is_call(self, column: str) -> bool:
        """call or put, or their first letters."""
        value = self.text(column).lower()
        if value not in {"call", "put", "c", "p"}:
            raise self.error(f"{column} {value!r} is neither call nor put")
        return value.startswith("c")
