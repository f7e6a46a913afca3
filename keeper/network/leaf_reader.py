"""Reads the leaves of an epoch from whichever keeper serves them, page by page."""

import time
from typing import Any
from urllib.parse import urlencode

import httpx

from keeper.network.client import read_bounded
from keeper.network.leaf_rows import forward_of, instrument_of, margin_of
from keeper.network.schemas import LeavesAnswer

_MAX_PAGE_BYTES = 16 * 1024 * 1024
_PAGE = 5_000
_MAX_LEAVES = 4_000_000
_READ = {"margins": margin_of, "instruments": instrument_of, "forwards": forward_of}


class LeafReader:
    """Any keeper will do: what it says is checked against a root."""

    def __init__(self, urls: tuple[str, ...], seconds: float = 10.0, path: str = "/v1/proposals") -> None:
        """`seconds` for all pages together; `path` is /v1/proposals or /v1/epochs."""
        self._urls, self._seconds = urls, seconds
        self._path = f"{path}/{{number}}" + ("/leaves" if path == "/v1/epochs" else "") + "/{kind}"

    def leaves(self, number: int, kind: str, root: bytes) -> tuple[Any, ...]:
        """All leaves of a kind, as the first keeper that serves this root has them; the caller checks them.

        Raises:
            LookupError: none does, with what each of them said.
        """
        problems = []
        for url in self._urls:
            try:
                return self._read(url + self._path.format(number=number, kind=kind), kind, root)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                problems.append(f"{url}: {str(error) or type(error).__name__}")
        raise LookupError("; ".join(problems) or "no keeper to ask for leaves")

    def _read(self, url: str, kind: str, root: bytes) -> tuple[Any, ...]:
        deadline = time.monotonic() + self._seconds
        found: list[Any] = []
        offset: int | None = 0
        with httpx.Client(timeout=self._seconds) as client:
            while offset is not None:
                asked = f"{url}?{urlencode({'offset': offset, 'limit': _PAGE})}"
                page = _page(client, asked, deadline)
                if page.root != "0x" + root.hex():
                    raise ValueError("serves another root")
                if page.offset != offset or page.kind != kind or page.count > _MAX_LEAVES:
                    raise ValueError("gave another page than the one asked for")
                if page.next is not None and page.next <= offset:
                    raise ValueError("gives pages in a circle")
                found += [_READ[kind](row) for row in page.rows]
                offset = page.next
        return tuple(found)


def _page(client: httpx.Client, url: str, deadline: float) -> LeavesAnswer:
    with client.stream("GET", url) as response:
        response.raise_for_status()
        return LeavesAnswer.model_validate_json(read_bounded(response, _MAX_PAGE_BYTES, deadline))
