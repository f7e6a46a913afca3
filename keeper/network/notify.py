"""Messages to people: webhooks, mail and whatever else apprise speaks, one URL a reader.

The URLs hold passwords and tokens: they are hidden from logs where they are first seen.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import apprise
import httpx

from keeper.observability.redaction import SECRETS

_SECONDS = 10.0


class NotifyError(RuntimeError):
    """A message did not reach its reader."""


class Messenger(Protocol):
    """Sends one message to one reader. Raises NotifyError."""

    def send(self, url: str, title: str, text: str, facts: Mapping[str, Any]) -> None: ...


class Notifier:
    """`https://` and `http://` are webhooks, which get JSON; other schemes are apprise's (mailtos, ...)."""

    def send(self, url: str, title: str, text: str, facts: Mapping[str, Any]) -> None:
        """Send a message. `facts` are for machines: the body of a webhook, beside title and text.

        Raises:
            NotifyError: nobody took it; the text never holds the URL's credentials.
        """
        if urlsplit(url).scheme in ("http", "https"):
            _post(url, {"title": title, "text": text, **facts})
        else:
            _apprise(url, title, text)


def problem_of(url: str) -> str:
    """Why nothing can be sent to a URL; empty if it can be tried."""
    hide(url)
    if urlsplit(url).scheme in ("http", "https"):
        return "" if urlsplit(url).hostname else "names no host"
    return "" if apprise.Apprise().add(url) else "is no URL that apprise knows"


def hide(url: str) -> None:
    """Keep what a URL holds besides its host out of every log."""
    parts = urlsplit(url)
    SECRETS.hide(url, *(value for value in (parts.password, parts.query) if value))


def _post(url: str, content: Mapping[str, Any]) -> None:
    parts = urlsplit(url)
    login = (parts.username, parts.password or "") if parts.username else None
    try:
        answer = httpx.post(
            url,
            content=json.dumps(content),
            headers={"Content-Type": "application/json"},
            auth=login,
            timeout=_SECONDS,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotifyError(f"{parts.hostname} does not answer: {type(error).__name__}") from None
    if not answer.is_success:
        raise NotifyError(f"{parts.hostname} answers {answer.status_code}")


def _apprise(url: str, title: str, text: str) -> None:
    service = apprise.Apprise()
    host = urlsplit(url).hostname or urlsplit(url).scheme
    if not service.add(url):
        raise NotifyError(f"{host}: no URL that apprise knows")
    if not service.notify(body=text, title=title):
        raise NotifyError(f"{host} has not taken the message")
