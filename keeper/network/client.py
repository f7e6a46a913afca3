"""Calls to other keepers: short timeouts, bounded answers, and who failed how."""

from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as FuturesTimeout
from dataclasses import dataclass, field
from typing import Any

import httpx

from keeper.attestation.typed_data import recover
from keeper.network.schemas import Message, SignatureAnswer

_MAX_ANSWER = 64 * 1024


@dataclass(frozen=True)
class Gathered:
    """Valid signatures by signer index, and what the others said."""

    signatures: dict[int, tuple[bytes, int]]
    refusals: dict[str, str] = field(default_factory=dict)

    def assemble(self, threshold: int) -> tuple[int, list[tuple[bytes, int]]] | None:
        """(bitmap, compact signatures in its order), cut to the threshold; None if there are too few."""
        if len(self.signatures) < threshold:
            return None
        chosen = sorted(self.signatures)[:threshold]
        return sum(1 << i for i in chosen), [self.signatures[i] for i in chosen]


class Attesters:
    """The attesters that a proposer asks, all at once."""

    def __init__(self, urls: tuple[str, ...], timeout: float = 5.0) -> None:
        """`timeout` in seconds, for each request."""
        self.urls = urls
        self._timeout = timeout
        self._client = httpx.Client(timeout=httpx.Timeout(timeout, connect=1.0))
        self._pool = ThreadPoolExecutor(max_workers=max(2 * len(urls), 1), thread_name_prefix="attester")

    def gather(
        self, path: str, message: Message, digest: bytes, signers: list[str], threshold: int
    ) -> Gathered:
        """Ask everybody, return as soon as `threshold` valid signatures over `digest` are there.

        A signature counts if it recovers to a member of the quorum; whose server it came from does not
        matter.
        """
        body = message.model_dump_json()
        futures = {self._pool.submit(self._ask, url + path, body): url for url in self.urls}
        gathered = Gathered({})
        try:
            for future in as_completed(futures, timeout=2 * self._timeout):
                answer = future.result()
                problem = (
                    answer
                    if isinstance(answer, str)
                    else _accept(answer, digest, signers, gathered.signatures)
                )
                if problem is not None:
                    gathered.refusals[futures[future]] = problem
                if len(gathered.signatures) >= threshold:
                    break
        except FuturesTimeout:
            gathered.refusals["*"] = "no answer in time"
        return gathered

    def _ask(self, url: str, body: str) -> SignatureAnswer | str:
        try:
            response = self._client.post(url, content=body, headers={"content-type": "application/json"})
            if len(response.content) > _MAX_ANSWER:
                return "answer too large"
            if response.status_code != 200:
                return _detail(response)
            return SignatureAnswer.model_validate_json(response.content)
        except httpx.HTTPError as error:
            return f"unreachable: {type(error).__name__}"
        except ValueError:
            return "malformed answer"

    def close(self) -> None:
        """Give connections and threads back."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()


def _accept(
    answer: SignatureAnswer, digest: bytes, signers: list[str], into: dict[int, tuple[bytes, int]]
) -> str | None:
    r, vs = bytes.fromhex(answer.r[2:]), int(answer.vs)
    try:
        signer = recover(digest, r, vs)
    except (ValueError, OverflowError):
        return "malformed signature"
    if signer not in signers:
        return f"signed another digest or is no member: {answer.digest}"
    into[signers.index(signer)] = (r, vs)
    return None


def _detail(response: httpx.Response) -> str:
    try:
        detail: Any = response.json().get("detail")
    except ValueError:
        detail = None
    return f"{response.status_code}: {str(detail)[:400]}"


def get_text(url: str, timeout: float = 10.0, limit: int = 64 * 1024 * 1024) -> str:
    """One text answer of at most `limit` bytes. Raises httpx.HTTPError or ValueError."""
    parts, size = [], 0
    with httpx.stream("GET", url, timeout=timeout) as response:
        response.raise_for_status()
        for part in response.iter_bytes():
            size += len(part)
            if size > limit:
                raise ValueError("answer too large")
            parts.append(part)
    return b"".join(parts).decode()


def get_json(url: str, timeout: float = 2.0) -> Any:
    """One JSON answer. Raises httpx.HTTPError or ValueError."""
    response = httpx.get(url, timeout=timeout)
    response.raise_for_status()
    return response.json()


__all__ = ["Attesters", "Gathered", "get_json", "get_text"]
