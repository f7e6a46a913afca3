"""What a keeper publishes of an epoch, read by whoever does not believe keepers: the chain judges it."""

from collections.abc import Sequence
from typing import Any

import httpx

from keeper.liquidation.encoding import encode_claim
from keeper.network.client import get_json

_PAGE = 5_000
_MOST = 4_000_000  # leaves that are read of one epoch
_BYTES_OF_THE_LEAF = (3, 11)  # book hash, hash of the breakdown


class PublishedError(RuntimeError):
    """No keeper answers, or not with what was asked for."""


class Published:
    """Any of these keepers will do."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = [url.rstrip("/") for url in urls]

    def margins(self, epoch: int) -> list[tuple[int, str, int, int]]:
        """Account, book hash, mark and maintenance margin (WAD) of every account. Raises PublishedError."""
        found: list[tuple[int, str, int, int]] = []
        offset: int | None = 0
        while offset is not None and len(found) < _MOST:
            page = self._get(f"/v1/epochs/{epoch}/leaves/margins?offset={offset}&limit={_PAGE}")
            try:
                found += [(int(r[0]), str(r[3]), int(r[4]), int(r[6])) for r in page["rows"]]
                offset = page["next"] if page["next"] is None or page["next"] > offset else None
            except (KeyError, IndexError, TypeError, ValueError):
                raise PublishedError("a keeper answers something else than leaves") from None
        return found

    def claim(self, epoch: int, account: int) -> bytes:
        """What flags an account, as the auction house takes it. Raises PublishedError."""
        found = self._get(f"/v1/epochs/{epoch}/accounts/{account}/claim")
        try:
            bitmap, compact = found["signatures"]
            leaf = [_unhex(v) if i in _BYTES_OF_THE_LEAF else int(v) for i, v in enumerate(found["leaf"])]
            values = (
                _numbers(found["instruments"]),
                int(found["way"]),
                tuple(leaf),
                [_unhex(item) for item in found["path"]],
                int(found["epoch"]),
                int(found["deadline"]),
                (int(bitmap), [(_unhex(r), int(vs)) for r, vs in compact]),
                [_numbers(change) for change in found["changes"]],
                [_numbers(unit) for unit in found["units"]],
                [[_unhex(item) for item in path] for path in found["unitPaths"]],
            )
            return encode_claim(values)
        except Exception as error:  # noqa: BLE001  whatever a keeper says that is no claim
            raise PublishedError(f"a keeper answers something else than a claim: {error}") from None

    def _get(self, path: str) -> Any:
        problems = []
        for url in self._urls:
            try:
                return get_json(url + path, timeout=10.0)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                problems.append(f"{url}: {str(error) or type(error).__name__}")
        raise PublishedError("; ".join(problems) or "no keeper to ask is named")


def _numbers(values: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
