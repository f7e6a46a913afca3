"""What may not be read in a log, a status page or a message: keys, passwords, and what opens an account
elsewhere.

Three nets, each for what the others miss: values known to be secret (`Secrets.hide`), fields whose name says
so, and URLs, of which only the scheme, the host and harmless paths are left.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

MASK = "[hidden]"
_SHORTEST = 6  # a shorter text would be masked all over
_SECRET_FIELD = re.compile(
    r"(pass(word|phrase|wd)?|secret|private_?key|mnemonic|authorization|token|credential|api_?key|keystore)$",
    re.IGNORECASE,
)
_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://([^\s'\"<>\])}]*)", re.IGNORECASE)
_OPEN_SCHEMES = ("http", "https", "ws", "wss", "tcp", "postgresql", "sqlite", "file")
_API_KEY = re.compile(r"(?=[^/]*\d)[A-Za-z0-9_-]{16,}")  # a path's part that looks like one


class Secrets:
    """What this process must never show. Thread-safe."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._lock = threading.Lock()

    def hide(self, *values: str | bytes) -> None:
        """Mask a value from now on; bytes as hex, in either case. Very short ones are not remembered."""
        texts = [value.hex() if isinstance(value, bytes) else value for value in values]
        with self._lock:
            self._values |= {form for t in texts if len(t) >= _SHORTEST for form in (t, t.lower(), t.upper())}

    def redact(self, text: str) -> str:
        """A text without them, and without what URLs should not show."""
        with self._lock:
            known = sorted(self._values, key=len, reverse=True)
        for value in known:
            text = text.replace(value, MASK)
        return _URL.sub(_plain_url, text)

    def clean(self, value: Any, name: str = "") -> Any:
        """The same of anything that is logged: text, numbers, mappings and sequences of them."""
        if name and _SECRET_FIELD.search(name):
            return MASK
        if isinstance(value, bool | int | float | None):
            return value
        if isinstance(value, Mapping):
            return {key: self.clean(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, bytes):
            return self.redact("0x" + value.hex())
        if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
            return [self.clean(inner) for inner in value]
        return self.redact(str(value))


def _plain_url(match: re.Match[str]) -> str:
    scheme, rest = match.group(1), match.group(2)
    if scheme.lower().partition("+")[0] not in _OPEN_SCHEMES:
        return f"{scheme}://{MASK}"  # mail, chats: the whole address is a credential
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    path, _, query = path.partition("?")
    path = "/".join(MASK if _is_api_key(part) else part for part in path.split("/"))
    at = f"{MASK}@" if "@" in authority else ""
    return f"{scheme}://{at}{host}{slash}{path}" + (f"?{MASK}" if query else "")


def _is_api_key(part: str) -> bool:
    """Addresses, hashes and numbers of the chain are none."""
    is_of_chain = part.isdigit() or re.fullmatch(r"0x[0-9a-fA-F]+", part) is not None
    return not is_of_chain and _API_KEY.fullmatch(part) is not None


SECRETS = Secrets()  # of this process: a key is hidden where it is opened, before anything can log
