"""Readers of notices on this machine: a mail server and a webhook, with real sockets, that keep what they are
told; and any application of ours behind a port."""

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import uvicorn

from keeper.app.process import listening


class Mailbox:
    """Speaks as much SMTP as a client needs. `refuse`: answers 550 to every recipient."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refuse = False
        self.port = 0

    @property
    def url(self) -> str:
        """What apprise takes; the password must never be seen anywhere."""
        query = "from=keeper@example.org&to=desk@example.org&mode=insecure"
        return f"mailto://desk:hunter2secret@127.0.0.1:{self.port}?{query}"

    def handler(self) -> type[socketserver.StreamRequestHandler]:
        """One connection."""
        box = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line: str) -> None:
                self.wfile.write(line.encode() + b"\r\n")

            def handle(self) -> None:
                self.say("220 mailbox")
                while line := self.rfile.readline().strip():
                    verb = line.split()[0].upper()
                    if verb == b"EHLO":
                        self.say("250-mailbox")
                        self.say("250 AUTH PLAIN LOGIN")
                    elif verb == b"AUTH":
                        self.say("235 welcome")
                    elif verb == b"RCPT" and box.refuse:
                        self.say("550 nobody here")
                    elif verb == b"DATA":
                        self.say("354 go on")
                        lines = iter(self.rfile.readline, b".\r\n")
                        content = message_from_bytes(b"".join(lines), policy=policy.default)
                        assert isinstance(content, EmailMessage)
                        box.messages.append(content)
                        self.say("250 taken")
                    elif verb == b"QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 ok")

        return Handler


class Hook:
    """A webhook. `status` is what it answers."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.logins: list[str | None] = []
        self.status = 200
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://desk:hunter2secret@127.0.0.1:{self.port}/margin?token=Zk3JqX9f0bT7yLmN2pQ8"

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        """One request."""
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802  the library's name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.bodies.append(json.loads(body))
                hook.logins.append(self.headers.get("Authorization"))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None: ...

        return Handler


@contextmanager
def open_for(reader: Mailbox | Hook) -> Iterator[None]:
    """The reader listens on a port of its own."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), reader.handler()) as server:
        server.daemon_threads = True
        reader.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(5)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """An application of ours, at the URL yielded."""
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(5)
