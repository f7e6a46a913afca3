"""A small web3signer: the eth1 part of its documented HTTP API, with keys of ours, over HTTP or TLS."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from coincurve import PrivateKey
from eth_utils.crypto import keccak

_SIGN = "/api/v1/eth1/sign/"


@dataclass
class Web3SignerServer:
    """What it has and how it behaves; everything may be changed while it runs.

    Attributes:
        keys: private keys.
        signing_key: signs whatever is asked, whoever's key was named; None: as it should be.
        high_s: answers with the other s that verifies as well.
        v: base of the last byte, 27 as documented or 0.
        delay: seconds before each answer.
        status: of each answer.
        signed: preimages.
    """

    keys: list[bytes]
    signing_key: bytes | None = None
    high_s: bool = False
    v: int = 27
    delay: float = 0.0
    status: int = 200
    answer: str | None = None
    port: int = 0
    signed: list[bytes] = field(default_factory=list)

    def public_keys(self) -> dict[str, bytes]:
        """Private keys by identifier."""
        return {
            "0x" + PrivateKey(key).public_key.format(compressed=False)[1:].hex(): key for key in self.keys
        }

    def reply(self, path: str, body: Any) -> tuple[str, int]:
        """Text and status of a request to sign."""
        key = self.public_keys().get(path.removeprefix(_SIGN))
        if not path.startswith(_SIGN) or key is None:
            return "", 404
        if set(body) != {"data"}:
            return "", 400
        return self.answer or self.sign(key, bytes.fromhex(body["data"][2:])), 200

    def sign(self, key: bytes, data: bytes) -> str:
        """0x text of r, s, v over keccak(data)."""
        self.signed.append(data)
        made = PrivateKey(self.signing_key or key).sign_recoverable(keccak(data), hasher=None)
        s, parity = int.from_bytes(made[32:64], "big"), made[64]
        if self.high_s:
            s, parity = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - s, 1 - parity
        return "0x" + (made[:32] + s.to_bytes(32, "big") + bytes([self.v + parity])).hex()


@contextmanager
def web3signer(server: Web3SignerServer, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Runs it; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/upcheck":
                self._reply("OK")
            elif self.path == "/api/v1/eth1/publicKeys":
                self._reply(json.dumps(list(server.public_keys())), kind="application/json")
            else:
                self._reply("", 404)

        def do_POST(self) -> None:
            body: Any = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_json = self.headers["Content-Type"] == "application/json"
            self._reply(*server.reply(self.path, body if is_json else {}))

        def _reply(self, text: str, status: int = 200, kind: str = "text/plain; charset=utf-8") -> None:
            time.sleep(server.delay)
            self.send_response(status if server.status == 200 else server.status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Refused handshakes and clients that gave up are what some tests are about."""

    http = Quiet(("127.0.0.1", server.port), Handler)
    if context is not None:
        http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    server.port = http.server_address[1]
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.port}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
