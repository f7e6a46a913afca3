"""Recorded option chains: CSV files, plain or gzipped, of the shapes in `chain_formats`."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from keeper.sources.chain_formats import shape_of
from keeper.sources.chain_row import Row
from keeper.sources.option_quote import Chain, OptionQuote, latest

# rows further apart belong to different snapshots; a collector takes a minute or less for one
_SNAPSHOT_GAP = 60


def read_quotes(path: Path) -> list[OptionQuote]:
    """Every row of a file, ordered by time; rows of one moment keep their order.

    Raises:
        ValueError: a column is missing or a cell cannot be read; names the file, the line and the remedy.
        LookupError: there is no such file.
    """
    try:
        return sorted(_rows(path), key=lambda q: q.timestamp)
    except FileNotFoundError:
        raise LookupError(f"chains: no file {path}") from None
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, csv.Error) as error:
        raise ValueError(
            f"chains: {path.name} is not a CSV file in UTF-8 ({error}); save it as one"
        ) from None


def _rows(path: Path) -> Iterator[OptionQuote]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        shape = shape_of(reader.fieldnames or (), path.name)
        for cells in reader:
            yield shape.read(Row(cells, path.name, reader.line_num))


def snapshots(quotes: Sequence[OptionQuote]) -> list[Chain]:
    """The chains in a list of quotes ordered by time: a new one begins after a pause of a minute.

    Raises:
        ValueError: there is no quote.
    """
    groups: list[list[OptionQuote]] = []
    for quote in quotes:
        if not groups or quote.timestamp > groups[-1][-1].timestamp + _SNAPSHOT_GAP:
            groups.append([])
        groups[-1].append(quote)
    return [latest(group) for group in groups or [[]]]


def read_chain(path: Path, at: int | None = None) -> Chain:
    """One chain of a file: the last, or the last not after `at` (unix seconds).

    Raises:
        ValueError: the file cannot be read.
        LookupError: no such file, or no snapshot as early as `at`.
    """
    found = snapshots(read_quotes(path))
    if at is None:
        return found[-1]
    before = [chain for chain in found if chain.timestamp <= at]
    if not before:
        first = datetime.fromtimestamp(found[0].timestamp, UTC).isoformat()
        raise LookupError(f"chains: {path.name} has no snapshot as early; the first is of {first}")
    return before[-1]
