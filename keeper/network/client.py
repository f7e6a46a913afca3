"""Calls to other keepers: signed, with short timeouts and bounded answers; and who failed how."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as FuturesTimeout
from dataclasses import dataclass, field
from typing import Any

import httpx

from keeper.attestation.typed_data import recover
from keeper.chain.keys import Signer, SigningError
from keeper.network.peers import authorize
from keeper.network.schemas import Message, SignatureAnswer

_MAX_ANSWER = 64 * 1024
_CONNECT_SECONDS = 1.0

Heard = Callable[[str, str], None]


@dataclass(frozen=True)
class Gathered:
    """Valid signatures by signer index, and what the others said.

    Attributes:
        refusals: why, by the URL asked.
        dissents: answers in which a member signs another digest than the one asked for.
    """

    signatures: dict[int, tuple[bytes, int]]
    refusals: dict[str, str] = field(default_factory=dict)
    dissents: list[SignatureAnswer] = field(default_factory=list)

    def assemble(self, threshold: int) -> tuple[int, list[tuple[bytes, int]]] | None:
        """(bitmap, compact signatures in its order), cut to the threshold; None if there are too few."""
        if len(self.signatures) < threshold:
            return None
        chosen = sorted(self.signatures)[:threshold]
        return sum(1 << i for i in chosen), [self.signatures[i] for i in chosen]


class Attesters:
    """The attesters that a proposer asks, all at once."""

    def __init__(
        self,
        urls: tuple[str, ...],
        timeout: float = 5.0,
        signer: Signer | None = None,
        domain: bytes = b"",
        heard: Heard | None = None,
    ) -> None:
        """
        Args:
            timeout: seconds, for each request from its start to the end of its answer.
            signer, domain: who asks, and the EIP-712 domain of this deployment's peers.
            heard: told URL and result of every answer, also of those that came too late to matter.
        """
        self.urls = urls
        self.timeout = timeout
        self._signer, self._domain, self._heard = signer, domain, heard
        self._client = httpx.Client(timeout=httpx.Timeout(timeout, connect=_CONNECT_SECONDS))
        self._pool = ThreadPoolExecutor(max_workers=max(2 * len(urls), 1), thread_name_prefix="attester")

    def gather(
        self, path: str, message: Message, digest: bytes, signers: list[str], threshold: int
    ) -> Gathered:
        """Ask everybody, return as soon as `threshold` valid signatures over `digest` are there.

        A signature counts if it recovers to a member of the quorum; whose server it came from does not
        matter.
        """
        body = message.model_dump_json().encode()
        futures = {self._pool.submit(self._ask, url, path, body): url for url in self.urls}
        gathered = Gathered({})
        try:
            for future in as_completed(futures, timeout=self.timeout + _CONNECT_SECONDS):
                problem = _accept(future.result(), digest, signers, gathered)
                if problem is not None:
                    gathered.refusals[futures[future]] = problem
                if len(gathered.signatures) >= threshold:
                    break
        except FuturesTimeout:
            late = [url for future, url in futures.items() if not future.done()]
            gathered.refusals.update(dict.fromkeys(late, "no answer in time"))
        _forget(futures)
        return gathered

    def _ask(self, url: str, path: str, body: bytes) -> SignatureAnswer | str:
        answer = self._answer(url, path, body)
        if self._heard is not None:
            self._heard(url, answer if isinstance(answer, str) else "signed")
        return answer

    def _answer(self, url: str, path: str, body: bytes) -> SignatureAnswer | str:
        headers = {"content-type": "application/json"}
        try:
            if self._signer is not None:
                headers["authorization"] = authorize(self._signer, self._domain, "POST", path, body)
            deadline = time.monotonic() + self.timeout
            with self._client.stream("POST", url + path, content=body, headers=headers) as response:
                content = read_bounded(response, _MAX_ANSWER, deadline)
            if response.status_code != 200:
                return _detail(response.status_code, content)
            return SignatureAnswer.model_validate_json(content)
        except SigningError as error:
            return f"not asked: {error}"
        except httpx.HTTPError as error:
            return f"unreachable: {type(error).__name__}"
        except AnswerError as error:
            return str(error)
        except ValueError:
            return "malformed answer"

    def close(self) -> None:
        """Give connections and threads back."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()


class AnswerError(ValueError):
    """An answer is too large or drips."""


def read_bounded(response: httpx.Response, limit: int, deadline: float | None = None) -> bytes:
    """An answer's content. AnswerError beyond `limit` bytes or past `deadline` (monotonic seconds)."""
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > limit:
            raise AnswerError("answer too large")
        if deadline is not None and time.monotonic() > deadline:
            raise AnswerError("no answer in time")
        parts.append(part)
    return b"".join(parts)


def get_text(url: str, timeout: float = 10.0, limit: int = 64 * 1024 * 1024) -> str:
    """One text answer of at most `limit` bytes. Raises httpx.HTTPError or ValueError."""
    with httpx.stream("GET", url, timeout=timeout) as response:
        response.raise_for_status()
        return read_bounded(response, limit).decode()


def get_json(url: str, timeout: float = 2.0) -> Any:
    """One JSON answer. Raises httpx.HTTPError or ValueError."""
    response = httpx.get(url, timeout=timeout)
    response.raise_for_status()
    return response.json()


def _accept(
    answer: SignatureAnswer | str, digest: bytes, signers: list[str], gathered: Gathered
) -> str | None:
    """Take a signature in; why not, if it does not count."""
    if isinstance(answer, str):
        return answer
    r, vs = bytes.fromhex(answer.r[2:]), int(answer.vs)
    signer = _recovered(digest, r, vs)
    if signer in signers:
        gathered.signatures[signers.index(signer)] = (r, vs)
        return None
    if _recovered(bytes.fromhex(answer.digest[2:]), r, vs) in signers:
        gathered.dissents.append(answer)
        return f"signed another digest: {answer.digest}"
    return "malformed signature" if signer == "" else "signature of no member"


def _recovered(digest: bytes, r: bytes, vs: int) -> str:
    """Who signed; empty text where nothing can be recovered."""
    try:
        return recover(digest, r, vs)
    except (ValueError, OverflowError):
        return ""


def _detail(status: int, content: bytes) -> str:
    try:
        detail: Any = httpx.Response(status, content=content).json().get("detail")
    except (ValueError, AttributeError, RecursionError):
        detail = None
    return f"{status}: {str(detail)[:400]}"


def _forget(futures: dict[Future[SignatureAnswer | str], str]) -> None:
    """What has not begun need not."""
    for future in futures:
        future.cancel()
